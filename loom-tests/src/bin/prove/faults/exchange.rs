//! Faults of the threads' side.

use super::{File, MUTEX_WITHOUT_ORDER};

pub const FAULTS: File = (
    "src/handoff/exchange.rs",
    &[
        (
            "a line is counted after it is published",
            "count_before_publishing",
            &[
                ("                    thread.lane.accepted.count(size);\n", "let _ = size;"),
                (
                    "            if bytes > 0 {\n                if self.dormancy",
                    "            if bytes > 0 {\n\
                 thread.lane.accepted.count(Tally { lines: usual.lines(), bytes: bytes as u64 });\n\
                 if self.dormancy",
                ),
            ],
        ),
        (
            "a dropped line is not counted",
            "drop_on_full",
            &[("return lane.full.count(size(bytes));", "return;")],
        ),
        (
            "the next block is shown before the full one is in the queue",
            "a_flush_has_all_that_came_before_it",
            &[
                ("        thread.lane.window.show(&empty);\n", ""),
                (
                    "        let pushed = self.sealed.push(full.seal());\n",
                    "        thread.lane.window.show(&empty);\n\
                 let pushed = self.sealed.push(full.seal());\n",
                ),
            ],
        ),
        (
            "the next block is never shown",
            "a_block_is_reused_by_another_thread",
            &[("        thread.lane.window.show(&empty);\n", "")],
        ),
        (
            "a thread's first lines are written where nobody looks",
            "sweep_a_part_filled_block",
            &[("Window::new(&pen)", "Window::new(&self.blocks.make())")],
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
                    "            let usual = line();\n",
                    "            let usual = line();\n            let was_dormant = self.dormancy.is_dormant();\n",
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
                "        // Also after a drop, for the flusher to warn of.\n",
                "        if line.lines() > 0 {\n            return;\n        }\n",
            )],
        ),
        (
            "the mutex of the desk orders nothing",
            "stop_and_start",
            &[
                ("use std::sync::atomic::Ordering::", MUTEX_WITHOUT_ORDER),
                ("desk: Mutex<", "desk: without_order::Mutex<"),
                ("desk: Mutex::new", "desk: without_order::Mutex::new"),
            ],
        ),
        (
            "a line in a fresh block wakes no dormant flusher",
            "a_line_in_a_fresh_block_wakes_the_dormant",
            &[(
                "        // Also after a drop, for the flusher to warn of.\n        if self.dormancy",
                "        if self.sealed.is_empty() && self.dormancy",
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
                "            self.bell.ring();\n",
                "            self.bell.ring();\n            self.bell.wake();\n",
            )],
        ),
    ],
);
