//! Faults (deliberate mistakes) to plant in `exchange.rs`, the queue between producer threads and
//! the consumer, each with the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/exchange.rs",
    &[
        (
            "the bell is rung before the full block is linked",
            "sealed_block_wakes_a_parked_flusher",
            &[
                ("        producer.writer.advance_to(guard, empty);\n", ""),
                (
                    "            self.bell.ring();\n        }\n        true\n",
                    "            self.bell.ring();\n        }\n        producer.writer.advance_to(guard, empty);\n        true\n",
                ),
            ],
        ),
        (
            "the mutex of the consumer state orders nothing",
            "restarted_flusher_resumes_where_it_stopped",
            &[
                (
                    "use std::sync::atomic::Ordering::",
                    mutex_without_order!("use std::sync::atomic::Ordering::"),
                ),
                ("state: Mutex<", "state: without_order::Mutex<"),
                ("state: Mutex::new", "state: without_order::Mutex::new"),
            ],
        ),
        (
            "a line after a rotation wakes no dormant flusher",
            "line_after_rotation_wakes_a_dormant_flusher",
            &[(
                "fn wake_if_dormant(&self) {\n        if self.dormancy",
                "fn wake_if_dormant(&self) {\n        if self.producers.iter().all(|one| one.waiting_blocks() == 0)\n             && self.dormancy",
            )],
        ),
        (
            "a line wakes the flusher after another line has done so",
            "two_lines_wake_a_dormant_flusher_once",
            &[(
                "        if self.dormancy.leave() {\n",
                "        self.dormancy.leave();\n        {\n",
            )],
        ),
        (
            "sealing a block always wakes the flusher",
            "bell_and_dormancy_wake_once_each",
            &[(
                "        if self.full_blocks.count() {\n            self.bell.ring();\n",
                "        if self.full_blocks.count() {\n            self.bell.ring();\n\
             self.bell.wake();\n",
            )],
        ),
        (
            "a record is counted after it is in the queue",
            "records_are_counted_before_they_are_queued",
            &[
                (
                    "        producer.accepted.count(size);\n        let PushOutcome {",
                    "        let PushOutcome {",
                ),
                (
                    "        if !is_accepted {\n            producer.rejected_late",
                    "        producer.accepted.count(size);\n        if !is_accepted {\n            producer.rejected_late",
                ),
            ],
        ),
        (
            "a rejected record is not counted",
            "rejected_records_are_counted_once",
            &[("            producer.rejected_late.count(size);\n", "")],
        ),
        (
            "a record never rings the bell",
            "record_wakes_a_parked_flusher",
            &[("if should_ring {", "if should_ring && self.ordered.len() > 99 {")],
        ),
        (
            "an ordered line wakes no dormant flusher",
            "record_wakes_a_dormant_flusher",
            &[("        self.wake_if_dormant();\n        is_accepted\n", "        is_accepted\n")],
        ),
    ],
);
