//! The field between `:` and `|`: a number, or the member of a set.

use super::decimal::Digits;
use super::line_writer::LineWriter;
use super::scope::Scope;
use super::value::Number;

pub(crate) trait ValueField: Copy {
    /// How many bytes it takes at most.
    fn size(&self) -> usize;

    /// Puts it down; false, and perhaps not all, if it is not clean for sure.
    fn put(&self, text: &mut LineWriter<'_>) -> bool;

    /// Puts it down with what is forbidden replaced; whether anything was.
    fn put_cleaned(&self, text: &mut LineWriter<'_>) -> bool;
}

impl<D: Digits> ValueField for Number<D> {
    #[inline(always)]
    fn size(&self) -> usize {
        self.sign.len() + self.digits.len()
    }
    #[inline(always)]
    fn put(&self, text: &mut LineWriter<'_>) -> bool {
        text.put_sign(self.sign);
        self.digits.write(text);
        true
    }
    #[inline(always)]
    fn put_cleaned(&self, text: &mut LineWriter<'_>) -> bool {
        self.put(text);
        false
    }
}

/// The member of a set: any text.
#[derive(Clone, Copy)]
pub(crate) struct SetMember<'a> {
    pub(crate) text: &'a str,
    pub(crate) scope: &'a Scope,
}

impl<'a> SetMember<'a> {
    /// What is put in place of a sign that must not be the first character, and the rest.
    fn parts(&self) -> (&'static str, &'a str) {
        match self.text.strip_prefix(['+', '-']) {
            Some(rest) if !self.scope.rules.is_signed => ("_", rest),
            _ => ("", self.text),
        }
    }
}

impl ValueField for SetMember<'_> {
    #[inline(always)]
    fn size(&self) -> usize {
        self.text.len().max("_".len())
    }
    #[inline(always)]
    fn put(&self, text: &mut LineWriter<'_>) -> bool {
        let (sign, rest) = self.parts();
        sign.is_empty() && text.put_text(rest, self.scope.rules.member)
    }
    fn put_cleaned(&self, text: &mut LineWriter<'_>) -> bool {
        let (sign, rest) = self.parts();
        text.put(sign.as_bytes());
        if !sign.is_empty() && rest.is_empty() {
            return true;
        }
        text.put_cleaned_text(rest, self.scope.rules.member) | !sign.is_empty()
    }
}
