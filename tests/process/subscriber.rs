//! Test of a global subscriber of `tracing`, which hears every warning of the process.

use crate::alone;

/// Log subscriber that counts the library's warnings. During each warning, it resolves settings
/// without a host, which would cause another warning.
struct Building(std::sync::atomic::AtomicU64);

impl tracing::Subscriber for Building {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("freewheel")
    }
    fn event(&self, _event: &tracing::Event<'_>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        assert!(freewheel::Settings::new().builder_from(|_| None).unwrap().is_none());
    }
    fn new_span(&self, _span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _span: &tracing::span::Id, _values: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _span: &tracing::span::Id, _follows: &tracing::span::Id) {}
    fn enter(&self, _span: &tracing::span::Id) {}
    fn exit(&self, _span: &tracing::span::Id) {}
}

/// Settings without a host cause one warning when they are resolved. A `tracing` subscriber that
/// resolves them again while it handles this warning causes no further warning.
///
/// The subscriber is global: `tracing` does not call a thread's own subscriber from within itself.
#[test]
fn subscriber_can_build_a_connector_during_a_warning() {
    let _alone = alone();
    let building = std::sync::Arc::new(Building(std::sync::atomic::AtomicU64::new(0)));
    tracing::subscriber::set_global_default(std::sync::Arc::clone(&building)).unwrap();
    for warnings in 1..3 {
        assert!(freewheel::Settings::new().builder_from(|_| None).unwrap().is_none());
        assert_eq!(building.0.load(std::sync::atomic::Ordering::Relaxed), warnings);
    }
}
