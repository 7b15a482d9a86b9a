//! Faults (deliberate mistakes) to plant in `block.rs`, the buffers of records that two threads
//! share, each with the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/block.rs",
    &[
        (
            "the length is published before the bytes are written",
            "publish_and_read",
            &[
                (
                    "        self.block.tracker.track_write(self.published, self.published + len);\n",
                    "",
                ),
                (
                    "        self.block.published.store(self.published, Release);\n",
                    "        self.block.published.store(self.published, Release);\n\
                 self.block.tracker.track_write(self.published - len, self.published);\n",
                ),
            ],
        ),
        (
            "the budget is reduced by a load and a store",
            "last_block_is_allocated_once",
            &[(
                "        self.budget.fetch_update(Relaxed, Relaxed, take_one).ok()?;\n",
                "        self.budget.store(take_one(self.budget.load(Relaxed))?, Relaxed);\n",
            )],
        ),
        (
            "a recycled block keeps its length",
            "recycled_block_is_reused_without_races",
            &[("        self.0.published.store(0, Relaxed);\n", "")],
        ),
        (
            "a recycled block keeps its swept length",
            "rotation_keeps_the_order_of_lines",
            &[("        self.0.swept.store(0, Relaxed);\n", "")],
        ),
        (
            "the swept length is not stored",
            "part_filled_block_is_swept_in_order",
            &[("        self.0.swept.store(to, Relaxed);\n", "        let _ = to;\n")],
        ),
        (
            "dormancy ignores full blocks",
            "full_block_prevents_dormancy",
            &[(
                "        is_linked || self.0.swept",
                "        let _ = is_linked;\n        self.0.swept",
            )],
        ),
        (
            "blocks are not freed",
            "last_handle_frees_all_memory",
            &[(
                "            drop(unsafe { Box::from_raw(handle.0.as_ptr()) });\n",
                "            let _ = handle;\n",
            )],
        ),
        (
            "blocks are freed twice",
            "last_handle_frees_all_memory",
            &[(
                "        self.allocated.push(handle);\n",
                "        self.allocated.push(handle);\n        self.allocated.push(handle);\n",
            )],
        ),
    ],
);
