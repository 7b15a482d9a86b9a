//! Metric types as lines state them: `c`, `g`, `ms` and so on.

use super::short_text::ShortText;

/// Defines [`MetricType`] and everything that depends on the list of its variants, so that a new
/// type cannot be missing from any of it.
macro_rules! metric_types {
    ($($variant:ident, code: $code:literal, prefix: $prefix:literal;)*) => {
        /// Type of a metric on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum MetricType {
            $($variant,)*
        }

        impl MetricType {
            /// List of all metric types, in the order of their discriminants.
            pub(crate) const ALL: [Self; [$($code as &[u8]),*].len()] = [$(Self::$variant),*];

            /// Returns the metric type of a code, such as `ms`, or `None` if no type has this code.
            pub(crate) fn from_code(code: &[u8]) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Returns the type code with the bar before it, such as `|ms`.
            #[inline(always)]
            pub(super) const fn field(self) -> ShortText {
                match self {
                    $(Self::$variant => const { ShortText::concat(b"|", $code) },)*
                }
            }

            /// Returns the prefix that some dialects put before the names of all metrics of this
            /// type, such as `counters`.
            pub(crate) const fn prefix(self) -> &'static str {
                match self {
                    $(Self::$variant => $prefix,)*
                }
            }
        }
    };
}

metric_types! {
    Counter, code: b"c", prefix: "counters";
    Gauge, code: b"g", prefix: "gauges";
    Timing, code: b"ms", prefix: "timers";
    Histogram, code: b"h", prefix: "histograms";
    Distribution, code: b"d", prefix: "distributions";
    Set, code: b"s", prefix: "sets";
    Meter, code: b"m", prefix: "meters";
}

impl MetricType {
    /// Returns true if DogStatsD servers read several values from one line of this type.
    ///
    /// Members of sets are any text, which may contain the separator of packed values.
    pub(crate) const fn packs_values(self) -> bool {
        match self {
            Self::Counter | Self::Gauge | Self::Timing | Self::Histogram | Self::Distribution => {
                true
            }
            Self::Set | Self::Meter => false,
        }
    }
}

/// A set of metric types, as a bit mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TypeSet(u16);

const _: () = assert!(MetricType::ALL.len() <= u16::BITS as usize, "one bit for each type");

impl TypeSet {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self::of(&MetricType::ALL);

    pub(super) const fn of(types: &[MetricType]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < types.len() {
            bits |= 1 << types[at] as u16;
            at += 1;
        }
        Self(bits)
    }

    /// Returns the types of this set that are not in `other`.
    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    #[inline(always)]
    pub(super) const fn contains(self, metric_type: MetricType) -> bool {
        self.0 >> metric_type as u16 & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_back_as_their_types() {
        for metric_type in MetricType::ALL {
            let field = metric_type.field();
            let code = field.bytes[..field.len()].strip_prefix(b"|").unwrap();
            assert_eq!(MetricType::from_code(code), Some(metric_type));
        }
        assert_eq!(MetricType::from_code(b""), None);
        assert_eq!(MetricType::from_code(b"x"), None);
    }

    #[test]
    fn discriminants_are_indexes_into_all_types() {
        for (index, metric_type) in MetricType::ALL.into_iter().enumerate() {
            assert_eq!(metric_type as usize, index);
            assert!(TypeSet::of(&[metric_type]).contains(metric_type));
            assert!(!TypeSet::ALL.without(TypeSet::of(&[metric_type])).contains(metric_type));
        }
    }
}
