//! Faults (deliberate mistakes) to plant in `consumer.rs`, the receiver of the producers' records,
//! each with the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/consumer.rs",
    &[
        (
            "the queue is drained before part-filled blocks are noted",
            "rotation_keeps_the_order_of_lines",
            &[
                (NOTE, ""),
                (
                    "        while let Some((view, to)) = state.snapshots.pop() {\n",
                    "        for producer in exchange.producers.iter() {\n\
                 if let Some(view) = producer.current.get() {\n\
                 state.snapshots.push((view, view.published()));\n\
                 }\n\
                 }\n\
                 while let Some((view, to)) = state.snapshots.pop() {\n",
                ),
            ],
        ),
        (
            "a block is recycled before it is consumed",
            "recycled_block_is_reused_without_races",
            &[(
                "            state.take_sealed(sealed);\n",
                "            let view = sealed.view();\n\
             state.take(view, view.published(), None);\n\
             exchange.supply.returner()(sealed.recycle(&mut state.permit));\n",
            )],
        ),
        (
            "a sweep leaves part-filled blocks for later",
            "flush_covers_earlier_lines",
            &[(NOTE, "")],
        ),
        (
            "part-filled blocks are taken before the full ones",
            "rotation_keeps_the_order_of_lines",
            &[(
                "        while let Some(sealed) = exchange.sealed.pop() {\n",
                "        for (view, to) in std::mem::take(&mut state.snapshots) {\n\
             let from = view.mark_swept(&mut state.permit, to);\n\
             state.window.push(view, from, to, None);\n\
             }\n\
             while let Some(sealed) = exchange.sealed.pop() {\n",
            )],
        ),
        (
            "a part-filled block is taken beyond its noted length",
            "rotation_keeps_the_order_of_lines",
            &[(
                "        while let Some((view, to)) = state.snapshots.pop() {\n",
                "        while let Some((view, _)) = state.snapshots.pop() {\n\
             let to = view.published();\n",
            )],
        ),
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
                    "full by now.\n        state.recycle_spent(&exchange.supply, chunks_before);\n",
                    "full by now.\n        state.recycle_spent(&exchange.supply, chunks_before);\n\
                 exchange.bell.clear();\n",
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
                "        *slot = self.state.take().map(|state| ConsumerState::new(state.permit));\n",
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
            "dormancy ignores full blocks",
            "full_block_prevents_dormancy",
            &[("            && exchange.sealed.is_empty()\n", "")],
        ),
        (
            "dormancy ignores the ordered queue",
            "record_wakes_a_dormant_flusher",
            &[("            && exchange.ordered.is_empty();\n", ";\n")],
        ),
        (
            "a sweep leaves the ordered queue for later",
            "flush_covers_earlier_records",
            &[(
                "        state.take_records(&exchange.ordered, &exchange.supply);\n        // Last",
                "        // Last",
            )],
        ),
    ],
);

/// Source text of the loop in `Consumer::sweep` that notes the lengths of part-filled blocks.
/// Faults remove or move this loop.
const NOTE: &str = "        for producer in exchange.producers.iter() {
            if let Some(view) = producer.current.get() {
                state.snapshots.push((view, view.published()));
            }
        }
";
