/// A server that examples of the documentation are run against.
pub(crate) struct Server(std::net::UdpSocket);

impl Server {
    pub(crate) fn start() -> Self {
        Self(std::net::UdpSocket::bind("127.0.0.1:0").expect("a port is free"))
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().expect("it is bound").port()
    }

    /// Stops the connector. These lines arrived and no others, in any order and number.
    #[track_caller]
    pub(crate) fn assert(&self, statsd: &freewheel::Connector, lines: &[&str]) {
        let report = statsd.blocking_stop();
        assert_eq!(report.kept.lines, 0, "{report:?}");
        let arrived = self.lines(report.stats.sent.lines);
        let arrived: std::collections::BTreeSet<_> = arrived.iter().map(|line| &**line).collect();
        assert_eq!(arrived, lines.iter().copied().collect());
    }

    /// So many lines, which were sent.
    pub(crate) fn lines(&self, count: u64) -> Vec<String> {
        let patience = std::time::Duration::from_secs(30);
        self.0.set_read_timeout(Some(patience)).expect("it is not zero");
        let (mut lines, mut datagram) = (Vec::new(), [0; 65_536]);
        while (lines.len() as u64) < count {
            let len = self.0.recv(&mut datagram).expect("a datagram, soon");
            let text = String::from_utf8_lossy(&datagram[..len]);
            lines.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
        }
        lines
    }
}
