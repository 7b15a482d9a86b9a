//! Sanitizing: texts of callers are altered so that they can neither end their field nor their line.
//!
//! The fast path checks texts in vectors of 16 bytes while it copies them. Its check may reject
//! a valid text, but never accepts a forbidden character. [`sanitize`] then decides by character.

use super::copy::{copy_first, copy_last, copy_short};
use super::lanes::Lanes;

/// Rule that determines the characters that a text must not contain. Each rule also forbids control
/// characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CharacterRule {
    /// Forbids `# , : ; = @ [ ] |`: for names in dialects that do not put tags into the name. Each
    /// of these characters has a special meaning in a name for some server or version of the
    /// protocol.
    PlainName,
    /// Forbids `:` and `|`: for paths and values that callers give to `Connector::inject_metric`,
    /// and for members of sets in most dialects.
    Field,
    /// Forbids `|`: for members of sets in DogStatsD.
    DogStatsDMember,
    /// Forbids `:`, `|`, `@` and `#`: for members of sets that netdata may read. netdata ends a
    /// member at `@` or `#`, and then reads the line as a meter.
    NetdataMember,
    /// Forbids `:`, `|` and `,`: for keys of tags in DogStatsD.
    DogStatsDKey,
    /// Forbids `|` and `,`: for values of tags in DogStatsD.
    DogStatsDValue,
    /// Forbids all separators of the dialects that put tags into the name, and all characters that
    /// the databases of these dialects reject.
    TaggedName,
    /// Allows only ASCII letters, digits and `_ - .`, which Etsy's server leaves unchanged.
    Graphite,
}

impl CharacterRule {
    /// Returns true if this rule forbids the character, which sanitizing then replaces by `_`.
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

    /// Returns a mask of the bytes that may belong to a character that the rule forbids.
    #[inline(always)]
    fn suspects(self, bytes: Lanes) -> Lanes {
        match self {
            Self::PlainName => suspects_in_plain_name(bytes),
            Self::Field => controls_or_bar(bytes) | bytes.equal_to(b':'),
            Self::DogStatsDMember => controls_or_bar(bytes),
            Self::NetdataMember => {
                controls_or_bar(bytes)
                    | bytes.equal_to(b':')
                    | bytes.equal_to(b'@')
                    | bytes.equal_to(b'#')
            }
            Self::DogStatsDKey => {
                controls_or_bar(bytes) | bytes.equal_to(b',') | bytes.equal_to(b':')
            }
            Self::DogStatsDValue => controls_or_bar(bytes) | bytes.equal_to(b','),
            Self::TaggedName => not_path_characters(bytes),
            Self::Graphite => not_path_characters(bytes) | bytes.equal_to(b'/'),
        }
    }
}

/// Returns a mask of the bytes that [`CharacterRule::PlainName`] may forbid. The three ranges that
/// the function checks also cover some valid characters that are rare in names.
#[inline(always)]
fn suspects_in_plain_name(bytes: Lanes) -> Lanes {
    // The first range runs from `|` over all bytes beyond ASCII and the controls to `,`.
    bytes.within(b'|', b',') | bytes.within(b':', b'@') | bytes.within(b'[', b'^')
}

/// Returns a mask of the bytes that are neither ASCII letters nor digits nor one of `_ - . /`.
#[inline(always)]
fn not_path_characters(bytes: Lanes) -> Lanes {
    // Setting bit 5 maps capitals to small letters, and `@[\]^` to no letter.
    let letter = (bytes | Lanes::splat(0x20)).within(b'a', b'z');
    !(letter | bytes.within(b'-', b'9') | bytes.equal_to(b'_'))
}

/// Returns a mask of the control characters, the bytes beyond ASCII, and `|`. The mask does not
/// include braces, which are common in tags.
#[inline(always)]
fn controls_or_bar(bytes: Lanes) -> Lanes {
    bytes.within(0x7f, 0x1f) | bytes.equal_to(b'|')
}

/// Copies a text into a slice of the same length. Returns true if the text certainly contains no
/// character that the rule forbids.
///
/// Where this returns false, [`sanitize`] decides.
#[inline(always)]
pub(super) fn copy_if_clean(rule: CharacterRule, to: &mut [u8], text: &[u8]) -> bool {
    copy_unless(|bytes| rule.suspects(bytes), to, text)
}

/// Copies and checks a text as [`copy_if_clean`] does, for a rule that is known only at run time.
/// Not inlined, since the encoding of a line checks several texts.
pub(super) fn copy_if_clean_by(rule: CharacterRule, to: &mut [u8], text: &[u8]) -> bool {
    use CharacterRule as Rule;
    match rule {
        Rule::PlainName => copy_if_clean(Rule::PlainName, to, text),
        Rule::Field => copy_if_clean(Rule::Field, to, text),
        Rule::DogStatsDMember => copy_if_clean(Rule::DogStatsDMember, to, text),
        Rule::NetdataMember => copy_if_clean(Rule::NetdataMember, to, text),
        Rule::DogStatsDKey => copy_if_clean(Rule::DogStatsDKey, to, text),
        Rule::DogStatsDValue => copy_if_clean(Rule::DogStatsDValue, to, text),
        Rule::TaggedName => copy_if_clean(Rule::TaggedName, to, text),
        Rule::Graphite => copy_if_clean(Rule::Graphite, to, text),
    }
}

/// Copies a text into a slice of the same length. Returns false if `suspects` marks any byte, in
/// which case the copy may be incomplete.
#[inline(always)]
fn copy_unless(suspects: impl Fn(Lanes) -> Lanes, to: &mut [u8], text: &[u8]) -> bool {
    let suspects = |bytes: [u8; 16]| suspects(Lanes::new(bytes));
    let Some(last) = text.len().checked_sub(16) else {
        return !suspects(copy_short(to, text)).any();
    };
    if let (Some(&first), Some(&end)) = (text.first_chunk::<16>(), text.last_chunk::<16>())
        && last <= 16
    {
        copy_first(to, first);
        copy_last(to, end);
        return !(suspects(first) | suspects(end)).any();
    }
    let mut next = 0;
    loop {
        let at = next.min(last);
        let Some(&chunk) = text[at..].first_chunk::<16>() else { return false };
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

/// Copies `text` to the front of `to`, with each forbidden character replaced by `_`.
///
/// Returns the length of the result, which is at most `text.len()`, and whether it was altered.
#[cold]
pub(super) fn sanitize(rule: CharacterRule, to: &mut [u8], text: &str) -> (usize, bool) {
    if copy_if_clean_by(rule, &mut to[..text.len()], text.as_bytes()) {
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

/// Returns the text with each forbidden character replaced by `_`.
pub(crate) fn sanitized(rule: CharacterRule, text: &str) -> String {
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
    fn every_byte_is_checked_at_every_index() {
        // Miri is too slow for all cases: it runs those at the edges of chunks and of ranges.
        let (lengths, bytes): (Vec<usize>, Vec<u8>) = if cfg!(miri) {
            (vec![1, 15, 16, 17, 33], b"\0\x1f :=@A[|~\x7f\x80\xff".to_vec())
        } else {
            ((1..=40).collect(), (0..=u8::MAX).collect())
        };
        // The bytes that the fast check accepts.
        let is_accepted = |rule: CharacterRule, byte: u8| match rule {
            CharacterRule::TaggedName => byte.is_ascii_alphanumeric() || b"_-./".contains(&byte),
            CharacterRule::PlainName => byte.is_ascii_alphanumeric() || b"_-./`{".contains(&byte),
            _ => byte.is_ascii() && !rule.forbids(byte.into()),
        };
        for rule in ALL {
            for &len in &lengths {
                let mut text: Vec<u8> = (b'A'..=b'Z').cycle().take(len).collect();
                for index in 0..len {
                    let before = text[index];
                    for &byte in &bytes {
                        text[index] = byte;
                        let mut to = vec![0; len];
                        let accepted = copy_if_clean_by(rule, &mut to, &text);
                        let context = format_args!("{rule:?}: {byte} at {index}");
                        assert_eq!(accepted, is_accepted(rule, byte), "{context}");
                        assert!(!accepted || to == text, "{to:?} for {text:?}");
                    }
                    text[index] = before;
                }
            }
        }
    }

    #[test]
    fn the_fast_check_accepts_no_forbidden_byte() {
        for rule in ALL {
            for byte in 0..=u8::MAX {
                let accepted = !rule.suspects(Lanes::splat(byte)).any();
                assert!(!accepted || !rule.forbids(byte.into()), "{rule:?}: {byte}");
            }
        }
    }
}
