//! Reference program with calls that do nothing. Its results are the cost of the measurement
//! itself: the loop and the clock.

use crate::subject::{Call, Caller, Info, Kind, Setup, Subject};
use std::hint::black_box;

pub struct Nothing;

impl Subject for Nothing {
    const INFO: Info = Info {
        id: "nothing",
        label: "nothing (the clock alone)",
        kind: Kind::Bound,
        calls: &Call::ALL,
        transports: &[],
    };
    type Caller = Self;
    fn start(_: &Setup) -> Self {
        Self
    }
    fn caller(&self) -> Self {
        Self
    }
    fn close(self) -> Option<u64> {
        None
    }
}

impl Caller for Nothing {
    fn incr(&mut self) {
        black_box(());
    }
    fn incr_tagged(&mut self) {
        black_box(());
    }
    fn gauge_whole(&mut self) {
        black_box(());
    }
    fn gauge_two_decimals(&mut self) {
        black_box(());
    }
    fn gauge_full_precision(&mut self) {
        black_box(());
    }
    fn timing(&mut self) {
        black_box(());
    }
}
