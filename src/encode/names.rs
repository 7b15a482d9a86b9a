//! Names of settings' values: how they are written in files, and read again.

use std::fmt;

/// Error of parsing an unknown name, for example of a
/// [`Dialect`](crate::Dialect), a [`DogStatsDVersion`](crate::DogStatsDVersion) or a
/// [`Cardinality`](crate::Cardinality).
///
/// The message states the name that was given and those that are accepted:
///
/// ```
/// use freewheel::Cardinality;
///
/// let error = "medium".parse::<Cardinality>().unwrap_err();
/// assert_eq!(error.value(), "medium");
/// assert_eq!(error.expected(), ["none", "low", "orchestrator", "high"]);
/// let message = "invalid value \"medium\" for cardinality: \
///                expected one of none, low, orchestrator, high";
/// assert_eq!(error.to_string(), message);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseNameError {
    setting: &'static str,
    value: String,
    expected: &'static [&'static str],
}

impl ParseNameError {
    pub(crate) fn new(
        setting: &'static str,
        value: &str,
        expected: &'static [&'static str],
    ) -> Self {
        Self { setting, value: value.to_owned(), expected }
    }

    /// Returns the text that was parsed.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the accepted names.
    #[must_use]
    pub fn expected(&self) -> &'static [&'static str] {
        self.expected
    }
}

impl fmt::Display for ParseNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, value, expected } = self;
        let expected = expected.join(", ");
        write!(f, "invalid value {value:?} for {setting}: expected one of {expected}")
    }
}

impl std::error::Error for ParseNameError {}

/// Gives the variants of an enum their names: `ALL`, `NAMES`, `EXPECTED`, `as_str`, `Display` and `FromStr`.
///
/// The list must have all variants: `as_str` does not compile without one of them.
macro_rules! names {
    ($type:ident, setting: $setting:literal;
     $first:ident => $first_name:literal, $($variant:ident => $name:literal,)*) => {
        impl $type {
            /// List of all variants.
            #[cfg(test)]
            pub(crate) const ALL: [Self; Self::NAMES.len()] = [Self::$first, $(Self::$variant),*];

            /// List of the names of all variants.
            pub(crate) const NAMES: &'static [&'static str] = &[$first_name, $($name),*];

            /// Description of the accepted names.
            #[cfg(feature = "serde")]
            pub(crate) const EXPECTED: &'static str =
                concat!("one of ", $first_name $(, ", ", $name)*);

            /// Returns the name, as files with settings write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_name,
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl std::fmt::Display for $type {
            /// Writes the name, which [`FromStr`](std::str::FromStr) reads back.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::encode::ParseNameError;

            /// Reads a name exactly as [`Display`](std::fmt::Display) writes it.
            fn from_str(name: &str) -> Result<Self, Self::Err> {
                match name {
                    $first_name => Ok(Self::$first),
                    $($name => Ok(Self::$variant),)*
                    _ => Err($crate::encode::ParseNameError::new($setting, name, Self::NAMES)),
                }
            }
        }
    };
}

pub(crate) use names;

#[cfg(test)]
mod tests {
    use super::ParseNameError;
    use crate::encode::{Cardinality, Dialect, DogStatsDVersion};
    use std::fmt::{Debug, Display};
    use std::str::FromStr;

    #[track_caller]
    fn assert_round_trip<T>(all: &[T], names: &[&str])
    where
        T: Copy + Debug + Display + FromStr<Err = ParseNameError> + PartialEq,
    {
        let written: Vec<String> = all.iter().map(T::to_string).collect();
        assert_eq!(written, names);
        for (&variant, name) in all.iter().zip(names) {
            assert_eq!(name.parse(), Ok(variant));
            for other in [format!(" {name}"), format!("{name}x"), String::new()] {
                let error = other.parse::<T>().unwrap_err();
                assert_eq!((error.value(), error.expected()), (&*other, names));
            }
        }
    }

    #[test]
    fn names_are_read_back_as_written() {
        let dialects =
            ["statsd", "extended", "dogstatsd", "graphite", "influx", "librato", "signalfx"];
        assert_round_trip(&Dialect::ALL, &dialects);
        let versions = ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6"];
        assert_round_trip(&DogStatsDVersion::ALL, &versions);
        assert_round_trip(&Cardinality::ALL, &["none", "low", "orchestrator", "high"]);
    }

    #[test]
    fn names_are_padded_as_text() {
        assert_eq!(format!("{:>8}|", Dialect::StatsD), "  statsd|");
    }

    #[test]
    fn the_error_states_the_setting_and_the_accepted_names() {
        let error = "DogStatsD\n".parse::<Dialect>().unwrap_err();
        let message = "invalid value \"DogStatsD\\n\" for dialect: expected one of statsd, \
                       extended, dogstatsd, graphite, influx, librato, signalfx";
        assert_eq!(error.to_string(), message);
        let error = "2.0".parse::<DogStatsDVersion>().unwrap_err();
        let message = "invalid value \"2.0\" for dogstatsd_version: \
                       expected one of 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6";
        assert_eq!(error.to_string(), message);
    }
}
