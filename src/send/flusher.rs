//! The flusher: the task that carries the lines away.
//!
//! It waits for the first of: a command of its owner, room or news on its link, its tick,
//! the bell. Lines are swept when all that was swept before is gone, so that what cannot be
//! sent stays in the threads' blocks, where the capacity bounds it.

use super::link::Link;
use super::link_state::{LinkEvent, LinkState, jittered};
use super::pending::{Command, PendingFlush, Stop, Until};
use super::suspicion::Suspicion;
use super::wake::Wake;
use super::warnings::{End, Farewell, NoLink, Warnings};
use crate::builder::FlusherConfig;
use crate::error::StartError;
use crate::handoff::{Consumer, Exchange, Tally};
use crate::stats::{Account, Stats, StopReport};
use bytes::Buf;
use memchr::memchr_iter;
use std::io;
use std::mem::{replace, take};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout_at};

/// What the flusher and its owner have in common.
pub(crate) struct Shared {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) settings: FlusherConfig,
    pub(crate) account: Account,
    pub(crate) connected: AtomicBool,
    /// Dropped and lost lines that were warned of.
    pub(crate) warned_of: AtomicU64,
    /// Ends the flusher's sleep.
    pub(crate) wake: Arc<Wake>,
    pub(crate) warnings: Warnings,
}

impl Shared {
    pub(crate) fn stats(&self) -> Stats {
        self.account.stats(|| self.exchange.emitted())
    }
}

pub(crate) struct Flusher {
    lines: Consumer,
    shared: Arc<Shared>,
    commands: mpsc::UnboundedReceiver<Command>,
    route: LinkState,
    /// To connect, so far.
    attempts: usize,
    /// Which of a name's addresses is the first to be tried over TCP.
    turn: usize,
    /// When the link was made.
    since: Instant,
    suspicion: Suspicion,
    flushes: Vec<PendingFlush>,
    stop: Option<Stop>,
    idle: Idle,
    /// To be told when nothing is half done.
    no_link: Option<NoLink>,
    is_account_due: bool,
    /// Its owner was told that it runs.
    is_running: bool,
    /// The last field: all else is given back when it is dropped.
    farewell: Farewell,
}

/// What is known of there being nothing to do.
#[derive(Default)]
struct Idle {
    /// All that was swept, as of the last tick.
    taken: u64,
    /// Nothing came since that tick, and nothing is left.
    since: Option<Instant>,
    /// No tick is due: the first line, and whoever ends dormancy, wakes.
    is_dormant: bool,
}

impl Flusher {
    pub(crate) fn new(
        lines: Consumer,
        shared: Arc<Shared>,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        // Of the last one. ORDERING: Relaxed; `Lifecycle`'s mutex orders it before whoever finds
        // that this one is running.
        shared.connected.store(false, Relaxed);
        Self {
            lines,
            commands,
            route: LinkState::Down { until: Instant::now() },
            attempts: 0,
            turn: 0,
            since: Instant::now(),
            suspicion: Suspicion::default(),
            flushes: Vec::new(),
            stop: None,
            idle: Idle::default(),
            no_link: None,
            is_account_due: false,
            is_running: false,
            farewell: Farewell::new(&shared),
            shared,
        }
    }

    /// Runs until it is stopped, or no handle is left; says first that it is running.
    pub(crate) async fn run(mut self, running: oneshot::Sender<Result<(), StartError>>) {
        let mut next_tick = Instant::now();
        let shared = Arc::clone(&self.shared);
        // These panic where the runtime has no timer or I/O driver: then nobody hears that it is
        // running.
        sleep_until(next_tick).await;
        Link::try_driver().await;
        let ear = match shared.wake.listen() {
            Ok(ear) => ear,
            Err(error) => {
                drop(self);
                let _ = running.send(Err(StartError::Descriptor(error)));
                return;
            }
        };
        self.is_running = true;
        let _ = running.send(Ok(()));
        loop {
            let is_done = self.is_done();
            self.warn();
            if is_done {
                break;
            }
            let to_send = self.lines.has_remaining();
            let to_sweep = self.lines.is_drained() && matches!(self.route, LinkState::Up(_));
            let stopping = self.stop.as_ref().map(|stop| stop.deadline);
            let deadline = stopping.unwrap_or_else(Instant::now);
            // Asleep: the next ring wakes. Otherwise somebody has rung, and wants a sweep.
            let rung = !self.lines.prepare_park();
            let dormant = self.idle.is_dormant;
            tokio::select! {
                biased;
                command = self.commands.recv(), if stopping.is_none() => self.handle_command(command),
                () = sleep_until(deadline), if stopping.is_some() => break,
                news = self.route.news(to_send, dormant) => self.on_link_event(news),
                () = yield_now(), if rung => self.answer(to_sweep),
                () = ear.called(), if dormant => {
                    self.idle = Idle::default();
                    next_tick = Instant::now() + shared.settings.flush_interval;
                }
                () = ear.called() => self.answer(to_sweep),
                // No timer is left behind by the last one: it would wake the dormant.
                () = sleep_until(next_tick), if !dormant => {
                    if to_sweep {
                        self.sweep();
                    } else {
                        self.lines.drain_ordered();
                    }
                    self.is_account_due = true;
                    next_tick = Instant::now() + shared.settings.flush_interval;
                    self.enter_dormant_if_idle();
                }
            }
        }
        self.end().await;
    }

    /// Ends what was waited for; says whether that is the flusher itself.
    fn is_done(&mut self) -> bool {
        if self.lines.remaining() == 0 && self.is_sweep_wanted() {
            self.lines.sweep();
            let flushes = self.flushes.iter_mut().map(|flush| &mut flush.until);
            let all = flushes.chain(self.stop.iter_mut().map(|stop| &mut stop.until));
            all.for_each(|until| until.note(&self.lines));
            self.send();
            self.evict_to_limit();
        }
        let lines = &self.lines;
        for flush in self.flushes.extract_if(.., |flush| flush.until.is_over(lines)) {
            let _ = flush.reply.send(Ok(()));
        }
        self.flushes.retain(|flush| !flush.reply.is_closed());
        self.stop.as_ref().is_some_and(|stop| stop.until.is_over(lines))
    }

    /// Whether somebody waits for lines that are not swept yet. While others are unsent, they
    /// stay where the capacity bounds them.
    fn is_sweep_wanted(&self) -> bool {
        let stop_wants = self.stop.as_ref().is_some_and(|stop| !stop.until.is_swept());
        stop_wants || self.flushes.iter().any(|flush| !flush.until.is_swept())
    }

    fn handle_command(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Flush(reply)) => {
                let until = Until::now(&self.lines);
                self.flushes.push(PendingFlush { until, reply });
            }
            Some(Command::Stop(sent, reply)) => self.begin_to_stop(sent, vec![reply]),
            None => self.begin_to_stop(self.shared.account.sent.read(), Vec::new()),
        }
    }

    fn begin_to_stop(&mut self, sent: Tally, replies: Vec<oneshot::Sender<StopReport>>) {
        let now = Instant::now();
        let deadline = now + self.shared.settings.stop_timeout;
        let until = Until::now(&self.lines);
        self.stop = Some(Stop { deadline, sent, until, replies });
        if let LinkState::Down { until } = &mut self.route {
            *until = now;
        }
    }

    fn on_link_event(&mut self, news: LinkEvent) {
        match news {
            LinkEvent::Due => {
                let shared = Arc::clone(&self.shared);
                let (attempt, turn) = (self.attempts, self.turn);
                self.attempts += 1;
                let attempt = async move {
                    Link::connect(&shared.settings, attempt, turn).await.map(Box::new)
                };
                self.route = LinkState::Connecting(Box::pin(attempt));
            }
            LinkEvent::Connected(mut link) => {
                link.go_singly(self.suspicion.begin(&mut self.lines), &self.lines);
                self.route = LinkState::Up(link);
                self.since = Instant::now();
                // ORDERING: Relaxed. To look at; it publishes nothing.
                self.shared.account.connections.fetch_add(1, Relaxed);
                // What is unsent comes first; the rest stays where the capacity bounds it.
                if self.lines.remaining() == 0 {
                    self.lines.sweep();
                }
                self.send();
                self.evict_to_limit();
            }
            LinkEvent::Ready => self.send(),
            LinkEvent::Failed(error) => self.go_down(error),
        }
    }

    /// Tells of what went wrong. Nothing is held meanwhile, and nothing half done: who listens may use
    /// this connector, or any other.
    fn warn(&mut self) {
        if let Some(no_link) = self.no_link.take() {
            no_link.tell(&self.shared);
        }
        if take(&mut self.is_account_due) {
            super::warnings::tell_of_missing(&self.shared);
        }
    }

    /// Ticks no more once there was nothing to do for long enough: the next line wakes it.
    fn enter_dormant_if_idle(&mut self) {
        let (now, taken) = (Instant::now(), self.lines.taken());
        let is_waited_for = self.stop.is_some() || !self.flushes.is_empty();
        let is_idle = taken == self.idle.taken && self.lines.consumed() == taken && !is_waited_for;
        let since = self.idle.since.filter(|_| is_idle).unwrap_or(now);
        let is_dormant = is_idle && now >= since + DORMANT_AFTER && self.lines.try_enter_dormant();
        self.idle = Idle { taken, since: Some(since), is_dormant };
    }

    /// Somebody rang: full blocks wait, or records. While no more can be sent, and the oldest are not to
    /// make room, only the records must make room for newer ones.
    fn answer(&mut self, to_sweep: bool) {
        if to_sweep || self.shared.settings.evict_beyond.is_some() {
            self.sweep();
        } else {
            self.lines.answer();
            self.lines.drain_ordered();
        }
    }

    fn sweep(&mut self) {
        self.lines.sweep();
        self.send();
        self.evict_to_limit();
    }

    /// Gives up the oldest lines for newer ones, where that is wanted. After each sweep, and after
    /// what was in flight became unsent: a thread that finds no block does not ring for one.
    fn evict_to_limit(&mut self) {
        let Some(most) = self.shared.settings.evict_beyond else { return };
        let evicted = &self.shared.account.evicted;
        let count = |run: &[u8]| {
            let lines = memchr_iter(b'\n', run).count() as u64;
            evicted.add(Tally { lines, bytes: run.len() as u64 });
        };
        let begun = match &self.route {
            LinkState::Up(link) => link.begun(),
            _ => 0,
        };
        while self.lines.blocks() > most && self.lines.evict(begun, count) {}
    }

    fn send(&mut self) {
        let LinkState::Up(link) = &mut self.route else { return };
        let unpaced = self.stop.as_ref().is_some_and(|stop| stop.is_urgent(Instant::now()));
        match link.send(&mut self.lines, &self.shared.account, unpaced) {
            // ORDERING: Relaxed. To look at; it publishes nothing.
            Ok(()) => self.shared.connected.store(link.is_up(), Relaxed),
            Err(error) => self.go_down(error),
        }
    }

    fn go_down(&mut self, error: io::Error) {
        if let LinkState::Up(link) = &mut self.route {
            link.give_up(&mut self.lines, &self.shared.account, &mut self.suspicion);
            // Of a name's addresses one that ends its connections at once, or that swallows
            // everything, is not the next one's first.
            let is_short = self.since.elapsed() < self.shared.settings.connect_timeout;
            self.turn += usize::from(is_short || error.kind() == io::ErrorKind::TimedOut);
        }
        // ORDERING: Relaxed, as above.
        self.shared.connected.store(false, Relaxed);
        let sleep = jittered(self.shared.settings.reconnect_sleep);
        let now = Instant::now();
        self.route = LinkState::Down { until: now + sleep };
        if let Some(held_back) = self.shared.warnings.link.admit(now) {
            self.no_link = Some(NoLink { error, retry_in: sleep, held_back });
        }
        // Of what was recalled too: where it is all there may be, no thread can seal, and ring.
        self.evict_to_limit();
    }

    /// Ends in order: the link, the flusher's place at the exchange, then the replies, so
    /// that who has one can start again.
    async fn end(mut self) {
        let now = Instant::now();
        let shared = Arc::clone(&self.shared);
        let (deadline, before, mut replies) = match &mut self.stop {
            Some(stop) => (stop.deadline, stop.sent, take(&mut stop.replies)),
            None => (now, shared.account.sent.read(), Vec::new()),
        };
        let unacknowledged = self.hand_over();
        if let LinkState::Up(link) = replace(&mut self.route, LinkState::Down { until: now }) {
            let _ = timeout_at(deadline.max(now + CLOSING), link.close()).await;
        }
        let mut commands = replace(&mut self.commands, mpsc::unbounded_channel().1);
        self.is_running = false;
        drop(self);
        commands.close();
        while let Ok(command) = commands.try_recv() {
            if let Command::Stop(_, reply) = command {
                replies.push(reply);
            }
        }
        let report = StopReport::new(shared.stats(), before, unacknowledged);
        // Before the replies: who has one may end the process.
        let end = if replies.is_empty() { End::Abandoned } else { End::Stopped };
        end.tell(&shared, report.kept);
        for reply in replies {
            let _ = reply.send(report);
        }
    }

    /// Leaves what is in flight to the operating system; says how much of it was not
    /// acknowledged.
    fn hand_over(&mut self) -> Tally {
        match &mut self.route {
            LinkState::Up(link) => link.hand_over(&mut self.lines, &self.shared.account),
            _ => Tally::default(),
        }
    }
}

/// Also of a flusher whose runtime ends with it.
impl Drop for Flusher {
    fn drop(&mut self) {
        self.hand_over();
        if self.is_running {
            self.farewell.end = Some(match (self.commands.is_closed(), &self.stop) {
                (true, _) => End::Abandoned,
                (false, Some(_)) => End::Stopped,
                (false, None) => End::Unasked,
            });
        }
    }
}

/// How long nothing comes before the tick ends. Who emits more often pays for no wake-up.
const DORMANT_AFTER: Duration = Duration::from_secs(1);

/// What a link may take to close where no time is left.
const CLOSING: Duration = Duration::from_millis(10);
