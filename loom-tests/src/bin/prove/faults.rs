//! Faults as they could be made, and the model that must notice each: one file for each file of
//! the source.

/// Above a line of the source: a mutex whose turns loom sees, so that it tries them all, and which
/// orders no memory.
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
mod consumer;
mod dormancy;
mod exchange;
mod ordered;
mod send_window;
mod thread_ids;

use super::Mutation;

/// What it is, the model, and the pieces of the file that change: what each is, which must be
/// there once, and what it becomes.
type Fault = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Where they are planted.
type File = (&'static str, &'static [Fault]);

const FILES: &[File] = &[
    block::FAULTS,
    exchange::FAULTS,
    consumer::FAULTS,
    send_window::FAULTS,
    bell::FAULTS,
    dormancy::FAULTS,
    thread_ids::FAULTS,
    ordered::FAULTS,
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
