//! Faults of the flusher's side.

use super::File;

pub const FAULTS: File = (
    "src/handoff/consumer.rs",
    &[
        (
            "a block that was consumed is not given back",
            "drop_on_full",
            &[(
                "        let pushed = free.push(pen);\n",
                "        let pushed = Ok::<_, ()>((free.len(), pen));\n",
            )],
        ),
        (
            "the queue is drained before the part-filled blocks are noted",
            "seal_and_sweep_order",
            &[
                (NOTE, ""),
                (
                    "        while let Some((view, to)) = state.notes.pop() {\n",
                    "        for producer in exchange.producers.iter() {\n\
                 if let Some(view) = producer.window.look() {\n\
                 state.notes.push((view, view.published()));\n\
                 }\n\
                 }\n\
                 while let Some((view, to)) = state.notes.pop() {\n",
                ),
            ],
        ),
        (
            "a block is recycled when it was taken, before it was consumed",
            "a_block_is_reused_by_another_thread",
            &[(
                "            state.take_sealed(sealed);\n",
                "            let view = sealed.view();\n\
             state.take(view, view.published(), None);\n\
             let _ = exchange.free.push(sealed.recycle(&mut state.reader));\n",
            )],
        ),
        (
            "a sweep leaves part-filled blocks for later",
            "a_flush_has_all_that_came_before_it",
            &[(NOTE, "")],
        ),
        (
            "part-filled blocks are taken before the full ones",
            "seal_and_sweep_order",
            &[(
                "        while let Some(sealed) = exchange.sealed.pop() {\n",
                "        for (view, to) in std::mem::take(&mut state.notes) {\n\
             let from = view.take_up_to(&mut state.reader, to);\n\
             state.taken.push(view, from, to, None);\n\
             }\n\
             while let Some(sealed) = exchange.sealed.pop() {\n",
            )],
        ),
        (
            "a part-filled block is taken up to more than was noted",
            "seal_and_sweep_order",
            &[(
                "        while let Some((view, to)) = state.notes.pop() {\n",
                "        while let Some((view, _)) = state.notes.pop() {\n\
             let to = view.published();\n",
            )],
        ),
        (
            "a stopped flusher takes what was in flight for arrived",
            "what_is_in_flight_keeps_its_block",
            &[(
                "        self.end_quarantine();\n        let mut",
                "        self.acknowledge(self.in_flight());\n        let mut",
            )],
        ),
        (
            "the bell is answered after the sweep",
            "wake_and_sleep",
            &[
                ("        exchange.bell.clear();\n", ""),
                (
                    "full by then.\n        state.recycle_spent(exchange, before);\n",
                    "full by then.\n        state.recycle_spent(exchange, before);\n\
                 exchange.bell.clear();\n",
                ),
            ],
        ),
        (
            "the flusher is dormant without another look for lines",
            "the_first_line_wakes_the_dormant",
            &[(
                "        if !stays {\n",
                "        let stays = stays || true;\n        if !stays {\n",
            )],
        ),
        (
            "a stopped flusher takes what it had with it",
            "stop_and_start",
            &[(
                "        *place = self.state.take();\n",
                "        *place = self.state.take().map(|state| ConsumerState::new(state.reader));\n",
            )],
        ),
        (
            "a stopped flusher keeps its place",
            "stop_and_start",
            &[("        *place = self.state.take();\n", "        let _ = &mut place;\n")],
        ),
        (
            "who is refused for a line stays dormant",
            "only_who_lies_down_is_dormant",
            &[("        if !stays {\n            exchange.dormancy.end();\n        }\n", "")],
        ),
        (
            "who has stopped stays dormant",
            "only_who_lies_down_is_dormant",
            &[("        self.exchange.dormancy.end();\n", "")],
        ),
        (
            "a full block keeps nobody from lying down",
            "nobody_lies_down_beside_a_full_block",
            &[("            && exchange.sealed.is_empty()\n", "")],
        ),
        (
            "what is in the ordered queue keeps nobody from lying down",
            "an_ordered_line_wakes_the_dormant",
            &[("            && exchange.ordered.is_empty();\n", ";\n")],
        ),
        (
            "a sweep leaves the ordered queue for later",
            "a_flush_has_the_records_that_came_before_it",
            &[("        state.take_records(exchange);\n        // Only", "        // Only")],
        ),
    ],
);

/// The noting of part-filled blocks, in a sweep.
const NOTE: &str = "        for producer in exchange.producers.iter() {
            if let Some(view) = producer.window.look() {
                state.notes.push((view, view.published()));
            }
        }
";
