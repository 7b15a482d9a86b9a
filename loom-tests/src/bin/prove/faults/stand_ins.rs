//! Faults of what the stand-ins stand for.

use super::{File, MUTEX_WITHOUT_ORDER};

pub const FAULTS: File = (
    "src/sync/modelled.rs",
    &[
        (
            "the mutex of the threads' numbers orders nothing",
            "an_heir_comes_after_the_dead",
            &[
                ("use std::sync::atomic::Ordering::", MUTEX_WITHOUT_ORDER),
                ("Arc<Mutex<", "Arc<without_order::Mutex<"),
                ("Arc::new(Mutex::new", "Arc::new(without_order::Mutex::new"),
            ],
        ),
        (
            "a thread's place is shown before what is in it",
            "sweep_a_part_filled_block",
            &[("place.present.store(true, Release);", "place.present.store(true, Relaxed);")],
        ),
        (
            "a sweep looks into a place that it did not see filled",
            "sweep_a_part_filled_block",
            &[(
                ".filter(|place| place.present.load(Acquire))",
                ".filter(|place| place.present.load(Relaxed))",
            )],
        ),
    ],
);
