//! End of the flusher: an orderly one, and its drop together with its runtime.

use super::{Flusher, Starter};
use crate::flush::link_state::LinkState;
use crate::flush::pending::Command;
use crate::flush::warnings::{ExitCause, Unsent, warn_of_missing_lines};
use crate::stats::StopReport;
use crate::tally::Tally;
use std::mem::{replace, take};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Minimum time that the flusher allows for closing the connection at a stop, even if the stop's
/// deadline has passed.
const MIN_CLOSE_TIME: Duration = Duration::from_millis(10);

impl Flusher {
    /// Closes the connection, frees the queue of lines for a new flusher, and then replies to the
    /// callers of `stop`. A caller can start a new flusher as soon as it has its reply.
    pub(super) async fn shut_down(mut self) {
        let now = Instant::now();
        let shared = Arc::clone(&self.shared);
        let (deadline, sent_before, mut replies) = match &mut self.pending.stop {
            Some(stop) => (stop.deadline, stop.sent_before, take(&mut stop.replies)),
            None => (now, shared.account.sent.read(), Vec::new()),
        };
        let unacknowledged = self.hand_over();
        if let LinkState::Up(link) = replace(&mut self.link, LinkState::Down { retry_at: now }) {
            let _ = timeout_at(deadline.max(now + MIN_CLOSE_TIME), link.close()).await;
        }
        let mut commands = replace(&mut self.commands, mpsc::unbounded_channel().1);
        self.is_running = false;
        let undrained = self.drain.undrained();
        let mut batch = self.take_due_warnings();
        let mut log_thread = take(&mut self.exit_warning.log_thread);
        drop(self);
        commands.close();
        while let Ok(command) = commands.try_recv() {
            if let Command::Stop { reply, .. } = command {
                replies.push(reply);
            }
        }
        let report = StopReport::new(shared.stats(), sent_before, unacknowledged, undrained);
        // The warnings come before the replies, unless the log takes long: a caller that has its reply
        // may end the process.
        let is_asked_for = !replies.is_empty();
        let cause = if is_asked_for { ExitCause::Stopped } else { ExitCause::HandlesDropped };
        let unsent = Unsent { lines: report.kept, undrained };
        cause.warn(&mut batch, &shared, unsent, unacknowledged);
        warn_of_missing_lines(&mut batch, &shared, true);
        log_thread.log(batch);
        log_thread.wait();
        for reply in replies {
            let _ = reply.send(report);
        }
    }

    /// Leaves the lines in flight to the operating system, which continues to send them after the
    /// flusher ends. Returns the count of lines and bytes that the server has not acknowledged, or
    /// over UDP may still refuse.
    fn hand_over(&mut self) -> Tally {
        match &mut self.link {
            LinkState::Up(link) => link.hand_over(&mut self.outbox),
            _ => Tally::default(),
        }
    }
}

/// Leaves the lines in flight to the operating system, and sets the cause for the exit warning.
/// This also runs when the flusher is dropped together with its runtime.
impl Drop for Flusher {
    fn drop(&mut self) {
        self.exit_warning.unacknowledged = self.hand_over();
        // A caller of a start that no longer waits counts on a flusher that may not have begun.
        let is_relied_on = self.starter.as_ref().is_some_and(Starter::is_closed);
        if self.is_running || is_relied_on {
            self.exit_warning.cause = Some(match (self.commands.is_closed(), &self.pending.stop) {
                (true, _) => ExitCause::HandlesDropped,
                (false, Some(_)) => ExitCause::Stopped,
                (false, None) => ExitCause::RuntimeEnded,
            });
            self.exit_warning.earlier = self.take_due_warnings();
        }
    }
}
