//! Test of a remote host with a long round trip: the refusal of a UDP datagram arrives some time
//! after the datagram was sent.
//!
//! The test simulates the host at the other end of a TUN device: see the kernel's tuntap.rst.

use crate::namespace::{ip, with_a_network};
use crate::process::skip;
use crate::support::{Arrivals, emit_all, eventually, flush, started};
use freewheel::{Connector, Protocol, Tally};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Time that the simulated host waits between the arrival of a datagram and its refusal.
const DELAY: Duration = Duration::from_millis(10);

/// IPv4 address of the simulated remote host.
const HOST: &str = "10.9.9.2";

/// Length in bytes of an IPv4 header without options.
const IP_HEADER: usize = 20;
/// Length in bytes of a UDP header.
const UDP_HEADER: usize = 8;

/// Simulated remote host that receives or refuses UDP datagrams, at the other end of a TUN device.
#[derive(Default)]
struct Host {
    /// True if a server listens on the simulated host. Otherwise the host refuses datagrams.
    is_open: AtomicBool,
    /// Number of datagrams that the simulated host has refused.
    refused: AtomicU64,
    /// Payloads of the datagrams that the server on the simulated host has received.
    received: Mutex<Vec<Vec<u8>>>,
}

impl Host {
    /// Starts the simulated host, with a new TUN device that exists until this process ends.
    fn start() -> io::Result<Arc<Self>> {
        let mut device = tun("remote0")?;
        ip("address add 10.9.9.1/24 dev remote0");
        // The queue holds all packets of a test: a device drops packets that do not fit.
        ip("link set remote0 txqueuelen 10000 up");
        let host = Arc::<Self>::default();
        let answering = Arc::clone(&host);
        thread::spawn(move || {
            let mut packet = [0; 1 << 16];
            while let Ok(length) = device.read(&mut packet) {
                answering.answer(&packet[..length], &device);
            }
        });
        Ok(host)
    }

    /// Receives the UDP datagram in `packet` if a server listens on the simulated host, and refuses
    /// it after a delay otherwise.
    fn answer(self: &Arc<Self>, packet: &[u8], device: &File) {
        // The kernel sends other packets too: only UDP over IPv4 gets an answer.
        if packet[0] != 0x45 || packet[9] != 17 {
            return;
        }
        if self.is_open.load(Ordering::Relaxed) {
            self.received.lock().unwrap().push(packet[IP_HEADER + UDP_HEADER..].to_vec());
            return;
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        let (refusal, mut device) = (refusal(packet), device.try_clone().unwrap());
        thread::spawn(move || {
            thread::sleep(DELAY);
            device.write_all(&refusal)
        });
    }
}

/// Creates a TUN device (a virtual network interface) of this name.
fn tun(name: &str) -> io::Result<File> {
    let device = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: an all-zero request is valid; the call reads and writes only the request.
    let result = unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
        libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(device) }
}

/// Returns an IPv4 packet with an ICMP "port unreachable" message (RFC 792) that refuses this
/// packet.
fn refusal(packet: &[u8]) -> Vec<u8> {
    let about = &packet[..IP_HEADER + UDP_HEADER];
    let length = (IP_HEADER + 8 + about.len()) as u16;
    let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0];
    ip[2..4].copy_from_slice(&length.to_be_bytes());
    ip.extend_from_slice(&packet[16..20]);
    ip.extend_from_slice(&packet[12..16]);
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut icmp = [&[3, 3, 0, 0, 0, 0, 0, 0], about].concat();
    let sum = checksum(&icmp);
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    [ip, icmp].concat()
}

/// Computes the Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

/// The client sends one datagram as a probe at each attempt to reconnect to a remote host that
/// refuses datagrams. Other lines wait until a probe succeeds.
#[test]
fn reconnects_probe_with_single_datagrams() {
    with_a_network(|| {
        let host = match Host::start() {
            Ok(host) => host,
            Err(error) => {
                return skip(
                    "reconnects_probe_with_single_datagrams",
                    format!("/dev/net/tun: {error}"),
                );
            }
        };
        let settings = Connector::builder(HOST)
            .protocol(Protocol::Udp)
            .type_prefixes(false)
            .flush_interval(Duration::from_millis(5))
            .reconnect_sleep(Duration::from_millis(10));
        let statsd = started(settings);
        emit_all(&statsd, 0, 0..10);
        eventually("a refusal", || statsd.stats().connections > 1);
        let (before, refused) = (statsd.stats(), host.refused.load(Ordering::Relaxed));
        // The lines sent before the first refusal arrived are lost.
        let lost = before.sent.lines;
        let emitted = emit_all(&statsd, 0, 10..2_000);
        eventually("some attempts", || statsd.stats().connections > before.connections + 10);
        let (stats, probes) = (statsd.stats(), host.refused.load(Ordering::Relaxed) - refused);
        let attempts = stats.connections - before.connections;
        assert!(probes <= attempts + 1, "{probes} datagrams in {attempts} attempts");
        assert_eq!((stats.sent, stats.lost()), (before.sent, Tally::default()));
        assert!(stats.buffered.bytes >= emitted.bytes);

        host.is_open.store(true, Ordering::Relaxed);
        flush(&statsd);
        let stats = statsd.stats();
        assert!(statsd.connected());
        let mut arrivals = Arrivals::default();
        let received = || host.received.lock().unwrap().len();
        eventually("all lines arrive", || {
            arrivals = Arrivals::default();
            host.received.lock().unwrap().iter().for_each(|text| arrivals.count_datagram(text));
            received() > 0 && arrivals.tally().lines + lost >= stats.sent.lines
        });
        assert_eq!(arrivals.missing(0, 2_000), lost);
        assert_eq!(arrivals.compare_with(&stats).duplicated, 0);
        assert_eq!(stats.sent, stats.emitted);
    });
}
