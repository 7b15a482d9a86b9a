//! Contract between the hand-off and an encoder of lines.

/// A line, or several that belong together, that can be encoded into a buffer.
///
/// An implementation must not call code of the application: the thread's block is open.
pub(crate) trait EncodeLine {
    /// Returns the number of lines.
    fn lines(&self) -> u64;

    /// Writes a clean line that fits, and returns its length.
    ///
    /// Returns 0 for any other line, which then needs [`write`](Self::write).
    ///
    /// The buffer is [`MARGIN`](super::MARGIN) bytes longer than the longest line allowed. The
    /// encoder may write to the margin; these bytes are ignored.
    fn write_fast(&self, buffer: &mut [u8]) -> usize;

    /// Writes the line to the front of the buffer, whole or not at all. The buffer has a margin,
    /// as in [`write_fast`](Self::write_fast).
    fn write(&self, buffer: &mut [u8]) -> WriteOutcome;
}

/// The result of encoding a line into a buffer.
pub(crate) enum WriteOutcome {
    /// The line was written, and is `bytes` long.
    Line { bytes: usize, altered: bool },
    /// The line needs this many bytes, which the buffer does not have.
    NoRoom(usize),
    /// The input makes no valid line.
    Invalid,
    /// The server's dialect has no such line.
    Unsupported,
}
