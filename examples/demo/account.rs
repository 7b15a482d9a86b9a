//! Comparison of the line counts of the emitting threads, of freewheel and of the receiver, after a
//! run of the demo.

use crate::receiver::Received;
use crate::table::thousands;
use crate::workload::WorkCounts;
use freewheel::Stats;
use std::time::Instant;

/// Maximum payload in bytes of the datagrams that the demo sends.
pub(crate) const PAYLOAD: usize = 1432;

/// Completed run of a demo scenario, with the counts of the emitting threads, of freewheel and of
/// the receiver.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) start: Instant,
    pub(crate) work: WorkCounts,
    pub(crate) stats: Stats,
    pub(crate) received: Received,
}

impl Run {
    pub(crate) fn lines_per_second(&self) -> u64 {
        let took = self.received.last.map_or(0.0, |last| (last - self.start).as_secs_f64());
        if took > 0.0 { (self.received.size.lines as f64 / took) as u64 } else { 0 }
    }

    fn overflowed(&self) -> u64 {
        self.received.overflowed.unwrap_or(0)
    }
}

/// Returns a description of each disagreement between the counts of the emitting threads, of
/// freewheel and of the receiver in a run.
pub(crate) fn problems(run: &Run) -> Vec<String> {
    let Run { stats, received, work, .. } = run;
    let (emitted, dropped, lost) = (stats.emitted, stats.dropped(), stats.lost());
    let accounted = stats.sent + stats.buffered + dropped + lost;
    let mut problems = vec![
        difference("calls made", work.calls, "lines emitted", emitted.lines),
        difference("lines emitted", emitted.lines, "lines accounted for", accounted.lines),
        difference("bytes emitted", emitted.bytes, "bytes accounted for", accounted.bytes),
        compare_arrivals(run),
        received.first_malformed.as_ref().map(|first| {
            let count = thousands(received.malformed);
            format!("malformed lines arrived: {count}; the first is {first:?}")
        }),
    ];
    // Values can be compared only if every line arrived.
    if run.overflowed() == 0 && (stats.buffered + dropped + lost).lines == 0 {
        problems.push(difference(
            "added to counters",
            work.counter_sum,
            "arrived in counters",
            received.counter_sum,
        ));
    }
    problems.into_iter().flatten().map(|problem| format!("{}: {problem}", run.name)).collect()
}

/// Describes the difference of the sent and received lines, or returns `None` if they are equal, or
/// if discarded datagrams explain it. Each datagram that the kernel discards, because the socket
/// buffer is full, explains a loss of at least one line and at most [`PAYLOAD`] bytes.
fn compare_arrivals(run: &Run) -> Option<String> {
    let (sent, received, overflowed) = (run.stats.sent, run.received.size, run.overflowed());
    let lines_fit = received.lines + overflowed <= sent.lines;
    let bytes_fit = received.bytes + overflowed * PAYLOAD as u64 >= sent.bytes;
    if overflowed > 0 && lines_fit && bytes_fit {
        return None;
    }
    let lines = difference("lines sent", sent.lines, "lines received", received.lines);
    let bytes = difference("bytes sent", sent.bytes, "bytes received", received.bytes);
    let problem = lines.or(bytes)?;
    Some(match run.received.overflowed.map(thousands) {
        Some(count) => format!("{problem}; the receiver's socket buffer lost {count} datagrams"),
        None => problem,
    })
}

/// Describes the difference of two counts, or returns `None` if they are equal.
fn difference(label: &str, count: u64, other: &str, other_count: u64) -> Option<String> {
    let [a, b, between] = [count, other_count, count.abs_diff(other_count)].map(thousands);
    (count != other_count)
        .then(|| format!("{a} {label}, but {b} {other}: a difference of {between}"))
}

/// Returns a text that explains why datagrams or lines were discarded in a run, or `None` if none
/// were discarded.
pub(crate) fn note(run: &Run) -> Option<String> {
    let reason = if run.overflowed() > 0 {
        "the receiver was late, and the kernel discarded datagrams.\n\
         UDP has no acknowledgements, so no client can know: these lines count as sent."
    } else if run.stats.drops.full.lines > 0 {
        "the threads emit faster than the receiver reads.\n\
         Lines are dropped and counted while the queue is full; no thread ever waits."
    } else {
        return None;
    };
    Some(format!("{}: {reason}", run.name))
}
