//! Clean text: nothing that a caller puts into a line can end its field or the line.

use super::copy::{copy_first, copy_last, copy_short};
use wide::i8x16;

/// What a text may not hold, beside the control characters, which no text may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CharacterRule {
    /// None of `# , : ; = @ [ ] |`: the name of a metric where tags do not stand in it. Each of them ends a
    /// name, or begins a tag in it, at one server or another.
    PlainName,
    /// No `:` and no `|`: what is injected, and members of sets.
    Field,
    /// No `|`: the member of a set in DogStatsD.
    DogStatsDMember,
    /// No `:`, `|`, `@` or `#`: the member of a set where netdata may read it, for which it ends there
    /// and the line is a meter.
    NetdataMember,
    /// No `:`, `|` or `,`: the key of a tag in DogStatsD.
    DogStatsDKey,
    /// No `|` and no `,`: its value.
    DogStatsDValue,
    /// Nothing that separates anything in the dialects whose tags stand in the name, or that the
    /// databases behind them refuse.
    TaggedName,
    /// Letters, digits, and `_ - .` alone: what the reference server leaves as it is.
    Graphite,
}

impl CharacterRule {
    /// Whether this character has to be replaced.
    pub(crate) fn forbids(self, character: char) -> bool {
        character.is_control()
            || match self {
                Self::PlainName => "#,:;=@[]|".contains(character),
                Self::Field => matches!(character, ':' | '|'),
                Self::DogStatsDMember => character == '|',
                Self::NetdataMember => matches!(character, ':' | '|' | '@' | '#'),
                Self::DogStatsDKey => matches!(character, ':' | '|' | ','),
                Self::DogStatsDValue => matches!(character, '|' | ','),
                Self::TaggedName => " !#,:;=[\\]^|~".contains(character),
                Self::Graphite => !(character.is_ascii_alphanumeric() || "_-.".contains(character)),
            }
    }

    /// Which of these bytes ask for a closer look.
    #[inline(always)]
    fn suspects(self, bytes: i8x16) -> Suspects {
        match self {
            Self::PlainName => suspects_in_name(bytes),
            Self::Field => controls_or_bar(bytes) | are(bytes, b':'),
            Self::DogStatsDMember => controls_or_bar(bytes),
            Self::NetdataMember => {
                controls_or_bar(bytes) | are(bytes, b':') | are(bytes, b'@') | are(bytes, b'#')
            }
            Self::DogStatsDKey => controls_or_bar(bytes) | are(bytes, b',') | are(bytes, b':'),
            Self::DogStatsDValue => controls_or_bar(bytes) | are(bytes, b','),
            Self::TaggedName => but_words(bytes),
            Self::Graphite => but_words(bytes) | are(bytes, b'/'),
        }
    }
}

/// All bits of a suspect byte are set, and none of the others'.
type Suspects = i8x16;

/// The three ranges between letters, digits, and `_ - . /`: what [`CharacterRule::PlainName`] forbids is in them, and what
/// names seldom have.
#[inline(always)]
fn suspects_in_name(bytes: i8x16) -> Suspects {
    // From `|` over all beyond ASCII and the controls to `,`.
    within(bytes, b'|', b',') | within(bytes, b':', b'@') | within(bytes, b'[', b'^')
}

/// Which bytes lie in this range, which may go round from 0xff to 0: moved so that it ends at the highest of
/// signed numbers.
#[inline(always)]
fn within(bytes: i8x16, first: u8, last: u8) -> Suspects {
    let below = 0x7f_u8.wrapping_sub(last.wrapping_sub(first)).wrapping_sub(1);
    (bytes + all(0x7f_u8.wrapping_sub(last))).simd_gt(all(below))
}

#[inline(always)]
fn all(byte: u8) -> i8x16 {
    i8x16::splat(byte as i8)
}

/// Which bytes are this one.
#[inline(always)]
fn are(bytes: i8x16, byte: u8) -> Suspects {
    bytes.simd_eq(all(byte))
}

/// Which are no letter, no digit and none of `_ - . /`.
#[inline(always)]
fn but_words(bytes: i8x16) -> Suspects {
    // Both cases of the letters at once; `@[\]^` become what is no letter either.
    let letter = within(bytes | all(0x20), b'a', b'z');
    !(letter | within(bytes, b'-', b'9') | are(bytes, b'_'))
}

/// Controls, what lies beyond ASCII, and `|`: tags often have braces.
#[inline(always)]
fn controls_or_bar(bytes: i8x16) -> Suspects {
    within(bytes, 0x7f, 0x1f) | are(bytes, b'|')
}

/// Copies a text into a slice of its length. Says whether it can go on the wire as it is, told
/// quickly: where this says no, [`clean`] has the last word.
#[inline(always)]
pub(super) fn copy_surely_clean(rule: CharacterRule, to: &mut [u8], text: &[u8]) -> bool {
    copy_unless(|bytes| rule.suspects(bytes), to, text)
}

/// The same as a function of its own: a line has several such texts.
pub(super) fn copy_surely_clean_by(rule: CharacterRule, to: &mut [u8], text: &[u8]) -> bool {
    match rule {
        CharacterRule::PlainName => copy_surely_clean(CharacterRule::PlainName, to, text),
        CharacterRule::Field => copy_surely_clean(CharacterRule::Field, to, text),
        CharacterRule::DogStatsDMember => {
            copy_surely_clean(CharacterRule::DogStatsDMember, to, text)
        }
        CharacterRule::NetdataMember => copy_surely_clean(CharacterRule::NetdataMember, to, text),
        CharacterRule::DogStatsDKey => copy_surely_clean(CharacterRule::DogStatsDKey, to, text),
        CharacterRule::DogStatsDValue => copy_surely_clean(CharacterRule::DogStatsDValue, to, text),
        CharacterRule::TaggedName => copy_surely_clean(CharacterRule::TaggedName, to, text),
        CharacterRule::Graphite => copy_surely_clean(CharacterRule::Graphite, to, text),
    }
}

/// Copies a text into a slice of its length. False, and perhaps not all copied, if any of it is
/// suspect.
#[inline(always)]
fn copy_unless(suspects: impl Fn(i8x16) -> Suspects, to: &mut [u8], name: &[u8]) -> bool {
    let suspects = |bytes: [u8; 16]| suspects(i8x16::new(bytes.map(|byte| byte as i8)));
    let Some(last) = name.len().checked_sub(16) else {
        return !suspects(copy_short(to, name)).any();
    };
    if let (Some(&first), Some(&end)) = (name.first_chunk::<16>(), name.last_chunk::<16>())
        && last <= 16
    {
        copy_first(to, first);
        copy_last(to, end);
        return !(suspects(first) | suspects(end)).any();
    }
    let mut next = 0;
    loop {
        let at = next.min(last);
        let Some(&chunk) = name[at..].first_chunk::<16>() else { return false };
        copy_first(&mut to[at..], chunk);
        if suspects(chunk).any() {
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
pub(super) fn clean(rule: CharacterRule, to: &mut [u8], text: &str) -> (usize, bool) {
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
pub(crate) fn cleaned(rule: CharacterRule, text: &str) -> String {
    text.chars().map(|c| if rule.forbids(c) { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [CharacterRule; 8] = [
        CharacterRule::PlainName,
        CharacterRule::Field,
        CharacterRule::DogStatsDMember,
        CharacterRule::NetdataMember,
        CharacterRule::DogStatsDKey,
        CharacterRule::DogStatsDValue,
        CharacterRule::TaggedName,
        CharacterRule::Graphite,
    ];

    #[test]
    fn every_byte_is_seen_and_copied_at_every_place_of_texts_of_every_length() {
        // Under Miri those at the edges of a chunk, and of what is clean: all take too long.
        let (lengths, bytes): (Vec<usize>, Vec<u8>) = if cfg!(miri) {
            (vec![1, 15, 16, 17, 33], b"\0\x1f :=@A[|~\x7f\x80\xff".to_vec())
        } else {
            ((1..=40).collect(), (0..=u8::MAX).collect())
        };
        // What is told to be clean without a closer look.
        let surely = |rule: CharacterRule, byte: u8| match rule {
            CharacterRule::TaggedName => byte.is_ascii_alphanumeric() || b"_-./".contains(&byte),
            CharacterRule::PlainName => byte.is_ascii_alphanumeric() || b"_-./`{".contains(&byte),
            CharacterRule::Graphite => byte.is_ascii() && !rule.forbids(byte.into()),
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
                let passes = !rule.suspects(all(byte)).any();
                assert!(!passes || !rule.forbids(byte.into()), "{rule:?}: {byte}");
            }
        }
    }
}
