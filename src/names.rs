//! Names of an enum's variants, as settings files and environment variables write them.

/// Implements `as_str`, `Display` and `FromStr` for an enum from a list of its variants and their
/// names.
///
/// The list must have all variants: `as_str` does not compile without one of them. `expected`
/// describes the accepted names where the list is not the same on every system.
macro_rules! names {
    ($type:ident, setting: $setting:literal;
     $first:ident => $first_name:literal, $($variant:ident => $name:literal,)*) => {
        $crate::names::names! {
            $type, setting: $setting,
            expected: concat!("one of ", $first_name $(, ", ", $name)*);
            $first => $first_name, $($variant => $name,)*
        }
    };
    ($type:ident, setting: $setting:literal, expected: $expected:expr;
     $($(#[$cfg:meta])? $variant:ident => $name:literal,)+) => {
        impl $type {
            /// List of all variants of the enum.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$($(#[$cfg])? Self::$variant),+];

            /// Description of the names that `FromStr` accepts, for error messages.
            pub(crate) const EXPECTED: &str = $expected;

            /// Returns the name of this variant, as settings files write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($(#[$cfg])? Self::$variant => $name,)+
                }
            }
        }

        impl std::fmt::Display for $type {
            /// Writes the name of this variant, which [`FromStr`](std::str::FromStr) reads back.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::error::BuildError;

            /// Parses the name of a variant, exactly as [`Display`](std::fmt::Display) writes it.
            fn from_str(name: &str) -> Result<Self, Self::Err> {
                match name {
                    $($(#[$cfg])? $name => Ok(Self::$variant),)+
                    _ => Err(Self::Err::quoting($setting, name, Self::EXPECTED)),
                }
            }
        }
    };
}

pub(crate) use names;

#[cfg(test)]
mod tests {
    use crate::error::BuildError;
    use crate::options::{
        Cardinality, Delivery, Dialect, DogStatsDVersion, Framing, Protocol, WhenFull,
    };
    use std::fmt::{Debug, Display};
    use std::str::FromStr;

    #[track_caller]
    fn assert_round_trip<T>(setting: &str, all: &[T], names: &[&str])
    where
        T: Copy + Debug + Display + FromStr<Err = BuildError> + PartialEq,
    {
        let written: Vec<String> = all.iter().map(T::to_string).collect();
        assert_eq!(written, names);
        for (&variant, name) in all.iter().zip(names) {
            assert_eq!(name.parse(), Ok(variant));
            for other in [format!(" {name}"), format!("{name}x"), String::new()] {
                let error = other.parse::<T>().unwrap_err();
                assert_eq!((error.setting(), error.value()), (setting, &*format!("{other:?}")));
                assert!(names.iter().all(|name| error.expected().contains(name)), "{error}");
            }
        }
    }

    #[test]
    fn names_are_read_back_as_written() {
        let dialects =
            ["statsd", "extended", "dogstatsd", "graphite", "influx", "librato", "signalfx"];
        assert_round_trip("dialect", Dialect::ALL, &dialects);
        let versions = ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6"];
        assert_round_trip("dogstatsd_version", DogStatsDVersion::ALL, &versions);
        let cardinalities = ["none", "low", "orchestrator", "high"];
        assert_round_trip("cardinality", Cardinality::ALL, &cardinalities);
        let protocols = ["tcp", "udp", "unixgram", "unixstream"];
        let protocols = &protocols[..if cfg!(unix) { 4 } else { 2 }];
        assert_round_trip("protocol", Protocol::ALL, protocols);
        assert_round_trip("delivery", Delivery::ALL, &["acknowledged", "written"]);
        assert_round_trip("framing", Framing::ALL, &["newlines", "length_prefixed"]);
        assert_round_trip("when_full", WhenFull::ALL, &["drop_newest", "drop_oldest"]);
    }

    #[test]
    fn names_are_padded_as_text() {
        assert_eq!(format!("{:>8}|", Dialect::StatsD), "  statsd|");
    }

    #[test]
    fn the_error_states_the_setting_and_the_accepted_names() {
        let message = |error: BuildError| error.to_string();
        assert_eq!(
            message("DogStatsD\n".parse::<Dialect>().unwrap_err()),
            "invalid value \"DogStatsD\\n\" for dialect: expected one of statsd, extended, \
             dogstatsd, graphite, influx, librato, signalfx"
        );
        assert_eq!(
            message("2.0".parse::<DogStatsDVersion>().unwrap_err()),
            "invalid value \"2.0\" for dogstatsd_version: \
             expected one of 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6"
        );
        assert_eq!(
            message("TCP".parse::<Protocol>().unwrap_err()),
            "invalid value \"TCP\" for protocol: \
             expected tcp or udp, or on Unix unixgram or unixstream"
        );
    }
}
