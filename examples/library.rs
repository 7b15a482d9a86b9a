//! A library with metrics, which costs nothing to users who do not want them.
//!
//! The library depends on freewheel without default features, and takes the connector from its user:
//!
//! ```toml
//! freewheel = { version = "0.1", default-features = false }
//! ```
//!
//! An application that wants metrics depends on freewheel with default features, which turns the client
//! on for the library too. In all other applications the calls are empty functions, and freewheel
//! brings no dependencies.
//!
//! `cargo run --example library --no-default-features` runs without the client.

use freewheel::{Connector, Counter, Gauge};

/// A cache of a library, with metrics about its use.
pub struct Cache {
    entries: Vec<(u64, String)>,
    statsd: Connector,
    hits: Counter,
    misses: Counter,
    size: Gauge,
}

impl Cache {
    /// Creates a cache that emits metrics through the connector of the application.
    pub fn new(statsd: &Connector) -> Self {
        let statsd = statsd.scoped("cache");
        Self {
            entries: Vec::new(),
            hits: statsd.metric::<Counter>("hits").build(),
            misses: statsd.metric::<Counter>("misses").build(),
            size: statsd.metric::<Gauge>("size").build(),
            statsd,
        }
    }

    /// Returns the value of a key. If there is none, makes it and keeps it.
    pub fn get_or_insert(&mut self, key: u64, make: impl FnOnce() -> String) -> &str {
        let found = self.entries.iter().position(|(other, _)| *other == key);
        let index = if let Some(index) = found {
            self.hits.incr();
            index
        } else {
            self.misses.incr();
            let timer = self.statsd.timer("make");
            self.entries.push((key, make()));
            drop(timer);
            self.size.set(self.entries.len());
            self.entries.len() - 1
        };
        &self.entries[index].1
    }
}

/// The application: it has metrics if the environment says where to send them, and the client is
/// compiled in.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let statsd = Connector::from_env()?;
    statsd.start_on_thread()?;
    let mut cache = Cache::new(&statsd);
    for key in [1, 2, 1] {
        println!("{}", cache.get_or_insert(key, || format!("value {key}")));
    }
    let report = statsd.blocking_stop();
    println!("{}", report.stats);
    Ok(())
}
