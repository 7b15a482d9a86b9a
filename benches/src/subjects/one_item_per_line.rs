//! Minimal StatsD client, written for comparison, with a lock-free queue that has one item per
//! line. Freewheel instead queues blocks of lines.
//!
//! A call formats a line into an array and pushes the array. A thread pops lines, fills datagrams
//! and sends them. That thread polls every millisecond and is never woken, so that callers make no
//! system call.

use crate::fixtures::LineLength;
use crate::subject::{Call, Caller, Info, Kind, Setup, Subject, Transport};
use crossbeam_queue::ArrayQueue;
use std::hint::black_box;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// Maximum length of a line in bytes. A queue item, which also has a length byte, then takes 120
/// bytes.
const MAX_LINE: usize = 119;

struct Line {
    length: u8,
    bytes: [u8; MAX_LINE],
}

struct Shared {
    queue: ArrayQueue<Line>,
    dropped: AtomicU64,
    stopping: AtomicBool,
}

pub struct OneItemPerLine {
    shared: Arc<Shared>,
    sender: JoinHandle<()>,
    length: LineLength,
}

/// Maximum number of lines in the queue. They take 4 MiB, which is freewheel's default queue
/// capacity.
const CAPACITY: usize = (4 << 20) / size_of::<Line>();

impl Subject for OneItemPerLine {
    const INFO: Info = Info {
        id: "one_item_per_line",
        label: "one queue item per line",
        kind: Kind::LinePerCall,
        calls: &[Call::Incr],
        transports: &[Transport::Udp],
    };
    type Caller = Pusher;

    fn start(setup: &Setup) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback is available");
        socket.connect(setup.target.address()).expect("loopback is available");
        let shared = Arc::new(Shared {
            queue: ArrayQueue::new(CAPACITY),
            dropped: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        });
        let (sender_shared, payload) = (Arc::clone(&shared), setup.payload);
        let sender = std::thread::spawn(move || send(&sender_shared, &socket, payload));
        Self { shared, sender, length: setup.length }
    }

    fn caller(&self) -> Pusher {
        let (prefix, name) = (self.length.prefix(), self.length.name());
        Pusher { shared: Arc::clone(&self.shared), prefix, name }
    }

    fn close(self) -> Option<u64> {
        self.shared.stopping.store(true, Relaxed);
        self.sender.join().expect("the sender does not panic");
        Some(self.shared.dropped.load(Relaxed))
    }
}

fn send(shared: &Shared, socket: &UdpSocket, payload: usize) {
    let mut datagram: Vec<u8> = Vec::with_capacity(payload);
    loop {
        let stopping = shared.stopping.load(Relaxed);
        while let Some(line) = shared.queue.pop() {
            let line = &line.bytes[..usize::from(line.length)];
            if datagram.len() + line.len() > payload {
                let _ = socket.send(&datagram);
                datagram.clear();
            }
            datagram.extend_from_slice(line);
        }
        if !datagram.is_empty() {
            let _ = socket.send(&datagram);
            datagram.clear();
        }
        if stopping {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub struct Pusher {
    shared: Arc<Shared>,
    prefix: &'static str,
    name: &'static str,
}

impl Caller for Pusher {
    #[inline]
    fn incr(&mut self) {
        let mut line = Line { length: 0, bytes: [0; MAX_LINE] };
        let mut used = 0;
        for piece in [black_box(self.prefix), ".", black_box(self.name), ":1|c\n"] {
            line.bytes[used..][..piece.len()].copy_from_slice(piece.as_bytes());
            used += piece.len();
        }
        line.length = used as u8;
        if self.shared.queue.push(line).is_err() {
            self.shared.dropped.fetch_add(1, Relaxed);
        }
    }
}
