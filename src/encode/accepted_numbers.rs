//! Sets of the numbers that StatsD servers read correctly, by dialect and metric type.

/// Set of the numbers that the servers of a StatsD dialect read correctly as values of one metric
/// type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptedNumbers {
    All,
    /// Only integers from -2^63 to 2^63 - 1.
    Integers,
    NonNegative,
}
