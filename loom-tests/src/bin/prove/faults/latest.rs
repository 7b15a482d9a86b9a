//! Faults (deliberate mistakes) to plant in `latest.rs`, the latest of the numbers that threads set, each
//! with the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/latest.rs",
    &[
        (
            "a number that was put back replaces a later one",
            "last_gauge_is_not_lost",
            &[(
                "let _ = self.0.compare_exchange(NONE, number.to_bits(), Relaxed, Relaxed);",
                "self.0.store(number.to_bits(), Relaxed);",
            )],
        ),
        (
            "a number that was put back is forgotten",
            "last_gauge_is_not_lost",
            &[(
                "let _ = self.0.compare_exchange(NONE, number.to_bits(), Relaxed, Relaxed);",
                "let _ = number;",
            )],
        ),
        (
            "a number is taken again and again",
            "last_gauge_is_not_lost",
            &[("let bits = self.0.swap(NONE, Relaxed);", "let bits = self.0.load(Relaxed);")],
        ),
    ],
);
