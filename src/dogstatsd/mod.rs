//! What DogStatsD has beside metrics: events and service checks.
//!
//! They are for a few times a minute, and not for the hot path: emitting one allocates. In dialects
//! without them they are dropped and counted.
//!
//! # Tags
//!
//! In a tag of an event or a service check, `|`, `,` and control characters become `_`, in its key `:`
//! too; so does a key or a value that is empty.

mod environment;
mod event;
mod line;
mod origin;
mod rendered;
mod service_check;

pub use event::{AlertType, Event, Priority};
pub use service_check::{ServiceCheck, Status};

use crate::connector::{Connector, Inner};
use crate::emit::{Invalid, Unsupported};
use rendered::{Rendered, Surroundings};

impl Connector {
    /// Emits an event. Not for the hot path: it allocates.
    ///
    /// The connector's prefix has no part in it, its tags do. An event that is longer than a block is
    /// dropped and counted as [oversize](crate::Drops::oversize), as every line is.
    pub fn event(&self, event: &Event) {
        if let Some(inner) = self.inner() {
            emit(inner, |surroundings| event.render(surroundings));
        }
    }

    /// Emits a service check. Not for the hot path: it allocates.
    ///
    /// The connector's prefix has no part in it, its tags do.
    pub fn service_check(&self, check: &ServiceCheck) {
        if let Some(inner) = self.inner() {
            emit(inner, |surroundings| check.render(surroundings));
        }
    }
}

fn emit(inner: &Inner, render: impl FnOnce(Surroundings<'_>) -> Option<Rendered>) {
    let scope = &inner.scoped.scope;
    let Some((tags, origin)) = scope.dogstatsd_fields() else {
        return inner.exchange.emit(|| Unsupported);
    };
    match render(Surroundings { tags, origin }) {
        Some(mut rendered) => {
            rendered.altered |= scope.is_altered();
            inner.exchange.emit(|| &rendered);
        }
        None => inner.exchange.emit(|| Invalid),
    }
}
