//! The lines that all clients write: the same bytes, as far as each of them can.

use serde::{Deserialize, Serialize};

/// How long the lines of a run are, their newline included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineLength {
    /// 27 bytes: `my-svc.requests.totals:1|c`
    Short,
    /// 70 bytes: `applications.my-service.counters.requests.accepted.by.the.gateway:1|c`
    Long,
}

impl LineLength {
    /// What a client is told once. Names differ by their type in no line: `counters` stands in
    /// all of them.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Short => "my-svc",
            Self::Long => "applications.my-service.counters",
        }
    }

    /// What a call names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Short => "requests.totals",
            Self::Long => "requests.accepted.by.the.gateway",
        }
    }

    /// For clients that know no prefix.
    #[must_use]
    pub fn full_name(self) -> &'static str {
        match self {
            Self::Short => "my-svc.requests.totals",
            Self::Long => "applications.my-service.counters.requests.accepted.by.the.gateway",
        }
    }

    /// A counter's line.
    #[must_use]
    pub fn counter_line(self) -> String {
        format!("{}:1|c\n", self.full_name())
    }
}

pub const WHOLE: u64 = 1234;
pub const TWO_DECIMALS: f64 = 12.34;
pub const FULL_PRECISION: f64 = 0.123_456_789_012_345_67;
pub const ELAPSED: std::time::Duration = std::time::Duration::from_nanos(1_234_567);
/// In milliseconds, for clients that take such.
pub const ELAPSED_MILLISECONDS: f64 = 1.234_567;
/// Keys and values, as `key:value` and apart.
pub const TAGS: [&str; 2] = ["method:GET", "status:200"];
pub const TAG_PARTS: [(&str, &str); 2] = [("method", "GET"), ("status", "200")];

#[test]
fn lines_are_as_long_as_they_say() {
    for (length, bytes) in [(LineLength::Short, 27), (LineLength::Long, 70)] {
        assert_eq!(length.counter_line().len(), bytes);
        assert_eq!(length.full_name(), format!("{}.{}", length.prefix(), length.name()));
    }
}
