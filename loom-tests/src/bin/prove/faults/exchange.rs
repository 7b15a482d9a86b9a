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
                    "                lane.accepted.count(size);\n                (bytes, true)",
                    "                late.set(size);\n                (bytes, true)",
                ),
                (
                    "            if is_written {\n",
                    "            if is_written {\n                lane.accepted.count(late.get());\n",
                ),
            ],
        ),
        (
            "a dropped line is not counted",
            "drop_on_full",
            &[(
                "Written::NoRoom(bytes) => lane.full.count(size(bytes)),",
                "Written::NoRoom(_) => {}",
            )],
        ),
        (
            "the next block is shown before the full one is in the queue",
            "a_flush_has_all_that_came_before_it",
            &[
                ("        lane.window.show(shown);\n", ""),
                (
                    "        let pushed = self.sealed.push(full.seal());\n",
                    "        lane.window.show(shown);\n\
                 let pushed = self.sealed.push(full.seal());\n",
                ),
            ],
        ),
        (
            "the next block is never shown",
            "a_block_is_reused_by_another_thread",
            &[("        lane.window.show(shown);\n", "")],
        ),
        (
            "a thread's first lines are written where nobody looks",
            "sweep_a_part_filled_block",
            &[("show(first.glimpse())", "show(self.blocks.make().glimpse())")],
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
                "        self.rouse_if_dormant();\n    }\n\n    /// Also after",
                "    }\n\n    /// Also after",
            )],
        ),
        (
            "the mutex of the desk orders nothing",
            "stop_and_start",
            &[
                (
                    "use std::sync::atomic::Ordering::",
                    mutex_without_order!("use std::sync::atomic::Ordering::"),
                ),
                ("desk: Mutex<", "desk: without_order::Mutex<"),
                ("desk: Mutex::new", "desk: without_order::Mutex::new"),
            ],
        ),
        (
            "a line in a fresh block wakes no dormant flusher",
            "a_line_in_a_fresh_block_wakes_the_dormant",
            &[(
                "    fn rouse_if_dormant(&self) {\n        if self.dormancy",
                "    fn rouse_if_dormant(&self) {\n        if self.sealed.is_empty() && self.dormancy",
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
                    "        if let Some((_turn, lane)) = self.lanes.begin() {\n",
                    "        if let Some((_turn, lane)) = self.lanes.begin()\n && false {\n",
                ),
                ("self.append_in_order(lane, line)", "self.append(lane, &mut turn, line)"),
            ],
        ),
        (
            "a record is counted after it is in the queue",
            "count_before_enqueuing",
            &[
                (
                    "        lane.accepted.count(size);\n        let Pushed {",
                    "        let Pushed {",
                ),
                (
                    "        if !is_accepted {\n            lane.turned_away",
                    "        lane.accepted.count(size);\n        if !is_accepted {\n            lane.turned_away",
                ),
            ],
        ),
        (
            "a record that finds no room is not counted",
            "records_that_find_no_room_are_counted",
            &[("            lane.turned_away.count(size);\n", "")],
        ),
        (
            "a record never rings",
            "a_record_wakes_who_sleeps",
            &[("if is_worth_a_ring {", "if is_worth_a_ring && self.ordered.len() > 99 {")],
        ),
        (
            "an ordered line wakes no dormant flusher",
            "an_ordered_line_wakes_the_dormant",
            &[(
                "        if self.dormancy.is_dormant() {\n            self.rouse();\n        }\n        is_accepted\n",
                "        is_accepted\n",
            )],
        ),
    ],
);
