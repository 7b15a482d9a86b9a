//! Stream connections to the server: TCP and Unix sockets.

mod line_by_line;
mod probe;

use super::MAX_CALLS_PER_SEND;
#[cfg(unix)]
use super::socket_identity::SocketIdentity;
use super::stall::Stall;
use super::stream_socket::{Socket, refuse_self_connect};
use crate::config::FlusherConfig;
use crate::flush::outbox::Outbox;
use crate::flush::packing::stream::Stream;
#[cfg(target_os = "linux")]
use crate::flush::system::unacknowledged;
use crate::flush::wait::{first_of, only_if, time};
use crate::options::Delivery;
use crate::tally::Tally;
use line_by_line::LineByLine;
use probe::Probe;
use socket2::SockRef;
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::pin::pin;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep_until, timeout};

/// Maximum number of memory slices that one vectored write passes to a stream socket.
const SLICES: usize = 64;

/// Maximum time that a closing connection waits until the server closes its side too. The deadline
/// of a stop can end the wait earlier.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum time to wait for the next acknowledgement after the server has closed its sending side.
/// A server that only stopped writing still acknowledges, and a server that is gone answers with a
/// reset.
const HALF_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum number of unsent bytes that the operating system accepts for a connection: the socket
/// option `TCP_NOTSENT_LOWAT`. Further lines wait in the flusher.
///
/// Room below the limit is also the only event of the socket that follows an acknowledgement.
#[cfg(target_os = "linux")]
const NOTSENT_LOWAT: u32 = 256 << 10;

/// Minimum interval at which the flusher asks the operating system for new acknowledgements. No
/// event of the socket reports them.
const ACK_POLL_MIN: Duration = Duration::from_millis(1);

/// Maximum interval at which the flusher asks the operating system for new acknowledgements.
const ACK_POLL_MAX: Duration = Duration::from_millis(64);

/// Pause before the flusher reads again from a server that sends more than the flusher discards at
/// once.
///
/// The socket of such a server is always readable. If the flusher waited for that, it would never
/// give way to its runtime, and no timer of it would run.
const READ_PAUSE: Duration = Duration::from_millis(1);

pub(in crate::flush) struct Connection {
    socket: Socket,
    stream: Stream,
    delivery: Delivery,
    /// Next query of the operating system for acknowledgements, or `None` if there is nothing to
    /// wait for.
    ack_poll: Option<AckPoll>,
    stall: Stall,
    /// Probe that precedes the lines of this connection, or `None` if it is over or not needed.
    probe: Option<Probe>,
    /// Set once the server's side has acknowledged a line on this connection.
    has_acknowledged: bool,
    /// State of sending lines one by one, to find a line on which the server closes the connection.
    /// `None` in normal operation.
    line_by_line: Option<LineByLine>,
    /// Identity of the Unix socket's file, taken just before the connect, to detect another server
    /// at the same path. `None` over TCP.
    #[cfg(unix)]
    identity: Option<SocketIdentity>,
    /// Time until which the next acknowledgement must arrive. Set once the server has closed its
    /// sending side.
    half_close_deadline: Option<Instant>,
    /// Time of the next read, or `None` if the flusher has read all that the server sent, and waits
    /// for more.
    next_read: Option<Instant>,
}

/// Scheduled query of the operating system for the number of unacknowledged bytes.
#[derive(Clone, Copy)]
struct AckPoll {
    at: Instant,
    /// Time from the query before it to this query. It grows from query to query.
    interval: Duration,
}

impl Connection {
    pub(super) async fn to(address: SocketAddr, settings: &FlusherConfig) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        refuse_self_connect(SockRef::from(&stream))?;
        // The options are not essential, and some systems lack one of them.
        // Writes are as large as possible. A small write has waited for the flush interval.
        let _ = stream.set_nodelay(true);
        #[cfg(target_os = "linux")]
        {
            let socket = SockRef::from(&stream);
            let _ = socket.set_tcp_user_timeout(Some(settings.peer_timeout));
            let _ = socket.set_tcp_notsent_lowat(NOTSENT_LOWAT);
        }
        Ok(Self::new(Socket::Tcp(stream), settings))
    }

    #[cfg(unix)]
    pub(super) async fn to_path(path: &Path, settings: &FlusherConfig) -> io::Result<Self> {
        // Taken before the connect: a server that takes the path meanwhile is another one.
        let identity = SocketIdentity::at(path);
        let stream = UnixStream::connect(path).await?;
        Ok(Self { identity, ..Self::new(Socket::Unix(stream), settings) })
    }

    fn new(socket: Socket, settings: &FlusherConfig) -> Self {
        let stream = Stream::new(settings.framing, settings.max_datagram_payload);
        Self {
            socket,
            stream,
            delivery: settings.delivery,
            ack_poll: None,
            stall: Stall::new(settings),
            probe: None,
            has_acknowledged: false,
            line_by_line: None,
            #[cfg(unix)]
            identity: None,
            half_close_deadline: None,
            next_read: None,
        }
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.stall.is_timed_out()
    }

    pub(super) fn is_up(&self) -> bool {
        !self.is_stalled() && !self.probe.as_ref().is_some_and(Probe::is_probation)
    }

    /// Returns true if this is a TCP connection on which the server's operating system has
    /// acknowledged a line. The server may not have read it.
    pub(super) fn has_acknowledged_unread(&self) -> bool {
        self.has_acknowledged && matches!(self.socket, Socket::Tcp(_))
    }

    pub(super) async fn ready(&self, to_send: bool) -> io::Result<()> {
        let is_blocked = self.line_by_line.as_ref().is_some_and(LineByLine::is_blocked);
        let is_writing = match &self.probe {
            Some(probe) => !probe.is_sent(),
            None => to_send && !is_blocked,
        };
        let is_reading = self.next_read.is_none();
        let interest = match (is_reading, is_writing) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, _) => Interest::WRITABLE,
        };
        let is_awaited = self.half_close_deadline.is_none() && (is_reading || is_writing);
        let timers = async {
            let ack_poll = time(self.ack_poll.map(|poll| poll.at));
            let next_read = time(self.next_read);
            first_of([pin!(ack_poll), pin!(self.stall.next_check()), pin!(next_read)]).await;
            Ok(())
        };
        first_of([pin!(only_if(is_awaited, self.socket.ready(interest))), pin!(timers)]).await
    }

    pub(super) fn send(&mut self, outbox: &mut Outbox) -> io::Result<()> {
        let before = outbox.lines().consumed();
        self.write_and_acknowledge(outbox)?;
        let is_outstanding = outbox.in_flight() > 0 || outbox.has_unsent();
        self.stall.record(outbox.lines().consumed() > before, is_outstanding);
        #[cfg_attr(not(unix), expect(unused_variables))]
        let is_check_due = self.stall.take_due_check();
        #[cfg(unix)]
        if is_check_due
            && self.stall.is_timed_out()
            && self.identity.as_ref().is_some_and(SocketIdentity::was_replaced)
        {
            return Err(io::Error::new(ErrorKind::TimedOut, "another server has taken the path"));
        }
        Ok(())
    }

    fn write_and_acknowledge(&mut self, outbox: &mut Outbox) -> io::Result<()> {
        // A write to a closed peer succeeds once, and its lines are lost. So check before it.
        match self.check_open() {
            Ok(()) => self.write(outbox)?,
            Err(end) if end.kind() == ErrorKind::UnexpectedEof => {
                return self.acknowledge_after_half_close(outbox, end);
            }
            Err(error) => return Err(error),
        }
        self.acknowledge(outbox)
    }

    /// Collects the last acknowledgements of a server that has closed its sending side. Returns the
    /// error `end` once no byte is unacknowledged, or no acknowledgement came in time.
    fn acknowledge_after_half_close(
        &mut self,
        outbox: &mut Outbox,
        end: io::Error,
    ) -> io::Result<()> {
        (self.line_by_line, self.probe) = (None, None);
        let before = outbox.in_flight();
        self.acknowledge(outbox)?;
        let now = Instant::now();
        let deadline = match self.half_close_deadline {
            Some(deadline) if outbox.in_flight() == before => deadline,
            _ => now + HALF_CLOSE_TIMEOUT,
        };
        self.half_close_deadline = Some(deadline);
        if self.ack_poll.is_none() || now >= deadline {
            return Err(end);
        }
        self.socket.reference().take_error()?.map_or(Ok(()), Err)
    }

    fn write(&mut self, outbox: &mut Outbox) -> io::Result<()> {
        if !self.advance_probe()? {
            return Ok(());
        }
        if self.line_by_line.is_some() {
            return self.write_line_by_line(outbox);
        }
        for _ in 0..MAX_CALLS_PER_SEND {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.stream.next(outbox.lines(), &mut slices);
            if filled == 0 {
                break;
            }
            match self.socket.try_write_vectored(&slices[..filled]) {
                Ok(count) => outbox.mark_sent(self.stream.on_written(count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            // Acknowledged lines release blocks to the threads.
            self.acknowledge(outbox)?;
        }
        Ok(())
    }

    /// Releases the lines that the server's side has acknowledged, and counts them as sent.
    ///
    /// # Errors
    /// An error means that the other side can receive no more.
    fn acknowledge(&mut self, outbox: &mut Outbox) -> io::Result<()> {
        if outbox.in_flight() == 0 {
            let check = self.probe.as_ref().and_then(Probe::next_check);
            self.ack_poll = check.map(|at| AckPoll { at, interval: ACK_POLL_MIN });
            return Ok(());
        }
        let unacknowledged = self.unacknowledged()?;
        let arrived = self.stream.acknowledge(outbox.lines(), unacknowledged);
        if arrived.lines > 0 {
            self.has_acknowledged = true;
            // The server took the next line. So it closed the connection on the quarantined ones.
            outbox.reject_quarantined();
        }
        outbox.acknowledge(arrived);
        if outbox.in_flight() == 0
            && let Some(line_by_line) = &mut self.line_by_line
        {
            line_by_line.on_all_acknowledged();
        }
        self.ack_poll =
            (unacknowledged > 0).then(|| AckPoll::next(self.ack_poll, arrived.lines > 0));
        Ok(())
    }

    /// Returns the number of unsent bytes of lines in the incomplete frame (lines with a length
    /// prefix). They must be sent next, since the frame's header has announced them.
    pub(super) fn committed(&self) -> usize {
        self.stream.committed()
    }

    /// Leaves the bytes in flight to the operating system, which continues to deliver them after
    /// the flusher ends. The lines that the operating system has accepted whole count as sent.
    ///
    /// Returns these lines. Returns nothing if the connection is gone and they with it: they stay
    /// in flight, and are requeued.
    pub(super) fn hand_over(&mut self, outbox: &mut Outbox) -> Tally {
        let is_gone = |socket: SockRef<'_>| !matches!(socket.take_error(), Ok(None));
        if self.acknowledge(outbox).is_err() || is_gone(self.socket.reference()) {
            return Tally::default();
        }
        if outbox.has_quarantined() {
            // The quarantined lines are older and are kept, and so is the line after them.
            return Tally::default();
        }
        let whole = self.stream.acknowledge(outbox.lines(), 0);
        outbox.acknowledge(whole);
        whole
    }

    /// Gives up a broken connection. Over TCP, releases the lines that arrived, and prepares a
    /// reset if others are in flight, since the next connection sends these again.
    pub(super) fn abandon(&mut self, outbox: &mut Outbox) {
        // A Unix stream whose server is gone does not say what was read: see `unacknowledged`.
        if let Socket::Tcp(_) = self.socket {
            let _ = self.acknowledge(outbox);
            // After an orderly close the operating system would continue to deliver.
            if self.ack_poll.is_some() {
                let _ = self.socket.reference().set_linger(Some(Duration::ZERO));
            }
        }
    }

    /// Returns the number of written bytes that the server's side has not acknowledged; these are
    /// the last ones. Over TCP, the server's kernel acknowledges bytes. On a Unix stream, bytes
    /// count as acknowledged once the server reads them. Returns 0 if the delivery setting requires
    /// no acknowledgement.
    fn unacknowledged(&self) -> io::Result<usize> {
        match self.delivery {
            #[cfg(target_os = "linux")]
            Delivery::Acknowledged => {
                let socket = self.socket.reference();
                let unacknowledged = unacknowledged(&socket).unwrap_or(0);
                // Bytes that the server of a Unix stream leaves unread vanish with it, and would
                // count as read. But the error of the socket is set before that.
                if self.socket.is_unix()
                    && let Some(error) = socket.take_error()?
                {
                    return Err(error);
                }
                Ok(unacknowledged)
            }
            _ => Ok(0),
        }
    }

    /// Returns `UnexpectedEof` if the server has closed its sending side. Discards bytes that the
    /// server sent, since a StatsD client expects none.
    fn check_open(&mut self) -> io::Result<()> {
        self.next_read = None;
        // This asks the operating system. tokio's `try_read` knows of an end only after its reactor
        // has run, which may be after the write whose lines would be lost.
        let mut discarded = [MaybeUninit::uninit(); 4 << 10];
        let socket = self.socket.reference();
        for _ in 0..MAX_CALLS_PER_SEND {
            match socket.recv(&mut discarded) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // This tells tokio that nothing is left, so that it waits for more.
        match self.socket.try_read(&mut [0]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {
                self.next_read = Some(Instant::now() + READ_PAUSE);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn close(mut self) {
        // If the server sends bytes to a socket that is gone, or that holds unread bytes, a reset
        // answers them. A reset discards what the server has not read yet, and ends the process of
        // some servers. So wait until the server closes its side.
        let closed = async {
            self.socket.shutdown()?;
            while self.check_open().is_ok() {
                match self.next_read {
                    Some(at) => sleep_until(at).await,
                    None => self.socket.ready(Interest::READABLE).await?,
                }
            }
            io::Result::Ok(())
        };
        let _ = timeout(CLOSE_TIMEOUT, closed).await;
    }
}

impl AckPoll {
    /// Returns the query for acknowledgements that follows `last`. The interval doubles while no
    /// line is acknowledged.
    fn next(last: Option<Self>, has_progress: bool) -> Self {
        let now = Instant::now();
        match last {
            // A write polls too, but before the time.
            Some(last) if !has_progress && now < last.at => last,
            Some(last) if !has_progress => {
                let interval = ACK_POLL_MAX.min(last.interval * 2);
                Self { at: now + interval, interval }
            }
            _ => Self { at: now + ACK_POLL_MIN, interval: ACK_POLL_MIN },
        }
    }
}
