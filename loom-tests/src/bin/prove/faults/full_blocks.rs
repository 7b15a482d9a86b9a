//! Faults (deliberate mistakes) to plant in `full_blocks.rs`, the count of full blocks that tells a
//! thread when to wake the consumer, each with the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/full_blocks.rs",
    &[
        (
            "the bell is rung for every full block",
            "ring_starts_at_the_threshold",
            &[("+ 1 >= self.ring_at", "+ 1 > 0")],
        ),
        (
            "the bell is rung one full block too late",
            "ring_and_sweep",
            &[("+ 1 >= self.ring_at", "+ 1 > self.ring_at")],
        ),
        (
            "spare blocks do not count for the ring",
            "spare_blocks_count_for_the_ring",
            &[(
                "        spares > 0 && self",
                "        let spares = 0 * spares;\n        spares > 0 && self",
            )],
        ),
        (
            "full blocks are counted by a load and a store",
            "ring_and_sweep",
            &[(
                "        self.since_sweep.fetch_add(1, Ordering::Release) + 1 >= self.ring_at\n",
                "        let count = self.since_sweep.load(Ordering::Acquire) + 1;\n\
             self.since_sweep.store(count, Ordering::Release);\n\
             count >= self.ring_at\n",
            )],
        ),
    ],
);
