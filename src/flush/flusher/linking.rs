//! Link of the flusher: connecting to the server, what its events change, and its failure.

use super::Flusher;
use crate::flush::link_state::{LinkEvent, LinkState, jittered};
use crate::flush::transport::Link;
use crate::flush::warnings::LinkFailure;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::Instant;

/// Time for which the server must keep a connection open before it carries lines, if the last one
/// ended soon after the server's side had acknowledged lines. The connect timeout is the limit if it
/// is shorter.
///
/// A proxy closes the connection in this time if its server refuses connections.
const MAX_PROBATION: Duration = Duration::from_millis(250);

impl Flusher {
    pub(super) fn on_link_event(&mut self, event: LinkEvent) {
        if let LinkEvent::Connected(_) | LinkEvent::Failed(_) = &event {
            self.lookup_failure = self.resolver.take_unreported().or(self.lookup_failure.take());
        }
        match event {
            LinkEvent::RetryDue => self.connect(),
            LinkEvent::Connected(link) => self.on_connected(link),
            LinkEvent::Ready => {
                self.send();
                if self.ignores_rings() {
                    self.outbox.drain_ordered();
                }
            }
            LinkEvent::Failed(error) => self.go_down(error),
        }
    }

    fn connect(&mut self) {
        let shared = Arc::clone(&self.shared);
        let (attempt, first_address) = (self.attempts, self.first_address);
        let resolver = self.resolver.clone();
        self.attempts += 1;
        let attempt = async move {
            let settings = &shared.settings;
            Link::connect(settings, &resolver, attempt, first_address).await.map(Box::new)
        };
        self.link = LinkState::Connecting(Box::pin(attempt));
    }

    fn on_connected(&mut self, mut link: Box<Link>) {
        if self.is_probation_due {
            link.begin_probation(self.probation());
        }
        link.send_line_by_line_until(self.poison.on_connect(&mut self.outbox), &self.outbox);
        link.single_out(&self.refusals);
        self.link = LinkState::Up(link);
        self.connected_at = Instant::now();
        // ORDERING: Relaxed. A statistic; it publishes nothing.
        self.shared.account.connections.fetch_add(1, Relaxed);
        // Unsent lines go first. Newer lines stay where the capacity bounds them.
        if self.outbox.is_all_sent() {
            self.take_lines();
        }
        self.send();
        self.evict_to_limit();
    }

    /// Returns the time for which the server must keep a connection on probation open.
    fn probation(&self) -> Duration {
        MAX_PROBATION.min(self.shared.settings.connect_timeout)
    }

    pub(super) fn go_down(&mut self, error: io::Error) {
        let probation = self.probation();
        if let LinkState::Up(link) = &mut self.link {
            link.abandon(&mut self.outbox, &mut self.poison, &mut self.refusals);
            // An address that closes its connections at once, or that never acknowledges, is not
            // tried first again.
            let lasted = self.connected_at.elapsed();
            let is_short = lasted < self.shared.settings.connect_timeout;
            let timed_out = error.kind() == io::ErrorKind::TimedOut;
            self.first_address += usize::from(is_short || timed_out);
            // A connection that carried no line proves neither.
            self.is_probation_due = (self.is_probation_due || link.has_acknowledged_unread())
                && lasted < self.shared.settings.connect_timeout + probation;
        }
        // ORDERING: Relaxed, as above.
        self.shared.connected.store(false, Relaxed);
        let retry_in = jittered(self.shared.settings.reconnect_sleep);
        let now = Instant::now();
        self.link = LinkState::Down { retry_at: now + retry_in };
        if let Some(failure) = LinkFailure::new(&self.shared, error, retry_in) {
            self.link_failure = Some(failure);
        }
        // Requeued lines may hold all blocks. Then no thread can seal one, and none rings.
        self.evict_to_limit();
    }
}
