/// UDP server that receives the lines of the examples in the documentation.
pub(crate) struct Server(std::net::UdpSocket);

impl Server {
    /// Starts a UDP server at a free port of 127.0.0.1.
    pub(crate) fn start() -> Self {
        Self(std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port"))
    }

    /// Returns the port of the UDP server.
    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().expect("the socket is bound").port()
    }

    /// Stops the connector, and asserts that exactly these lines arrived at the server.
    ///
    /// Order and repetitions do not matter.
    #[track_caller]
    pub(crate) fn assert(&self, statsd: &freewheel::Connector, lines: &[&str]) {
        let report = statsd.blocking_stop();
        assert_eq!(report.kept.lines, 0, "{report:?}");
        let arrived = self.lines(report.stats.sent.lines);
        let arrived: std::collections::BTreeSet<_> = arrived.iter().map(|line| &**line).collect();
        assert_eq!(arrived, lines.iter().copied().collect());
    }

    /// Waits until `count` lines have arrived at the UDP server, and returns the lines.
    pub(crate) fn lines(&self, count: u64) -> Vec<String> {
        let timeout = std::time::Duration::from_secs(30);
        self.0.set_read_timeout(Some(timeout)).expect("the timeout is not zero");
        let (mut lines, mut datagram) = (Vec::new(), [0; 65_536]);
        while (lines.len() as u64) < count {
            let len = self.0.recv(&mut datagram).expect("a datagram arrives within the timeout");
            let text = String::from_utf8_lossy(&datagram[..len]);
            lines.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
        }
        lines
    }
}
