//! Connections: TCP, and streams to Unix sockets.

mod singly;

#[cfg(unix)]
use super::place::Place;
use super::stall::Stall;
#[cfg(target_os = "linux")]
use super::unacknowledged::unacknowledged;
use super::{NO_SIGNAL, TURN};
use crate::config::FlusherConfig;
use crate::handoff::{Consumer, Tally};
use crate::options::Delivery;
use crate::send::stream::Stream;
use crate::stats::Account;
use bytes::Buf;
use singly::Singly;
use socket2::SockRef;
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep_until, timeout};

/// Slices for one write: what the operating system takes at once.
const SLICES: usize = 64;

/// How long to wait for the server's end after our own. Most end at once; the deadline of the
/// stop comes first in any case.
const LINGER: Duration = Duration::from_secs(1);

/// How long to wait, after the server's end and from one to the next, for acknowledgements of
/// what was under way: from a server that only writes no more they come, from one that is gone
/// a reset does.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How much the operating system takes beyond what the network does. The rest waits here as well; and
/// that it takes more tells of what was acknowledged, of which nothing else does.
#[cfg(target_os = "linux")]
const NOT_SENT: u32 = 256 << 10;

/// Between looks at what was acknowledged, of which nobody tells: at first, and at most.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LATER_LOOKS: Duration = Duration::from_millis(64);

pub(in crate::send) struct Connection {
    socket: Socket,
    stream: Stream,
    delivery: Delivery,
    /// While something is unacknowledged: when to look again, and how long that is from the
    /// look before.
    look: Option<(Instant, Duration)>,
    stall: Stall,
    /// Lines go one by one.
    singly: Option<Singly>,
    /// At a path: where it led when this was connected.
    #[cfg(unix)]
    place: Option<Place>,
    /// The server has ended its side: until when to wait for its last acknowledgements.
    ended: Option<Instant>,
}

/// On this machine a port that nobody listens at can be given to the caller itself, which is then
/// connected to itself. It ends by a reset: what an orderly end leaves behind would keep the server
/// from its port for a minute.
fn refuse_self(socket: SockRef<'_>) -> io::Result<()> {
    if socket.local_addr()? == socket.peer_addr()? {
        socket.set_linger(Some(Duration::ZERO))?;
        return Err(ErrorKind::ConnectionRefused.into());
    }
    Ok(())
}

impl Connection {
    pub(super) async fn to(address: SocketAddr, settings: &FlusherConfig) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        refuse_self(SockRef::from(&stream))?;
        // Writes are as large as can be; what is small was waited for long enough.
        stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        {
            let socket = SockRef::from(&stream);
            socket.set_tcp_user_timeout(Some(settings.peer_timeout))?;
            socket.set_tcp_notsent_lowat(NOT_SENT)?;
        }
        Ok(Self::new(Socket::Tcp(stream), settings))
    }

    #[cfg(unix)]
    pub(super) async fn to_path(path: &Path, settings: &FlusherConfig) -> io::Result<Self> {
        // Before: whoever takes the path meanwhile is another one.
        let place = Place::of(path);
        let stream = UnixStream::connect(path).await?;
        Ok(Self { place, ..Self::new(Socket::Unix(stream), settings) })
    }

    fn new(socket: Socket, settings: &FlusherConfig) -> Self {
        let stream = Stream::new(settings.framing, settings.max_datagram_payload);
        Self {
            socket,
            stream,
            delivery: settings.delivery,
            look: None,
            stall: Stall::new(settings),
            singly: None,
            #[cfg(unix)]
            place: None,
            ended: None,
        }
    }

    /// Whether it is known to lead somewhere, as far as can be told.
    pub(super) fn is_up(&self) -> bool {
        !self.stall.is_long()
    }

    pub(super) async fn ready(&self, to_send: bool) -> io::Result<()> {
        let news = Interest::READABLE;
        let is_held = self.singly.as_ref().is_some_and(Singly::is_held);
        let interest = if to_send && !is_held { news | Interest::WRITABLE } else { news };
        let look = self.look.map_or_else(Instant::now, |(at, _)| at);
        tokio::select! {
            ready = self.socket.ready(interest), if self.ended.is_none() => ready,
            () = sleep_until(look), if self.look.is_some() => Ok(()),
            () = self.stall.wait() => Ok(()),
        }
    }

    pub(super) fn send(&mut self, lines: &mut Consumer, account: &Account) -> io::Result<()> {
        let before = lines.consumed();
        self.exchange(lines, account)?;
        let is_left = lines.in_flight() > 0 || lines.has_remaining();
        self.stall.note(lines.consumed() > before, is_left);
        #[cfg_attr(not(unix), expect(unused_variables))]
        let is_due = self.stall.is_due();
        #[cfg(unix)]
        if is_due && self.stall.is_long() && self.place.as_ref().is_some_and(Place::is_anothers) {
            return Err(io::Error::new(ErrorKind::TimedOut, "another server has taken the path"));
        }
        Ok(())
    }

    fn exchange(&mut self, lines: &mut Consumer, account: &Account) -> io::Result<()> {
        // A write to a closed peer succeeds once and is lost: look first.
        match self.look_for_end() {
            Ok(()) => self.write(lines, account)?,
            Err(end) if end.kind() == ErrorKind::UnexpectedEof => {
                self.singly = None;
                let before = lines.in_flight();
                self.acknowledge(lines, account)?;
                let now = Instant::now();
                let until = match self.ended {
                    Some(until) if lines.in_flight() == before => until,
                    _ => now + LAST_WORDS,
                };
                self.ended = Some(until);
                if self.look.is_none() || now >= until {
                    return Err(end);
                }
                return self.socket.reference().take_error()?.map_or(Ok(()), Err);
            }
            Err(error) => return Err(error),
        }
        self.acknowledge(lines, account)
    }

    fn write(&mut self, lines: &mut Consumer, account: &Account) -> io::Result<()> {
        if self.singly.is_some() {
            return self.write_singly(lines, account);
        }
        for _ in 0..TURN {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.stream.next(lines, &mut slices);
            if filled == 0 {
                break;
            }
            match self.socket.try_write_vectored(&slices[..filled]) {
                Ok(count) => self.stream.wrote(lines, count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            // What is acknowledged by now makes room for the threads.
            self.acknowledge(lines, account)?;
        }
        Ok(())
    }

    /// Lets go of the lines that the other side has, and counts them as sent. An error says that
    /// it can have no more.
    fn acknowledge(&mut self, lines: &mut Consumer, account: &Account) -> io::Result<()> {
        if lines.in_flight() == 0 {
            let look = self.singly.as_ref().and_then(Singly::look);
            self.look = look.map(|at| (at, FIRST_LOOK));
            return Ok(());
        }
        let unacknowledged = self.unacknowledged()?;
        let arrived = self.stream.arrived(lines, unacknowledged);
        if arrived.lines > 0 {
            self.reject_what_lies_aside(lines, account);
        }
        lines.acknowledge(arrived.bytes as usize);
        account.sent.add(arrived);
        if lines.in_flight() == 0
            && let Some(singly) = &mut self.singly
        {
            singly.go_on();
        }
        let now = Instant::now();
        self.look = (unacknowledged > 0).then(|| match self.look {
            // A write looks too, but before the time.
            Some((at, pause)) if arrived.lines == 0 && now < at => (at, pause),
            Some((_, pause)) if arrived.lines == 0 => {
                let pause = LATER_LOOKS.min(pause * 2);
                (now + pause, pause)
            }
            _ => (now + FIRST_LOOK, FIRST_LOOK),
        });
        Ok(())
    }

    /// The server took the next line: what it went away on before is given up.
    fn reject_what_lies_aside(&mut self, lines: &mut Consumer, account: &Account) {
        if lines.quarantined() == 0 {
            return;
        }
        lines.discard_quarantined(|runs| {
            let bytes = || runs.iter().flat_map(|run| run.iter().copied());
            let newlines = bytes().filter(|byte| *byte == b'\n').count() as u64;
            let size = runs.iter().map(|run| run.len() as u64).sum();
            let first = bytes().take_while(|byte| *byte != b'\n');
            account.reject(Tally { lines: newlines, bytes: size }, first);
        });
    }

    pub(super) fn begun(&self) -> usize {
        self.stream.begun()
    }

    /// Leaves what is in flight to the operating system, which goes on delivering it: the lines
    /// that it has whole count as sent. Says which these are. None where the connection is gone,
    /// and they with it: they stay in flight, to be recalled.
    pub(super) fn hand_over(&mut self, lines: &mut Consumer, account: &Account) -> Tally {
        let is_gone = |socket: SockRef<'_>| !matches!(socket.take_error(), Ok(None));
        if self.acknowledge(lines, account).is_err() || is_gone(self.socket.reference()) {
            return Tally::default();
        }
        if lines.quarantined() > 0 {
            // What is older is kept, and so is the line that it was to be compared with.
            return Tally::default();
        }
        let whole = self.stream.acknowledge(lines, 0);
        account.sent.add(whole);
        whole
    }

    /// Lets go of what the other side has, and sees to it that it gets no more of the rest,
    /// which goes to the next connection.
    pub(super) fn give_up(&mut self, lines: &mut Consumer, account: &Account) {
        // Of a path's server that is gone, nothing more can be learnt: see `unacknowledged`.
        if let Socket::Tcp(_) = self.socket {
            let _ = self.acknowledge(lines, account);
            // Closed in order, it would go on delivering.
            if self.look.is_some() {
                let _ = self.socket.reference().set_linger(Some(Duration::ZERO));
            }
        }
    }

    /// How many of the last bytes the other side is not known to have, as far as that matters.
    /// Over TCP it is its operating system that has them; of a path's server, which has ours, the
    /// server itself.
    fn unacknowledged(&self) -> io::Result<usize> {
        match self.delivery {
            #[cfg(target_os = "linux")]
            Delivery::Acknowledged => {
                let socket = self.socket.reference();
                let unacknowledged = unacknowledged(&socket).unwrap_or(0);
                // What a path's server leaves unread is gone with it, and would look as if it had
                // been read. But the error is there before that.
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

    /// Reads and discards what a server has no reason to send; its end is an error here.
    fn look_for_end(&self) -> io::Result<()> {
        // Asks the operating system itself: tokio's `try_read` knows of an end only once its
        // reactor has run, which may be after the write that is about to be lost.
        let mut discarded = [MaybeUninit::uninit(); 512];
        let socket = self.socket.reference();
        for _ in 0..TURN {
            match socket.recv(&mut discarded) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // And tells tokio that nothing is left, so that it waits for more.
        match self.socket.try_read(&mut [0]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) async fn close(mut self) {
        // Bytes that the server sends to a socket that is gone, or that were left unread in
        // it, would be answered by a reset, which discards what the server has not read yet
        // and ends some servers' process. So wait for the server's own end.
        let until_its_end = async {
            self.socket.shutdown().await?;
            while self.look_for_end().is_ok() {
                self.socket.ready(Interest::READABLE).await?;
            }
            io::Result::Ok(())
        };
        let _ = timeout(LINGER, until_its_end).await;
    }
}

enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    async fn ready(&self, interest: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
            #[cfg(unix)]
            Self::Unix(stream) => stream.ready(interest).await,
        }
        .map(drop)
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let write = || self.reference().send_vectored_with_flags(slices, NO_SIGNAL);
        match self {
            Self::Tcp(stream) => stream.try_io(Interest::WRITABLE, write),
            #[cfg(unix)]
            Self::Unix(stream) => stream.try_io(Interest::WRITABLE, write),
        }
    }

    fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.try_read(bytes),
        }
    }

    #[cfg(target_os = "linux")]
    fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    fn reference(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(stream) => stream.into(),
            #[cfg(unix)]
            Self::Unix(stream) => stream.into(),
        }
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown().await,
            #[cfg(unix)]
            Self::Unix(stream) => stream.shutdown().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};
    use std::net::{Ipv4Addr, TcpListener};

    #[test]
    fn who_was_connected_to_itself_leaves_the_port_to_the_server() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let itself = socket.local_addr().unwrap();
        socket.connect(&itself).unwrap();
        let refused = refuse_self(SockRef::from(&socket)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        drop(socket);
        TcpListener::bind(itself.as_socket().unwrap()).unwrap();
    }
}
