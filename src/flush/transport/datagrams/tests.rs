//! Tests of the datagram sender with a simulated socket that gives scripted answers.

use super::*;
use crate::Connector;
#[cfg(target_os = "linux")]
use crate::Protocol;
use crate::flush::account::Account;
use crate::flush::packing::stream::tests::swept;
use bytes::Buf;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Simulated datagram socket with a scripted answer for each send. After the last answer, it
/// accepts everything.
#[derive(Default)]
pub(in crate::flush::transport) struct Script {
    answers: Mutex<VecDeque<Answer>>,
    accepted: Mutex<Vec<String>>,
    /// Error about a datagram that was accepted. The next call on the socket reports and clears it.
    pending: Mutex<Option<io::Error>>,
}

enum Answer {
    Accepts,
    Fails(io::Error),
    /// The socket accepts the datagram, and the next call reports a refusal.
    AcceptsThenRefuses,
}
use Answer::{Accepts, AcceptsThenRefuses, Fails};

impl Script {
    pub(in crate::flush::transport) fn try_send(&self, payload: &[u8]) -> io::Result<usize> {
        self.take_pending().map_or(Ok(()), Err)?;
        match self.answers.lock().unwrap().pop_front() {
            Some(Fails(error)) => return Err(error),
            Some(AcceptsThenRefuses) => {
                *self.pending.lock().unwrap() = Some(ErrorKind::ConnectionRefused.into());
            }
            Some(Accepts) | None => {
                let payload = String::from_utf8(payload.to_vec()).unwrap();
                self.accepted.lock().unwrap().push(payload);
            }
        }
        Ok(payload.len())
    }

    /// Simulates the send of a batch with one answer for the whole batch. If the batch is accepted,
    /// records each of its datagrams.
    pub(in crate::flush::transport) fn try_send_batch(
        &self,
        batch: &segments::Batch<'_>,
    ) -> io::Result<usize> {
        let bytes = batch.pieces.iter().flat_map(|piece| piece.iter().copied());
        let bytes = String::from_utf8(bytes.collect()).unwrap();
        let mut before = self.accepted.lock().unwrap().clone();
        let sent = self.try_send(bytes.as_bytes())?;
        let mut accepted = self.accepted.lock().unwrap();
        if accepted.len() > before.len() {
            let datagrams = bytes.as_bytes().chunks(batch.segment);
            before.extend(datagrams.map(|datagram| String::from_utf8_lossy(datagram).into_owned()));
            *accepted = before;
        }
        Ok(sent)
    }

    /// Takes the pending error of the simulated socket, if there is one.
    pub(in crate::flush::transport) fn take_pending(&self) -> Option<io::Error> {
        self.pending.lock().unwrap().take()
    }
}

const A: &str = "a:1|c\n";
const B: &str = "b:2|c\n";
const C: &str = "c:3|c\n";

/// Test scene: a datagram sender with a simulated socket, and three unsent lines of six bytes each.
struct Scene {
    datagrams: Datagrams,
    outbox: Outbox,
    account: Arc<Account>,
}

impl Scene {
    fn new(max_payload: usize, hold: bool, answers: Vec<Answer>) -> Self {
        let script = Script { answers: Mutex::new(answers.into()), ..Script::default() };
        let (settings, _) = Connector::builder("server").check().unwrap();
        let new = Datagrams::new(Socket::Scripted(Box::new(script)), &settings);
        let datagrams = Datagrams { max_payload, hold_when_refused: hold, ..new };
        let account = Arc::default();
        let lines = swept(&[A, B, C].map(str::to_owned), 9);
        let outbox = Outbox::new(lines, Arc::clone(&account));
        Self { datagrams, outbox, account }
    }

    /// Returns a test scene with batches enabled, in which the three lines fit into one batch of
    /// three datagrams.
    fn batched(hold: bool, answers: Vec<Answer>) -> Self {
        let mut scene = Self::new(7, hold, answers);
        scene.datagrams.offload = true;
        scene
    }

    /// Returns a test scene in which the first of the three lines must be sent singly.
    #[cfg(target_os = "linux")]
    fn singly(hold: bool, answers: Vec<Answer>) -> Self {
        let mut scene = Self::new(7, hold, answers);
        let lines = crate::flush::refusals::SingleLines::new(0..A.len() as u64);
        scene.datagrams.send_singly(Some(lines));
        scene
    }

    fn send(&mut self) -> io::Result<()> {
        self.datagrams.send(&mut self.outbox, false)
    }

    fn replace_lines(&mut self, lines: &[String]) {
        self.outbox = Outbox::new(swept(lines, 999), Arc::clone(&self.account));
    }

    /// Asserts which datagrams the socket accepted, and how many lines count as sent, refused and
    /// too long. Also asserts how many bytes (`held`) are unsent, in flight or set aside.
    #[track_caller]
    fn assert(&self, accepted: &[&str], sent: u64, refused: u64, too_long: u64, held: usize) {
        let Socket::Scripted(script) = &self.datagrams.socket else { unreachable!() };
        assert_eq!(*script.accepted.lock().unwrap(), accepted);
        let account = &self.account;
        let lines = [&account.sent, &account.refused, &account.too_long].map(|t| t.read().lines);
        assert_eq!(lines, [sent, refused, too_long]);
        let set_aside = self.outbox.lines().quarantined();
        assert_eq!(self.outbox.unsent() + self.outbox.in_flight() + set_aside, held);
    }
}

#[cfg(unix)]
fn fails_with(code: i32) -> Answer {
    Fails(io::Error::from_raw_os_error(code))
}

#[test]
fn a_batch_counts_as_sent_without_a_refusal() {
    let mut scene = Scene::batched(true, vec![Accepts]);
    scene.send().unwrap();
    scene.assert(&[A, B, C], 3, 0, 0, 0);
}

#[test]
fn a_refused_batch_is_held() {
    let mut scene = Scene::batched(true, vec![AcceptsThenRefuses]);
    assert_eq!(scene.send().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    scene.outbox.requeue();
    scene.assert(&[], 0, 0, 0, 18);
}

/// Refuses a batch while the setting `hold_when_refused` is off: its lines must be lost. The next
/// lines must be sent in single datagrams, until one is confirmed.
#[test]
fn a_refused_batch_is_followed_by_single_datagrams() {
    let mut scene = Scene::batched(false, vec![AcceptsThenRefuses]);
    scene.send().unwrap();
    scene.assert(&[], 0, 3, 0, 0);
    assert!(scene.datagrams.batching_suspended);
    scene.replace_lines(&[A, B].map(str::to_owned));
    scene.send().unwrap();
    scene.assert(&[A, B], 2, 3, 0, 0);
    assert!(!scene.datagrams.batching_suspended);
}

/// Fails a batch with each Linux error code in turn: its lines must then be sent in single
/// datagrams. Other tests cover the errors that a single datagram can meet too, such as a refusal.
#[test]
#[cfg(target_os = "linux")]
fn a_failed_batch_is_sent_singly_after_any_error() {
    const LAST: i32 = libc::EHWPOISON;
    let exempt = [libc::EINTR, libc::EAGAIN, libc::ENOMEM, libc::ENOBUFS, libc::ECONNREFUSED];
    for code in (1..=LAST).filter(|code| !exempt.contains(code)) {
        let mut scene = Scene::batched(true, vec![fails_with(code)]);
        scene.send().unwrap();
        scene.assert(&[A, B, C], 3, 0, 0, 0);
        assert!(!scene.datagrams.offload);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_error_of_batch_and_datagram_is_the_links_error() {
    let mut scene = Scene::batched(true, vec![fails_with(libc::EPERM), fails_with(libc::EPERM)]);
    assert_eq!(scene.send().unwrap_err().raw_os_error(), Some(libc::EPERM));
    scene.outbox.requeue();
    scene.assert(&[], 0, 0, 0, 18);
}

/// Fails the second of two batches: the first batch must be sent again too, since the error may be
/// about it.
#[test]
#[cfg(target_os = "linux")]
fn an_error_of_a_batch_requeues_the_batch_before() {
    let lines: Vec<_> = (0..128).map(|number| format!("{number:03}|c\n")).collect();
    let mut scene = Scene::batched(true, vec![Accepts, fails_with(libc::EHOSTUNREACH)]);
    scene.replace_lines(&lines);
    scene.send().unwrap();
    scene.send().unwrap();
    scene.send().unwrap();
    let accepted = [&lines[..64], &lines].concat();
    scene.assert(&accepted.iter().map(String::as_str).collect::<Vec<_>>(), 128, 0, 0, 0);
}

#[tokio::test(start_paused = true)]
#[cfg(target_os = "linux")]
async fn a_batch_without_buffers_is_retried_singly() {
    let no_buffers = || fails_with(libc::ENOBUFS);
    let mut scene = Scene::batched(true, vec![no_buffers(), Accepts, no_buffers()]);
    scene.send().unwrap();
    scene.assert(&[], 0, 0, 0, 18);
    tokio::time::advance(NO_BUFFERS_PAUSE).await;
    scene.send().unwrap();
    scene.assert(&[A], 1, 0, 0, 12);
    tokio::time::advance(NO_BUFFERS_PAUSE).await;
    scene.send().unwrap();
    scene.assert(&[A, B, C], 3, 0, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_no_batch() {
    let mut scene = Scene::batched(true, vec![]);
    scene.datagrams.probing = true;
    scene.send().unwrap();
    scene.assert(&[A], 0, 0, 0, 18);
}

#[test]
fn a_refused_datagram_is_held() {
    let mut scene = Scene::new(7, true, vec![Accepts, AcceptsThenRefuses]);
    assert_eq!(scene.send().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    scene.assert(&[A], 1, 0, 0, 12);
    scene.outbox.requeue();
    assert_eq!(scene.outbox.lines().chunk(), b"b:2|c\nc:3|c\n");
}

#[test]
fn a_refused_datagram_is_lost_without_hold() {
    let mut scene = Scene::new(7, false, vec![Accepts, Accepts, AcceptsThenRefuses]);
    scene.send().unwrap();
    scene.assert(&[A, B], 2, 1, 0, 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_too_long_datagram_is_split() {
    let too_long = || fails_with(libc::EMSGSIZE);
    let mut scene = Scene::new(100, true, vec![too_long(), too_long()]);
    scene.send().unwrap();
    scene.assert(&[A, B, C], 3, 0, 0, 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_too_long_line_is_lost_alone() {
    let too_long = || fails_with(libc::EMSGSIZE);
    let mut scene = Scene::new(7, true, vec![Accepts, too_long(), too_long()]);
    scene.send().unwrap();
    scene.assert(&[A, C], 2, 0, 1, 0);
}

/// A router has refused an earlier datagram as too long. The next send reports that, regardless of its own
/// length, and must be repeated.
#[test]
#[cfg(target_os = "linux")]
fn an_error_about_an_earlier_datagram_costs_no_line() {
    let too_long = || fails_with(libc::EMSGSIZE);
    let mut scene = Scene::new(7, true, vec![Accepts, too_long(), Accepts, too_long()]);
    scene.send().unwrap();
    scene.assert(&[A, B, C], 3, 0, 0, 0);
    let mut scene = Scene::new(100, true, vec![too_long()]);
    scene.send().unwrap();
    scene.assert(&[&[A, B, C].concat()], 3, 0, 0, 0);
    // The error of a confirmed datagram comes before the next send.
    let mut scene = Scene::new(7, true, vec![]);
    let Socket::Scripted(script) = &scene.datagrams.socket else { unreachable!() };
    *script.pending.lock().unwrap() = Some(io::Error::from_raw_os_error(libc::EMSGSIZE));
    scene.send().unwrap();
    scene.assert(&[A, B, C], 3, 0, 0, 0);
}

#[tokio::test(start_paused = true)]
#[cfg(target_os = "linux")]
async fn missing_buffers_are_waited_for() {
    let mut scene = Scene::new(7, true, vec![Accepts, fails_with(libc::ENOBUFS)]);
    scene.send().unwrap();
    scene.assert(&[A], 1, 0, 0, 12);
    scene.send().unwrap();
    scene.assert(&[A], 1, 0, 0, 12);
    scene.datagrams.ready(true, false).await.unwrap();
    tokio::time::advance(NO_BUFFERS_PAUSE).await;
    scene.send().unwrap();
    scene.assert(&[A, B, C], 3, 0, 0, 0);
}

#[test]
#[cfg(target_os = "linux")]
fn an_unreachable_network_loses_nothing() {
    let mut scene = Scene::new(7, true, vec![Accepts, fails_with(libc::ENETUNREACH)]);
    scene.send().unwrap_err();
    scene.outbox.requeue();
    scene.assert(&[A], 0, 0, 0, 18);
}

/// Leaves a name lookup hanging. The socket must still become ready, and a pause of sending must
/// end in time.
#[tokio::test(start_paused = true)]
async fn a_hanging_lookup_delays_nothing() {
    let mut scene = Scene::new(7, true, vec![]);
    scene.datagrams.lookups = Some(Lookups::hanging());
    let limit = PROBE_TIME;
    tokio::time::timeout(limit, scene.datagrams.ready(true, false)).await.unwrap().unwrap();
    scene.datagrams.paused_until = Some(Instant::now() + NO_BUFFERS_PAUSE);
    tokio::time::timeout(limit, scene.datagrams.ready(true, false)).await.unwrap().unwrap();
}

/// Makes a simulated socket refuse the third datagram at its send. This datagram and the second
/// must be unsent again, since the second may have vanished with its receiver.
#[test]
fn a_refused_send_requeues_the_datagram_before() {
    let refusal = Fails(ErrorKind::ConnectionRefused.into());
    let mut scene = Scene::new(7, true, vec![Accepts, Accepts, refusal]);
    assert_eq!(scene.send().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    scene.assert(&[A, B], 1, 0, 0, 12);
    scene.outbox.requeue();
    assert_eq!(scene.outbox.lines().chunk(), b"b:2|c\nc:3|c\n");
}

/// Sends to a Unix datagram socket after its receiver is gone: this send must fail, and not a later
/// call. No standard requires that.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_vanished_receiver_at_a_path_refuses_the_send() {
    let name = format!("freewheel-{}-refuses.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    let settings = Connector::builder(path.to_str().unwrap()).protocol(Protocol::UnixDatagram);
    let (settings, _) = settings.check().unwrap();
    let receiver = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let mut scene = Scene::new(7, true, vec![]);
    scene.datagrams = Datagrams::to_path(&path, &settings).unwrap();
    drop(receiver);
    std::fs::remove_file(&path).unwrap();
    scene.datagrams.ready(true, false).await.unwrap();
    assert_eq!(scene.send().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!((scene.outbox.unsent(), scene.outbox.in_flight()), (18, 0));
}

/// Rotates through three addresses of a server, of which the second is unusable (IPv6 without a
/// route). The sender must skip it and use the third.
#[tokio::test]
async fn an_unusable_address_is_passed_over() {
    let server = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let [dead, unusable] = ["127.0.0.1:9", "[fe80::1]:9"].map(|text| text.parse().unwrap());
    let last = server.local_addr().unwrap();
    let (settings, _) = Connector::builder("server").check().unwrap();
    let mut scene = Scene::new(7, false, vec![]);
    let resolver = Resolver::simulated(|| Ok(Vec::new()));
    let addresses = vec![dead, unusable, last];
    scene.datagrams = Datagrams::to(addresses, &settings, &resolver, false).unwrap();
    for expected in [dead, last] {
        scene.datagrams.rotate_address();
        scene.datagrams.renew_socket(&mut scene.outbox).unwrap();
        assert_eq!(scene.datagrams.socket.peer(), Some(expected));
    }
}

/// Refuses a probe while the setting `hold_when_refused` is off. The sender must then change to the
/// next address of the server's name, as after any other refusal.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_refused_probe_without_hold_leads_to_the_next_address() {
    let server = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let addresses = vec!["127.0.0.1:9".parse().unwrap(), server.local_addr().unwrap()];
    let settings = Connector::builder("server").hold_when_refused(false);
    let (settings, _) = settings.check().unwrap();
    let resolver = Resolver::simulated(|| Ok(Vec::new()));
    let mut scene = Scene::new(7, false, vec![]);
    scene.datagrams = Datagrams::to(addresses, &settings, &resolver, true).unwrap();
    scene.datagrams.max_payload = 7;
    for _ in 0..3 {
        scene.datagrams.ready(true, false).await.unwrap();
        scene.send().unwrap();
    }
    assert_eq!(scene.datagrams.socket.peer(), server.local_addr().ok());
    assert_eq!(scene.account.refused.read().lines, 1);
    assert_eq!((scene.account.sent.read().lines, scene.outbox.unsent()), (2, 0));
}

/// Sends a probe, the single datagram after a refusal. The other datagrams must wait until the time
/// for a refusal of the probe has passed.
#[tokio::test(start_paused = true)]
async fn a_probe_is_given_time_to_be_refused() {
    let mut scene = Scene::new(7, true, vec![]);
    scene.datagrams.probing = true;
    scene.send().unwrap();
    scene.send().unwrap();
    scene.assert(&[A], 0, 0, 0, 18);
    assert!(scene.datagrams.probing);
    tokio::time::advance(PROBE_TIME).await;
    scene.send().unwrap();
    scene.assert(&[A, B, C], 3, 0, 0, 0);
    assert!(!scene.datagrams.probing);
}

/// Ends the flusher while a probe is unconfirmed. The probe's line must count as sent and be
/// reported as unacknowledged, since the server may have it. The lines after it must stay.
#[tokio::test(start_paused = true)]
async fn an_unconfirmed_probe_is_handed_over_at_the_end() {
    for hold in [true, false] {
        let mut scene = Scene::new(7, hold, vec![]);
        scene.datagrams.probing = true;
        scene.send().unwrap();
        let handed_over = scene.datagrams.hand_over(&mut scene.outbox);
        assert_eq!(handed_over, Tally { lines: 1, bytes: A.len() as u64 });
        scene.assert(&[A], 1, 0, 0, 12);
        assert_eq!(scene.datagrams.hand_over(&mut scene.outbox), Tally::default());
        scene.outbox.requeue();
        assert_eq!(scene.outbox.lines().chunk(), b"b:2|c\nc:3|c\n");
    }
}

/// Refuses a probe just before the flusher ends. Its line must be kept, or count as refused without
/// `hold_when_refused`.
#[tokio::test(start_paused = true)]
async fn a_refused_probe_is_not_handed_over() {
    for (hold, refused) in [(true, 0), (false, 1)] {
        let mut scene = Scene::new(7, hold, vec![]);
        scene.datagrams.probing = true;
        scene.send().unwrap();
        let Socket::Scripted(script) = &scene.datagrams.socket else { unreachable!() };
        *script.pending.lock().unwrap() = Some(ErrorKind::ConnectionRefused.into());
        assert_eq!(scene.datagrams.hand_over(&mut scene.outbox), Tally::default());
        scene.assert(&[A], 0, refused, 0, 18 - 6 * refused as usize);
    }
}

/// Refuses a line, accepts the next one, and refuses the first again. The first line must be given
/// up once a third line is accepted, although the socket would accept everything by then.
#[test]
#[cfg(target_os = "linux")]
fn a_line_refused_twice_is_not_tried_a_third_time() {
    let refused = || fails_with(libc::EPERM);
    let mut scene = Scene::singly(true, vec![refused(), Accepts, refused()]);
    scene.send().unwrap();
    scene.assert(&[B, C], 2, 0, 0, 0);
    assert!(scene.account.take_rejected_line().is_some());
}

/// A firewall refuses A, and opens. B is accepted. The retry of A meets a socket that takes nothing
/// for a moment, which is no refusal: A must be tried again after a pause, and must be sent.
#[tokio::test(start_paused = true)]
#[cfg(target_os = "linux")]
async fn a_busy_socket_refuses_no_line_set_aside() {
    for code in [libc::EAGAIN, libc::EINTR, libc::ENOBUFS, libc::ENOMEM] {
        let mut scene =
            Scene::singly(true, vec![fails_with(libc::EPERM), Accepts, fails_with(code)]);
        scene.send().unwrap();
        scene.send().unwrap();
        scene.assert(&[B], 0, 0, 0, 18);
        tokio::time::timeout(PROBE_TIME, scene.datagrams.ready(false, false))
            .await
            .unwrap()
            .unwrap();
        tokio::time::advance(NO_BUFFERS_PAUSE).await;
        scene.send().unwrap();
        scene.assert(&[B, A, A, B, C], 3, 0, 0, 0);
        assert!(scene.account.take_rejected_line().is_none());
    }
}

/// The same, and the firewall refuses A again after the pause: A must be given up.
#[tokio::test(start_paused = true)]
#[cfg(target_os = "linux")]
async fn a_line_refused_after_a_busy_socket_is_given_up() {
    let refused = || fails_with(libc::EPERM);
    let mut scene =
        Scene::singly(true, vec![refused(), Accepts, fails_with(libc::EAGAIN), refused()]);
    scene.send().unwrap();
    tokio::time::advance(NO_BUFFERS_PAUSE).await;
    scene.send().unwrap();
    scene.assert(&[B, C], 2, 0, 0, 0);
    assert!(scene.account.take_rejected_line().is_some());
}

/// The filter refuses A because of its content, and the server of B is down. The retry of A must not
/// consume the refusal of B. All lines must be held, or sent later with holding off.
#[test]
#[cfg(target_os = "linux")]
fn a_refusal_of_the_line_after_one_set_aside_is_seen() {
    let answers = || vec![fails_with(libc::EPERM), AcceptsThenRefuses];
    let mut scene = Scene::singly(true, answers());
    assert_eq!(scene.send().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    scene.assert(&[], 0, 0, 0, 18);
    let mut scene = Scene::singly(false, answers());
    scene.send().unwrap();
    scene.assert(&[A, B, C], 3, 0, 0, 0);
    assert!(scene.account.take_rejected_line().is_none());
}

/// The retry of a line set aside meets an error of the network, or a refusal that arrives late. The
/// link must end, and must keep all lines.
#[test]
#[cfg(target_os = "linux")]
fn a_network_error_refuses_no_line_set_aside() {
    for code in [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::ENETDOWN, libc::ECONNREFUSED] {
        let mut scene =
            Scene::singly(true, vec![fails_with(libc::EPERM), Accepts, fails_with(code)]);
        assert_eq!(scene.send().unwrap_err().raw_os_error(), Some(code));
        scene.assert(&[B], 0, 0, 0, 18);
        assert!(scene.account.take_rejected_line().is_none());
    }
}
