//! Value of a line, between `:` and `|`: a number, or a member of a set.

use super::decimal::Digits;
use super::line_writer::{LineWriter, Unclean};
use super::properties::CharacterRules;
use super::sign::Sign;
use super::value::Number;

/// Value that a line can have: a number, or a member of a set.
pub(crate) trait ValueField: Copy {
    /// Returns the maximum length of the value in bytes. The maximum is the exact length if
    /// sanitizing does not alter the value.
    fn size(&self) -> usize;

    /// Writes a colon and the value to `writer`.
    #[inline(always)]
    fn put_after_colon<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        writer.put_byte(b':');
        self.put(writer)
    }

    /// Writes the value to `writer`, without a colon.
    fn put<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean>;
}

/// The number 0. A call that sets a gauge to a negative value sends this number first, since most
/// servers read a signed value as a change.
pub(crate) const ZERO: Number<&'static [u8; 1]> = Number { sign: Sign::None, digits: b"0" };

/// The number 1, which is the value of a line that increments a counter.
pub(crate) const ONE: Number<&'static [u8; 1]> = Number { sign: Sign::None, digits: b"1" };

impl<D: Digits> ValueField for Number<D> {
    #[inline(always)]
    fn size(&self) -> usize {
        self.sign.len() + self.digits.len()
    }
    #[inline(always)]
    fn put_after_colon<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        writer.put_colon_and_sign(self.sign);
        self.digits.write(writer);
        Ok(())
    }
    #[inline(always)]
    fn put<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        writer.put_sign(self.sign);
        self.digits.write(writer);
        Ok(())
    }
}

/// Member of a set, as the value of a line: any text of the caller, with characters that `rules`
/// forbid replaced by `_`.
#[derive(Clone, Copy)]
pub(crate) struct SetMember<'a> {
    pub(crate) text: &'a str,
    pub(crate) rules: &'a CharacterRules,
}

impl ValueField for SetMember<'_> {
    #[inline(always)]
    fn size(&self) -> usize {
        self.text.len().max("_".len())
    }
    #[inline(always)]
    fn put<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        let Self { text, rules } = *self;
        let unsigned = text.strip_prefix(['+', '-']).filter(|_| !rules.allows_signed_members);
        let Some(rest) = unsigned else { return writer.put_text(text, rules.member) };
        writer.mark_altered()?;
        writer.put_byte(b'_');
        if rest.is_empty() { Ok(()) } else { writer.put_text(rest, rules.member) }
    }
}
