//! The flusher: the task that takes encoded lines from the producer threads and sends them to the
//! server.
//!
//! Its loop waits for the next [`Event`] and handles it. Lines are swept when all lines of the
//! previous sweep are sent. So unsent lines stay in the threads' blocks, where the capacity bounds
//! them.

mod ending;
mod linking;

use super::drain::Drain;
use super::idle::IdleDetector;
use super::interval_clock::IntervalClock;
use super::link_state::{LinkEvent, LinkState};
use super::outbox::Outbox;
use super::pending::{Command, FlushTarget, Pending, PendingFlush, PendingStop};
use super::poison::PoisonDetector;
use super::refusals::RefusalDetector;
use super::shared::Shared;
use super::sweep_schedule::SweepSchedule;
use super::transport::{Link, Resolver};
use super::wait::{first_of, only_if, time};
use super::wake::WakeListener;
use super::warnings::{
    ExitWarning, LinkFailure, unreported_lines, warn_of_failed_lookup, warn_of_missing_lines,
    warn_of_stalled_server,
};
use crate::emit::Consumer;
use crate::error::StartError;
use crate::log_thread::Batch;
use crate::stats::StopReport;
use crate::tally::Tally;
use std::io;
use std::mem::take;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

/// Maximum number of batches of lines that are merged and sent before the flusher looks for other
/// events. They take a few milliseconds.
const MAX_BATCHES: usize = 4;

pub(crate) struct Flusher {
    outbox: Outbox,
    shared: Arc<Shared>,
    commands: mpsc::UnboundedReceiver<Command>,
    link: LinkState,
    /// Number of attempts to connect to the server so far.
    attempts: usize,
    /// Index of the address that a TCP connection tries first, among the addresses of the server's
    /// name.
    first_address: usize,
    resolver: Resolver,
    /// Time at which the current connection to the server was made.
    connected_at: Instant,
    /// Set if the next connection must first show that the server keeps it open, since the last
    /// one ended soon after the server's side had acknowledged lines.
    is_probation_due: bool,
    poison: PoisonDetector,
    refusals: RefusalDetector,
    pending: Pending,
    idle: IdleDetector,
    sweeps: SweepSchedule,
    drain: Drain,
    intervals: IntervalClock,
    next_tick: Instant,
    /// Failure of the connection to the server that the flusher has yet to log. It logs the failure
    /// before it waits for the next event.
    link_failure: Option<LinkFailure>,
    /// Error of a lookup of the server's name that the flusher has yet to log. It connected with
    /// the addresses that an earlier lookup found.
    lookup_failure: Option<io::Error>,
    /// Set by an attempt to send if the server has accepted nothing for the peer timeout. The flusher
    /// then logs a warning before it waits for the next event.
    is_stalled: bool,
    /// Set by each tick of the flusher's timer. The flusher then logs a warning if lines were lost
    /// or dropped, before it waits for the next event.
    is_report_due: bool,
    /// Caller of the start, to which the flusher has not replied yet.
    starter: Option<Starter>,
    /// Set from the flusher's successful start until its orderly end. A drop while it is set can
    /// log a warning.
    is_running: bool,
    /// Logs the flusher's warnings, and others if the flusher is dropped without an orderly end. This
    /// is the last field, so that its drop comes last, when a new flusher can already start.
    exit_warning: ExitWarning,
}

/// Channel to the caller of a start, which waits for the flusher's first reply.
pub(crate) type Starter = oneshot::Sender<Result<(), StartError>>;

/// Event that the flusher task waits for and handles.
enum Event {
    /// Command from the application, or `None` once the application has dropped its last handle of
    /// the client.
    Command(Option<Command>),
    Link(LinkEvent),
    /// A producer thread has signalled that lines wait, while the flusher was still awake.
    Rung,
    /// A producer thread or a signal handler has woken the flusher.
    Woken,
    /// Lines are due to be taken from the producer threads, before the next tick, those of aggregated
    /// metrics are due to be emitted, or the next interval of thinned metrics begins.
    SweepDue,
    Tick,
}

impl Flusher {
    pub(crate) fn new(
        consumer: Consumer,
        shared: Arc<Shared>,
        commands: mpsc::UnboundedReceiver<Command>,
        starter: Starter,
    ) -> Self {
        // The previous flusher may have left it set. ORDERING: Relaxed; the mutex of `Lifecycle`
        // orders it before any thread finds this flusher running.
        shared.connected.store(false, Relaxed);
        // `run` sets all times: the caller may be in another runtime, whose clock may be another one, or
        // on an exiting thread, which has lost tokio's.
        let unset = Instant::from_std(std::time::Instant::now());
        Self {
            outbox: Outbox::of(&shared, consumer),
            commands,
            link: LinkState::Down { retry_at: unset },
            attempts: 0,
            first_address: 0,
            resolver: Resolver::new(&shared.settings.endpoint.target),
            connected_at: unset,
            is_probation_due: false,
            poison: PoisonDetector::default(),
            refusals: RefusalDetector::default(),
            pending: Pending::default(),
            idle: IdleDetector::default(),
            sweeps: SweepSchedule::new(
                shared.settings.sweep_budget,
                shared.settings.flush_interval,
            ),
            drain: Drain::new(&shared),
            intervals: IntervalClock::new(&shared),
            next_tick: unset,
            link_failure: None,
            lookup_failure: None,
            is_stalled: false,
            is_report_due: false,
            starter: Some(starter),
            is_running: false,
            exit_warning: ExitWarning::new(&shared),
            shared,
        }
    }

    /// Runs the flusher until the application stops it or drops its last handle of the client.
    /// First replies to the caller of the start.
    pub(crate) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let now = Instant::now();
        self.next_tick = now;
        self.link = LinkState::Down { retry_at: now };
        self.connected_at = now;
        self.sweeps.restart(self.outbox.lines().swept());
        self.drain.restart_schedule();
        self.intervals.restart_schedule();
        // These panic if the runtime has no timer or I/O driver. Then `starter` is dropped, and the
        // start fails.
        sleep_until(self.next_tick).await;
        Link::try_driver().await;
        let listener = match shared.wake.listen() {
            Ok(listener) => listener,
            Err(error) => return self.refuse(StartError::Descriptor(error)),
        };
        self.is_running = true;
        if let Some(starter) = self.starter.take() {
            let _ = starter.send(Ok(()));
        }
        loop {
            let is_stop_complete = self.complete_pending();
            self.warn();
            if is_stop_complete {
                break;
            }
            let Some(event) = self.next_event(&listener).await else { break };
            self.handle(event);
        }
        // Before the replies, after which a caller may start the connector again: an event loop takes
        // a descriptor once.
        drop(listener);
        self.shut_down().await;
    }

    /// Ends a flusher that cannot start, and then replies to the caller of the start. If the caller
    /// no longer waits, a warning is logged instead.
    pub(crate) fn refuse(mut self, error: StartError) {
        let starter = self.starter.take_if(|starter| !starter.is_closed());
        drop(self);
        if let Some(starter) = starter {
            let _ = starter.send(Err(error));
        }
    }

    /// Waits for the next event. Returns `None` once the deadline of a pending stop has passed.
    async fn next_event(&mut self, listener: &WakeListener) -> Option<Event> {
        let to_send = self.outbox.has_unsent() || self.outbox.can_refill();
        let stopping = self.pending.stop.as_ref().map(|stop| stop.deadline);
        // From here on the next ring wakes the flusher, unless the bell was rung since it
        // was last cleared. A ring between two bursts waits for the next one, since the flusher cannot
        // send earlier. Each burst also drains the ordered queue.
        let rung = !self.ignores_rings() && !self.outbox.input().prepare_park();
        let dormant = self.idle.is_dormant();
        let (wake_at, due) = self.next_timer();
        let command = only_if(stopping.is_none(), self.commands.recv());
        let link = self.link.next_event(to_send, dormant);
        first_of([
            pin!(async { Some(Event::Command(command.await)) }),
            pin!(async {
                time(stopping).await;
                None
            }),
            pin!(async { Some(Event::Link(link.await)) }),
            // Before the rings, which may come without pause. A dormant flusher has no timer, which
            // would wake it.
            pin!(async {
                time((!dormant).then_some(wake_at)).await;
                Some(due)
            }),
            pin!(async {
                only_if(rung, yield_now()).await;
                Some(Event::Rung)
            }),
            pin!(async {
                listener.notified().await;
                Some(Event::Woken)
            }),
        ])
        .await
    }

    /// Returns true if the flusher cannot do anything for a thread that rings, and wakes soon by itself.
    fn ignores_rings(&self) -> bool {
        let evicts = self.shared.settings.max_full_blocks.is_some();
        self.link.is_between_bursts() && !evicts
    }

    /// Returns the time at which the flusher wakes by itself, and the event that is due then.
    fn next_timer(&mut self) -> (Instant, Event) {
        let next_sweep = self.sweeps.next_sweep().into_iter();
        let next_sweep = next_sweep.chain(self.drain.due()).chain(self.intervals.due()).min();
        match next_sweep {
            Some(at) if at < self.next_tick && self.can_sweep() => (at, Event::SweepDue),
            _ => (self.next_tick, Event::Tick),
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Command(command) => self.handle_command(command),
            Event::Link(event) => self.on_link_event(event),
            Event::Rung => self.on_ring(),
            Event::Woken if self.idle.is_dormant() => {
                self.idle.reset();
                self.sweeps.restart(self.outbox.input().swept());
                self.drain.restart_schedule();
                self.intervals.restart_schedule();
                self.schedule_tick();
            }
            Event::Woken => self.on_ring(),
            Event::SweepDue => {
                self.intervals.advance_if_due();
                self.sweep();
            }
            Event::Tick => self.on_tick(),
        }
    }

    /// Takes more lines from the producer threads if a pending flush or stop waits for them and no
    /// line is unsent. Replies to completed flushes. Returns true if a pending stop is complete.
    fn complete_pending(&mut self) -> bool {
        // While lines are unsent, newer ones stay where the capacity bounds them.
        if self.outbox.is_all_sent() && self.pending.wants_sweep() {
            let drains = self.link.is_up();
            self.take_lines();
            let is_drained =
                if drains { self.drain.is_complete() } else { !self.drain.has_undrained() };
            self.pending.on_sweep(&self.outbox, is_drained);
            self.send();
            self.evict_to_limit();
        }
        self.pending.complete_flushes(&self.outbox);
        self.pending.is_stop_complete(&self.outbox)
    }

    fn handle_command(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Flush(reply)) => {
                let target = FlushTarget::now(&self.outbox);
                self.pending.add_flush(PendingFlush { target, reply });
            }
            Some(Command::Stop { sent_before, reply }) => self.begin_stop(sent_before, vec![reply]),
            None => self.begin_stop(self.shared.account.sent.read(), Vec::new()),
        }
    }

    fn begin_stop(&mut self, sent_before: Tally, replies: Vec<oneshot::Sender<StopReport>>) {
        let now = Instant::now();
        let deadline = now + self.shared.settings.stop_timeout;
        let target = FlushTarget::now(&self.outbox);
        self.pending.stop = Some(PendingStop { deadline, sent_before, target, replies });
        if let LinkState::Down { retry_at } = &mut self.link {
            *retry_at = now;
        }
    }

    /// Logs the warnings that are due, without waiting for the log: lines may be due too, and the
    /// application may drive the flusher within a call that the log waits for. While earlier warnings
    /// are being logged, the new ones stay due.
    fn warn(&mut self) {
        if self.has_due_warnings() && !self.exit_warning.log_thread.is_busy() {
            let batch = self.take_due_warnings();
            self.exit_warning.log_thread.log(batch);
        }
    }

    fn has_due_warnings(&self) -> bool {
        self.link_failure.is_some()
            || self.lookup_failure.is_some()
            || self.is_stalled
            || self.is_report_due
    }

    fn take_due_warnings(&mut self) -> Batch {
        let mut batch = Batch::default();
        if let Some(failure) = self.link_failure.take() {
            failure.warn(&mut batch, &self.shared);
        }
        if let Some(error) = self.lookup_failure.take() {
            warn_of_failed_lookup(&mut batch, &self.shared, error);
        }
        if take(&mut self.is_stalled) {
            warn_of_stalled_server(&mut batch, &self.shared);
        }
        if take(&mut self.is_report_due) {
            warn_of_missing_lines(&mut batch, &self.shared, false);
        }
        batch
    }

    fn on_tick(&mut self) {
        self.intervals.advance_if_due();
        if self.can_sweep() {
            self.sweep();
        } else {
            self.outbox.drain_ordered();
        }
        // Such warnings wait for the log. A dormant flusher could log neither them nor drops that the
        // rate limit holds back.
        let is_log_busy = self.has_due_warnings();
        self.is_report_due = true;
        self.schedule_tick();
        let is_report_pending = unreported_lines(&self.shared, &self.shared.stats()) > 0;
        let is_pending = is_log_busy || is_report_pending || !self.pending.is_empty();
        let has_work = || self.drain.has_undrained() || self.intervals.is_used();
        self.idle.on_tick(&self.outbox, is_pending, has_work);
        if self.idle.is_dormant() {
            self.intervals.on_dormant();
        }
    }

    fn schedule_tick(&mut self) {
        self.next_tick = Instant::now() + self.shared.settings.flush_interval;
    }

    /// Handles the signal of a producer thread that blocks of lines are full, or that records
    /// (gauges and service checks) wait in the ordered queue. Takes all lines if they can be sent
    /// now, or if the setting discards old lines to make room. Otherwise takes only the records.
    fn on_ring(&mut self) {
        if self.can_sweep() || self.shared.settings.max_full_blocks.is_some() {
            self.sweep();
        } else {
            self.outbox.input().clear_bell();
            self.outbox.drain_ordered();
        }
    }

    /// Returns true if the flusher is connected and all lines taken from the producer threads are
    /// sent, so that it may take more.
    fn can_sweep(&self) -> bool {
        self.outbox.is_ready_to_sweep() && self.link.is_up()
    }

    /// Takes all lines that the producer threads have published, without sending them. First emits the
    /// lines of aggregated metrics if they are due, or if a flush or stop waits for them. Without a
    /// connection these metrics keep their numbers.
    fn take_lines(&mut self) {
        let is_due = self.drain.due().is_some_and(|due| due <= Instant::now());
        if self.link.is_up() && (is_due || self.pending.wants_sweep()) {
            self.drain.run();
        }
        self.outbox.sweep();
        self.sweeps.on_sweep(self.outbox.input().swept());
    }

    fn sweep(&mut self) {
        self.take_lines();
        self.send();
        self.evict_to_limit();
    }

    /// Evicts the oldest lines to make room for newer ones, if the setting is
    /// `WhenFull::DropOldest`.
    ///
    /// Called after each sweep, and after lines in flight became unsent: a thread that finds no
    /// block does not ring for one.
    fn evict_to_limit(&mut self) {
        if let Some(max_blocks) = self.shared.settings.max_full_blocks {
            self.outbox.evict_to_limit(max_blocks, self.link.committed());
        }
    }

    fn send(&mut self) {
        let LinkState::Up(link) = &mut self.link else { return };
        let unpaced = self.pending.stop.as_ref().is_some_and(|stop| stop.is_urgent(Instant::now()));
        self.outbox.refill();
        let mut result = link.send(&mut self.outbox, unpaced);
        for _ in 1..MAX_BATCHES {
            if result.is_err() || !self.outbox.refill() {
                break;
            }
            result = link.send(&mut self.outbox, unpaced);
        }
        match result {
            Ok(()) => {
                self.is_stalled = link.is_stalled();
                // ORDERING: Relaxed. A statistic; it publishes nothing.
                self.shared.connected.store(link.is_up(), Relaxed);
            }
            Err(error) => self.go_down(error),
        }
    }
}
