//! Tags of a call: any number of them, without a list on the heap.

use super::line_writer::{LineWriter, Unclean};
use super::properties::{CharacterRules, TagSyntax};

/// Tags of a call: [`NoTags`], or [`Tagged`] around other tags.
///
/// This trait is sealed.
pub trait Tags: sealed::Sealed {}

/// The empty list of tags.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTags;

/// A tag that follows the tags in `Rest`.
#[derive(Clone, Copy, Debug)]
pub struct Tagged<'a, Rest> {
    pub(crate) rest: Rest,
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
}

impl Tags for NoTags {}
impl<Rest: Tags> Tags for Tagged<'_, Rest> {}

pub(crate) mod sealed {
    use super::{LineWriter, TagFormat, Unclean};

    /// Seals `Tags`: this trait cannot be named outside the crate.
    pub trait Sealed: Copy {
        /// True if there is at least one tag.
        const ANY: bool;

        /// Returns the length in bytes if the tags are clean, and the maximum length otherwise.
        fn size(&self, format: &TagFormat) -> usize;

        /// Writes the tags.
        fn put<const SANITIZE: bool>(
            &self,
            format: &TagFormat,
            writer: &mut LineWriter<'_, SANITIZE>,
        ) -> Result<(), Unclean>;
    }
}

/// Format of the tags that the calls of one scope add.
#[derive(Clone, Copy)]
pub struct TagFormat {
    /// The dialect's syntax. If the scope has tags itself, `opening` is the separator.
    pub(super) syntax: TagSyntax,
    pub(super) rules: CharacterRules,
}

impl TagFormat {
    #[inline(always)]
    fn size(&self, is_first: bool, key: &str, value: &str) -> usize {
        let separator = if is_first { self.syntax.opening } else { self.syntax.separator };
        separator.len() + key.len().max(1) + 1 + value.len().max(1)
    }

    #[inline(always)]
    fn begin_tag<const SANITIZE: bool>(
        &self,
        is_first: bool,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) {
        writer.put_short(if is_first { self.syntax.opening } else { self.syntax.separator });
    }

    /// Writes one tag.
    #[inline(always)]
    pub(super) fn put<const SANITIZE: bool>(
        &self,
        is_first: bool,
        key: &str,
        value: &str,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        self.begin_tag(is_first, writer);
        writer.put_text(key, self.rules.key)?;
        writer.put_byte(self.syntax.assignment);
        writer.put_text(value, self.rules.value)
    }

    /// Writes a tag without a value.
    pub(super) fn put_bare<const SANITIZE: bool>(
        &self,
        is_first: bool,
        tag: &str,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        self.begin_tag(is_first, writer);
        writer.put_text(tag, self.rules.value)
    }
}

impl sealed::Sealed for NoTags {
    const ANY: bool = false;

    #[inline(always)]
    fn size(&self, _format: &TagFormat) -> usize {
        0
    }
    #[inline(always)]
    fn put<const SANITIZE: bool>(
        &self,
        _format: &TagFormat,
        _writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        Ok(())
    }
}

impl<Rest: sealed::Sealed> sealed::Sealed for Tagged<'_, Rest> {
    const ANY: bool = true;

    #[inline(always)]
    fn size(&self, format: &TagFormat) -> usize {
        self.rest.size(format) + format.size(!Rest::ANY, self.key, self.value)
    }
    #[inline(always)]
    fn put<const SANITIZE: bool>(
        &self,
        format: &TagFormat,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        self.rest.put(format, writer)?;
        format.put(!Rest::ANY, self.key, self.value, writer)
    }
}
