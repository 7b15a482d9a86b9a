//! Number of requests in flight, and its gauge.

use crate::connector::Connector;
use std::sync::atomic::{AtomicU64, Ordering::AcqRel};

/// A count, and the gauge that is set to it whenever it changes.
///
/// To count and to emit are two steps, and another thread's may come between them. So the count is read
/// again behind the emission, until it is what was emitted. Then the last line says what the count is at
/// rest, if of two gauges the one whose call happened before is sent first:
///
/// Let T be the thread of the last line, with the value v. Behind it, T has read v, or it would have
/// emitted once more. A change of the count that comes after this read in the count's modification order
/// is followed by a line of its thread. Both the read and the change are read-modify-writes, and the
/// release sequence of the read reaches the change: T's line happened before that line, which is sent
/// later than the last one. So there is no such change, and v is the count.
///
/// Another line is emitted only where another thread changed the count meanwhile: within the time
/// that one call takes.
#[derive(Debug)]
pub(super) struct InFlight {
    gauge: String,
    count: AtomicU64,
}

impl InFlight {
    pub(super) fn new(gauge: String) -> Self {
        Self { gauge, count: AtomicU64::new(0) }
    }

    pub(super) fn enter(&self, connector: &Connector) {
        self.change(1, |count| connector.gauge(&self.gauge, count));
    }

    pub(super) fn leave(&self, connector: &Connector) {
        self.change(u64::MAX, |count| connector.gauge(&self.gauge, count));
    }

    /// Adds, wrapping, and emits until the count is what was emitted.
    #[inline(always)]
    fn change(&self, by: u64, mut emit: impl FnMut(u64)) {
        // ORDERING: AcqRel. Acquire: the lines of those who have read the count before happened before
        // the ones that are emitted now. Release: as below.
        // No model: loom's build has no layer; `last_line_is_the_count_in_every_interleaving`.
        let mut count = self.count.fetch_add(by, AcqRel).wrapping_add(by);
        loop {
            emit(count);
            // ORDERING: AcqRel, and a read-modify-write, for a load has no release: the line that was
            // just emitted happened before the lines of those who change the count after this.
            // No model: as above.
            let now = self.count.fetch_add(0, AcqRel);
            if now == count {
                return;
            }
            count = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Barrier, Mutex, PoisonError};

    /// Emitted counts, in the order of emission.
    #[derive(Default)]
    struct Lines(Mutex<Vec<u64>>);

    impl Lines {
        fn emit(&self, count: u64) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(count);
        }

        fn last(&self) -> Option<u64> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).last().copied()
        }
    }

    /// A change, and others within it: before the line that its turn among all lines says, or behind it.
    fn interleaved(in_flight: &InFlight, lines: &Lines, changes: &[u64], mut places: u32) {
        let [change, others @ ..] = changes else { return };
        let (mut others, mut turn) = (Some(others), 0);
        let before = places & 1 == 0;
        places >>= 1;
        in_flight.change(*change, |count| {
            let mut run_at = |here: bool| {
                // At the first line, or at the second if there is one.
                let due = here && turn == places & 1;
                if let Some(others) = due.then(|| others.take()).flatten() {
                    interleaved(in_flight, lines, others, places >> 1);
                }
            };
            run_at(before);
            lines.emit(count);
            run_at(!before);
            turn += 1;
        });
        // Where there was no second line.
        interleaved(in_flight, lines, others.unwrap_or_default(), places >> 1);
    }

    /// Each change of another thread between a count and its line, and between the line and the next look:
    /// two enter, two leave, in each order that is possible.
    #[test]
    fn last_line_is_the_count_in_every_interleaving() {
        const IN: u64 = 1;
        const OUT: u64 = u64::MAX;
        for changes in [&[IN, IN, OUT, OUT][..], &[IN, OUT, IN, OUT], &[IN, IN], &[IN, IN, OUT]] {
            for places in 0..1 << (2 * changes.len()) {
                let (in_flight, lines) = (InFlight::new(String::new()), Lines::default());
                interleaved(&in_flight, &lines, changes, places);
                let count = changes.iter().fold(0_u64, |sum, change| sum.wrapping_add(*change));
                assert_eq!(lines.last(), Some(count), "{changes:?} {places:b}: {:?}", lines.0);
            }
        }
    }

    #[test]
    fn each_change_is_one_line_without_contention() {
        let (in_flight, lines) = (InFlight::new(String::new()), Lines::default());
        for change in [1, 1, u64::MAX, u64::MAX] {
            in_flight.change(change, |count| lines.emit(count));
        }
        assert_eq!(*lines.0.lock().unwrap_or_else(PoisonError::into_inner), [1, 2, 1, 0]);
    }

    #[test]
    fn last_line_is_0_after_many_threads() {
        const THREADS: usize = 8;
        for _ in 0..20 {
            let (in_flight, lines) = (InFlight::new(String::new()), Lines::default());
            let together = Barrier::new(THREADS);
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        together.wait();
                        for _ in 0..200 {
                            in_flight.change(1, |count| lines.emit(count));
                            in_flight.change(u64::MAX, |count| lines.emit(count));
                        }
                    });
                }
            });
            assert_eq!(lines.last(), Some(0));
        }
    }
}
