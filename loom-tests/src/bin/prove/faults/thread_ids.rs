//! Faults of the threads' numbers.

use super::File;

pub const FAULTS: File = (
    "src/sync/thread_ids.rs",
    &[
        (
            "two threads can take one number",
            "an_heir_comes_after_the_dead",
            &[(
                "match word.compare_exchange(taken, taken | 1 << bit, Acquire, Relaxed) {",
                "match {\n\
             word.store(taken | 1 << bit, Relaxed);\n\
             Ok::<u64, u64>(word.load(Acquire))\n\
             } {",
            )],
        ),
        (
            "a number is never given back",
            "a_place_is_reused",
            &[(
                "        self.taken[number as usize / 64].fetch_and(!(1 << (number % 64)), Release);\n",
                "        let _ = number;\n",
            )],
        ),
    ],
);
