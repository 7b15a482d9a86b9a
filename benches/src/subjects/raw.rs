//! Reference senders that give a ceiling on throughput. They send prebuilt lines with the same
//! system calls as freewheel, and do nothing else.
//!
//! A call increments a count of lines. Once the count fills a write, the prebuilt bytes are sent.

use crate::subject::{Call, Caller, Info, Kind, Setup, Subject, Target, Transport};
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

/// Reference sender of prebuilt lines that makes one system call per datagram, or per 64 KiB of a
/// TCP stream.
pub struct Raw(Setup);

/// Reference sender of prebuilt lines that makes one system call per 64 KiB. The kernel splits
/// these bytes into datagrams (UDP segmentation offload).
///
/// All datagrams have the same size, and are padded with newlines.
pub struct Segmented(Setup);

impl Subject for Raw {
    const INFO: Info = Info {
        id: "raw",
        label: "raw, a system call a datagram",
        kind: Kind::Bound,
        calls: &[Call::Incr],
        transports: &[Transport::Udp, Transport::Tcp, Transport::UnixDatagram],
    };
    type Caller = Sender;

    fn start(setup: &Setup) -> Self {
        Self(setup.clone())
    }

    fn caller(&self) -> Sender {
        let write =
            if matches!(self.0.target, Target::Tcp(_)) { MAX_WRITE } else { self.0.payload };
        Sender::new(&self.0, write, write)
    }

    fn close(self) -> Option<u64> {
        None
    }
}

impl Subject for Segmented {
    const INFO: Info = Info {
        id: "raw_segmented",
        label: "raw, segmentation offload",
        kind: Kind::Bound,
        calls: &[Call::Incr],
        transports: &[Transport::Udp],
    };
    type Caller = Sender;

    fn start(setup: &Setup) -> Self {
        Self(setup.clone())
    }

    fn caller(&self) -> Sender {
        Sender::new(&self.0, self.0.payload, MAX_WRITE)
    }

    fn close(self) -> Option<u64> {
        None
    }
}

/// Maximum number of bytes that one system call sends, with UDP segmentation offload or to a TCP
/// stream.
const MAX_WRITE: usize = 65_507;

enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream),
    UnixDatagram(UnixDatagram),
}

pub struct Sender {
    socket: Socket,
    bytes: Arc<[u8]>,
    /// Length in bytes of the line that the sender sends repeatedly, newline included.
    line_len: usize,
    /// Length in bytes of a segment: the payload of one datagram, or one write to a TCP stream.
    segment_len: usize,
    /// Number of whole lines in a segment (the payload of one datagram, or one write to a TCP
    /// stream).
    lines_per_segment: usize,
    /// Number of lines in `bytes`, the buffer that one system call sends.
    lines_per_write: usize,
    counted: usize,
}

impl Sender {
    /// Creates a sender that writes up to `max_write` bytes per system call, in segments of
    /// `segment_len` bytes.
    fn new(setup: &Setup, segment_len: usize, max_write: usize) -> Self {
        let line = setup.length.counter_line();
        let lines_per_segment = segment_len / line.len();
        let mut segment_bytes = line.repeat(lines_per_segment).into_bytes();
        let segments = if max_write > segment_len { (max_write / segment_len).min(64) } else { 1 };
        if segments > 1 {
            segment_bytes.resize(segment_len, b'\n');
        }
        let socket = match &setup.target {
            Target::Udp(_) => {
                let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback is available");
                socket.connect(setup.target.address()).expect("loopback is available");
                if segments > 1 {
                    setsockopt(&socket, UdpGsoSegment, &(segment_len as i32))
                        .expect("the kernel supports segmentation offload");
                }
                Socket::Udp(socket)
            }
            Target::Tcp(_) => Socket::Tcp(
                TcpStream::connect(setup.target.address()).expect("the receiver listens"),
            ),
            Target::UnixDatagram(path) => {
                let socket =
                    UnixDatagram::unbound().expect("the socket can be opened and configured");
                socket.connect(path).expect("the receiver listens");
                Socket::UnixDatagram(socket)
            }
        };
        Self {
            socket,
            segment_len: segment_bytes.len(),
            bytes: segment_bytes.repeat(segments).into(),
            line_len: line.len(),
            lines_per_segment,
            lines_per_write: lines_per_segment * segments,
            counted: 0,
        }
    }

    fn send(&mut self, bytes: usize) {
        let bytes = &self.bytes[..bytes];
        match &mut self.socket {
            Socket::Udp(socket) => drop(socket.send(bytes)),
            Socket::Tcp(stream) => drop(stream.write_all(bytes)),
            Socket::UnixDatagram(socket) => drop(socket.send(bytes)),
        }
        self.counted = 0;
    }
}

impl Caller for Sender {
    #[inline]
    fn incr(&mut self) {
        self.counted += 1;
        if self.counted == self.lines_per_write {
            self.send(self.bytes.len());
        }
    }
}

/// Sends the remaining lines when the sender is dropped. One call sends those that fill datagrams of
/// the usual size, and another sends the rest in a shorter datagram.
impl Drop for Sender {
    fn drop(&mut self) {
        let segments = self.counted / self.lines_per_segment;
        let lines = self.counted % self.lines_per_segment;
        for bytes in [segments * self.segment_len, lines * self.line_len] {
            if bytes > 0 {
                self.send(bytes);
            }
        }
    }
}
