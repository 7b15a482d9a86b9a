//! Faults of the ordered queue.

use super::File;

pub const FAULTS: File = (
    "src/handoff/ordered.rs",
    &[
        (
            "no thread moves records",
            "threads_make_room_for_records",
            &[(
                "            moved.fill(self, exchange, SOME);\n",
                "            let _ = (&mut moved, exchange, SOME);\n",
            )],
        ),
        (
            "the mutex of what was moved orders nothing",
            "threads_make_room_for_records",
            &[
                (
                    "use std::collections::VecDeque;",
                    mutex_without_order!("use std::collections::VecDeque;"),
                ),
                ("moved: Mutex<", "moved: without_order::Mutex<"),
                ("moved: Mutex::new", "moved: without_order::Mutex::new"),
            ],
        ),
        (
            "a record that found no block goes behind the others",
            "records_that_find_no_room_are_counted",
            &[(
                "let Some(record) = self.held.take().or_else(|| from.queue.pop())",
                "let Some(record) = from.queue.pop().or_else(|| self.held.take())",
            )],
        ),
        (
            "the newest full block is taken first",
            "full_blocks_of_records_keep_their_order",
            &[("self.full.pop_front()", "self.full.pop_back()")],
        ),
        (
            "who is dormant did not look for what was moved",
            "a_moved_record_keeps_the_flusher_up",
            &[("            && moved.pen.as_ref().is_none_or(is_taken)\n", "")],
        ),
    ],
);
