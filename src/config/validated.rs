//! Validated configurations of the flusher task and of the producer threads, which the builder
//! returns.

use crate::aggregate::GaugeRepeat;
use crate::encode::{SamplingRules, Scope};
use crate::options::{Delivery, Endpoint, Framing};
use std::fmt;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Maximum payload of an IPv4 datagram: 65,535 bytes less the headers of IP and UDP.
pub(crate) const MAX_PAYLOAD: usize = 65_507;

/// Validated configuration of the flusher, the task that sends lines to the server.
#[derive(Clone, Debug)]
pub(crate) struct FlusherConfig {
    pub(crate) endpoint: Endpoint,
    pub(crate) max_datagram_payload: usize,
    pub(crate) pack_values: bool,
    pub(crate) hold_when_refused: bool,
    pub(crate) segmentation_offload: bool,
    /// Number of unsent bytes above which the flusher no longer limits the speed at which it sends
    /// UDP datagrams.
    pub(crate) unpaced_beyond: usize,
    /// Number of bytes that may gather in the producer threads' blocks from one sweep to the next,
    /// while lines are emitted at a steady rate.
    pub(crate) sweep_budget: usize,
    pub(crate) thread: FlusherThread,
    pub(crate) delivery: Delivery,
    pub(crate) framing: Framing,
    /// Number of full blocks (buffers of unsent lines) above which the flusher discards the oldest
    /// blocks. `None` keeps the oldest lines and drops new lines instead.
    pub(crate) max_full_blocks: Option<usize>,
    pub(crate) flush_interval: Duration,
    pub(crate) reconnect_sleep: Duration,
    pub(crate) connect_timeout: Duration,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code))]
    pub(crate) peer_timeout: Duration,
    pub(crate) lookup_interval: Duration,
    pub(crate) stop_timeout: Duration,
    /// Time between two lines of an aggregated metric.
    pub(crate) aggregate_interval: Duration,
    pub(crate) gauge_repeat: Option<GaugeRepeat>,
    /// Rules by which lines are merged before they are sent. `None` sends each line as it is.
    pub(crate) coalescing: Option<CoalescingConfig>,
}

/// Rules by which the flusher merges lines that differ in their value alone.
#[derive(Clone, Debug)]
pub(crate) struct CoalescingConfig {
    /// Maximum number of lines that other lines are merged with, in a batch.
    pub(crate) max_contexts: usize,
    /// True if servers add a signed value, such as `+1`, to a gauge.
    pub(crate) has_gauge_deltas: bool,
    /// Maximum length in bytes of a line.
    pub(crate) max_line: usize,
    /// Maximum size in bytes of a datagram.
    pub(crate) payload: usize,
    /// Maximum backlog of unsent lines in bytes.
    pub(crate) capacity: usize,
}

/// Thread that a connector creates for its flusher.
#[derive(Clone, Debug)]
pub(crate) struct FlusherThread {
    pub(crate) name: String,
    /// Function of the application that the thread calls before the flusher begins.
    pub(crate) on_start: Option<OnThreadStart>,
}

/// Function of the application that the flusher's thread calls before the flusher begins.
#[derive(Clone)]
pub(crate) struct OnThreadStart(Arc<Function>);

type Function = dyn Fn() + Send + Sync;

impl OnThreadStart {
    pub(crate) fn new(function: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }

    /// Calls the function. Returns false if it panics.
    pub(crate) fn call(&self) -> bool {
        catch_unwind(AssertUnwindSafe(|| (self.0)())).is_ok()
    }
}

/// Declares that a connector stays valid if the function panics: it holds nothing of the connector, and
/// its panic is the failure of a start.
impl RefUnwindSafe for OnThreadStart {}
impl UnwindSafe for OnThreadStart {}

impl fmt::Debug for OnThreadStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a function")
    }
}

/// Validated configuration of the producer threads, which emit the lines.
pub(crate) struct ProducerConfig {
    pub(crate) scope: Scope,
    pub(crate) sampling: SamplingRules,
    /// Size in bytes of a block, the buffer that a producer thread writes its lines to.
    pub(crate) block_size: usize,
    /// Number of blocks (buffers for lines) in the pool that all producer threads share.
    pub(crate) blocks: usize,
    /// Number of full blocks (buffers of unsent lines) at which a producer thread wakes the flusher
    /// task.
    pub(crate) ring_at: usize,
    /// True if no producer thread may wake the flusher task.
    pub(crate) never_wake: bool,
    /// Number of threads whose memory is allocated in advance. `None` allocates no memory in advance.
    pub(crate) prefault: Option<usize>,
    /// Maximum length in bytes of a line. Longer lines are dropped.
    pub(crate) max_line: usize,
}
