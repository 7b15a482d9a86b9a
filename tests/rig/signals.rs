//! Tests that a client's write to a connection closed by the server fails with an error, and raises
//! no SIGPIPE.
//!
//! The tests record the flags of each call that sends, and restore the default action of SIGPIPE.

use crate::operating_system::{flags_to, watch_flags_to};
use crate::process::in_own_process;
use crate::support::{
    Listener, SocketPath, UdpReceiver, emit_all, eventually, flush, started, tcp, udp,
};
use freewheel::{Builder, Framing, Protocol};
use socket2::{Domain, SockAddr, Socket, Type};
use std::net::Shutdown;
use std::thread;

/// A Unix stream server shuts down its reading direction. The client's next write must fail without
/// SIGPIPE, and the client must reconnect and keep its lines.
///
/// A server that closes the whole connection could cause SIGPIPE only between the client's check
/// for the end and its write.
#[test]
fn server_shutting_down_reading_causes_no_sigpipe() {
    in_own_process(|| {
        // SAFETY: the call restores the default action and installs no handler.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        for framing in [Framing::Newlines, Framing::LengthPrefixed] {
            let socket_path = SocketPath::new(&format!("pipe-{framing:?}"));
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            socket.bind(&SockAddr::unix(socket_path.path()).unwrap()).unwrap();
            socket.listen(16).unwrap();
            let statsd = started(socket_path.settings(Protocol::UnixStream).framing(framing));
            for round in 0..3 {
                let (peer, _) = socket.accept().unwrap();
                peer.shutdown(Shutdown::Read).unwrap();
                emit_all(&statsd, 0, round * 10..round * 10 + 10);
                eventually("the client leaves the connection", || {
                    statsd.stats().connections > round + 1
                });
            }
            assert_eq!(statsd.stats().buffered.lines, 30);
        }
    });
}

/// The client sets `MSG_NOSIGNAL` in each system call that sends: over TCP, and for single UDP
/// datagrams and batches.
///
/// No server can provoke the signal reliably there, so the test intercepts the calls and checks
/// their flags.
#[test]
fn every_send_sets_msg_nosignal() {
    let check = |port, settings: Builder| {
        watch_flags_to(port);
        let statsd = started(settings.max_datagram_payload(500));
        emit_all(&statsd, 0, 0..200);
        flush(&statsd);
        let flags = flags_to(port);
        assert!(!flags.is_empty(), "no call was recorded");
        assert!(flags.iter().all(|flags| flags & libc::MSG_NOSIGNAL != 0), "{flags:?}");
    };
    for framing in [Framing::Newlines, Framing::LengthPrefixed] {
        let server = Listener::tcp(0);
        let port = server.port();
        let reading = thread::spawn(move || server.accept().read_to_end());
        check(port, tcp(port).framing(framing));
        reading.join().unwrap();
    }
    for offload in [false, true] {
        let server = UdpReceiver::start();
        check(server.port(), udp(server.port()).segmentation_offload(offload));
    }
}
