//! The field between `:` and `|`: a number, or the member of a set.

use super::decimal::Digits;
use super::scope::Scope;
use super::text::Text;
use super::value::Number;

pub(crate) trait Field: Copy {
    /// How many bytes it takes at most.
    fn size(&self) -> usize;

    /// Puts it down; false, and perhaps not all, if it is not clean for sure.
    fn put(&self, text: &mut Text<'_>) -> bool;

    /// Puts it down with what is forbidden replaced; whether anything was.
    fn put_cleaned(&self, text: &mut Text<'_>) -> bool;
}

impl<D: Digits> Field for Number<D> {
    #[inline(always)]
    fn size(&self) -> usize {
        self.sign.len() + self.digits.len()
    }
    #[inline(always)]
    fn put(&self, text: &mut Text<'_>) -> bool {
        text.put_sign(self.sign);
        self.digits.write(text);
        true
    }
    #[inline(always)]
    fn put_cleaned(&self, text: &mut Text<'_>) -> bool {
        self.put(text);
        false
    }
}

/// The member of a set: any text.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) text: &'a str,
    pub(crate) scope: &'a Scope,
}

impl Field for Member<'_> {
    #[inline(always)]
    fn size(&self) -> usize {
        self.text.len().max("_".len())
    }
    #[inline(always)]
    fn put(&self, text: &mut Text<'_>) -> bool {
        text.put_text(self.text, self.scope.rules.member)
    }
    fn put_cleaned(&self, text: &mut Text<'_>) -> bool {
        text.put_cleaned_text(self.text, self.scope.rules.member)
    }
}
