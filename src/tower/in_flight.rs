//! Number of requests in flight, and the gauge that reports this number.

use crate::connector::Connector;
use std::sync::atomic::{AtomicU64, Ordering::AcqRel};

/// Count of requests in flight, with the name of the gauge that is set to the count whenever it
/// changes.
///
/// Counting and emitting are two steps, and other threads can run between them. So a thread reads the
/// count again after it has emitted, and emits again until the count is the value that it emitted.
/// The last line then has the current count, for the following reason. It uses the order of gauges:
/// of two gauges, the one whose call happened before is sent first.
///
/// Let thread T emit the last line, with the value v. After that line T read v, or T would have
/// emitted again. Assume that thread U changed the count after this read, in the modification order of
/// the count. U emitted a line after its change. Read and change are both read-modify-writes, so T's
/// read synchronizes with U's change, and T's line happened before U's line. U's line is then sent
/// after T's, which contradicts that T's is the last. So v is the count.
///
/// A thread emits more than one line only if another thread changed the count during its call.
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

    /// Adds `by` to the number of requests in flight, with wrapping. Then emits the number,
    /// repeatedly if other threads change it meanwhile, until the emitted number is current.
    #[inline(always)]
    fn change(&self, by: u64, mut emit: impl FnMut(u64)) {
        // ORDERING: AcqRel. Acquire: lines of threads that read the count earlier happened before the
        // lines that are emitted now. Release: as below.
        // No model: loom's build has no layer. The test
        // `last_line_is_the_count_in_every_interleaving` tries every interleaving.
        let mut count = self.count.fetch_add(by, AcqRel).wrapping_add(by);
        loop {
            emit(count);
            // ORDERING: AcqRel, and a read-modify-write, since a load cannot release: the line that was
            // just emitted happened before the lines of threads that change the count later.
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

    /// Test recorder of the emitted numbers of requests in flight, in the order of emission.
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

    /// Simulates threads that change the number of requests in flight at the same time. Makes the
    /// change `changes[0]`, and makes the other changes while this one emits its first or second
    /// line. The bits of `places` choose the line, and a moment before or after it.
    fn interleaved(in_flight: &InFlight, lines: &Lines, changes: &[u64], mut places: u32) {
        let [change, others @ ..] = changes else { return };
        let (mut others, mut turn) = (Some(others), 0);
        let before = places & 1 == 0;
        places >>= 1;
        in_flight.change(*change, |count| {
            let mut run_at = |here: bool| {
                // At the first line, or at the second one if there is one.
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
        // If there was no second line, the other changes follow this one.
        interleaved(in_flight, lines, others.unwrap_or_default(), places >> 1);
    }

    /// Simulates up to four threads on which requests begin or end, with every interleaving of the
    /// changed counts and the emitted lines. The last emitted line must have the final number of
    /// requests in flight.
    ///
    /// The changes of other threads come between a change, its line and the next read of the count.
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
