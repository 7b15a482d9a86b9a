//! Tags: as many as a call has, without a list of them on the heap.

use super::dialect::{CharacterRules, TagSyntax};
use super::line_writer::LineWriter;

/// The tags of a call: [`NoTags`], or one [`Tagged`] within another.
///
/// This trait is sealed.
pub trait Tags: sealed::Sealed {}

/// No tags.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTags;

/// A tag more than the rest.
#[derive(Clone, Copy, Debug)]
pub struct Tagged<'a, Rest> {
    pub(crate) rest: Rest,
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
}

impl Tags for NoTags {}
impl<Rest: Tags> Tags for Tagged<'_, Rest> {}

pub(crate) mod sealed {
    use super::{LineWriter, TagFormat};

    /// Cannot be named outside, which is what seals `Tags`.
    pub trait Sealed: Copy {
        /// Whether there are any.
        const ANY: bool;

        /// How many bytes they take at most.
        fn size(&self, writer: &TagFormat) -> usize;

        /// Puts them down; false, and perhaps not all, if they are not clean for sure.
        fn put(&self, writer: &TagFormat, text: &mut LineWriter<'_>) -> bool;

        /// Puts them down with what is forbidden replaced; whether anything was.
        fn put_cleaned(&self, writer: &TagFormat, text: &mut LineWriter<'_>) -> bool;
    }
}

/// How one scope writes the tags of its calls.
#[derive(Clone, Copy)]
pub struct TagFormat {
    /// Whose first separator is not the dialect's first if the scope has tags itself.
    pub(super) syntax: TagSyntax,
    pub(super) rules: CharacterRules,
}

impl TagFormat {
    #[inline(always)]
    fn size(&self, is_first: bool, key: &str, value: &str) -> usize {
        let separator = if is_first { self.syntax.first } else { self.syntax.next };
        separator.len() + key.len().max(1) + 1 + value.len().max(1)
    }

    #[inline(always)]
    fn begin(&self, is_first: bool, text: &mut LineWriter<'_>) {
        text.put_short(if is_first { self.syntax.first } else { self.syntax.next });
    }

    /// One tag; false, and perhaps not all of it, if it is not clean for sure.
    #[inline(always)]
    fn put(&self, is_first: bool, key: &str, value: &str, text: &mut LineWriter<'_>) -> bool {
        self.begin(is_first, text);
        let is_clean = text.put_text(key, self.rules.key);
        text.put_byte(self.syntax.is);
        is_clean & text.put_text(value, self.rules.value)
    }

    /// One tag, made clean; whether it is altered.
    pub(super) fn put_cleaned(
        &self,
        is_first: bool,
        key: &str,
        value: &str,
        text: &mut LineWriter<'_>,
    ) -> bool {
        self.begin(is_first, text);
        let key_altered = text.put_cleaned_text(key, self.rules.key);
        text.put_byte(self.syntax.is);
        text.put_cleaned_text(value, self.rules.value) | key_altered
    }
}

impl TagFormat {
    /// One that is no key and value, made clean; whether it is altered.
    pub(super) fn put_cleaned_bare(
        &self,
        is_first: bool,
        tag: &str,
        text: &mut LineWriter<'_>,
    ) -> bool {
        self.begin(is_first, text);
        text.put_cleaned_text(tag, self.rules.value)
    }
}

impl sealed::Sealed for NoTags {
    const ANY: bool = false;

    #[inline(always)]
    fn size(&self, _writer: &TagFormat) -> usize {
        0
    }
    #[inline(always)]
    fn put(&self, _writer: &TagFormat, _text: &mut LineWriter<'_>) -> bool {
        true
    }
    fn put_cleaned(&self, _writer: &TagFormat, _text: &mut LineWriter<'_>) -> bool {
        false
    }
}

impl<Rest: sealed::Sealed> sealed::Sealed for Tagged<'_, Rest> {
    const ANY: bool = true;

    #[inline(always)]
    fn size(&self, writer: &TagFormat) -> usize {
        self.rest.size(writer) + writer.size(!Rest::ANY, self.key, self.value)
    }
    #[inline(always)]
    fn put(&self, writer: &TagFormat, text: &mut LineWriter<'_>) -> bool {
        self.rest.put(writer, text) && writer.put(!Rest::ANY, self.key, self.value, text)
    }
    fn put_cleaned(&self, writer: &TagFormat, text: &mut LineWriter<'_>) -> bool {
        let rest_altered = self.rest.put_cleaned(writer, text);
        writer.put_cleaned(!Rest::ANY, self.key, self.value, text) | rest_altered
    }
}
