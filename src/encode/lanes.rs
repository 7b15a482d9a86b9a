//! Sixteen bytes that are compared at once, each in its lane.
//!
//! On x86-64 these are vector instructions that every such processor has. Elsewhere they are loops
//! over the lanes, which the compiler may turn into vector instructions.
//!
//! The functions are not always inlined: without optimisation each copy would take stack of its own.

/// Sixteen bytes, or a mask of them: all bits of a marked lane are set, and no bits of other lanes.
#[derive(Clone, Copy)]
pub(super) struct Lanes(platform::Vector);

impl Lanes {
    #[inline]
    pub(super) fn new(bytes: [u8; 16]) -> Self {
        Self(platform::new(bytes))
    }

    /// Returns sixteen times the same byte.
    #[inline]
    pub(super) fn splat(byte: u8) -> Self {
        Self(platform::splat(byte))
    }

    /// Returns a mask of the lanes that have this byte.
    #[inline]
    pub(super) fn equal_to(self, byte: u8) -> Self {
        Self(platform::equal(self.0, platform::splat(byte)))
    }

    /// Returns a mask of the bytes from `first` to `last`. The range may wrap around from 0xff to 0.
    ///
    /// The range is shifted to end at the largest signed byte, so that one comparison suffices.
    #[inline]
    pub(super) fn within(self, first: u8, last: u8) -> Self {
        let below = 0x7f_u8.wrapping_sub(last.wrapping_sub(first)).wrapping_sub(1);
        let shifted = platform::wrapping_add(self.0, platform::splat(0x7f_u8.wrapping_sub(last)));
        Self(platform::signed_greater(shifted, platform::splat(below)))
    }

    /// Returns true if any lane is marked in this mask.
    #[inline]
    pub(super) fn any(self) -> bool {
        platform::any(self.0)
    }
}

impl std::ops::BitOr for Lanes {
    type Output = Self;
    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(platform::or(self.0, other.0))
    }
}

impl std::ops::Not for Lanes {
    type Output = Self;
    #[inline]
    fn not(self) -> Self {
        Self(platform::not(self.0))
    }
}

#[cfg(target_arch = "x86_64")]
mod platform {
    use safe_arch::{add_i8_m128i, cmp_eq_mask_i8_m128i, cmp_gt_mask_i8_m128i};
    use safe_arch::{m128i, move_mask_i8_m128i, set_splat_i8_m128i};

    pub(super) type Vector = m128i;

    #[inline]
    pub(super) fn new(bytes: [u8; 16]) -> Vector {
        Vector::from(bytes)
    }
    #[inline]
    pub(super) fn splat(byte: u8) -> Vector {
        set_splat_i8_m128i(byte.cast_signed())
    }
    #[inline]
    pub(super) fn equal(one: Vector, other: Vector) -> Vector {
        cmp_eq_mask_i8_m128i(one, other)
    }
    #[inline]
    pub(super) fn signed_greater(one: Vector, other: Vector) -> Vector {
        cmp_gt_mask_i8_m128i(one, other)
    }
    #[inline]
    pub(super) fn wrapping_add(one: Vector, other: Vector) -> Vector {
        add_i8_m128i(one, other)
    }
    #[inline]
    pub(super) fn or(one: Vector, other: Vector) -> Vector {
        one | other
    }
    #[inline]
    pub(super) fn not(mask: Vector) -> Vector {
        !mask
    }
    #[inline]
    pub(super) fn any(mask: Vector) -> bool {
        move_mask_i8_m128i(mask) != 0
    }
}

// Tests also use this module where it is not the platform's.
#[cfg(any(not(target_arch = "x86_64"), test))]
mod portable {
    use std::array::from_fn;

    pub(super) type Vector = [u8; 16];

    #[inline]
    pub(super) fn new(bytes: [u8; 16]) -> Vector {
        bytes
    }
    #[inline]
    pub(super) fn splat(byte: u8) -> Vector {
        [byte; 16]
    }
    #[inline]
    pub(super) fn equal(one: Vector, other: Vector) -> Vector {
        from_fn(|lane| mask(one[lane] == other[lane]))
    }
    #[inline]
    pub(super) fn signed_greater(one: Vector, other: Vector) -> Vector {
        from_fn(|lane| mask(one[lane].cast_signed() > other[lane].cast_signed()))
    }
    #[inline]
    pub(super) fn wrapping_add(one: Vector, other: Vector) -> Vector {
        from_fn(|lane| one[lane].wrapping_add(other[lane]))
    }
    #[inline]
    pub(super) fn or(one: Vector, other: Vector) -> Vector {
        from_fn(|lane| one[lane] | other[lane])
    }
    #[inline]
    pub(super) fn not(mask: Vector) -> Vector {
        mask.map(|lane| !lane)
    }
    #[inline]
    pub(super) fn any(mask: Vector) -> bool {
        mask != [0; 16]
    }

    #[inline]
    fn mask(is_marked: bool) -> u8 {
        0_u8.wrapping_sub(u8::from(is_marked))
    }
}

#[cfg(not(target_arch = "x86_64"))]
use portable as platform;

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::{platform, portable};

    /// Checks that both implementations agree on every pair of bytes.
    #[test]
    fn the_platforms_lanes_agree_with_the_portable_ones() {
        let text = |vector: platform::Vector| <[u8; 16]>::from(vector);
        for byte in 0..=u8::MAX {
            for start in (0..=u8::MAX).step_by(16) {
                let bytes: [u8; 16] = std::array::from_fn(|lane| start + lane as u8);
                let (one, other) = (platform::new(bytes), platform::splat(byte));
                let (plain, plain_other) = (portable::new(bytes), portable::splat(byte));
                let equal = portable::equal(plain, plain_other);
                let greater = portable::signed_greater(plain, plain_other);
                assert_eq!(text(platform::equal(one, other)), equal);
                assert_eq!(text(platform::signed_greater(one, other)), greater);
                assert_eq!(
                    text(platform::wrapping_add(one, other)),
                    portable::wrapping_add(plain, plain_other)
                );
                assert_eq!(text(platform::or(one, other)), portable::or(plain, plain_other));
                assert_eq!(text(platform::not(one)), portable::not(plain));
                for mask in [equal, greater] {
                    assert_eq!(platform::any(platform::new(mask)), portable::any(mask));
                }
            }
        }
    }
}
