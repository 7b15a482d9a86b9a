//! Faults: deliberate mistakes to plant in the source, each with the model (loom test) that must
//! catch it. There is one file of faults for each source file.

/// Expands to source text: a mutex that orders no memory, followed by the given line. Faults use
/// this text to replace the real mutex.
///
/// Each lock is also an atomic operation, so that loom tries every order of the locks.
macro_rules! mutex_without_order {
    ($line:literal) => {
        concat!(
            "
mod without_order {
    pub(crate) struct Mutex<T>(std::sync::Mutex<T>, crate::sync::AtomicUsize);
    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(std::sync::Mutex::new(value), crate::sync::AtomicUsize::new(0))
        }
        pub(crate) fn lock(&self) -> std::sync::LockResult<std::sync::MutexGuard<'_, T>> {
            self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.0.lock()
        }
        pub(crate) fn try_lock(&self) -> std::sync::TryLockResult<std::sync::MutexGuard<'_, T>> {
            self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.0.try_lock()
        }
    }
}
",
            $line
        )
    };
}

mod bell;
mod block;
mod block_supply;
mod consumer;
mod consumer_state;
mod dormancy;
mod exchange;
mod full_blocks;
mod id_set;
mod latest;
mod ordered;
mod reservation;
mod reserve;
mod send_window;
mod spare_blocks;
mod sums;

use super::Mutation;

/// Fault: its description, the name of the model (loom test) that must catch it, and its edits. An
/// edit is a text that occurs once in the source file, and the replacement of this text.
type Fault = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Path of a source file, and the faults to plant in this file.
type File = (&'static str, &'static [Fault]);

const FILES: &[File] = &[
    block::FAULTS,
    block_supply::FAULTS,
    exchange::FAULTS,
    full_blocks::FAULTS,
    reservation::FAULTS,
    reserve::FAULTS,
    consumer::FAULTS,
    consumer_state::FAULTS,
    send_window::FAULTS,
    spare_blocks::FAULTS,
    bell::FAULTS,
    dormancy::FAULTS,
    id_set::FAULTS,
    ordered::FAULTS,
    sums::FAULTS,
    latest::FAULTS,
];

pub fn all() -> impl Iterator<Item = Mutation> {
    let faults =
        FILES.iter().flat_map(|&(file, faults)| faults.iter().map(move |fault| (file, fault)));
    faults.map(|(file, &(description, model, edits))| Mutation {
        row: format!("{description} | `{file}`"),
        file: file.to_owned(),
        edits: edits.iter().map(|&(from, to)| (from.to_owned(), to.to_owned())).collect(),
        model: model.to_owned(),
    })
}
