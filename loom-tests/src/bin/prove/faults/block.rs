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
                "        is_left || self.0.swept",
                "        let _ = is_left;\n        self.0.swept",
            )],
        ),
        (
            "a full block is not linked to the next one",
            "flush_covers_earlier_lines",
            &[(
                "match self.block.next.compare_exchange(spare, link, Release, Acquire) {",
                "match Ok::<_, *mut Block>(link) {",
            )],
        ),
        (
            "a full block is linked by a store",
            "spare_blocks_keep_the_order_of_lines",
            &[(
                "match self.block.next.compare_exchange(spare, link, Release, Acquire) {",
                "self.block.next.store(link, Release);\n            match Ok::<_, *mut Block>(link) {",
            )],
        ),
        (
            "a thread takes its spare block by a store",
            "spare_block_is_taken_or_removed",
            &[(
                "let exchanged = self.block.next.compare_exchange(spare, taken(spare), AcqRel, Relaxed);",
                "self.block.next.load(Acquire);\n        self.block.next.store(taken(spare), Release);\n        let exchanged = Ok::<_, ()>(());",
            )],
        ),
        (
            "spare blocks are removed by a store",
            "spare_block_is_taken_or_removed",
            &[(
                "let removed = self.0.next.compare_exchange(first, null_mut(), Relaxed, Relaxed);",
                "self.0.next.store(null_mut(), Relaxed);\n        let removed = Ok::<_, *mut Block>(first);",
            )],
        ),
        (
            "blocks are not freed",
            "last_handle_frees_all_memory",
            &[(
                "            unsafe {\n                handle.0.drop_in_place();\n                dealloc(handle.0.as_ptr().cast(), layout);\n            }\n",
                "            let _ = layout;\n",
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
