//! Faults (deliberate mistakes) to plant in `block_supply.rs`, the source of empty record buffers,
//! each with the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/block_supply.rs",
    &[(
        "a consumed block is not given back",
        "full_capacity_drops_are_counted",
        &[(
            "        let pushed = self.free.push(writer);\n",
            "        let pushed = Ok::<_, ()>((self.free.len(), writer));\n",
        )],
    )],
);
