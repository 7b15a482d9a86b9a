//! Names, made safe: nothing that a caller puts into one can end its field or its line.

use super::copy::{copy_first, copy_short};
use wide::i8x16;

/// Whether any byte asks for a closer look: `:`, `|`, a control, or a part of a character
/// beyond ASCII.
#[inline(always)]
fn any_suspect(bytes: [u8; 16]) -> bool {
    let bytes = i8x16::new(bytes.map(|byte| byte as i8));
    let is = |byte: u8| bytes.simd_eq(i8x16::splat(byte as i8));
    // As signed numbers, all of 0x80..=0xff, 0x00..=0x1f and 0x7f come before b' ' + 1.
    let control_or_beyond = (bytes + i8x16::splat(1)).simd_lt(i8x16::splat(b' ' as i8 + 1));
    (control_or_beyond | is(b':') | is(b'|')).any()
}

/// Copies a name into a slice of its length. Says whether it can go on the wire as it is, told
/// quickly: where this says no, [`clean`] has the last word.
#[inline(always)]
pub(super) fn copy_surely_clean(to: &mut [u8], name: &[u8]) -> bool {
    let Some(last) = name.len().checked_sub(16) else {
        return !any_suspect(copy_short(to, name));
    };
    let mut next = 0;
    loop {
        let at = next.min(last);
        let Some(&chunk) = name[at..].first_chunk::<16>() else { return false };
        copy_first(&mut to[at..], chunk);
        if any_suspect(chunk) {
            return false;
        }
        if at == last {
            return true;
        }
        next = at + 16;
    }
}

/// Whether a character would end the field or the line, or be taken for neither.
pub(super) fn is_forbidden(character: char) -> bool {
    matches!(character, ':' | '|') || character.is_control()
}

/// Copies `name` to the front of `to` with each forbidden character replaced by `_`. Says
/// how long it is then, never longer than before, and whether it differs.
#[cold]
pub(super) fn clean(to: &mut [u8], name: &str) -> (usize, bool) {
    if copy_surely_clean(&mut to[..name.len()], name.as_bytes()) {
        return (name.len(), false);
    }
    let (mut at, mut altered) = (0, false);
    for character in name.chars() {
        let forbidden = is_forbidden(character);
        let character = if forbidden { '_' } else { character };
        altered |= forbidden;
        at += character.encode_utf8(&mut to[at..]).len();
    }
    (at, altered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_seen_and_copied_at_every_place_of_names_of_every_length() {
        // Under Miri those at the edges of a chunk, and of what is clean: all take too long.
        let (lengths, bytes): (Vec<usize>, Vec<u8>) = if cfg!(miri) {
            (vec![1, 15, 16, 17, 33], b"\0\x1f :A|~\x7f\x80\xff".to_vec())
        } else {
            ((1..=70).collect(), (0..=u8::MAX).collect())
        };
        for len in lengths {
            let mut name: Vec<u8> = (b'A'..=b'Z').cycle().take(len).collect();
            for place in 0..len {
                let before = name[place];
                for &byte in &bytes {
                    name[place] = byte;
                    let mut to = vec![0; len];
                    let clean = matches!(byte, b' '..=b'~') && !matches!(byte, b':' | b'|');
                    assert_eq!(copy_surely_clean(&mut to, &name), clean, "{byte} at {place}");
                    assert!(!clean || to == name, "{to:?} for {name:?}");
                }
                name[place] = before;
            }
        }
    }
}
