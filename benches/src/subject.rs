//! Traits and types of a subject: a StatsD client that is benchmarked, or a reference program that
//! bounds the cost or throughput of clients.

use crate::fixtures::LineLength;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Subject of the benchmarks: a StatsD client with the settings that its documentation recommends,
/// or a reference program.
///
/// Each subject runs in its own process. The resource usage of the process is then that of the
/// client, and clients share no global state.
pub trait Subject: Send + Sync + Sized + 'static {
    const INFO: Info;
    type Caller: Caller;

    fn start(setup: &Setup) -> Self;

    /// Returns an object that makes the client's calls for one emitting thread.
    fn caller(&self) -> Self::Caller;

    /// Waits until the client has handled all emitted lines, as far as its interface allows. The
    /// default sleeps for 100 ms.
    fn quiesce(&self) {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }

    /// Flushes and closes the client. Waits until the client is closed, if its interface allows
    /// this.
    ///
    /// Returns the number of lines that the client counted as dropped, or `None` if it does not
    /// count them.
    fn close(self) -> Option<u64>;
}

/// Interface through which one emitting thread makes the measured calls of a client.
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

/// Description of a subject (a benchmarked client or reference program): names, kind, supported
/// calls and transports.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Name of the client in result files and on the command line.
    pub id: &'static str,
    /// Name of the client in tables and plots.
    pub label: &'static str,
    pub kind: Kind,
    pub calls: &'static [Call],
    pub transports: &'static [Transport],
}

/// Kind of a benchmarked client or reference program, by the effect of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reference program that is not a client. It bounds the cost or the throughput of clients.
    Bound,
    /// Client that formats a line and discards it.
    FormatsOnly,
    /// Client that sends one line per call.
    LinePerCall,
    /// Client that aggregates values, and sends one line per metric at each flush.
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

    /// Returns the name of this kind of call in the result files.
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

    /// Runs the loop `body` around this kind of call, made by `caller`. The loop and the call are
    /// inlined, so that the loop contains the call itself.
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

/// Loop that makes calls, generic over the call so that the compiler can inline it.
pub trait Loop {
    type Output;
    fn run(self, call: impl FnMut()) -> Self::Output;
}

/// Loop that makes a call the given number of times.
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

/// Address of the server to which a client sends: a port on 127.0.0.1, or the path of a Unix
/// socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Udp(u16),
    Tcp(u16),
    UnixDatagram(PathBuf),
}

impl Target {
    /// Returns the server's address as the text `127.0.0.1:port`, for UDP and TCP.
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

/// Configuration with which a client is started: server address, payload size and line length.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    pub target: Target,
    /// Maximum size in bytes of the datagrams that the client sends.
    pub payload: usize,
    pub length: LineLength,
}
