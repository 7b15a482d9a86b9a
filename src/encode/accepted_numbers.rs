//! Sets of numbers that servers read correctly.

/// Numbers that the servers of a dialect read correctly, as values of one metric type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptedNumbers {
    All,
    /// Signed integers of 64 bits.
    Integers,
    NonNegative,
}
