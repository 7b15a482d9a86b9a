//! Faults (deliberate mistakes) to plant in `consumer.rs`, the receiver of the producers' records,
//! each with the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/consumer.rs",
    &[
        (
            "a stopped flusher acknowledges the bytes in flight",
            "bytes_in_flight_keep_their_block",
            &[(
                "        self.end_quarantine();\n        let mut",
                "        self.acknowledge(self.in_flight());\n        let mut",
            )],
        ),
        (
            "the bell is cleared after the sweep",
            "sealed_block_wakes_a_parked_flusher",
            &[
                ("        exchange.bell.clear();\n", ""),
                (
                    "&exchange.supply);\n        state.recycle_spent(&exchange.supply, chunks_before);\n        state.spares.distribute(&exchange.supply);\n",
                    "&exchange.supply);\n        state.recycle_spent(&exchange.supply, chunks_before);\n        state.spares.distribute(&exchange.supply);\n\
                 exchange.bell.clear();\n",
                ),
            ],
        ),
        (
            "the count of full blocks is reset after the sweep",
            "ring_and_sweep",
            &[
                ("        exchange.full_blocks.begin_sweep();\n", ""),
                (
                    "&exchange.supply);\n        state.recycle_spent(&exchange.supply, chunks_before);\n        state.spares.distribute(&exchange.supply);\n",
                    "&exchange.supply);\n        state.recycle_spent(&exchange.supply, chunks_before);\n        state.spares.distribute(&exchange.supply);\n\
                 exchange.full_blocks.begin_sweep();\n",
                ),
            ],
        ),
        (
            "the flusher enters dormancy without a last look for lines",
            "first_line_wakes_a_dormant_flusher",
            &[(
                "        if !is_idle {\n",
                "        let is_idle = is_idle || true;\n        if !is_idle {\n",
            )],
        ),
        (
            "a stopped flusher loses its swept lines",
            "restarted_flusher_resumes_where_it_stopped",
            &[(
                "        *slot = self.state.take();\n",
                "        *slot = self.state.take().map(|state| ConsumerState::new(state.permit, state.spares));\n",
            )],
        ),
        (
            "a stopped flusher keeps the consumer claimed",
            "restarted_flusher_resumes_where_it_stopped",
            &[("        *slot = self.state.take();\n", "        let _ = &mut slot;\n")],
        ),
        (
            "a flusher stays dormant after it was refused for a line",
            "dormancy_ends_on_refusal_and_stop",
            &[("        if !is_idle {\n            exchange.dormancy.leave();\n        }\n", "")],
        ),
        (
            "a stopped flusher stays dormant",
            "dormancy_ends_on_refusal_and_stop",
            &[("        self.exchange.dormancy.leave();\n", "")],
        ),
        (
            "dormancy ignores the ordered queue",
            "record_wakes_a_dormant_flusher",
            &[(" && exchange.ordered.is_empty();\n", ";\n")],
        ),
        (
            "a sweep leaves the ordered queue for later",
            "flush_covers_earlier_records",
            &[(
                "        }\n        state.take_records(&exchange.ordered, &exchange.supply);\n",
                "        }\n",
            )],
        ),
        (
            "the consumer becomes dormant although a sum has changed",
            "addition_wakes_a_dormant_flusher",
            &[("let is_idle = is_idle && !has_work();", "let _ = has_work;")],
        ),
    ],
);
