//! Clean text: nothing that a caller puts into a line can end its field or the line.

use super::copy::{copy_first, copy_last, copy_short};
use wide::i8x16;

/// What a text may not hold, beside the control characters, which no text may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// None of `# , : ; = @ [ ] |`: the name of a metric where tags do not stand in it. Each of them ends a
    /// name, or begins a tag in it, at one server or another.
    Name,
    /// No `:` and no `|`: what is injected, and members of sets.
    Field,
    /// No `|`: the member of a set in DogStatsD.
    Bar,
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
                Self::Name => "#,:;=@[]|".contains(character),
                Self::Field => matches!(character, ':' | '|'),
                Self::Bar => character == '|',
                Self::Member => matches!(character, ':' | '|' | '@' | '#'),
                Self::Key => matches!(character, ':' | '|' | ','),
                Self::Value => matches!(character, '|' | ','),
                Self::Word => " !#,:;=[\\]^|~".contains(character),
                Self::Strict => !(character.is_ascii_alphanumeric() || "_-.".contains(character)),
            }
    }

    /// Which of these bytes ask for a closer look.
    #[inline(always)]
    fn suspects(self, bytes: i8x16) -> Suspects {
        match self {
            Self::Name => suspects_in_name(bytes),
            Self::Field => controls_or_bar(bytes) | are(bytes, b':'),
            Self::Bar => controls_or_bar(bytes),
            Self::Member => {
                controls_or_bar(bytes) | are(bytes, b':') | are(bytes, b'@') | are(bytes, b'#')
            }
            Self::Key => controls_or_bar(bytes) | are(bytes, b',') | are(bytes, b':'),
            Self::Value => controls_or_bar(bytes) | are(bytes, b','),
            Self::Word => but_words(bytes),
            Self::Strict => but_words(bytes) | are(bytes, b'/'),
        }
    }
}

/// All bits of a suspect byte are set, and none of the others'.
type Suspects = i8x16;

/// The three ranges between letters, digits, and `_ - . /`: what [`Rule::Name`] forbids is in them, and what
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
pub(super) fn copy_surely_clean(rule: Rule, to: &mut [u8], text: &[u8]) -> bool {
    copy_unless(|bytes| rule.suspects(bytes), to, text)
}

/// The same as a function of its own: a line has several such texts.
pub(super) fn copy_surely_clean_by(rule: Rule, to: &mut [u8], text: &[u8]) -> bool {
    match rule {
        Rule::Name => copy_surely_clean(Rule::Name, to, text),
        Rule::Field => copy_surely_clean(Rule::Field, to, text),
        Rule::Bar => copy_surely_clean(Rule::Bar, to, text),
        Rule::Member => copy_surely_clean(Rule::Member, to, text),
        Rule::Key => copy_surely_clean(Rule::Key, to, text),
        Rule::Value => copy_surely_clean(Rule::Value, to, text),
        Rule::Word => copy_surely_clean(Rule::Word, to, text),
        Rule::Strict => copy_surely_clean(Rule::Strict, to, text),
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

    const ALL: [Rule; 8] = [
        Rule::Name,
        Rule::Field,
        Rule::Bar,
        Rule::Member,
        Rule::Key,
        Rule::Value,
        Rule::Word,
        Rule::Strict,
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
        let surely = |rule: Rule, byte: u8| match rule {
            Rule::Word => byte.is_ascii_alphanumeric() || b"_-./".contains(&byte),
            Rule::Name => byte.is_ascii_alphanumeric() || b"_-./`{".contains(&byte),
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
                let passes = !rule.suspects(all(byte)).any();
                assert!(!passes || !rule.forbids(byte.into()), "{rule:?}: {byte}");
            }
        }
    }
}
