//! Contract of everything that can be encoded as lines.

use super::line_writer::{LineWriter, Unclean};

/// A line, or several that stay together.
///
/// Encoding is written once and compiled twice. The *fast* copy checks the texts of callers and gives
/// up at the first that may be unclean. The *sanitizing* copy replaces what is forbidden.
///
/// Encoding must not call code of the application: the thread's block is reserved meanwhile.
pub(crate) trait EncodeLine: Copy {
    /// Number of lines.
    const LINES: u64 = 1;

    /// Returns the length in bytes if all texts are clean, and the maximum length otherwise.
    fn max_len(&self) -> usize;

    /// Returns true if the line has no name, and cannot be sent.
    fn is_nameless(&self) -> bool {
        false
    }

    /// Returns true if a text of the line was altered in advance.
    #[inline(always)]
    fn is_altered(&self) -> bool {
        false
    }

    /// Writes the line.
    ///
    /// # Errors
    /// The fast copy fails if a text may be unclean. The sanitizing copy never fails.
    fn encode<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean>;
}

/// Two lines that stay together.
impl<A: EncodeLine, B: EncodeLine> EncodeLine for (A, B) {
    const LINES: u64 = A::LINES + B::LINES;

    #[inline(always)]
    fn max_len(&self) -> usize {
        self.0.max_len() + self.1.max_len()
    }

    fn is_nameless(&self) -> bool {
        self.0.is_nameless() || self.1.is_nameless()
    }

    #[inline(always)]
    fn is_altered(&self) -> bool {
        self.0.is_altered() || self.1.is_altered()
    }

    #[inline(always)]
    fn encode<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        self.0.encode(writer)?;
        self.1.encode(writer)
    }
}
