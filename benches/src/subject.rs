//! What is measured: clients, and what bounds them, behind one small trait.

use crate::fixtures::LineLength;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A client with the settings that its documentation recommends, or a bound.
///
/// It is started in a process of its own, so that what the process spends is what the client
/// spends, and global state is nobody else's.
pub trait Subject: Send + Sync + Sized + 'static {
    const INFO: Info;
    type Caller: Caller;

    fn start(setup: &Setup) -> Self;

    /// What a thread that emits holds.
    fn caller(&self) -> Self::Caller;

    /// Until what was emitted is out of the way, as far as the client lets one know.
    fn quiesce(&self) {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }

    /// Has the client send what is left, without waiting for it where it offers no such thing.
    /// How many lines it counted as dropped, where it counts.
    fn close(self) -> Option<u64>;
}

/// The calls, on names and values of [`lines`](crate::lines) that the optimiser does not see
/// through. What a client does not have is not in its [`Info::calls`], and never called.
pub trait Caller: Send + 'static {
    fn incr(&mut self);
    fn incr_tagged(&mut self) {
        unreachable!("not among its calls");
    }
    fn gauge_whole(&mut self) {
        unreachable!("not among its calls");
    }
    fn gauge_two_decimals(&mut self) {
        unreachable!("not among its calls");
    }
    fn gauge_full_precision(&mut self) {
        unreachable!("not among its calls");
    }
    fn timing(&mut self) {
        unreachable!("not among its calls");
    }
}

/// What stands beside a figure of a subject.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// In results and on the command line.
    pub id: &'static str,
    /// In tables and plots.
    pub label: &'static str,
    pub kind: Kind,
    pub calls: &'static [Call],
    pub transports: &'static [Transport],
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No client: what any would cost at least.
    Bound,
    /// Formats a line and drops it.
    FormatsOnly,
    /// A line on the wire for each call.
    LinePerCall,
    /// A line on the wire for each metric and flush: fewer, and other ones.
    Aggregates,
}

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

    /// As in results.
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

    /// Has the loop make this call; both are compiled into one another.
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

/// What is done with a call, once it is known which.
pub trait Loop {
    type Output;
    fn run(self, call: impl FnMut()) -> Self::Output;
}

/// A loop that does nothing but call.
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

/// Where the receiver is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Udp(u16),
    Tcp(u16),
    UnixDatagram(PathBuf),
}

impl Target {
    /// `127.0.0.1:port`
    ///
    /// # Panics
    /// For a Unix socket.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Udp(port) | Self::Tcp(port) => format!("127.0.0.1:{port}"),
            Self::UnixDatagram(path) => panic!("{path:?} has no address"),
        }
    }
}

/// What every subject is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    pub target: Target,
    /// Bytes of a datagram, at most.
    pub payload: usize,
    pub length: LineLength,
}
