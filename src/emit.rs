//! Emission: reserves space for a line, encodes the line into it, and commits.

use crate::encode::{EncodeLine, LineWriter};
use crate::tally::{LineTally, Tally};
use freewheel_handoff::{MARGIN, OrderedBuffer};

/// Exchange between the threads that emit lines and the flusher. Its records are lines.
pub(crate) type Exchange = freewheel_handoff::Exchange<LineCounts>;

/// The flusher's end of the exchange.
pub(crate) type Consumer = freewheel_handoff::Consumer<LineCounts>;

/// Lines of one thread that only an encoder can count.
#[derive(Default)]
pub(crate) struct LineCounts {
    pub(crate) invalid: LineTally,
    pub(crate) unsupported: LineTally,
    /// Accepted lines that were altered to be valid.
    pub(crate) altered: LineTally,
}

/// The way of a line to the flusher.
#[derive(Clone, Copy, PartialEq)]
enum Channel {
    /// The thread's block. Lines keep the order of that thread.
    Block,
    /// The ordered queue. Lines keep their order across threads.
    OrderedQueue,
}

/// Emits a line.
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
    emit_slow(exchange, Channel::Block, line);
}

/// Emits a line that keeps its order across threads.
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

/// Emits a thread's first line, a line that needs an empty block, or one that may be unclean.
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

/// Emits a line whose maximum length is too long. The actual length decides.
#[cold]
fn emit_measured<L: EncodeLine>(exchange: &Exchange, channel: Channel, line: L) {
    let mut space = vec![0; line.max_len() + MARGIN];
    let (len, altered) = sanitize_into(&mut space, line);
    if len > exchange.max_record() {
        exchange.reject_oversize(L::LINES, len);
    } else {
        emit_encoded(exchange, channel, L::LINES, &space[..len], altered);
    }
}

/// Emits lines that are encoded already.
fn emit_encoded(exchange: &Exchange, channel: Channel, lines: u64, text: &[u8], altered: bool) {
    fill(exchange, channel, lines, text.len(), |space| {
        space[..text.len()].copy_from_slice(text);
        (text.len(), altered)
    });
}

/// Reserves space for `lines` lines and commits what `write` puts there. `write` returns the length,
/// and true if a text was altered.
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

/// Encodes a line with each forbidden character replaced. Returns its length, and true if a text was
/// altered.
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

/// Counts lines as dropped because their values are invalid.
#[cold]
pub(crate) fn drop_invalid(exchange: &Exchange, lines: u64) {
    exchange.reject(lines, |counts| counts.invalid.count(Tally { lines, bytes: 0 }));
}

/// Counts a line as dropped because the dialect does not support it.
#[cold]
pub(crate) fn drop_unsupported(exchange: &Exchange) {
    exchange.reject(1, |counts| counts.unsupported.count(Tally { lines: 1, bytes: 0 }));
}

/// Emits an event, which is encoded already.
pub(crate) fn emit_event(exchange: &Exchange, line: &str, altered: bool) {
    emit_text(exchange, Channel::Block, line, altered);
}

/// Emits a service check, which is encoded already.
pub(crate) fn emit_service_check(exchange: &Exchange, line: &str, altered: bool) {
    emit_text(exchange, Channel::OrderedQueue, line, altered);
}

fn emit_text(exchange: &Exchange, channel: Channel, line: &str, altered: bool) {
    if line.len() > exchange.max_record() {
        exchange.reject_oversize(1, line.len());
    } else {
        emit_encoded(exchange, channel, 1, line.as_bytes(), altered);
    }
}
