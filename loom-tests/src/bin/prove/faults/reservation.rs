//! Faults (deliberate mistakes) to plant in `reservation.rs`, the commit of records to the
//! consumer, each with the loom model that must catch it.

use super::File;

const COUNT: &str =
    "        producer.accepted.count(size);\n        self.0.publish(size.bytes as usize);\n";

pub const FAULTS: File = (
    "handoff/src/reservation.rs",
    &[
        (
            "a record is counted after it is published",
            "lines_are_counted_before_they_are_published",
            &[(
                COUNT,
                "        self.0.publish(size.bytes as usize);\n        producer.accepted.count(size);\n",
            )],
        ),
        (
            "a producer checks for dormancy before it publishes",
            "first_line_wakes_a_dormant_flusher",
            &[
                (
                    COUNT,
                    "        producer.accepted.count(size);\n        exchange.wake_if_dormant();\n\
                     self.0.publish(size.bytes as usize);\n",
                ),
                ("        exchange.wake_if_dormant();\n        true\n", "        true\n"),
            ],
        ),
        (
            "a committed record wakes no dormant consumer",
            "two_lines_wake_a_dormant_flusher_once",
            &[("        exchange.wake_if_dormant();\n        true\n", "        true\n")],
        ),
    ],
);
