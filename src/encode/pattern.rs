//! Sample rates that the configuration sets by patterns of metric names, such as `http.*`.

use super::sample::SampleRate;

/// Sample rates of metrics, by patterns of their names. The first matching pattern decides.
#[derive(Clone, Debug, Default)]
pub(crate) struct SamplingRules(pub(crate) Vec<(Pattern, SampleRate)>);

impl SamplingRules {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the sample rate of the first pattern that matches the full metric name: `path`
    /// (prefixes with dots) followed by `name`. Returns `None` if no pattern matches.
    pub(crate) fn rate(&self, path: &str, name: &str) -> Option<&SampleRate> {
        let (_, rate) = self.0.iter().find(|(pattern, _)| pattern.matches(path, name))?;
        Some(rate)
    }
}

/// Pattern of names, in which each `*` matches any characters, or none.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(pub(crate) String);

impl Pattern {
    /// Returns true if the pattern matches `{path}{name}`. The two are not concatenated.
    fn matches(&self, path: &str, name: &str) -> bool {
        let (pattern, path, name) = (self.0.as_bytes(), path.as_bytes(), name.as_bytes());
        let len = path.len() + name.len();
        let byte = |at: usize| if at < path.len() { path[at] } else { name[at - path.len()] };
        let (mut at, mut in_pattern) = (0, 0);
        // Index of the last star in the pattern, and the end of the text that it matches so far.
        let mut last_star: Option<(usize, usize)> = None;
        while at < len {
            match pattern.get(in_pattern) {
                Some(b'*') => {
                    last_star = Some((in_pattern, at));
                    in_pattern += 1;
                }
                Some(&expected) if expected == byte(at) => {
                    at += 1;
                    in_pattern += 1;
                }
                _ => {
                    // Backtrack: the last star matches one more character.
                    let Some((star, end)) = last_star else { return false };
                    last_star = Some((star, end + 1));
                    (at, in_pattern) = (end + 1, star + 1);
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
        /// Compares pattern matching with a simple recursive definition, for random patterns and
        /// for random names that are split at any index. The results must be equal.
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
