//! Signs of numbers.

/// Sign before the digits of a number. Its discriminant is the byte on the line, if there is one.
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

    /// Returns `Minus` for a negative number, and `None` for all others.
    #[inline(always)]
    pub(super) fn minus_if(is_negative: bool) -> Self {
        if is_negative { Self::Minus } else { Self::None }
    }
}
