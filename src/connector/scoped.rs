//! Connectors made from others, and metrics made from connectors.

use super::Connector;
use crate::connector_core::{ConnectorCore, ScopeContext, ScopedExchange};
use crate::encode::{NoTags, Scope};
use crate::metric::{Counter, Kind, Metric};
use std::sync::Arc;

impl Connector {
    /// A metric of this kind and name: to be given tags and the like, and then emitted at once, or
    /// [prepared](Metric::build) to be emitted often.
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
        Metric::new(&self.0, name)
    }

    /// Short for `metric::<Counter>(name)`.
    ///
    /// ```
    /// # let statsd = freewheel::Connector::disabled();
    /// let hits = statsd.counter("hits").tag("route", "/").build();
    /// hits.incr();
    /// ```
    #[inline]
    pub fn counter<'a>(&'a self, name: &'a str) -> Metric<'a, Counter, NoTags> {
        self.metric(name)
    }

    /// A connector that adds a tag to all that it emits, behind those of this one. It shares all
    /// else with this one, and is one more handle of the same.
    ///
    /// What the [dialect](crate::Dialect#clean-input) forbids in tags is replaced by `_`, and each line
    /// counted as altered. In a dialect without tags, each line of the new connector is dropped and
    /// counted as [unsupported](crate::Drops::unsupported).
    ///
    /// It costs up to 15 allocations to render it, and up to 40 with a [prefix](Self::scoped) more: make it
    /// where a part of a service begins, and not for each call.
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

    /// A connector that emits `name` as `prefix.name`, and otherwise is as [`with_tag`](Self::with_tag)
    /// says. Dots at both ends of the prefix are removed; an empty one changes nothing.
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
