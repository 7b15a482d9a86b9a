//! Fast copying of a few bytes, in chunks of constant size such as 4 or 8 bytes.
//!
//! The last chunk may overlap the chunk before it. This is faster than a call of `memcpy`.

/// Copies up to 16 bytes between slices of equal length.
///
/// Returns all bytes, some of them repeated, so that the caller can check them without another
/// load.
#[inline(always)]
pub(super) fn copy_short(to: &mut [u8], from: &[u8]) -> [u8; 16] {
    if let Some(&chunk) = from.first_chunk::<16>() {
        copy_first(to, chunk);
        chunk
    } else if let (Some(&first), Some(&last)) = (from.first_chunk::<8>(), from.last_chunk::<8>()) {
        copy_first(to, first);
        copy_last(to, last);
        concat(first, last)
    } else if let (Some(&first), Some(&last)) = (from.first_chunk::<4>(), from.last_chunk::<4>()) {
        copy_first(to, first);
        copy_last(to, last);
        let both = concat(first, last);
        concat::<8, 16>(both, both)
    } else if let (&[first, ..], &[.., last]) = (from, from) {
        let middle = from[from.len() / 2];
        to[from.len() / 2] = middle;
        to[0] = first;
        to[from.len() - 1] = last;
        let all = [first, middle, last, last];
        let all = concat::<4, 8>(all, all);
        concat(all, all)
    } else {
        // A control character, which every rule forbids: an empty text is not clean.
        [0; 16]
    }
}

#[inline(always)]
pub(super) fn copy_first<const N: usize>(to: &mut [u8], chunk: [u8; N]) {
    if let Some(to) = to.first_chunk_mut() {
        *to = chunk;
    }
}

#[inline(always)]
pub(super) fn copy_last<const N: usize>(to: &mut [u8], chunk: [u8; N]) {
    if let Some(to) = to.last_chunk_mut() {
        *to = chunk;
    }
}

/// Concatenates two arrays of equal length.
#[inline(always)]
fn concat<const N: usize, const M: usize>(first: [u8; N], last: [u8; N]) -> [u8; M] {
    const { assert!(M == 2 * N) };
    let mut both = [0; M];
    both[..N].copy_from_slice(&first);
    both[N..].copy_from_slice(&last);
    both
}
