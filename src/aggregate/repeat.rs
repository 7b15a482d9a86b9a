//! Repetition of aggregated gauges whose value has not changed.

use std::time::Duration;
use tokio::time::Instant;

/// Setting: how often, and for how long, a gauge that was not set again is sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GaugeRepeat {
    pub(crate) every: Duration,
    pub(crate) at_most_for: Duration,
}

/// Times at which one gauge is sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeat {
    value: f64,
    changed_at: Instant,
    sent_at: Instant,
}

impl Repeat {
    /// Returns the repetition of a gauge that was just sent with `value`.
    pub(crate) fn of(value: f64, now: Instant) -> Self {
        Self { value, changed_at: now, sent_at: now }
    }

    /// Returns the value if it is due to be sent again.
    pub(crate) fn due(&self, setting: GaugeRepeat, now: Instant) -> Option<f64> {
        let is_current = now <= self.changed_at + setting.at_most_for;
        (is_current && now >= self.sent_at + setting.every).then_some(self.value)
    }

    /// Records that the value was sent again.
    pub(crate) fn sent_again(&mut self, now: Instant) {
        self.sent_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_sent_again_for_a_limited_time() {
        let seconds = Duration::from_secs;
        let setting = GaugeRepeat { every: seconds(10), at_most_for: seconds(25) };
        let start = Instant::now();
        let mut repeat = Repeat::of(7.0, start);
        assert_eq!(repeat.due(setting, start + seconds(9)), None);
        assert_eq!(repeat.due(setting, start + seconds(10)), Some(7.0));
        repeat.sent_again(start + seconds(10));
        assert_eq!(repeat.due(setting, start + seconds(19)), None);
        assert_eq!(repeat.due(setting, start + seconds(20)), Some(7.0));
        repeat.sent_again(start + seconds(20));
        assert_eq!(repeat.due(setting, start + seconds(30)), None);
        assert_eq!(repeat.due(setting, start + seconds(9_000)), None);
    }
}
