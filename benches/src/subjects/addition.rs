//! Floor of an aggregated call: an addition to a number of the calling thread, or a store.

use crate::fixtures::{FULL_PRECISION, TWO_DECIMALS, WHOLE};
use crate::subject::{Call, Caller, Info, Kind, Setup, Subject};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Reference program whose calls do to memory what an aggregated call must do at least. Nothing is
/// sent.
pub struct Addition;

/// Numbers of one calling thread.
pub struct Numbers {
    counter: Box<AtomicU64>,
    gauge: Box<AtomicU64>,
}

impl Subject for Addition {
    const INFO: Info = Info {
        id: "addition",
        label: "an addition, or a store",
        kind: Kind::Bound,
        calls: &[Call::Incr, Call::GaugeWhole, Call::GaugeTwoDecimals, Call::GaugeFullPrecision],
        transports: &[],
    };
    type Caller = Numbers;

    fn start(_setup: &Setup) -> Self {
        Self
    }

    fn caller(&self) -> Numbers {
        Numbers { counter: Box::default(), gauge: Box::default() }
    }

    fn quiesce(&self) {}

    fn close(self) -> Option<u64> {
        None
    }
}

impl Caller for Numbers {
    #[inline]
    fn incr(&mut self) {
        let counter = black_box(&self.counter);
        // ORDERING: Relaxed, as in freewheel.
        counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
    }
    #[inline]
    fn gauge_whole(&mut self) {
        black_box(&self.gauge).store((black_box(WHOLE) as f64).to_bits(), Relaxed);
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        black_box(&self.gauge).store(black_box(TWO_DECIMALS).to_bits(), Relaxed);
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        black_box(&self.gauge).store(black_box(FULL_PRECISION).to_bits(), Relaxed);
    }
}
