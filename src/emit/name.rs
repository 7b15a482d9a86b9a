//! Names, made safe: nothing that a caller puts into one can end its field or its line.

/// Whether a byte asks for a closer look: `:`, `|`, a control, or a part of a character
/// beyond ASCII. Branch-free, so that the compiler tests sixteen at once.
#[inline(always)]
fn is_suspect(byte: u8) -> bool {
    // As signed numbers, all of 0x80..=0xff, 0x00..=0x1f and 0x7f come before b' ' + 1.
    let control_or_beyond = (byte.wrapping_add(1) as i8) < b' ' as i8 + 1;
    control_or_beyond | (byte == b':') | (byte == b'|')
}

#[inline(always)]
fn any_suspect<const N: usize>(bytes: &[u8; N]) -> bool {
    bytes.iter().fold(false, |any, &byte| any | is_suspect(byte))
}

/// Whether a name can go on the wire as it is, told quickly: where this says no,
/// [`clean`] has the last word.
#[inline(always)]
pub(super) fn is_surely_clean(name: &[u8]) -> bool {
    if let Some(last) = name.last_chunk::<16>() {
        // Sixteen at a time; the last sixteen may overlap those before.
        let mut rest = name;
        while let Some((first, others)) = rest.split_first_chunk::<16>() {
            if any_suspect(first) {
                return false;
            }
            rest = others;
        }
        rest.is_empty() || !any_suspect(last)
    } else if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        !(any_suspect(first) | any_suspect(last))
    } else {
        !name.iter().any(|&byte| is_suspect(byte))
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
    let (mut at, mut altered) = (0, false);
    for character in name.chars() {
        let forbidden = is_forbidden(character);
        let character = if forbidden { '_' } else { character };
        altered |= forbidden;
        at += character.encode_utf8(&mut to[at..]).len();
    }
    (at, altered)
}
