//! Sample rates by name.

use super::sample::SampleRate;

/// Rates by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct SamplingRules(pub(crate) Vec<(Pattern, SampleRate)>);

impl SamplingRules {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rate of the first pattern that the name matches, which begins with `path`.
    pub(crate) fn rate(&self, path: &str, name: &str) -> Option<&SampleRate> {
        let (_, rate) = self.0.iter().find(|(pattern, _)| pattern.matches(path, name))?;
        Some(rate)
    }
}

/// A name in which each `*` stands for any characters, or none.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(pub(crate) String);

impl Pattern {
    /// Whether it matches these two, put together: without doing so.
    fn matches(&self, path: &str, name: &str) -> bool {
        let (pattern, path, name) = (self.0.as_bytes(), path.as_bytes(), name.as_bytes());
        let length = path.len() + name.len();
        let byte = |at: usize| if at < path.len() { path[at] } else { name[at - path.len()] };
        let (mut at, mut in_pattern) = (0, 0);
        // Where the last star is, and how far it reaches so far.
        let mut star: Option<(usize, usize)> = None;
        while at < length {
            match pattern.get(in_pattern) {
                Some(b'*') => {
                    star = Some((in_pattern, at));
                    in_pattern += 1;
                }
                Some(&expected) if expected == byte(at) => {
                    at += 1;
                    in_pattern += 1;
                }
                _ => {
                    let Some((of_star, reach)) = star else { return false };
                    star = Some((of_star, reach + 1));
                    (at, in_pattern) = (reach + 1, of_star + 1);
                }
            }
        }
        pattern[in_pattern..].iter().all(|&byte| byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// As the definition says: a star is any text.
        #[test]
        fn patterns_match_as_defined(pattern in "[ab*]{0,6}", name in "[ab]{0,8}", cut in 0usize..9) {
            fn defined(pattern: &[u8], name: &[u8]) -> bool {
                match pattern {
                    [] => name.is_empty(),
                    [b'*', rest @ ..] => (0..=name.len()).any(|at| defined(rest, &name[at..])),
                    [first, rest @ ..] => name.first() == Some(first) && defined(rest, &name[1..]),
                }
            }
            let (path, rest) = name.split_at(cut.min(name.len()));
            let expected = defined(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(Pattern(pattern).matches(path, rest), expected);
        }
    }
}
