//! Prepared sets: the server counts the distinct members that are inserted into a set.

use super::handle::Handle;
use super::kind::{calls, kind};
use super::measurement::SetMember;

/// Prepared set. [`Metric::build`](crate::Metric::build) renders its line in advance, except for
/// the member.
///
/// ```
/// use freewheel::{Connector, Set};
///
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// let statsd = Connector::builder("127.0.0.1")
/// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
///     .build()?;
/// statsd.start_on_thread()?;
/// let visitors = statsd.metric::<Set>("visitors").build();
/// visitors.insert("ann"); // sets.visitors:ann|s
/// # server.assert(&statsd, &["sets.visitors:ann|s"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Set(Handle);

kind!(Set, sampled: false);

calls!(Set {
    /// Inserts a member, which may be any text, into the set. Characters that the
    /// [dialect](crate::Dialect#clean-input) forbids are replaced by `_`.
    #[inline]
    pub fn insert(&self, member: &str) {
        self.record_measurement(SetMember(member));
    }
});
