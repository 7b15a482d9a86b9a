//! Faults (deliberate mistakes) to plant in `ordered.rs`, the queue that keeps the order of records
//! across threads, each with the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/ordered.rs",
    &[
        (
            "producers move no records",
            "producers_make_room_for_records",
            &[(
                "            blocks.fill(self, supply, MAX_MOVED_BY_PRODUCER);\n",
                "            let _ = (&mut blocks, supply, MAX_MOVED_BY_PRODUCER);\n",
            )],
        ),
        (
            "the mutex of the blocks of records orders nothing",
            "producers_make_room_for_records",
            &[
                (
                    "use std::collections::VecDeque;",
                    mutex_without_order!("use std::collections::VecDeque;"),
                ),
                ("blocks: Mutex<", "blocks: without_order::Mutex<"),
                ("blocks: Mutex::new", "blocks: without_order::Mutex::new"),
            ],
        ),
        (
            "a held record goes behind the queued ones",
            "rejected_records_are_counted_once",
            &[(
                "let Some(record) = self.held.take().or_else(|| source.queue.pop())",
                "let Some(record) = source.queue.pop().or_else(|| self.held.take())",
            )],
        ),
        (
            "the newest full block of records is taken first",
            "full_blocks_of_records_keep_their_order",
            &[("self.full.pop_front()", "self.full.pop_back()")],
        ),
    ],
);
