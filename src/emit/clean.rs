//! Clean text: nothing that a caller puts into a line can end its field or the line.

use super::copy::{copy_first, copy_short};
use wide::i8x16;

/// What a text may not hold, beside the control characters, which no text may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// No `:` and no `|`: names where tags stand behind the type, and most members of sets.
    Field,
    /// No `:`, `|`, `@` or `#`: the member of a set where netdata may read it, for which it ends there
    /// and the line is a meter.
    Member,
    /// No `:`, `|` or `,`: the key of a tag in DogStatsD.
    Key,
    /// No `|` and no `,`: its value.
    Value,
    /// Nothing that separates anything in the dialects whose tags stand in the name, or that the
    /// databases behind them refuse.
    Word,
    /// Letters, digits, and `_ - .` alone: what the reference server leaves as it is.
    Strict,
}

impl Rule {
    /// Whether this character has to be replaced.
    pub(crate) fn forbids(self, character: char) -> bool {
        character.is_control()
            || match self {
                Self::Field => matches!(character, ':' | '|'),
                Self::Member => matches!(character, ':' | '|' | '@' | '#'),
                Self::Key => matches!(character, ':' | '|' | ','),
                Self::Value => matches!(character, '|' | ','),
                Self::Word => " !#,:;=[\\]^|~".contains(character),
                Self::Strict => !(character.is_ascii_alphanumeric() || "_-.".contains(character)),
            }
    }

    /// Whether any of these bytes asks for a closer look.
    #[inline(always)]
    fn suspects(self, bytes: [u8; 16]) -> bool {
        match self {
            Self::Field => any_suspect(bytes),
            Self::Member => any_suspect(bytes) || has_either(bytes, b'@', b'#'),
            Self::Key => any_suspect_in_tag(bytes, true),
            Self::Value => any_suspect_in_tag(bytes, false),
            Self::Word => any_but_words(bytes),
            Self::Strict => any_but_words(bytes) || has_either(bytes, b'/', b'/'),
        }
    }
}

/// Whether any byte asks for a closer look: `:`, `|`, a control, or a part of a character
/// beyond ASCII.
#[inline(always)]
fn any_suspect(bytes: [u8; 16]) -> bool {
    let bytes = i8x16::new(bytes.map(|byte| byte as i8));
    let is = |byte: u8| bytes.simd_eq(i8x16::splat(byte as i8));
    (control_or_beyond(bytes) | is(b':') | is(b'|')).any()
}

#[inline(always)]
fn any_suspect_in_tag(bytes: [u8; 16], is_key: bool) -> bool {
    let bytes = i8x16::new(bytes.map(|byte| byte as i8));
    let is = |byte: u8| bytes.simd_eq(i8x16::splat(byte as i8));
    let colon = if is_key { b':' } else { b'|' };
    (control_or_beyond(bytes) | is(b',') | is(b'|') | is(colon)).any()
}

/// Whether any byte is no letter, no digit and none of `_ - . /`.
#[inline(always)]
fn any_but_words(bytes: [u8; 16]) -> bool {
    let bytes = i8x16::new(bytes.map(|byte| byte as i8));
    let all = |byte: u8| i8x16::splat(byte as i8);
    let within = |bytes: i8x16, first: u8, last: u8| {
        bytes.simd_gt(all(first - 1)) & bytes.simd_lt(all(last + 1))
    };
    // Both cases of the letters at once; `@[\]^` become what is no letter either.
    let letter = within(bytes | all(0x20), b'a', b'z');
    let word = letter | within(bytes, b'-', b'9') | bytes.simd_eq(all(b'_'));
    !word.all()
}

#[inline(always)]
fn has_either(bytes: [u8; 16], one: u8, other: u8) -> bool {
    let bytes = i8x16::new(bytes.map(|byte| byte as i8));
    let is = |byte: u8| bytes.simd_eq(i8x16::splat(byte as i8));
    (is(one) | is(other)).any()
}

/// As signed numbers, all of 0x80..=0xff, 0x00..=0x1f and 0x7f come before b' ' + 1.
#[inline(always)]
fn control_or_beyond(bytes: i8x16) -> i8x16 {
    (bytes + i8x16::splat(1)).simd_lt(i8x16::splat(b' ' as i8 + 1))
}

/// Copies a name into a slice of its length. Says whether it can go on the wire as it is, told
/// quickly: where this says no, [`clean`] has the last word.
#[inline(always)]
pub(super) fn copy_surely_clean(to: &mut [u8], name: &[u8]) -> bool {
    copy_unless(any_suspect, to, name)
}

/// As [`copy_surely_clean`], by any rule. A function of its own: a line has several such texts.
pub(super) fn copy_surely_clean_by(rule: Rule, to: &mut [u8], text: &[u8]) -> bool {
    match rule {
        Rule::Field => copy_unless(|bytes| Rule::Field.suspects(bytes), to, text),
        Rule::Member => copy_unless(|bytes| Rule::Member.suspects(bytes), to, text),
        Rule::Key => copy_unless(|bytes| Rule::Key.suspects(bytes), to, text),
        Rule::Value => copy_unless(|bytes| Rule::Value.suspects(bytes), to, text),
        Rule::Word => copy_unless(|bytes| Rule::Word.suspects(bytes), to, text),
        Rule::Strict => copy_unless(|bytes| Rule::Strict.suspects(bytes), to, text),
    }
}

/// Copies a text into a slice of its length. False, and perhaps not all copied, if any of it is
/// suspect.
#[inline(always)]
fn copy_unless(suspect: impl Fn([u8; 16]) -> bool, to: &mut [u8], name: &[u8]) -> bool {
    let Some(last) = name.len().checked_sub(16) else {
        return !suspect(copy_short(to, name));
    };
    let mut next = 0;
    loop {
        let at = next.min(last);
        let Some(&chunk) = name[at..].first_chunk::<16>() else { return false };
        copy_first(&mut to[at..], chunk);
        if suspect(chunk) {
            return false;
        }
        if at == last {
            return true;
        }
        next = at + 16;
    }
}

/// Copies `text` to the front of `to` with each forbidden character replaced by `_`. Says
/// how long it is then, never longer than before, and whether it differs.
#[cold]
pub(super) fn clean(rule: Rule, to: &mut [u8], text: &str) -> (usize, bool) {
    if copy_surely_clean_by(rule, &mut to[..text.len()], text.as_bytes()) {
        return (text.len(), false);
    }
    let (mut at, mut altered) = (0, false);
    for character in text.chars() {
        let forbidden = rule.forbids(character);
        let character = if forbidden { '_' } else { character };
        altered |= forbidden;
        at += character.encode_utf8(&mut to[at..]).len();
    }
    (at, altered)
}

/// The text with each forbidden character replaced by `_`.
pub(crate) fn cleaned(rule: Rule, text: &str) -> String {
    text.chars().map(|c| if rule.forbids(c) { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Rule; 6] =
        [Rule::Field, Rule::Member, Rule::Key, Rule::Value, Rule::Word, Rule::Strict];

    #[test]
    fn every_byte_is_seen_and_copied_at_every_place_of_texts_of_every_length() {
        // Under Miri those at the edges of a chunk, and of what is clean: all take too long.
        let (lengths, bytes): (Vec<usize>, Vec<u8>) = if cfg!(miri) {
            (vec![1, 15, 16, 17, 33], b"\0\x1f :A|~\x7f\x80\xff".to_vec())
        } else {
            ((1..=40).collect(), (0..=u8::MAX).collect())
        };
        // What is told to be clean without a closer look.
        let surely = |rule: Rule, byte: u8| match rule {
            Rule::Word => byte.is_ascii_alphanumeric() || b"_-./".contains(&byte),
            Rule::Strict => byte.is_ascii() && !rule.forbids(byte.into()),
            _ => byte.is_ascii() && !rule.forbids(byte.into()),
        };
        for rule in ALL {
            for &len in &lengths {
                let mut name: Vec<u8> = (b'A'..=b'Z').cycle().take(len).collect();
                for place in 0..len {
                    let before = name[place];
                    for &byte in &bytes {
                        name[place] = byte;
                        let mut to = vec![0; len];
                        let copied = copy_surely_clean_by(rule, &mut to, &name);
                        assert_eq!(copied, surely(rule, byte), "{rule:?}: {byte} at {place}");
                        assert!(!copied || to == name, "{to:?} for {name:?}");
                    }
                    name[place] = before;
                }
            }
        }
    }

    #[test]
    fn the_quick_look_lets_nothing_forbidden_through() {
        for rule in ALL {
            for byte in 0..=u8::MAX {
                let passes = !rule.suspects([byte; 16]);
                assert!(!passes || !rule.forbids(byte.into()), "{rule:?}: {byte}");
            }
        }
    }
}
