//! Faults (deliberate mistakes) to plant in `reserve.rs`, the reservation of space for records,
//! each with the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/reserve.rs",
    &[
        (
            "a dropped line is not counted",
            "full_capacity_drops_are_counted",
            &[(
                "            producer.full.count(Tally { records, bytes: max_len as u64 });\n            self.wake_if_dormant();\n            return None;\n        }\n        let writer",
                "            return None;\n        }\n        let writer",
            )],
        ),
        (
            "a thread's first block does not begin its chain",
            "part_filled_block_is_swept_in_order",
            &[("begin(first.view())", "begin(self.supply.create().view())")],
        ),
        (
            "ordered lines go to the blocks of their threads",
            "later_gauge_arrives_later",
            &[(
                "    pub fn push_ordered(&self, records: u64, bytes: &[u8]) -> bool {\n",
                "    pub fn push_ordered(&self, records: u64, bytes: &[u8]) -> bool {\n\
                     if records > 0 {\n\
                     return self.push(records, bytes);\n\
                     }\n",
            )],
        ),
    ],
);
