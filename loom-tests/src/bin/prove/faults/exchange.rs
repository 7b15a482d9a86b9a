//! Faults of the threads' side.

use super::File;

pub const FAULTS: File = (
    "src/handoff/exchange.rs",
    &[
        (
            "a line is counted after it is published",
            "count_before_publishing",
            &[
                (
                    "            let is_written = pen",
                    "            let late = std::cell::Cell::new(Tally::default());\n\
                 let is_written = pen",
                ),
                (
                    "                producer.accepted.count(size);\n                (bytes, true)",
                    "                late.set(size);\n                (bytes, true)",
                ),
                (
                    "            if is_written {\n",
                    "            if is_written {\n                producer.accepted.count(late.get());\n",
                ),
            ],
        ),
        (
            "a dropped line is not counted",
            "drop_on_full",
            &[(
                "WriteOutcome::NoRoom(bytes) => producer.full.count(size(bytes)),",
                "WriteOutcome::NoRoom(_) => {}",
            )],
        ),
        (
            "the next block is shown before the full one is in the queue",
            "a_flush_has_all_that_came_before_it",
            &[
                ("        producer.window.show(shown);\n", ""),
                (
                    "        let pushed = self.sealed.push(full.seal());\n",
                    "        producer.window.show(shown);\n\
                 let pushed = self.sealed.push(full.seal());\n",
                ),
            ],
        ),
        (
            "the next block is never shown",
            "a_block_is_reused_by_another_thread",
            &[("        producer.window.show(shown);\n", "")],
        ),
        (
            "a thread's first lines are written where nobody looks",
            "sweep_a_part_filled_block",
            &[("show(first.view())", "show(self.blocks.make().view())")],
        ),
        (
            "the bell is rung before the block is in the queue",
            "wake_and_sleep",
            &[
                (
                    "        if self.sealed.len() >= self.ring_at {\n            self.bell.ring();\n        }\n",
                    "",
                ),
                (
                    "        let pushed = self.sealed.push(full.seal());\n",
                    "        self.bell.ring();\n        let pushed = self.sealed.push(full.seal());\n",
                ),
            ],
        ),
        (
            "the bell is rung for one number of sealed blocks, and no other",
            "two_blocks_are_worth_a_ring",
            &[("self.sealed.len() >= self.ring_at", "self.sealed.len() == self.ring_at")],
        ),
        (
            "the bell is rung for every sealed block",
            "two_blocks_are_worth_a_ring",
            &[("self.sealed.len() >= self.ring_at", "self.sealed.len() > 0")],
        ),
        (
            "a caller looks whether the flusher is dormant before it publishes",
            "the_first_line_wakes_the_dormant",
            &[
                (
                    "            let usual = line();\n            let is_written = pen",
                    "            let usual = line();\n\
                 let was_dormant = self.dormancy.is_dormant();\n\
                 let is_written = pen",
                ),
                (
                    "                if self.dormancy.is_dormant() {\n",
                    "                if was_dormant {\n",
                ),
            ],
        ),
        (
            "a caller's first line wakes no dormant flusher",
            "two_lines_wake_the_dormant_once",
            &[(
                "        self.wake_if_dormant();\n    }\n\n    /// Also after",
                "    }\n\n    /// Also after",
            )],
        ),
        (
            "the mutex of the state orders nothing",
            "stop_and_start",
            &[
                (
                    "use std::sync::atomic::Ordering::",
                    mutex_without_order!("use std::sync::atomic::Ordering::"),
                ),
                ("state: Mutex<", "state: without_order::Mutex<"),
                ("state: Mutex::new", "state: without_order::Mutex::new"),
            ],
        ),
        (
            "a line in a fresh block wakes no dormant flusher",
            "a_line_in_a_fresh_block_wakes_the_dormant",
            &[(
                "    fn wake_if_dormant(&self) {\n        if self.dormancy",
                "    fn wake_if_dormant(&self) {\n        if self.sealed.is_empty() && self.dormancy",
            )],
        ),
        (
            "a line wakes a flusher whose dormancy another has ended",
            "two_lines_wake_the_dormant_once",
            &[("        if self.dormancy.end() {\n", "        self.dormancy.end();\n        {\n")],
        ),
        (
            "to seal a block wakes, dormant or not",
            "bell_and_dormancy_wake_once_each",
            &[(
                "        if self.sealed.len() >= self.ring_at {\n            self.bell.ring();\n",
                "        if self.sealed.len() >= self.ring_at {\n            self.bell.ring();\n\
             self.bell.wake();\n",
            )],
        ),
        (
            "gauges go in the blocks of their threads",
            "the_later_gauge_arrives_later",
            &[
                (
                    "        if let Some((_turn, producer)) = self.producers.begin() {\n",
                    "        if let Some((_turn, producer)) = self.producers.begin()\n && false {\n",
                ),
                ("self.append_in_order(producer, line)", "self.append(producer, &mut turn, line)"),
            ],
        ),
        (
            "a record is counted after it is in the queue",
            "count_before_enqueuing",
            &[
                (
                    "        producer.accepted.count(size);\n        let accepted",
                    "        let accepted",
                ),
                (
                    "        if !accepted {\n            producer.rejected_late",
                    "        producer.accepted.count(size);\n        if !accepted {\n            producer.rejected_late",
                ),
            ],
        ),
        (
            "a record that finds no room is not counted",
            "records_that_find_no_room_are_counted",
            &[("            producer.rejected_late.count(size);\n", "")],
        ),
        (
            "a record never rings",
            "a_record_wakes_who_sleeps",
            &[("if self.ordered.is_worth_a_ring(self) {", "if self.ordered.len() > 99 {")],
        ),
        (
            "an ordered line wakes no dormant flusher",
            "an_ordered_line_wakes_the_dormant",
            &[(
                "        if self.dormancy.is_dormant() {\n            self.wake_dormant();\n        }\n        accepted\n",
                "        accepted\n",
            )],
        ),
    ],
);
