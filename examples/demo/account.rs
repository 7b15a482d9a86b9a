//! The account: what the threads, freewheel and the receiver say, side by side.

use crate::receiver::Received;
use crate::table::thousands;
use crate::workload::Work;
use freewheel::Stats;
use std::time::Instant;

/// How many bytes a datagram carries at most.
pub(crate) const PAYLOAD: usize = 1432;

/// A run, by the three who counted.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) begun: Instant,
    pub(crate) work: Work,
    pub(crate) stats: Stats,
    pub(crate) received: Received,
}

impl Run {
    pub(crate) fn lines_per_second(&self) -> u64 {
        let took = self.received.last.map_or(0.0, |last| (last - self.begun).as_secs_f64());
        if took > 0.0 { (self.received.size.lines as f64 / took) as u64 } else { 0 }
    }

    fn overflowed(&self) -> u64 {
        self.received.overflowed.unwrap_or(0)
    }
}

/// What does not balance, in plain words.
pub(crate) fn problems(run: &Run) -> Vec<String> {
    let Run { stats, received, work, .. } = run;
    let (emitted, dropped, lost) = (stats.emitted, stats.dropped(), stats.lost());
    let accounted = stats.sent + stats.buffered + dropped + lost;
    let mut problems = vec![
        differ("calls made", work.calls, "lines emitted", emitted.lines),
        differ("lines emitted", emitted.lines, "lines accounted for", accounted.lines),
        differ("bytes emitted", emitted.bytes, "bytes accounted for", accounted.bytes),
        arrived(run),
        received.first_malformed.as_ref().map(|first| {
            let count = thousands(received.malformed);
            format!("malformed lines arrived: {count}; the first is {first:?}")
        }),
    ];
    // What did not arrive cannot be summed.
    if run.overflowed() == 0 && (stats.buffered + dropped + lost).lines == 0 {
        problems.push(differ(
            "added to counters",
            work.counted,
            "arrived in counters",
            received.counted,
        ));
    }
    problems.into_iter().flatten().map(|problem| format!("{}: {problem}", run.name)).collect()
}

/// All that was sent must arrive, but for datagrams that found the socket's buffer full: each
/// takes at least one line with it, and at most [`PAYLOAD`] bytes.
fn arrived(run: &Run) -> Option<String> {
    let (sent, received, overflowed) = (run.stats.sent, run.received.size, run.overflowed());
    let at_most = received.lines + overflowed <= sent.lines;
    let at_least = received.bytes + overflowed * PAYLOAD as u64 >= sent.bytes;
    if overflowed > 0 && at_most && at_least {
        return None;
    }
    let lines = differ("lines sent", sent.lines, "lines received", received.lines);
    let bytes = differ("bytes sent", sent.bytes, "bytes received", received.bytes);
    let problem = lines.or(bytes)?;
    Some(match run.received.overflowed.map(thousands) {
        Some(count) => format!("{problem}; the receiver's socket buffer lost {count} datagrams"),
        None => problem,
    })
}

/// None if two counts that must be equal are.
fn differ(what: &str, count: u64, other: &str, other_count: u64) -> Option<String> {
    let [a, b, between] = [count, other_count, count.abs_diff(other_count)].map(thousands);
    (count != other_count)
        .then(|| format!("{a} {what}, but {b} {other}: a difference of {between}"))
}

/// What a reader of the table may wonder about.
pub(crate) fn note(run: &Run) -> Option<String> {
    let reason = if run.overflowed() > 0 {
        "the receiver was late, and the kernel threw datagrams away.\n\
         UDP promises no more, and no client can know: they count as sent."
    } else if run.stats.drops.full.lines > 0 {
        "the threads emit faster than the receiver reads.\n\
         What finds no room is dropped and counted; no thread ever waits."
    } else {
        return None;
    };
    Some(format!("{}: {reason}", run.name))
}
