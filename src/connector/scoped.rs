//! Methods of a connector that create metrics, and further connectors with a tag or a prefix.

use super::Connector;
use crate::connector_core::{ConnectorCore, ScopeContext, ScopedExchange};
use crate::encode::{NoTags, Scope};
use crate::metric::{Kind, Metric};
use std::sync::Arc;

impl Connector {
    /// Returns a metric of kind `K` with this name. Add tags and other fields, then emit the metric
    /// at once, or [prepare](Metric::build) it to emit it often.
    ///
    /// The calls of [`Connector`] are shorter for lines without fields of their own, such as
    /// [`incr`](Self::incr) and [`gauge`](Self::gauge).
    ///
    /// ```
    /// use freewheel::{Connector, Dialect, Gauge};
    ///
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port())
    ///     .dialect(Dialect::DogStatsD)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.metric::<Gauge>("depth").tag("queue", "mail").set(17); // depth:17|g|#queue:mail
    /// let depth = statsd.metric::<Gauge>("depth").tag("queue", "mail").build();
    /// depth.set(16); // depth:16|g|#queue:mail
    /// # server.assert(&statsd, &["depth:17|g|#queue:mail", "depth:16|g|#queue:mail"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn metric<'a, K: Kind>(&'a self, name: &'a str) -> Metric<'a, K, NoTags> {
        Metric::new(self.inner(), name)
    }

    /// Returns a connector that adds a tag to every line, after the tags of this connector. Both
    /// connectors share everything else, including the flusher task.
    ///
    /// Characters that the [dialect](crate::Dialect#clean-input) forbids in tags are replaced by `_`, and each
    /// line is counted as altered. In a dialect without tags, each line of the new connector is dropped and
    /// counted as [unsupported](crate::Drops::unsupported).
    ///
    /// The call makes up to 10 allocations, and [`scoped`](Self::scoped) up to 25. Create such a
    /// connector once for each part of a service, not for each call.
    ///
    /// ```
    /// use freewheel::{Connector, Dialect};
    ///
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port())
    ///     .dialect(Dialect::DogStatsD)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// let checkout = statsd.with_tag("part", "checkout");
    /// checkout.incr("orders"); // orders:1|c|#part:checkout
    /// # server.assert(&statsd, &["orders:1|c|#part:checkout"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_tag(&self, key: &str, value: &str) -> Self {
        self.rescoped(|scope| scope.with_tag(key, value))
    }

    /// Returns a connector that puts a prefix before each metric's name: `name` becomes
    /// `prefix.name`. Both connectors share everything else, as with [`with_tag`](Self::with_tag).
    ///
    /// Dots at both ends of the prefix are removed. An empty prefix has no effect.
    ///
    /// ```
    /// use freewheel::Connector;
    ///
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// let db = statsd.scoped("db");
    /// db.incr("queries"); // counters.db.queries:1|c
    /// # server.assert(&statsd, &["counters.db.queries:1|c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn scoped(&self, prefix: &str) -> Self {
        self.rescoped(|scope| scope.with_prefix(prefix))
    }

    fn rescoped(&self, change: impl FnOnce(&Scope) -> Scope) -> Self {
        let Some(ScopedExchange { exchange, scoped }) = self.inner() else { return self.clone() };
        let scope = change(&scoped.scope);
        let scoped = ScopeContext { scope, owner: Arc::clone(&scoped.owner) };
        let exchange = Arc::clone(exchange);
        Self(ConnectorCore::new(ScopedExchange { exchange, scoped: Arc::new(scoped) }))
    }
}
