//! A peer that is gone is an error, and no signal: this program sees the flags of each call that sends,
//! and lets SIGPIPE do what it does by default.

use crate::operating_system::{flags_to, watch_flags_to};
use crate::process::alone;
use crate::support::{
    Listener, Place, UdpReceiver, emit_all, eventually, flush, started, tcp, udp,
};
use freewheel::{Builder, Framing, Protocol};
use socket2::{Domain, SockAddr, Socket, Type};
use std::net::Shutdown;
use std::thread;

/// A server at a path that says it will read nothing more: the next write would be a SIGPIPE. (A server
/// that hangs up makes one only if it does so between the look for its end and the write.)
#[test]
fn server_that_shuts_down_reading_causes_no_sigpipe() {
    alone(|| {
        // SAFETY: no handler is set.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        for framing in [Framing::Newlines, Framing::LengthPrefixed] {
            let place = Place::new(&format!("pipe-{framing:?}"));
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            socket.bind(&SockAddr::unix(place.path()).unwrap()).unwrap();
            socket.listen(16).unwrap();
            let statsd = started(place.settings(Protocol::UnixStream).framing(framing));
            for round in 0..3 {
                let (peer, _) = socket.accept().unwrap();
                peer.shutdown(Shutdown::Read).unwrap();
                emit_all(&statsd, 0, round * 10..round * 10 + 10);
                eventually("it is left", || statsd.stats().connections > round + 1);
            }
            assert_eq!(statsd.stats().buffered.lines, 30);
        }
    });
}

/// The same over TCP, and of datagrams one by one and in batches, where no server can make it certain:
/// each call says that it wants no signal.
#[test]
fn every_send_sets_msg_nosignal() {
    let sends = |port, settings: Builder| {
        watch_flags_to(port);
        let statsd = started(settings.max_datagram_payload(500));
        emit_all(&statsd, 0, 0..200);
        flush(&statsd);
        let flags = flags_to(port);
        assert!(!flags.is_empty(), "its calls are not seen");
        assert!(flags.iter().all(|flags| flags & libc::MSG_NOSIGNAL != 0), "{flags:?}");
    };
    for framing in [Framing::Newlines, Framing::LengthPrefixed] {
        let server = Listener::tcp(0);
        let port = server.port();
        let reading = thread::spawn(move || server.accept().read_to_end());
        sends(port, tcp(port).framing(framing));
        reading.join().unwrap();
    }
    for offload in [false, true] {
        let server = UdpReceiver::start();
        sends(server.port(), udp(server.port()).segmentation_offload(offload));
    }
}
