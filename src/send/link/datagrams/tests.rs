//! Scripted answers of a socket, and what becomes of the lines.

use super::*;
use crate::Connector;
#[cfg(target_os = "linux")]
use crate::Protocol;
use crate::send::stream::tests::swept;
use crate::stats::Account;
use bytes::Buf;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

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
            before.extend(datagrams.map(|datagram| String::from_utf8_lossy(datagram).into_owned()));
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
    outbox: Outbox,
    account: Arc<Account>,
}

impl Scene {
    fn new(max_payload: usize, hold: bool, answers: Vec<Answer>) -> Self {
        let script = Script { answers: Mutex::new(answers.into()), ..Script::default() };
        let (settings, _) = Connector::builder("server").check().unwrap();
        let new = Datagrams::new(Socket::Scripted(script), &settings);
        let datagrams = Datagrams { max_payload, hold_when_refused: hold, ..new };
        let lines = ["a:1|c\n", "b:2|c\n", "c:3|c\n"].map(str::to_owned);
        let account = Arc::default();
        let outbox = Outbox::new(swept(&lines, 9), Arc::clone(&account));
        Self { datagrams, outbox, account }
    }

    fn send(&mut self) -> io::Result<()> {
        self.datagrams.send(&mut self.outbox, false)
    }

    fn replace_lines(&mut self, lines: Consumer) {
        self.outbox = Outbox::new(lines, Arc::clone(&self.account));
    }

    /// What was taken, by the operating system and in the account, and what is left.
    #[track_caller]
    fn assert(&self, taken: &[&str], sent: u64, refused: u64, too_long: u64, left: usize) {
        let Socket::Scripted(script) = &self.datagrams.socket else { unreachable!() };
        assert_eq!(*script.taken.lock().unwrap(), taken);
        let account = &self.account;
        let lines = [&account.sent, &account.refused, &account.too_long].map(|t| t.read().lines);
        assert_eq!(lines, [sent, refused, too_long]);
        assert_eq!(self.outbox.unsent() + self.outbox.in_flight(), left);
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
    scene.outbox.requeue();
    scene.assert(&[], 0, 0, 0, 18);
}

/// A batch that is refused where nothing is held is lost; what follows goes singly, until one
/// was not refused.
#[test]
fn a_refused_batch_is_followed_by_single_datagrams() {
    let mut scene = batched(false, vec![TakesForNobody]);
    scene.send().unwrap();
    scene.assert(&[], 0, 3, 0, 0);
    assert!(scene.datagrams.batching_suspended);
    scene.replace_lines(swept(&[A, B].map(str::to_owned), 9));
    scene.send().unwrap();
    scene.assert(&[A, B], 2, 3, 0, 0);
    assert!(!scene.datagrams.batching_suspended);
}

/// No checksum offload, too old, longer than the route takes, not allowed, or whatever else is said
/// against it: each is tried once. But for what single ones have answers for: EINTR, EAGAIN, ENOMEM,
/// ENOBUFS, ECONNREFUSED.
#[test]
#[cfg(target_os = "linux")]
fn a_batch_that_is_refused_goes_singly_whatever_the_error() {
    for code in (1..=133).filter(|code| ![4, 11, 12, 105, 111].contains(code)) {
        let mut scene = batched(true, vec![os(code)]);
        scene.send().unwrap();
        scene.assert(&[A, B, C], 3, 0, 0, 0);
        assert!(!scene.datagrams.offload);
    }
}

/// Only if single datagrams get the same answer it is the link's.
#[test]
#[cfg(target_os = "linux")]
fn what_a_batch_and_its_datagrams_share_is_the_links_error() {
    let mut scene = batched(true, vec![os(1), os(1)]);
    assert_eq!(scene.send().unwrap_err().raw_os_error(), Some(1));
    scene.outbox.requeue();
    scene.assert(&[], 0, 0, 0, 18);
}

/// It may be about the batch before, which goes again singly, and nothing is lost.
#[test]
#[cfg(target_os = "linux")]
fn an_error_of_a_batch_may_be_about_the_one_before() {
    let lines: Vec<_> = (0..128).map(|number| format!("{number:03}|c\n")).collect();
    let mut scene = batched(true, vec![Takes, os(113)]);
    scene.replace_lines(swept(&lines, 999));
    scene.send().unwrap();
    scene.send().unwrap();
    scene.send().unwrap();
    let taken = [&lines[..64], &lines].concat();
    scene.assert(&taken.iter().map(String::as_str).collect::<Vec<_>>(), 128, 0, 0, 0);
}

#[tokio::test(start_paused = true)]
#[cfg(target_os = "linux")]
async fn a_batch_without_buffers_goes_singly_and_later() {
    let mut scene = batched(true, vec![os(105), Takes, os(105)]);
    scene.send().unwrap();
    scene.assert(&[], 0, 0, 0, 18);
    tokio::time::advance(NO_BUFFERS_PAUSE).await;
    scene.send().unwrap();
    scene.assert(&[A], 1, 0, 0, 12);
    tokio::time::advance(NO_BUFFERS_PAUSE).await;
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
    scene.outbox.requeue();
    assert_eq!(scene.outbox.lines().chunk(), b"b:2|c\nc:3|c\n");
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
    tokio::time::advance(NO_BUFFERS_PAUSE).await;
    scene.send().unwrap();
    scene.assert(&[A, B, C], 3, 0, 0, 0);
}

#[test]
#[cfg(target_os = "linux")]
fn an_unreachable_network_loses_nothing() {
    let mut scene = Scene::new(7, true, vec![Takes, os(101)]);
    scene.send().unwrap_err();
    scene.outbox.requeue();
    scene.assert(&[A], 0, 0, 0, 18);
}

/// While a look-up gets no answer, there is room as before, and the next burst has its time.
#[tokio::test(start_paused = true)]
async fn a_look_up_that_hangs_delays_nothing() {
    let mut scene = Scene::new(7, true, vec![]);
    scene.datagrams.lookups = Some(Lookups::hanging());
    let limit = PROBE_TIME;
    tokio::time::timeout(limit, scene.datagrams.ready(true, false)).await.unwrap().unwrap();
    scene.datagrams.paused_until = Some(Instant::now() + NO_BUFFERS_PAUSE);
    tokio::time::timeout(limit, scene.datagrams.ready(true, false)).await.unwrap().unwrap();
}

/// At a path it is the datagram at hand that is refused. The one before it may have gone with its
/// receiver: both go to the next.
#[test]
fn a_refusal_of_the_datagram_at_hand_leads_to_a_new_socket() {
    let refusal = Fails(ErrorKind::ConnectionRefused.into());
    let mut scene = Scene::new(7, true, vec![Takes, Takes, refusal]);
    assert_eq!(scene.send().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    scene.assert(&[A, B], 1, 0, 0, 12);
    scene.outbox.requeue();
    assert_eq!(scene.outbox.lines().chunk(), b"b:2|c\nc:3|c\n");
}

/// It is told by the refusal itself, not by what follows it: that is no matter of standards.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_refusal_at_a_path_leads_to_a_new_socket() {
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

/// After a refusal one datagram goes out, and the others wait until it was not refused.
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
