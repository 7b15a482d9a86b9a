//! Faults (deliberate mistakes) to plant in `id_set.rs`, the allocator of IDs, each with
//! the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/sync/id_set.rs",
    &[
        (
            "two threads can get the same ID",
            "slot_reuse_happens_after_thread_exit",
            &[(
                "match word.compare_exchange(allocated, allocated | 1 << bit, Acquire, Relaxed) {",
                "match {\n\
             word.store(allocated | 1 << bit, Relaxed);\n\
             Ok::<u64, u64>(word.load(Acquire))\n\
             } {",
            )],
        ),
        (
            "an ID is never released",
            "reused_slot_keeps_its_lines_in_order",
            &[(
                "        self.allocated[id as usize / 64].fetch_and(!(1 << (id % 64)), Release);\n",
                "        let _ = id;\n",
            )],
        ),
    ],
);
