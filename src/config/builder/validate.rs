//! Validation of a builder's settings, and the buffer sizes that follow from them.

use super::Builder;
use super::dialect_options::ValidatedDialect;
use super::latency::ValidatedLatency;
use crate::config::validated::{CoalescingConfig, FlusherConfig, MAX_PAYLOAD, ProducerConfig};
use crate::error::{BuildError, quoted, require};
use crate::log_thread::log;
use crate::options::{Endpoint, Framing, WhenFull};
use std::time::Duration;

/// Default size in bytes of a block (a producer thread's buffer for lines), unless the queue capacity
/// is less than five blocks of this size.
const BLOCK_SIZE: usize = 16 << 10;
const MIN_CAPACITY: usize = 1 << 10;
const MAX_CAPACITY: usize = 1 << 30;
/// Divisor of the capacity that gives the number of bytes that may gather from one sweep to the
/// next. It is less than what makes a producer thread wake the flusher.
const CAPACITY_PER_SWEEP: usize = 16;
const MAX_PREFIX: usize = 256;
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

impl Builder {
    /// Validates all settings, and returns the configurations of the flusher task and of the
    /// producer threads.
    pub(crate) fn check(self) -> Result<(FlusherConfig, ProducerConfig), BuildError> {
        let protocol = self.protocol.unwrap_or(self.dialect_options.default_protocol());
        let endpoint = Endpoint::new(protocol, &self.host, self.port)?;
        let prefix = self.prefix.trim_matches('.').to_owned();
        let is_clean = self.dialect_options.accepts_prefix(&prefix);
        let given = quoted(&self.prefix);
        require("prefix", &given, is_clean, "no `:`, `|`, control, or what the dialect forbids")?;
        require("prefix", &given, prefix.len() <= MAX_PREFIX, "at most 256 bytes")?;
        let capacity = self.queue_capacity;
        let in_bounds = (MIN_CAPACITY..=MAX_CAPACITY).contains(&capacity);
        require("queue_capacity", capacity, in_bounds, "1024 to 1073741824 bytes")?;
        let is_stream = protocol.is_stream();
        let framing = self.framing.unwrap_or(self.dialect_options.default_framing(protocol));
        let accepted = is_stream || framing == Framing::Newlines;
        require("framing", framing, accepted, "newlines for datagrams")?;
        let payload = self.max_datagram_payload.unwrap_or(protocol.default_payload());
        let in_bounds = (1..=MAX_PAYLOAD).contains(&payload);
        require("max_datagram_payload", payload, in_bounds, "1 to 65507 bytes")?;
        for (setting, duration) in [
            ("flush_interval", self.flush_interval),
            ("reconnect_sleep", self.reconnect_sleep),
            ("connect_timeout", self.connect_timeout),
            ("peer_timeout", self.peer_timeout),
            ("lookup_interval", self.lookup_interval),
            ("stop_timeout", self.stop_timeout),
        ] {
            require_duration(setting, duration)?;
        }
        // The operating system counts milliseconds and interprets 0 as its own default.
        let in_bounds = self.peer_timeout >= Duration::from_millis(1);
        let given = format!("{:?}", self.peer_timeout);
        require("peer_timeout", given, in_bounds, "at least a millisecond")?;
        self.aggregation.validate()?;
        let ValidatedLatency { block_size, never_wake, prefault, thread } =
            self.latency.validate()?;
        let block_size = block_size.unwrap_or(BLOCK_SIZE).min(capacity / 5).max(MIN_CAPACITY);
        let blocks = capacity / block_size;
        // The ordered queue uses a fifth of the capacity.
        let blocks = blocks - blocks / 5;
        // A wake-up costs the caller microseconds. An eighth of the capacity is worth that cost; for
        // a smaller backlog the next tick of the flusher comes soon enough.
        let ring_at = blocks.div_ceil(8);
        let type_prefixes = self.type_prefixes.unwrap_or(self.dialect_options.has_type_prefixes());
        let max_line = self.dialect_options.max_line(protocol, self.max_datagram_payload);
        let max_line = max_line.min(block_size);
        let options = self.dialect_options;
        let dialect = options.validate(&prefix, type_prefixes, is_stream, max_line)?;
        let ValidatedDialect { scope, sampling, pack_values, warnings } = dialect;
        // The settings are valid: nothing else fails.
        log(warnings);
        let max_contexts = self.aggregation.max_contexts;
        let coalescing = (max_contexts > 0).then(|| CoalescingConfig {
            max_contexts,
            has_gauge_deltas: scope.has_gauge_deltas(),
            max_line,
            payload,
            capacity,
        });
        let producer = ProducerConfig {
            scope,
            sampling,
            block_size,
            blocks,
            ring_at,
            max_line,
            never_wake,
            prefault,
        };
        let evicts = self.when_full == WhenFull::DropOldest;
        let flusher = FlusherConfig {
            endpoint,
            max_datagram_payload: payload,
            pack_values,
            hold_when_refused: self.hold_when_refused,
            segmentation_offload: self.segmentation_offload,
            // Pacing ends well before producer threads drop lines.
            unpaced_beyond: capacity / 2,
            sweep_budget: capacity / CAPACITY_PER_SWEEP,
            thread,
            delivery: self.delivery,
            framing,
            max_full_blocks: evicts.then(|| max_full_blocks(&producer)),
            flush_interval: self.flush_interval,
            reconnect_sleep: self.reconnect_sleep,
            connect_timeout: self.connect_timeout,
            peer_timeout: self.peer_timeout,
            lookup_interval: self.lookup_interval,
            stop_timeout: self.stop_timeout,
            aggregate_interval: self.aggregation.interval,
            gauge_repeat: self.aggregation.gauge_repeat,
            coalescing,
        };
        Ok((flusher, producer))
    }
}

/// Returns an error for the setting unless its duration is more than 0 and at most a day.
pub(crate) fn require_duration(
    setting: &'static str,
    duration: Duration,
) -> Result<(), BuildError> {
    let in_bounds = !duration.is_zero() && duration <= MAX_DURATION;
    require(setting, format!("{duration:?}"), in_bounds, "more than 0, at most a day")
}

/// Returns the number of full blocks (buffers of unsent lines) above which the flusher discards the
/// oldest blocks. The number is three quarters of all blocks, or at least half if there are few.
///
/// The number is always less than all blocks, or no producer thread could wake the flusher.
fn max_full_blocks(producer: &ProducerConfig) -> usize {
    let three_quarters = producer.blocks.saturating_sub(2 * producer.ring_at);
    three_quarters.max(producer.blocks.div_ceil(2).min(producer.blocks - 1))
}
