//! Datagrams: UDP, and datagrams to Unix sockets.
//!
//! Over UDP they go in batches where the operating system cuts them (see `send::segments`), and at a
//! pace (see `send::pace`). The newest, a datagram or a batch, stays in flight until the next call on
//! the socket brought no refusal: on this machine a refusal is known at once, and it is sent again. From
//! afar it may come too late for what went out meanwhile; so what follows a refusal is a
//! *probe*, one datagram that is given time to be refused.

use super::TURN;
#[cfg(any(target_os = "linux", test))]
use super::datagram_socket::is_not_to_be_cut;
use super::datagram_socket::{Socket, is_out_of_buffers, is_too_long};
use super::lookup::Lookups;
use crate::endpoint::Endpoint;
use crate::handoff::{Collector, Tally};
use crate::send::pace::Pace;
#[cfg(any(target_os = "linux", test))]
use crate::send::segments;
use crate::send::{datagram, packed};
use crate::settings::Settings;
use crate::stats::Account;
use bytes::{Buf, BytesMut};
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;
#[cfg(unix)]
use tokio::net::UnixDatagram;
use tokio::time::{Instant, sleep_until};

/// How long a probe can be refused.
const PROBE: Duration = Duration::from_millis(100);

/// How long to wait where the operating system is out of buffers, which it tells by no event.
const NO_BUFFERS: Duration = Duration::from_millis(10);

pub(in crate::send) struct Datagrams {
    socket: Socket,
    max_payload: usize,
    pack_values: bool,
    hold_when_refused: bool,
    scratch: BytesMut,
    /// In flight, a datagram or a batch: what a refusal would be about.
    newest: Tally,
    /// The newest is a probe, or will be.
    probing: bool,
    /// Batches can be tried.
    #[cfg_attr(not(any(target_os = "linux", test)), expect(dead_code))]
    offload: bool,
    /// Something went wrong: until a datagram was taken, no batch is sent.
    singly: bool,
    pace: Pace,
    /// Nothing is sent before.
    pause: Option<Instant>,
    lookups: Option<Lookups>,
}

/// What was tried to be sent.
struct Attempt {
    size: Tally,
    length: usize,
    datagrams: usize,
}

impl Datagrams {
    pub(super) fn to(address: SocketAddr, settings: &Settings, probing: bool) -> io::Result<Self> {
        let lookups = match &settings.endpoint {
            Endpoint::Udp(address) => Lookups::new(address, settings.lookup_interval),
            _ => None,
        };
        let socket = Socket::udp(address)?;
        let (max_payload, hold) = (settings.max_datagram_payload, settings.hold_when_refused);
        let pace = Pace::new(settings.hurry_beyond);
        let pack_values = settings.pack_values;
        // What is packed is copied, and no segment of the blocks.
        let offload = settings.segmentation_offload && !pack_values;
        let new = Self::new(socket, max_payload, hold);
        Ok(Self { probing, lookups, pace, offload, pack_values, ..new })
    }

    #[cfg(unix)]
    pub(super) fn to_path(path: &Path, settings: &Settings) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        // It refuses the datagram at hand, which is not in flight yet, and is held in any case.
        let pack_values = settings.pack_values;
        let datagrams = Self::new(Socket::Unix(socket), settings.max_datagram_payload, true);
        Ok(Self { pack_values, ..datagrams })
    }

    fn new(socket: Socket, max_payload: usize, hold_when_refused: bool) -> Self {
        Self {
            socket,
            max_payload,
            pack_values: false,
            hold_when_refused,
            scratch: BytesMut::with_capacity(max_payload),
            newest: Tally::default(),
            probing: false,
            offload: false,
            singly: false,
            pace: Pace::none(),
            pause: None,
            lookups: None,
        }
    }

    pub(super) fn is_probing(&self) -> bool {
        self.probing
    }

    pub(super) async fn ready(&mut self, to_send: bool, dormant: bool) -> io::Result<()> {
        loop {
            let pause = self.pause;
            let until = pause.unwrap_or_else(Instant::now);
            tokio::select! {
                () = sleep_until(until), if pause.is_some() => return Ok(()),
                ready = self.socket.ready(to_send && pause.is_none()) => return ready,
                addresses = next_lookup(&mut self.lookups), if !dormant => self.follow(&addresses),
            }
        }
    }

    /// Turns to the first of these addresses, unless the one in use is still among them. What
    /// cannot be turned to is tried again after the next look-up.
    fn follow(&mut self, addresses: &[SocketAddr]) {
        if let Socket::Udp(socket) = &self.socket
            && let Ok(current) = socket.peer_addr()
            && !addresses.contains(&current)
            && let Some(first) = addresses.first()
            && let Ok(socket) = Socket::udp(*first)
        {
            self.socket = socket;
        }
    }

    /// `hurry`: at no pace but the fastest.
    pub(super) fn send(
        &mut self,
        lines: &mut Collector,
        account: &Account,
        hurry: bool,
    ) -> io::Result<()> {
        self.hear_refusal(lines, account)?;
        if self.pause.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        self.pause = None;
        self.confirm(lines, account);
        self.pace.renew(lines.waiting(), hurry);
        self.send_turn(lines, account)?;
        self.hear_refusal(lines, account)?;
        if !self.probing {
            self.confirm(lines, account);
        }
        Ok(())
    }

    fn send_turn(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        for _ in 0..TURN {
            if !lines.has_remaining() {
                break;
            }
            if self.pace.is_over() {
                self.pause = Some(self.pace.renewal());
                break;
            }
            let Some((attempt, result)) = self.try_next(lines) else { break };
            let Attempt { size, length, datagrams } = attempt;
            match result {
                Ok(_) => {
                    self.confirm(lines, account);
                    lines.advance(size.bytes as usize);
                    self.newest = size;
                    self.pace.sent(length);
                    if self.probing {
                        self.pause = Some(Instant::now() + PROBE);
                        break;
                    }
                }
                Err(error) if datagrams > 1 && is_not_to_be_cut(&error) => self.offload = false,
                Err(error) if is_too_long(&error) => {
                    if length <= self.max_payload && size.lines > 1 {
                        self.max_payload = length / 2;
                        continue;
                    }
                    self.confirm(lines, account);
                    account.too_long.add(size);
                    lines.consume(size.bytes as usize);
                }
                Err(error) if is_out_of_buffers(&error) => {
                    self.pause = Some(Instant::now() + NO_BUFFERS);
                    self.singly = true;
                    break;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    self.refused(error, lines, account)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tries to send what comes next: a batch where that is possible, or else a datagram. None if
    /// there are no lines.
    fn try_next(&mut self, lines: &Collector) -> Option<(Attempt, io::Result<usize>)> {
        #[cfg(any(target_os = "linux", test))]
        if self.offload && !self.probing && !self.singly {
            let most = self.pace.at_once();
            if let Some(batch) = segments::next(lines.runs(), self.max_payload, most) {
                let length = batch.pieces.iter().map(|piece| piece.len()).sum();
                let attempt = Attempt { size: batch.size, length, datagrams: batch.segments };
                return Some((attempt, self.socket.try_send_batch(&batch)));
            }
        }
        let (runs, max, scratch) = (lines.runs(), self.max_payload, &mut self.scratch);
        let datagram = if self.pack_values {
            packed::next(runs, max, scratch)
        } else {
            datagram::next(runs, max, scratch)
        }?;
        let (size, length) = (datagram.size(), datagram.payload.len());
        let attempt = Attempt { size, length, datagrams: 1 };
        Some((attempt, self.socket.try_send(datagram.payload)))
    }

    /// Nothing was heard against what was newest.
    fn confirm(&mut self, lines: &mut Collector, account: &Account) {
        let newest = std::mem::take(&mut self.newest);
        if newest.bytes > 0 {
            account.sent.add(newest);
            lines.settle(newest.bytes as usize);
            self.probing = false;
            self.singly = false;
        }
    }

    fn hear_refusal(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        match self.socket.take_error(self.newest.bytes > 0) {
            None => Ok(()),
            Some(error) if error.kind() == ErrorKind::ConnectionRefused => {
                self.refused(error, lines, account)
            }
            Some(error) => Err(error),
        }
    }

    /// Nobody listened: the newest datagram is lost, or sent again when somebody does.
    fn refused(
        &mut self,
        error: io::Error,
        lines: &mut Collector,
        account: &Account,
    ) -> io::Result<()> {
        if self.hold_when_refused {
            return Err(error);
        }
        let newest = std::mem::take(&mut self.newest);
        account.refused.add(newest);
        lines.settle(newest.bytes as usize);
        // So that the next refusal is about one datagram.
        self.singly = true;
        Ok(())
    }
}

async fn next_lookup(lookups: &mut Option<Lookups>) -> Vec<SocketAddr> {
    match lookups {
        Some(lookups) => lookups.next().await,
        None => pending().await,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::send::stream::tests::collected;
    use std::collections::VecDeque;
    use std::mem::take;
    use std::sync::Mutex;

    /// What a socket answers, one call after the other; then it takes everything.
    #[derive(Default)]
    pub(in crate::send::link) struct Script {
        answers: Mutex<VecDeque<Answer>>,
        taken: Mutex<Vec<String>>,
        /// A refusal has come and was not heard.
        refused: Mutex<bool>,
    }

    enum Answer {
        Takes,
        Fails(io::Error),
        /// It takes the datagram; then a refusal comes.
        TakesForNobody,
    }
    use Answer::{Fails, Takes, TakesForNobody};

    impl Script {
        pub(in crate::send::link) fn try_send(&self, payload: &[u8]) -> io::Result<usize> {
            self.refusal().map_or(Ok(()), Err)?;
            match self.answers.lock().unwrap().pop_front() {
                Some(Fails(error)) => return Err(error),
                Some(TakesForNobody) => *self.refused.lock().unwrap() = true,
                Some(Takes) | None => {
                    let payload = String::from_utf8(payload.to_vec()).unwrap();
                    self.taken.lock().unwrap().push(payload);
                }
            }
            Ok(payload.len())
        }

        /// One answer for all; they are taken down as they are cut.
        pub(in crate::send::link) fn try_send_batch(
            &self,
            batch: &segments::Batch<'_>,
        ) -> io::Result<usize> {
            let bytes = batch.pieces.iter().flat_map(|piece| piece.iter().copied());
            let bytes = String::from_utf8(bytes.collect()).unwrap();
            let mut before = self.taken.lock().unwrap().clone();
            let sent = self.try_send(bytes.as_bytes())?;
            let mut taken = self.taken.lock().unwrap();
            if taken.len() > before.len() {
                let datagrams = bytes.as_bytes().chunks(batch.segment);
                before.extend(
                    datagrams.map(|datagram| String::from_utf8_lossy(datagram).into_owned()),
                );
                *taken = before;
            }
            Ok(sent)
        }

        /// The refusal that came, once.
        pub(in crate::send::link) fn refusal(&self) -> Option<io::Error> {
            take(&mut *self.refused.lock().unwrap()).then(|| ErrorKind::ConnectionRefused.into())
        }
    }

    /// Three lines of six bytes, for datagrams of `max_payload`.
    struct Scene {
        datagrams: Datagrams,
        lines: Collector,
        account: Account,
    }

    impl Scene {
        fn new(max_payload: usize, hold: bool, answers: Vec<Answer>) -> Self {
            let script = Script { answers: Mutex::new(answers.into()), ..Script::default() };
            let datagrams = Datagrams::new(Socket::Scripted(script), max_payload, hold);
            let lines = ["a:1|c\n", "b:2|c\n", "c:3|c\n"].map(str::to_owned);
            Self { datagrams, lines: collected(&lines, 9), account: Account::default() }
        }

        fn send(&mut self) -> io::Result<()> {
            self.datagrams.send(&mut self.lines, &self.account, false)
        }

        /// What was taken, by the operating system and in the account, and what is left.
        #[track_caller]
        fn assert(&self, taken: &[&str], sent: u64, refused: u64, too_long: u64, left: usize) {
            let Socket::Scripted(script) = &self.datagrams.socket else { unreachable!() };
            assert_eq!(*script.taken.lock().unwrap(), taken);
            let account = &self.account;
            let lines =
                [&account.sent, &account.refused, &account.too_long].map(|t| t.read().lines);
            assert_eq!(lines, [sent, refused, too_long]);
            assert_eq!(self.lines.remaining() + self.lines.in_flight(), left);
        }
    }

    /// The same, with all three in one batch.
    fn batched(hold: bool, answers: Vec<Answer>) -> Scene {
        let mut scene = Scene::new(7, hold, answers);
        scene.datagrams.offload = true;
        scene
    }

    #[test]
    fn a_batch_is_sent_once_nothing_was_heard_against_it() {
        let mut scene = batched(true, vec![Takes]);
        scene.send().unwrap();
        scene.assert(&[A, B, C], 3, 0, 0, 0);
    }

    #[test]
    fn a_refused_batch_is_held() {
        let mut scene = batched(true, vec![TakesForNobody]);
        assert_eq!(scene.send().unwrap_err().kind(), ErrorKind::ConnectionRefused);
        scene.lines.recall();
        scene.assert(&[], 0, 0, 0, 18);
    }

    /// A batch that is refused where nothing is held is lost; what follows goes singly, until one
    /// was not refused.
    #[test]
    fn a_refused_batch_is_followed_by_single_datagrams() {
        let mut scene = batched(false, vec![TakesForNobody]);
        scene.send().unwrap();
        scene.assert(&[], 0, 3, 0, 0);
        assert!(scene.datagrams.singly);
        scene.lines = collected(&[A, B].map(str::to_owned), 9);
        scene.send().unwrap();
        scene.assert(&[A, B], 2, 3, 0, 0);
        assert!(!scene.datagrams.singly);
    }

    /// No checksum offload, too old, or longer than the route takes: each is tried once.
    #[test]
    #[cfg(target_os = "linux")]
    fn what_cannot_be_cut_goes_singly() {
        for code in [5, 22, 90] {
            let mut scene = batched(true, vec![os(code)]);
            scene.send().unwrap();
            scene.assert(&[A, B, C], 3, 0, 0, 0);
            assert!(!scene.datagrams.offload);
        }
    }

    #[tokio::test(start_paused = true)]
    #[cfg(target_os = "linux")]
    async fn a_batch_without_buffers_goes_singly_and_later() {
        let mut scene = batched(true, vec![os(105), Takes, os(105)]);
        scene.send().unwrap();
        scene.assert(&[], 0, 0, 0, 18);
        tokio::time::advance(NO_BUFFERS).await;
        scene.send().unwrap();
        scene.assert(&[A], 1, 0, 0, 12);
        tokio::time::advance(NO_BUFFERS).await;
        scene.send().unwrap();
        scene.assert(&[A, B, C], 3, 0, 0, 0);
    }

    /// A probe is one datagram, whatever is waiting.
    #[tokio::test(start_paused = true)]
    async fn a_probe_is_no_batch() {
        let mut scene = batched(true, vec![]);
        scene.datagrams.probing = true;
        scene.send().unwrap();
        scene.assert(&[A], 0, 0, 0, 18);
    }

    const A: &str = "a:1|c\n";
    const B: &str = "b:2|c\n";
    const C: &str = "c:3|c\n";

    fn os(linux: i32) -> Answer {
        Fails(io::Error::from_raw_os_error(linux))
    }

    #[test]
    fn a_refused_datagram_is_held() {
        let mut scene = Scene::new(7, true, vec![Takes, TakesForNobody]);
        assert_eq!(scene.send().unwrap_err().kind(), ErrorKind::ConnectionRefused);
        scene.assert(&[A], 1, 0, 0, 12);
        scene.lines.recall();
        assert_eq!(scene.lines.chunk(), b"b:2|c\nc:3|c\n");
    }

    #[test]
    fn a_refused_datagram_is_lost_where_nothing_is_held() {
        let mut scene = Scene::new(7, false, vec![Takes, Takes, TakesForNobody]);
        scene.send().unwrap();
        scene.assert(&[A, B], 2, 1, 0, 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_datagram_that_is_too_long_goes_in_parts() {
        let mut scene = Scene::new(100, true, vec![os(90)]);
        scene.send().unwrap();
        scene.assert(&[A, B, C], 3, 0, 0, 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_line_that_is_too_long_alone_is_lost_alone() {
        let mut scene = Scene::new(7, true, vec![Takes, os(90)]);
        scene.send().unwrap();
        scene.assert(&[A, C], 2, 0, 1, 0);
    }

    #[tokio::test(start_paused = true)]
    #[cfg(target_os = "linux")]
    async fn no_buffers_are_waited_for() {
        let mut scene = Scene::new(7, true, vec![Takes, os(105)]);
        scene.send().unwrap();
        scene.assert(&[A], 1, 0, 0, 12);
        scene.send().unwrap();
        scene.assert(&[A], 1, 0, 0, 12);
        scene.datagrams.ready(true, false).await.unwrap();
        tokio::time::advance(NO_BUFFERS).await;
        scene.send().unwrap();
        scene.assert(&[A, B, C], 3, 0, 0, 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_unreachable_network_loses_nothing() {
        let mut scene = Scene::new(7, true, vec![Takes, os(101)]);
        scene.send().unwrap_err();
        scene.lines.recall();
        scene.assert(&[A], 0, 0, 0, 18);
    }

    /// After a refusal one datagram goes out, and the others wait until it was not refused.
    #[tokio::test(start_paused = true)]
    async fn a_probe_is_given_time_to_be_refused() {
        let mut scene = Scene::new(7, true, vec![]);
        scene.datagrams.probing = true;
        scene.send().unwrap();
        scene.send().unwrap();
        scene.assert(&[A], 0, 0, 0, 18);
        assert!(scene.datagrams.is_probing());
        tokio::time::advance(PROBE).await;
        scene.send().unwrap();
        scene.assert(&[A, B, C], 3, 0, 0, 0);
        assert!(!scene.datagrams.is_probing());
    }
}
