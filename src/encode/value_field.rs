//! The field between `:` and `|`: a number, or a member of a set.

use super::decimal::Digits;
use super::line_writer::LineWriter;
use super::scope::Scope;
use super::value::Number;

/// Value of a line.
pub(crate) trait ValueField: Copy {
    /// Returns the maximum length in bytes.
    fn size(&self) -> usize;

    /// Writes the value. Returns true if it is certainly clean; otherwise it may be incomplete.
    fn put(&self, writer: &mut LineWriter<'_>) -> bool;

    /// Writes the value with each forbidden character replaced. Returns true if any was.
    fn put_sanitized(&self, writer: &mut LineWriter<'_>) -> bool;
}

impl<D: Digits> ValueField for Number<D> {
    #[inline(always)]
    fn size(&self) -> usize {
        self.sign.len() + self.digits.len()
    }
    #[inline(always)]
    fn put(&self, writer: &mut LineWriter<'_>) -> bool {
        writer.put_sign(self.sign);
        self.digits.write(writer);
        true
    }
    #[inline(always)]
    fn put_sanitized(&self, writer: &mut LineWriter<'_>) -> bool {
        self.put(writer);
        false
    }
}

/// Member of a set, which may be any text.
#[derive(Clone, Copy)]
pub(crate) struct SetMember<'a> {
    pub(crate) text: &'a str,
    pub(crate) scope: &'a Scope,
}

impl<'a> SetMember<'a> {
    /// Returns `_` if it must replace a sign at the beginning, else an empty text, and the rest of
    /// the member.
    fn parts(&self) -> (&'static str, &'a str) {
        match self.text.strip_prefix(['+', '-']) {
            Some(rest) if !self.scope.rules.allows_signed_members => ("_", rest),
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
    fn put(&self, writer: &mut LineWriter<'_>) -> bool {
        let (replaced_sign, rest) = self.parts();
        replaced_sign.is_empty() && writer.put_text(rest, self.scope.rules.member)
    }
    fn put_sanitized(&self, writer: &mut LineWriter<'_>) -> bool {
        let (replaced_sign, rest) = self.parts();
        writer.put(replaced_sign.as_bytes());
        if !replaced_sign.is_empty() && rest.is_empty() {
            return true;
        }
        writer.put_sanitized_text(rest, self.scope.rules.member) | !replaced_sign.is_empty()
    }
}
