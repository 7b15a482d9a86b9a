//! Faults as they could be made, and the model that must notice each.

use super::Mutation;

const BELL: &str = "src/handoff/bell.rs";
const BLOCK: &str = "src/handoff/block.rs";
const COLLECTOR: &str = "src/handoff/collector.rs";
const DORMANCY: &str = "src/handoff/dormancy.rs";
const EXCHANGE: &str = "src/handoff/exchange.rs";
const STAND_INS: &str = "src/sync/modelled.rs";
const TAKEN: &str = "src/handoff/taken.rs";

/// What it is, where, the model, and the pieces of the file that change.
type Fault = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const FAULTS: &[Fault] = &[
    (
        "the length is published before the bytes are written",
        BLOCK,
        "publish_and_read",
        &[
            ("        block.watch.writes(self.published, self.published + written);\n", ""),
            (
                "        block.published.store(self.published, Release);\n",
                "        block.published.store(self.published, Release);\n\
                 block.watch.writes(self.published - written, self.published);\n",
            ),
        ],
    ),
    (
        "a line is counted after it is published",
        EXCHANGE,
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
        EXCHANGE,
        "drop_on_full",
        &[("return lane.full.count(size(bytes));", "return;")],
    ),
    (
        "the last block is given out by a load and a store",
        BLOCK,
        "the_last_block_is_given_out_once",
        &[(
            "        self.allowance.fetch_update(Relaxed, Relaxed, take_one).ok()?;\n",
            "        self.allowance.store(take_one(self.allowance.load(Relaxed))?, Relaxed);\n",
        )],
    ),
    (
        "a block that was consumed is not given back",
        COLLECTOR,
        "drop_on_full",
        &[(
            "        let pushed = free.push(pen);\n",
            "        let pushed = Ok::<_, ()>((free.len(), pen));\n",
        )],
    ),
    (
        "the queue is drained before the part-filled blocks are noted",
        COLLECTOR,
        "seal_and_sweep_order",
        &[
            (NOTE, ""),
            (
                "        while let Some((glimpse, to)) = desk.notes.pop() {\n",
                "        for lane in exchange.lanes.iter() {\n\
                 let glimpse = lane.window.look();\n\
                 desk.notes.push((glimpse, glimpse.published()));\n\
                 }\n\
                 while let Some((glimpse, to)) = desk.notes.pop() {\n",
            ),
        ],
    ),
    (
        "the next block is shown before the full one is in the queue",
        EXCHANGE,
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
        "a block is recycled when it was taken, before it was consumed",
        COLLECTOR,
        "a_block_is_reused_by_another_thread",
        &[(
            "            desk.taken.push(glimpse, from, to, Some(sealed));\n",
            "            desk.taken.push(glimpse, from, to, None);\n\
             let _ = exchange.free.push(sealed.recycle(&mut desk.reader));\n",
        )],
    ),
    (
        "a recycled block keeps its length",
        BLOCK,
        "a_block_is_reused_by_another_thread",
        &[("        self.0.published.store(0, Relaxed);\n", "")],
    ),
    (
        "a recycled block keeps what was taken of it",
        BLOCK,
        "seal_and_sweep_order",
        &[("        self.0.flushed.store(0, Relaxed);\n", "")],
    ),
    (
        "what was taken is forgotten",
        BLOCK,
        "sweep_a_part_filled_block",
        &[("            self.0.flushed.store(to, Relaxed);\n", "")],
    ),
    (
        "a sweep leaves part-filled blocks for later",
        COLLECTOR,
        "a_flush_has_all_that_came_before_it",
        &[(NOTE, "")],
    ),
    (
        "part-filled blocks are taken before the full ones",
        COLLECTOR,
        "seal_and_sweep_order",
        &[(
            "        while let Some(sealed) = exchange.sealed.pop() {\n",
            "        for (glimpse, to) in std::mem::take(&mut desk.notes) {\n\
             let from = glimpse.take_up_to(&mut desk.reader, to);\n\
             desk.taken.push(glimpse, from, to, None);\n\
             }\n\
             while let Some(sealed) = exchange.sealed.pop() {\n",
        )],
    ),
    (
        "a part-filled block is taken up to more than was noted",
        COLLECTOR,
        "seal_and_sweep_order",
        &[(
            "        while let Some((glimpse, to)) = desk.notes.pop() {\n",
            "        while let Some((glimpse, _)) = desk.notes.pop() {\n\
             let to = glimpse.published();\n",
        )],
    ),
    (
        "the next block is never shown",
        EXCHANGE,
        "a_block_is_reused_by_another_thread",
        &[("        thread.lane.window.show(&empty);\n", "")],
    ),
    (
        "what was taken of a block becomes less",
        BLOCK,
        "stop_and_start",
        &[(
            "        if from < to {\n            self.0.flushed.store(to, Relaxed);\n        }\n",
            "        self.0.flushed.store(to, Relaxed);\n",
        )],
    ),
    (
        "a block goes back when its first line has arrived",
        TAKEN,
        "what_is_in_flight_keeps_its_block",
        &[
            (
                "            chunk.from += here;\n",
                "            chunk.from += here;\n\
             if let Some(last) = chunk.last.take() {\n\
             empty(last.recycle(reader));\n\
             }\n",
            ),
            (
                "reader: &mut Reader, empty: impl FnMut(Pen)) {\n        assert!(count <= self.in_flight",
                "reader: &mut Reader, mut empty: impl FnMut(Pen)) {\n        assert!(count <= self.in_flight",
            ),
        ],
    ),
    (
        "a stopped flusher takes what was in flight for arrived",
        COLLECTOR,
        "what_is_in_flight_keeps_its_block",
        &[("        self.recall();\n", "        self.settle(self.in_flight());\n")],
    ),
    (
        "a displaced block goes back though a line of it is in flight",
        TAKEN,
        "the_oldest_make_room",
        &[(
            "        if !ahead.any(|chunk| chunk.glimpse == block)\n",
            "        if !ahead.any(|chunk| chunk.glimpse == block && chunk.from > chunk.to)\n",
        )],
    ),
    (
        "a displaced block does not go back",
        TAKEN,
        "the_oldest_make_room",
        &[(
            "            empty(last.recycle(reader));\n        }\n        self.merge_gap",
            "            drop(last);\n        }\n        self.merge_gap",
        )],
    ),
    (
        "a thread's first lines are written where nobody looks",
        EXCHANGE,
        "sweep_a_part_filled_block",
        &[("Window::new(&pen)", "Window::new(&self.blocks.make())")],
    ),
    (
        "the flusher sleeps without looking whether somebody rang",
        BELL,
        "wake_and_sleep",
        &[(
            "        match self.state.compare_exchange(QUIET, ASLEEP, Relaxed, Relaxed) {\n",
            "        match Ok::<u8, u8>(self.state.swap(ASLEEP, Relaxed)) {\n",
        )],
    ),
    (
        "the bell is rung before the block is in the queue",
        EXCHANGE,
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
        EXCHANGE,
        "two_blocks_are_worth_a_ring",
        &[("self.sealed.len() >= self.ring_at", "self.sealed.len() == self.ring_at")],
    ),
    (
        "the bell is rung for every sealed block",
        EXCHANGE,
        "two_blocks_are_worth_a_ring",
        &[("self.sealed.len() >= self.ring_at", "self.sealed.len() > 0")],
    ),
    (
        "the bell is answered after the sweep",
        COLLECTOR,
        "wake_and_sleep",
        &[
            ("        exchange.bell.answer();\n", ""),
            (
                "        desk.taken.let_go(&mut desk.reader, give_back(&exchange.free));\n",
                "        desk.taken.let_go(&mut desk.reader, give_back(&exchange.free));\n\
                 exchange.bell.answer();\n",
            ),
        ],
    ),
    (
        "a bell that has woken stays as if asleep",
        BELL,
        "two_rings",
        &[(
            "if self.state.swap(RUNG, Release) == ASLEEP {",
            "if self.state.compare_exchange(QUIET, RUNG, Release, Relaxed) == Err(ASLEEP) {",
        )],
    ),
    (
        "the answer to the bell is a load and a store",
        BELL,
        "an_answer_wipes_no_ring_unseen",
        &[(
            "        self.state.swap(QUIET, Acquire);\n",
            "        if self.state.load(Acquire) != QUIET {\n\
             self.state.store(QUIET, Relaxed);\n\
             }\n",
        )],
    ),
    (
        "a ring is left out where somebody has rung",
        BELL,
        "an_answer_wipes_no_ring_unseen",
        &[(
            "        if self.state.swap(RUNG, Release) == ASLEEP {\n",
            "        if self.state.load(Relaxed) == RUNG {\n\
             return;\n\
             }\n\
             if self.state.swap(RUNG, Release) == ASLEEP {\n",
        )],
    ),
    (
        "to ring is a load and a store",
        BELL,
        "two_blocks_are_worth_a_ring",
        &[(
            "        if self.state.swap(RUNG, Release) == ASLEEP {\n",
            "        let before = self.state.load(Relaxed);\n\
             self.state.store(RUNG, Release);\n\
             if before == ASLEEP {\n",
        )],
    ),
    (
        "to fall asleep is a load and a store",
        BELL,
        "wake_and_sleep",
        &[(
            "        match self.state.compare_exchange(QUIET, ASLEEP, Relaxed, Relaxed) {\n",
            "        let before = self.state.load(Relaxed);\n\
             if before == QUIET {\n\
             self.state.store(ASLEEP, Relaxed);\n\
             }\n\
             match if before == QUIET { Ok(before) } else { Err(before) } {\n",
        )],
    ),
    (
        "who woke by itself stays as if asleep",
        BELL,
        "who_woke_by_itself_is_not_woken",
        &[(
            "        self.state.swap(QUIET, Acquire);\n",
            "        let _ = self.state.compare_exchange(RUNG, QUIET, Acquire, Relaxed);\n",
        )],
    ),
    ("the bell wakes nobody", BELL, "wake_and_sleep", &[("            (self.wake)();\n", "")]),
    (
        "the bell wakes at every ring",
        BELL,
        "wake_and_sleep",
        &[(
            "if self.state.swap(RUNG, Release) == ASLEEP {",
            "if self.state.swap(RUNG, Release) < 3 {",
        )],
    ),
    (
        "a flusher becomes dormant without a barrier",
        DORMANCY,
        "the_first_line_wakes_the_dormant",
        &[("        let begun = self.barrier.heavy();\n", "        let begun = true;\n")],
    ),
    (
        "a caller passes no barrier before it looks whether the flusher is dormant",
        DORMANCY,
        "the_first_line_wakes_the_dormant",
        &[("        self.barrier.light();\n", "")],
    ),
    (
        "the flusher is dormant without another look for lines",
        COLLECTOR,
        "the_first_line_wakes_the_dormant",
        &[("        if !stays {\n", "        let stays = stays || true;\n        if !stays {\n")],
    ),
    (
        "a caller looks whether the flusher is dormant before it publishes",
        EXCHANGE,
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
        EXCHANGE,
        "two_lines_wake_the_dormant_once",
        &[(
            "        // Also after a drop, for the flusher to warn of.\n",
            "        if line.lines() > 0 {\n            return;\n        }\n",
        )],
    ),
    (
        "dormancy is ended by a load and a store",
        DORMANCY,
        "two_lines_wake_the_dormant_once",
        &[(
            "        self.is_dormant.swap(false, Relaxed)\n",
            "        let was = self.is_dormant.load(Relaxed);\n\
             self.is_dormant.store(false, Relaxed);\n\
             was\n",
        )],
    ),
    (
        "a stopped flusher takes what it had with it",
        COLLECTOR,
        "stop_and_start",
        &[(
            "        *place = self.desk.take();\n",
            "        *place = self.desk.take().map(|desk| Desk::new(desk.reader));\n",
        )],
    ),
    (
        "a stopped flusher keeps its place",
        COLLECTOR,
        "stop_and_start",
        &[("        *place = self.desk.take();\n", "        let _ = &mut place;\n")],
    ),
    (
        "the mutex of the desk orders nothing",
        EXCHANGE,
        "stop_and_start",
        &[
            ("use std::sync::atomic::Ordering::", MUTEX_WITHOUT_ORDER),
            ("desk: Mutex<", "desk: without_order::Mutex<"),
            ("desk: Mutex::new", "desk: without_order::Mutex::new"),
        ],
    ),
    (
        "the mutex of the threads' numbers orders nothing",
        STAND_INS,
        "an_heir_comes_after_the_dead",
        &[
            ("use std::sync::atomic::Ordering::", MUTEX_WITHOUT_ORDER),
            ("Arc<Mutex<", "Arc<without_order::Mutex<"),
            ("Arc::new(Mutex::new", "Arc::new(without_order::Mutex::new"),
        ],
    ),
    (
        "blocks are not freed",
        BLOCK,
        "the_last_handle_is_dropped",
        &[(
            "            drop(unsafe { Box::from_raw(handle.0.as_ptr()) });\n",
            "            let _ = handle;\n",
        )],
    ),
    (
        "blocks are freed twice",
        BLOCK,
        "the_last_handle_is_dropped",
        &[(
            "        self.made.push(handle);\n",
            "        self.made.push(handle);\n        self.made.push(handle);\n",
        )],
    ),
];

/// The noting of part-filled blocks, in a sweep.
const NOTE: &str = "        for lane in exchange.lanes.iter() {
            let glimpse = lane.window.look();
            desk.notes.push((glimpse, glimpse.published()));
        }
";

/// Above the last import: a mutex whose turns loom sees, so that it tries them all, and which
/// orders no memory.
const MUTEX_WITHOUT_ORDER: &str = "
mod without_order {
    pub(crate) struct Mutex<T>(std::sync::Mutex<T>, crate::sync::AtomicUsize);
    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(std::sync::Mutex::new(value), crate::sync::AtomicUsize::new(0))
        }
        pub(crate) fn lock(&self) -> std::sync::LockResult<std::sync::MutexGuard<'_, T>> {
            self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.0.lock()
        }
    }
}
use std::sync::atomic::Ordering::";

pub fn all() -> impl Iterator<Item = Mutation> {
    FAULTS.iter().map(|&(description, file, model, edits)| Mutation {
        row: format!("{description} | `{file}`"),
        file: file.to_owned(),
        edits: edits.iter().map(|&(from, to)| (from.to_owned(), to.to_owned())).collect(),
        model: model.to_owned(),
    })
}
