//! Signs of numbers.

/// Sign before the digits of a number. The discriminant is the byte that is written to a line, or 0
/// if there is no sign.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Sign {
    None = 0,
    Plus = b'+',
    Minus = b'-',
}

impl Sign {
    #[inline(always)]
    pub(super) fn len(self) -> usize {
        usize::from(self != Self::None)
    }

    /// Returns `Minus` if `is_negative` is true, and `None` otherwise.
    #[inline(always)]
    pub(super) fn minus_if(is_negative: bool) -> Self {
        if is_negative { Self::Minus } else { Self::None }
    }
}
