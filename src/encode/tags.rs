//! Tags of a single call, as nested generic types that hold any number of tags without allocation.

use super::line_writer::{LineWriter, Unclean};
use super::properties::{CharacterRules, TagSyntax};

/// List of the tags that a call adds: [`NoTags`], or a [`Tagged`] that adds one tag to another
/// list.
///
/// This trait is sealed.
pub trait Tags: sealed::Sealed {}

/// The empty list of tags.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTags;

/// List of tags that consists of the list `Rest` and one more tag.
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
        /// True if a list of this type has at least one tag.
        const ANY: bool;

        /// Returns the maximum length of the rendered tags in bytes. The maximum is the exact
        /// length if sanitizing alters no text.
        fn size(&self, format: &TagFormat) -> usize;

        /// Writes the tags in the given format to `writer`.
        fn put<const SANITIZE: bool>(
            &self,
            format: &TagFormat,
            writer: &mut LineWriter<'_, SANITIZE>,
        ) -> Result<(), Unclean>;
    }
}

/// Syntax and character rules of the tags that calls add to the lines of a connector.
#[derive(Clone, Copy)]
pub struct TagFormat {
    /// Tag syntax of the dialect. If the connector has tags, `opening` holds the separator, since
    /// the tags of a call then follow other tags.
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
