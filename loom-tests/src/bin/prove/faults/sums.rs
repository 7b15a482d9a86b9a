//! Faults (deliberate mistakes) to plant in `sums.rs`, the numbers that threads add to, each with the
//! loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/sums.rs",
    &[
        (
            "all threads add to the cells of one",
            "two_adders_and_a_drain_sum_exactly",
            &[(
                "let cells = self.threads.get_or_create(guard.id() as usize);",
                "let cells = self.threads.get_or_create(guard.id() as usize * 0);",
            )],
        ),
        (
            "what was taken is subtracted twice",
            "two_adders_and_a_drain_sum_exactly",
            &[(
                "row.origin.store(row.origin.load(Relaxed).wrapping_add(amount), Relaxed);",
                "row.origin.store(row.origin.load(Relaxed).wrapping_add(2 * amount), Relaxed);",
            )],
        ),
        (
            "only the first cells of a thread are summed",
            "cells_that_grow_are_summed",
            &[(
                "self.0[sum / CHUNK_LEN].get().map_or(0, |chunk| cell(chunk, sum).load(Relaxed))",
                "self.0[0].get().filter(|_| sum < CHUNK_LEN)\n\
                 .map_or(0, |chunk| cell(chunk, sum).load(Relaxed))",
            )],
        ),
        (
            "a new sum takes over the amounts of its predecessor",
            "reused_sum_begins_at_zero",
            &[(
                "            row.origin.store(sums.total(id as usize, row), Relaxed);\n            Self",
                "            Self",
            )],
        ),
        (
            "a level is set without regard to what was added",
            "setting_orders_an_addition_before_or_after",
            &[(
                "row.origin.store(row.total(sums, id).wrapping_sub(value), Relaxed);",
                "let _ = (sums, id);\nrow.origin.store(value.wrapping_neg(), Relaxed);",
            )],
        ),
    ],
);
