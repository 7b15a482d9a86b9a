//! Metric names, tags and values that the benchmarks pass to every client. All clients write the
//! same bytes, as far as their interfaces allow.

use serde::{Deserialize, Serialize};

/// Length of the lines that a benchmarked client writes: short or long, newlines included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineLength {
    /// Lines of 27 bytes with the newline, such as `my-svc.requests.totals:1|c`.
    Short,
    /// Lines of 70 bytes with the newline, such as
    /// `applications.my-service.counters.requests.accepted.by.the.gateway:1|c`.
    Long,
}

impl LineLength {
    /// Returns the name prefix that a client is configured with. The long prefix ends with
    /// `counters` for metrics of every type, so that all lines have the same name.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Short => "my-svc",
            Self::Long => "applications.my-service.counters",
        }
    }

    /// Returns the metric name that each call passes to the client, without the prefix.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Short => "requests.totals",
            Self::Long => "requests.accepted.by.the.gateway",
        }
    }

    /// Returns the prefix and the metric name joined by a dot, for clients that do not support a
    /// prefix.
    #[must_use]
    pub fn full_name(self) -> &'static str {
        match self {
            Self::Short => "my-svc.requests.totals",
            Self::Long => "applications.my-service.counters.requests.accepted.by.the.gateway",
        }
    }

    /// Returns the StatsD line of a counter increment by one, with its newline.
    #[must_use]
    pub fn counter_line(self) -> String {
        format!("{}:1|c\n", self.full_name())
    }
}

pub const WHOLE: u64 = 1234;
pub const TWO_DECIMALS: f64 = 12.34;
pub const FULL_PRECISION: f64 = 0.123_456_789_012_345_67;
pub const ELAPSED: std::time::Duration = std::time::Duration::from_nanos(1_234_567);
/// Duration of the benchmarked timing calls ([`ELAPSED`]) in milliseconds, for clients that accept
/// a timing as a number.
pub const ELAPSED_MILLISECONDS: f64 = 1.234_567;
/// Tags that the benchmarks pass in tagged calls, each as one string `key:value`.
pub const TAGS: [&str; 2] = ["method:GET", "status:200"];
/// Tags that the benchmarks pass in tagged calls, as pairs of key and value.
pub const TAG_PARTS: [(&str, &str); 2] = [("method", "GET"), ("status", "200")];

#[test]
fn line_lengths_match_their_documentation() {
    for (length, bytes) in [(LineLength::Short, 27), (LineLength::Long, 70)] {
        assert_eq!(length.counter_line().len(), bytes);
        assert_eq!(length.full_name(), format!("{}.{}", length.prefix(), length.name()));
    }
}
