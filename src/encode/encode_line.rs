//! Trait of everything that can be encoded as one or more StatsD lines.

use super::line_writer::{LineWriter, Unclean};

/// One or more StatsD lines that are encoded into the same part of a buffer, so that no other line
/// can come between them.
///
/// Encoding is written once and compiled twice. The *fast* copy checks the texts of callers and gives
/// up at the first that may be unclean. The *sanitizing* copy replaces what is forbidden.
///
/// Encoding must not call code of the application: the thread's block is reserved meanwhile.
pub(crate) trait EncodeLine: Copy {
    /// Number of StatsD lines that a value of this type encodes.
    const LINES: u64 = 1;

    /// Returns the maximum length of the encoded lines in bytes. The maximum is the exact length if
    /// sanitizing alters no text.
    fn max_len(&self) -> usize;

    /// Returns true if a metric name is empty, so that the lines cannot be sent.
    fn is_nameless(&self) -> bool {
        false
    }

    /// Returns true if sanitizing already altered a text before encoding, such as a tag of the
    /// connector.
    #[inline(always)]
    fn is_altered(&self) -> bool {
        false
    }

    /// Writes the encoded lines to `writer`.
    ///
    /// # Errors
    /// The fast copy fails if a text may be unclean. The sanitizing copy never fails.
    fn encode<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean>;
}

/// Two lines that are encoded together, so that no other line can come between them.
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
