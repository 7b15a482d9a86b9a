//! Traits of a subject. A subject is a client, or a bound on the cost or the throughput of clients.

use crate::fixtures::LineLength;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Subject of the measures: a client with the settings that its documentation recommends, or a
/// bound.
///
/// Each subject runs in its own process. The resource usage of the process is then that of the
/// client, and clients share no global state.
pub trait Subject: Send + Sync + Sized + 'static {
    const INFO: Info;
    type Caller: Caller;

    fn start(setup: &Setup) -> Self;

    /// Returns a caller, which makes the calls of one emitting thread.
    fn caller(&self) -> Self::Caller;

    /// Waits until the client has handled all emitted lines, as far as its interface allows. The
    /// default sleeps for 100 ms.
    fn quiesce(&self) {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }

    /// Flushes the client and closes it. Waits until it is closed if its interface allows this.
    ///
    /// Returns the number of lines that the client counted as dropped, or `None` if it does not
    /// count them.
    fn close(self) -> Option<u64>;
}

/// Calls of a subject that are measured, for one emitting thread.
///
/// Arguments come from [`fixtures`](crate::fixtures) through `black_box`. Calls that a client lacks
/// are absent from its [`Info::calls`] and are never made.
pub trait Caller: Send + 'static {
    fn incr(&mut self);
    fn incr_tagged(&mut self) {
        unreachable!("the call is not in Info::calls");
    }
    fn gauge_whole(&mut self) {
        unreachable!("the call is not in Info::calls");
    }
    fn gauge_two_decimals(&mut self) {
        unreachable!("the call is not in Info::calls");
    }
    fn gauge_full_precision(&mut self) {
        unreachable!("the call is not in Info::calls");
    }
    fn timing(&mut self) {
        unreachable!("the call is not in Info::calls");
    }
}

/// Description of a subject.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Name in results and on the command line.
    pub id: &'static str,
    /// Name in tables and plots.
    pub label: &'static str,
    pub kind: Kind,
    pub calls: &'static [Call],
    pub transports: &'static [Transport],
}

/// Kind of a subject, by the effect of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not a client, but a bound on the cost or the throughput of clients.
    Bound,
    /// Formats a line and discards it.
    FormatsOnly,
    /// Sends one line per call.
    LinePerCall,
    /// Sends one line per metric and flush, with aggregated values.
    Aggregates,
}

/// Kind of call that is measured, such as the increment of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    Incr,
    IncrTagged,
    GaugeWhole,
    GaugeTwoDecimals,
    GaugeFullPrecision,
    Timing,
}

impl Call {
    pub const ALL: [Self; 6] = [
        Self::Incr,
        Self::IncrTagged,
        Self::GaugeWhole,
        Self::GaugeTwoDecimals,
        Self::GaugeFullPrecision,
        Self::Timing,
    ];
    pub const UNTAGGED: &'static [Self] = &[
        Self::Incr,
        Self::GaugeWhole,
        Self::GaugeTwoDecimals,
        Self::GaugeFullPrecision,
        Self::Timing,
    ];

    /// Returns the name of the call in the results.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Incr => "incr",
            Self::IncrTagged => "incr_tagged",
            Self::GaugeWhole => "gauge_whole",
            Self::GaugeTwoDecimals => "gauge_two_decimals",
            Self::GaugeFullPrecision => "gauge_full_precision",
            Self::Timing => "timing",
        }
    }

    /// Runs the loop `body` with this call of `caller`. Both are inlined, so that the loop contains
    /// the call itself.
    #[inline(always)]
    pub fn drive<C: Caller, L: Loop>(self, caller: &mut C, body: L) -> L::Output {
        match self {
            Self::Incr => body.run(|| caller.incr()),
            Self::IncrTagged => body.run(|| caller.incr_tagged()),
            Self::GaugeWhole => body.run(|| caller.gauge_whole()),
            Self::GaugeTwoDecimals => body.run(|| caller.gauge_two_decimals()),
            Self::GaugeFullPrecision => body.run(|| caller.gauge_full_precision()),
            Self::Timing => body.run(|| caller.timing()),
        }
    }
}

/// Loop around a call, generic over the call.
pub trait Loop {
    type Output;
    fn run(self, call: impl FnMut()) -> Self::Output;
}

/// Loop that makes the call this many times.
pub struct Repeat(pub usize);

impl Loop for Repeat {
    type Output = ();
    #[inline(always)]
    fn run(self, mut call: impl FnMut()) {
        for _ in 0..self.0 {
            call();
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Udp,
    Tcp,
    UnixDatagram,
}

impl Transport {
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::UnixDatagram => "unix_datagram",
        }
    }
}

/// Address of the receiver that a subject sends to: a port on 127.0.0.1, or a path.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Udp(u16),
    Tcp(u16),
    UnixDatagram(PathBuf),
}

impl Target {
    /// Returns `127.0.0.1:port`.
    ///
    /// # Panics
    /// If the target is a Unix socket.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Udp(port) | Self::Tcp(port) => format!("127.0.0.1:{port}"),
            Self::UnixDatagram(path) => panic!("{path:?} has no address"),
        }
    }
}

/// Configuration of a subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    pub target: Target,
    /// Maximum size of a datagram in bytes.
    pub payload: usize,
    pub length: LineLength,
}
