//! Validated configuration, which the builder hands to the two sides of a connector.

use super::endpoint::Endpoint;
use crate::encode::{SamplingRules, Scope};
use crate::options::{Delivery, Framing};
use std::time::Duration;

/// Maximum payload of an IPv4 datagram: 65,535 bytes less the headers of IP and UDP.
pub(crate) const MAX_PAYLOAD: usize = 65_507;

/// Validated configuration of the flusher.
#[derive(Clone, Debug)]
pub(crate) struct FlusherConfig {
    pub(crate) endpoint: Endpoint,
    pub(crate) max_datagram_payload: usize,
    pub(crate) pack_values: bool,
    pub(crate) hold_when_refused: bool,
    pub(crate) segmentation_offload: bool,
    /// Backlog in bytes above which datagrams are sent without pacing.
    pub(crate) unpaced_beyond: usize,
    pub(crate) delivery: Delivery,
    pub(crate) framing: Framing,
    /// Number of full blocks above which the oldest are evicted, or `None` to drop the newest lines.
    pub(crate) max_full_blocks: Option<usize>,
    pub(crate) flush_interval: Duration,
    pub(crate) reconnect_sleep: Duration,
    pub(crate) connect_timeout: Duration,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code))]
    pub(crate) peer_timeout: Duration,
    pub(crate) lookup_interval: Duration,
    pub(crate) stop_timeout: Duration,
}

/// Validated configuration of the producer threads.
pub(crate) struct ProducerConfig {
    pub(crate) scope: Scope,
    pub(crate) sampling: SamplingRules,
    /// Size of a producer thread's buffer block in bytes.
    pub(crate) block_size: usize,
    /// Number of blocks that all threads share.
    pub(crate) blocks: usize,
    /// Number of full blocks at which a producer thread wakes the flusher.
    pub(crate) ring_at: usize,
    /// Maximum length of a line in bytes.
    pub(crate) max_line: usize,
}
