//! Emission of lines by producer threads: reserve space in a buffer, encode the line, and commit it
//! for the flusher.

use crate::encode::{EncodeLine, LineWriter};
use crate::line_tally::LineTally;
use crate::tally::Tally;
use freewheel_handoff::{MARGIN, OrderedBuffer};

/// Buffers that carry lines from the producer threads to the flusher task: an exchange of the crate
/// `freewheel_handoff`, with a line in each record.
pub(crate) type Exchange = freewheel_handoff::Exchange<LineCounts>;

/// Receiving end of the exchange (the buffers of lines), with which the flusher task takes the
/// lines of the producer threads.
pub(crate) type Consumer = freewheel_handoff::Consumer<LineCounts>;

/// Counts of one thread's invalid, unsupported and altered lines. The exchange (the buffers of
/// lines) cannot count these lines itself, since it does not interpret their bytes.
#[derive(Default)]
pub(crate) struct LineCounts {
    pub(crate) invalid: LineTally,
    pub(crate) unsupported: LineTally,
    /// Accepted lines with altered text: characters that the dialect forbids were replaced.
    pub(crate) altered: LineTally,
}

/// Path that a line takes to the flusher: the buffer of its thread, or a queue that all threads
/// share.
#[derive(Clone, Copy, PartialEq)]
enum Channel {
    /// Buffer block of the emitting thread. The flusher sends the lines of one thread in their
    /// order.
    Block,
    /// Queue that all threads share. The flusher sends the lines of this queue in their order
    /// across threads.
    OrderedQueue,
}

/// Emits a line: encodes it into the calling thread's buffer block, from which the flusher sends
/// it.
#[inline(always)]
pub(crate) fn emit<L: EncodeLine>(exchange: &Exchange, line: L) {
    let len = line.max_len();
    if !line.is_altered()
        && let Some(mut space) = exchange.try_reserve(L::LINES, len)
        && line.encode(&mut LineWriter::<false>::new(space.buffer())).is_ok()
    {
        space.commit(len);
        return;
    }
    emit_in_next_block(exchange, line);
}

/// Emits a line that keeps its order across threads: encodes it into the queue that all threads
/// share.
#[inline(always)]
pub(crate) fn emit_ordered<L: EncodeLine>(exchange: &Exchange, line: L) {
    let (len, mut buffer) = (line.max_len(), OrderedBuffer::new());
    if !line.is_altered()
        && let Some(mut space) = exchange.try_reserve_ordered(L::LINES, len, &mut buffer)
        && line.encode(&mut LineWriter::<false>::new(space.buffer())).is_ok()
    {
        space.commit(len);
        return;
    }
    emit_slow(exchange, Channel::OrderedQueue, line);
}

/// Emits a line if there is room for it. Returns false, with nothing counted, if there is none now.
///
/// The flusher emits the lines of aggregated metrics so, whose numbers can wait.
pub(crate) fn emit_if_room<L: EncodeLine>(exchange: &Exchange, line: L) -> bool {
    let len = line.max_len();
    if len > exchange.max_record() {
        emit(exchange, line);
        return true;
    }
    if !exchange.prepare_thread(|_| ()) {
        return false;
    }
    let space = exchange.try_reserve(L::LINES, len);
    let space = space.or_else(|| exchange.try_reserve_in_next_block(L::LINES, len));
    let Some(mut space) = space else { return false };
    let (len, altered) = sanitize_into(space.buffer(), line);
    space.commit_and(len, |counts| count_altered(counts, L::LINES, len, altered))
}

/// Emits a line that keeps its order across threads, as [`emit_if_room`] does. A line that finds no
/// room in the end, since other threads took it, is counted as dropped.
pub(crate) fn emit_ordered_if_room<L: EncodeLine>(exchange: &Exchange, line: L) -> bool {
    let len = line.max_len();
    if len > exchange.max_record() {
        emit_ordered(exchange, line);
        return true;
    }
    if !exchange.has_room_for_ordered(len) {
        return false;
    }
    let mut buffer = OrderedBuffer::new();
    let space = exchange.reserve_ordered(L::LINES, len, &mut buffer);
    space.is_some_and(|mut space| {
        let (len, altered) = sanitize_into(space.buffer(), line);
        space.commit_and(len, |counts| count_altered(counts, L::LINES, len, altered))
    })
}

/// Emits a line that does not fit into the thread's block. The function is a second copy of the fast
/// path, since its cache lines are cold each time: the slow path has many more.
#[cold]
#[inline(never)]
fn emit_in_next_block<L: EncodeLine>(exchange: &Exchange, line: L) {
    let len = line.max_len();
    if !line.is_altered()
        && let Some(mut space) = exchange.try_reserve_in_next_block(L::LINES, len)
        && line.encode(&mut LineWriter::<false>::new(space.buffer())).is_ok()
    {
        space.commit(len);
        return;
    }
    emit_slow(exchange, Channel::Block, line);
}

/// Emits a line that the fast path rejects: a thread's first line, a line that needs an empty
/// block, or a line with forbidden characters.
///
/// The line is passed by value, so that the fast path keeps it in registers.
#[cold]
#[inline(never)]
fn emit_slow<L: EncodeLine>(exchange: &Exchange, channel: Channel, line: L) {
    if line.is_nameless() {
        return drop_invalid(exchange, L::LINES);
    }
    let max_len = line.max_len();
    if max_len > exchange.max_record() {
        return emit_measured(exchange, channel, line);
    }
    fill(exchange, channel, L::LINES, max_len, |space| sanitize_into(space, line));
}

/// Emits a line that may exceed the maximum length. The function encodes the line to measure its
/// actual length, and drops the line if this length is too great.
#[cold]
fn emit_measured<L: EncodeLine>(exchange: &Exchange, channel: Channel, line: L) {
    let encode = || {
        let mut space = vec![0; line.max_len() + MARGIN];
        let (len, altered) = sanitize_into(&mut space, line);
        Some((space, len, altered))
    };
    allocate_guarded(exchange, L::LINES, encode, |(space, len, altered)| {
        emit_text(exchange, channel, L::LINES, &space[..*len], *altered);
    });
}

/// Calls `emit` with the value that `allocate` returns, unless this is `None`. `lines` lines are
/// counted as dropped if the thread cannot emit.
///
/// `allocate` may allocate: it runs under the thread's guard, and the value is dropped under the
/// guard. So an allocator that emits such lines does not call itself without end.
pub(crate) fn allocate_guarded<T>(
    exchange: &Exchange,
    lines: u64,
    allocate: impl FnOnce() -> Option<T>,
    emit: impl FnOnce(&T),
) {
    let Some(value) = exchange.guarded(lines, allocate) else { return };
    if let Some(value) = &value {
        emit(value);
    }
    exchange.guarded(0, || drop(value));
}

/// Emits lines that are already encoded: copies `text` into the channel (the thread's block or the
/// ordered queue). Drops the lines if the text is longer than the maximum length.
fn emit_text(exchange: &Exchange, channel: Channel, lines: u64, text: &[u8], altered: bool) {
    if text.len() > exchange.max_record() {
        return exchange.reject_oversize(lines, text.len());
    }
    fill(exchange, channel, lines, text.len(), |space| {
        space[..text.len()].copy_from_slice(text);
        (text.len(), altered)
    });
}

/// Reserves space for `lines` lines in the channel (a thread's block or the ordered queue), and
/// commits the lines that `write` encodes there. `write` returns their length in bytes, and true if
/// forbidden characters were replaced.
fn fill(
    exchange: &Exchange,
    channel: Channel,
    lines: u64,
    max_len: usize,
    write: impl FnOnce(&mut [u8]) -> (usize, bool),
) {
    match channel {
        Channel::Block => {
            let Some(mut space) = exchange.reserve(lines, max_len) else { return };
            let (len, altered) = write(space.buffer());
            space.commit_and(len, |counts| count_altered(counts, lines, len, altered));
        }
        Channel::OrderedQueue => {
            let mut buffer = OrderedBuffer::new();
            let space = exchange.reserve_ordered(lines, max_len, &mut buffer);
            let Some(mut space) = space else { return };
            let (len, altered) = write(space.buffer());
            space.commit_and(len, |counts| count_altered(counts, lines, len, altered));
        }
    }
}

/// Encodes a line into `space` with each forbidden character replaced. Returns the line's length,
/// and true if any text was altered.
fn sanitize_into(space: &mut [u8], line: impl EncodeLine) -> (usize, bool) {
    let capacity = space.len();
    let mut writer = LineWriter::<true>::new(space);
    line.encode(&mut writer).expect("the sanitizing copy never fails");
    (capacity - writer.remaining(), writer.is_altered() || line.is_altered())
}

fn count_altered(counts: &LineCounts, lines: u64, len: usize, altered: bool) {
    if altered {
        counts.altered.count(Tally { lines, bytes: len as u64 });
    }
}

/// Reason to drop every line of a metric.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DropReason {
    Invalid,
    Unsupported,
}

impl DropReason {
    /// Counts one line as dropped for this reason. Returns true, since the line is accounted for.
    #[cold]
    pub(crate) fn drop_line(self, exchange: &Exchange) -> bool {
        match self {
            Self::Invalid => drop_invalid(exchange, 1),
            Self::Unsupported => drop_unsupported(exchange),
        }
        true
    }
}

/// Counts `lines` lines as dropped because a name, a value or a timestamp is invalid.
#[cold]
pub(crate) fn drop_invalid(exchange: &Exchange, lines: u64) {
    exchange.reject(lines, |counts| counts.invalid.count(Tally { lines, bytes: 0 }));
}

/// Counts one line as dropped because the dialect does not support the metric or its value.
#[cold]
pub(crate) fn drop_unsupported(exchange: &Exchange) {
    exchange.reject(1, |counts| counts.unsupported.count(Tally { lines: 1, bytes: 0 }));
}

/// Emits a DogStatsD event that is already encoded as a line.
pub(crate) fn emit_event(exchange: &Exchange, line: &str, altered: bool) {
    emit_text(exchange, Channel::Block, 1, line.as_bytes(), altered);
}

/// Emits a DogStatsD service check that is already encoded as a line, in order across threads.
pub(crate) fn emit_service_check(exchange: &Exchange, line: &str, altered: bool) {
    emit_text(exchange, Channel::OrderedQueue, 1, line.as_bytes(), altered);
}
