//! Faults (deliberate mistakes) to plant in `send_window.rs`, the list of bytes taken by the
//! consumer and not yet released, each with the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/send_window.rs",
    &[
        (
            "a block is recycled when its first line is acknowledged",
            "bytes_in_flight_keep_their_block",
            &[
                (
                    "            chunk.from += len;\n",
                    "            chunk.from += len;\n\
             if let Some(sealed) = chunk.sealed.take() {\n\
             give_back(sealed.recycle(permit));\n\
             }\n",
                ),
                (
                    "permit: &mut ReadPermit,\n        give_back: impl FnMut(BlockWriter),\n    ) {\n        assert!(count <= self.in_flight",
                    "permit: &mut ReadPermit,\n        mut give_back: impl FnMut(BlockWriter),\n    ) {\n        assert!(count <= self.in_flight",
                ),
            ],
        ),
        (
            "eviction recycles a block with a line in flight",
            "eviction_frees_the_oldest_blocks",
            &[(
                "        if self.chunks.iter().rev().any(is_in_use) {\n",
                "        if self.chunks.iter().rev().any(|chunk| is_in_use(chunk) && chunk.from > chunk.to) {\n",
            )],
        ),
        (
            "an evicted block is not given back",
            "eviction_frees_the_oldest_blocks",
            &[(
                "            give_back(sealed.recycle(permit));\n        }\n        chunk.evicted",
                "            drop(sealed);\n        }\n        chunk.evicted",
            )],
        ),
        (
            "committed bytes are evicted",
            "committed_bytes_are_not_evicted",
            &[(
                "        let mut kept = sent.saturating_add(committed);\n",
                "        let _ = committed;\n        let mut kept = sent;\n",
            )],
        ),
        (
            "acknowledged bytes of a chunk still count as sent",
            "part_filled_block_is_swept_in_order",
            &[("                self.unsent_start.1 -= len;\n", "                let _ = len;\n")],
        ),
    ],
);
