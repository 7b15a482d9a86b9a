//! Faults (deliberate mistakes) to plant in `spare_blocks.rs`, which keeps the empty buffers of busy
//! threads, each with the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/spare_blocks.rs",
    &[
        (
            "a removed spare block is lost",
            "spare_block_is_taken_or_removed",
            &[("|spare| self.stock.push(spare)", "drop")],
        ),
        (
            "a refused spare block is lost",
            "spare_blocks_keep_the_order_of_lines",
            &[(
                "                Err(refused) => spare = refused,\n",
                "                Err(_) => return,\n",
            )],
        ),
    ],
);
