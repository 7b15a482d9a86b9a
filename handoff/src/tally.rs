//! Tallies: counts of records and of their bytes.

use crate::sync::AtomicU64;
use std::ops::AddAssign;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Number of records, and total number of their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of counted records.
    pub records: u64,
    /// Total length of the counted records in bytes.
    pub bytes: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

impl std::ops::Add for Tally {
    type Output = Self;
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Tally {
    /// Subtracts `other` from the numbers of records and bytes. Neither result falls below 0.
    pub(crate) fn saturating_sub(self, other: Self) -> Self {
        let records = self.records.saturating_sub(other.records);
        Self { records, bytes: self.bytes.saturating_sub(other.bytes) }
    }
}

/// Count of records and bytes that one thread adds to, and that any thread may read.
///
/// It is not a counter for several writers: of two threads that count at the same time, one count may
/// be lost.
#[derive(Default)]
pub struct SingleWriterTally {
    records: AtomicU64,
    bytes: AtomicU64,
}

impl SingleWriterTally {
    /// Adds records that the consumer has sent. A thread that reads this count, and then the counts
    /// of the producers, never finds more records sent than emitted.
    pub fn add(&self, more: Tally) {
        // ORDERING: Release, both, pair with the Acquire loads in `read`. A thread that reads a record
        // as sent, and then the counts of its producer, reads it as emitted there: the consumer read
        // its publication before. Model: sent_never_exceeds_emitted.
        self.bytes.fetch_add(more.bytes, Release);
        // ORDERING: Release, as above. Model: sent_never_exceeds_emitted.
        self.records.fetch_add(more.records, Release);
    }

    /// Adds records to the count. Only one thread at a time may call this, before it publishes the
    /// records. It uses plain atomic loads and stores, and no read-modify-write.
    #[inline(always)]
    pub fn count(&self, more: Tally) {
        // ORDERING: Relaxed, both. The record's publication publishes them. A reader ordered after
        // the thread by other means (a join, a message, a flush) reads exact values.
        self.records.store(self.records.load(Relaxed) + more.records, Relaxed);
        self.bytes.store(self.bytes.load(Relaxed) + more.bytes, Relaxed);
    }

    /// Returns the total numbers of records and bytes that were added so far.
    pub fn read(&self) -> Tally {
        // ORDERING: Acquire, both, pair with the Release additions in `add`.
        // Model: sent_never_exceeds_emitted.
        let records = self.records.load(Acquire);
        // ORDERING: Acquire, as above. Model: sent_never_exceeds_emitted.
        let bytes = self.bytes.load(Acquire);
        Tally { records, bytes }
    }
}
