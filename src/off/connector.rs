//! Connector that discards all metrics.

use super::Builder;
use super::metric::{Kind, Metric, NoTags, Timer, Value};
use crate::dogstatsd::{Event, ServiceCheck};
use crate::error::{BuildError, FlushError, StartError};
use crate::stats::{Stats, StopReport};
use std::fmt;
use std::time::Duration;

#[derive(Clone)]
pub struct Connector(());

impl Connector {
    #[must_use]
    pub const fn disabled() -> Self {
        Self(())
    }

    pub fn builder(host: impl Into<String>) -> Builder {
        Builder::new()
    }

    pub fn from_env() -> Result<Self, BuildError> {
        Ok(Self::disabled())
    }

    pub async fn start(&self) -> Result<(), StartError> {
        Ok(())
    }

    pub fn start_on_thread(&self) -> Result<(), StartError> {
        Ok(())
    }

    pub async fn flush(&self) -> Result<(), FlushError> {
        Ok(())
    }

    pub async fn stop(&self) -> StopReport {
        StopReport::default()
    }

    pub fn blocking_flush(&self) -> Result<(), FlushError> {
        Ok(())
    }

    pub fn blocking_stop(&self) -> StopReport {
        StopReport::default()
    }

    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::default()
    }

    #[must_use]
    pub fn connected(&self) -> bool {
        false
    }

    #[must_use = "a thread that is not prepared emits at a higher cost, or not at all"]
    pub fn prepare_thread(&self) -> bool {
        true
    }

    #[inline]
    pub fn metric<'a, K: Kind>(&'a self, name: &'a str) -> Metric<'a, K, NoTags> {
        Metric::new()
    }

    #[must_use]
    pub fn with_tag(&self, key: &str, value: &str) -> Self {
        self.clone()
    }

    #[must_use]
    pub fn scoped(&self, prefix: &str) -> Self {
        self.clone()
    }
}

impl Connector {
    #[inline]
    pub fn incr(&self, name: &str) {}

    #[inline]
    pub fn incr_by(&self, name: &str, amount: impl Value) {}

    #[inline]
    pub fn decr(&self, name: &str) {}

    #[inline]
    pub fn decr_by(&self, name: &str, amount: impl Value) {}

    #[inline]
    pub fn gauge(&self, name: &str, value: impl Value) {}

    #[inline]
    pub fn gauge_delta(&self, name: &str, delta: impl Value) {}

    #[inline]
    pub fn timing(&self, name: &str, elapsed: Duration) {}

    #[inline]
    pub fn timing_seconds(&self, name: &str, seconds: f64) {}

    #[inline]
    pub fn timer<'a>(&'a self, name: &'a str) -> Timer<'a> {
        Timer::new()
    }

    #[inline]
    pub fn histogram(&self, name: &str, value: impl Value) {}

    #[inline]
    pub fn distribution(&self, name: &str, value: impl Value) {}

    #[inline]
    pub fn set(&self, name: &str, member: &str) {}

    #[inline]
    pub fn meter(&self, name: &str, amount: impl Value) {}

    #[inline]
    pub fn inject_metric(&self, path: &str, value: &str, type_code: &str) {}

    pub fn event(&self, event: &Event) {}

    pub fn service_check(&self, check: &ServiceCheck) {}
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("disabled", &true).finish()
    }
}
