use super::*;
use crate::connector::Connector;
use crate::flush::coalescing;
use crate::flush::outbox::Outbox;
use crate::flush::shared::Shared;
use crate::tally::Tally;
use std::sync::Arc;

fn config(capacity: usize, max_line: usize) -> CoalescingConfig {
    CoalescingConfig {
        max_contexts: 100,
        has_gauge_deltas: true,
        max_line,
        payload: 1432,
        capacity,
    }
}

/// Exchange of producer threads, and the flusher's ends of both exchanges.
struct Scene {
    exchange: Arc<Exchange>,
    merged: Arc<Exchange>,
    config: CoalescingConfig,
    account: Account,
    output: Consumer,
    coalescing: Coalescing,
}

impl Scene {
    fn new(capacity: usize, max_line: usize) -> Self {
        let config = config(capacity, max_line);
        let exchange = Arc::new(Exchange::for_appending(16 << 10, 1_000));
        let merged = Arc::new(coalescing::exchange(&config));
        let input = Consumer::claim(&exchange).unwrap();
        let output = Consumer::claim(&merged).unwrap();
        let coalescing = Coalescing::new(input, &output, &config);
        Self { exchange, merged, config, account: Account::default(), output, coalescing }
    }

    fn emit(&mut self, lines: &[String]) {
        for line in lines {
            assert!(self.exchange.push(1, line.as_bytes()));
        }
        self.coalescing.input_mut().sweep();
    }

    fn refill(&mut self) -> bool {
        self.coalescing.refill(&mut self.output, &self.account)
    }

    fn released(&self) -> u64 {
        self.coalescing.released(&self.output)
    }

    fn restart(mut self) -> Self {
        let config = self.config.clone();
        // In the order of the outbox.
        drop((self.output, self.coalescing));
        let input = Consumer::claim(&self.exchange).unwrap();
        self.output = Consumer::claim(&self.merged).unwrap();
        self.coalescing = Coalescing::new(input, &self.output, &config);
        self
    }
}

fn counts(name: &str, count: usize) -> Vec<String> {
    vec![format!("{name}:1|c\n"); count]
}

#[test]
fn lines_are_released_with_the_batch_that_has_them() {
    let mut scene = Scene::new(1 << 20, 1432);
    assert!(!scene.refill());
    assert_eq!(scene.released(), 0);
    scene.emit(&counts("a", 10));
    assert!(scene.refill() && !scene.refill());
    scene.emit(&counts("b", 5));
    assert!(scene.refill());
    assert_eq!((scene.output.remaining(), scene.released()), (13, 0));
    scene.output.discard(6);
    assert_eq!(scene.released(), 0);
    scene.output.discard(1);
    assert_eq!(scene.released(), 60);
    scene.emit(&counts("c", 1));
    assert!(scene.refill());
    scene.output.discard(6);
    assert_eq!(scene.released(), 90);
    scene.output.discard(6);
    assert_eq!(scene.released(), 96);
    assert_eq!(scene.account.merged.read(), Tally { lines: 13, bytes: 96 - 19 });
}

#[test]
fn what_a_flusher_leaves_behind_is_released_by_the_next() {
    let mut scene = Scene::new(1 << 20, 1432);
    scene.emit(&counts("a", 10));
    assert!(scene.refill());
    scene.emit(&counts("b", 5));
    let mut scene = scene.restart();
    assert_eq!((scene.released(), scene.output.remaining()), (0, 7));
    assert!(scene.refill());
    scene.output.discard(7);
    assert_eq!(scene.released(), 60);
    scene.output.discard(6);
    assert_eq!(scene.released(), 90);
    assert_eq!(scene.restart().released(), 90);
}

/// Fills the blocks of merged lines in the worst way, with lines of which two do not fit into a block,
/// while nothing is acknowledged. There must be room for each batch, until batches wait.
#[test]
fn a_batch_always_finds_room() {
    for (capacity, max_line) in [(1 << 10, 1 << 10), (100 << 10, 16 << 10), (8 << 20, 16 << 10)] {
        for len in [max_line / 2 + 1, max_line, 40] {
            let mut scene = Scene::new(capacity, max_line);
            let mut batches = 0;
            let mut number = 0;
            loop {
                let line = || {
                    number += 1;
                    let name = format!("{number}.");
                    let padding = "x".repeat(len.saturating_sub(name.len() + 6));
                    format!("{name}{padding}:1|ms\n")
                };
                let lines: Vec<_> =
                    std::iter::repeat_with(line).take(capacity.min(BATCH) / len + 1).collect();
                scene.emit(&lines);
                if !scene.refill() {
                    break;
                }
                batches += 1;
                let unsent = scene.output.remaining();
                scene.output.advance(unsent);
            }
            assert!(batches > 0 && scene.coalescing.input().has_remaining());
            let in_flight = scene.output.in_flight();
            scene.output.acknowledge(in_flight);
            assert!(scene.refill());
        }
    }
}

/// Outbox of a flusher with coalescing, and what survives the flusher.
fn outbox() -> (Arc<Exchange>, Shared, Outbox) {
    let (settings, _) = Connector::builder("server").coalesce(10).check().unwrap();
    let exchange = Arc::new(Exchange::for_appending(16 << 10, 1_000));
    let shared = Shared::new(Arc::clone(&exchange), settings, Arc::default());
    let outbox = Outbox::of(&shared, Consumer::claim(&exchange).unwrap());
    (exchange, shared, outbox)
}

#[test]
fn lines_are_merged_once_those_before_are_sent() {
    let (exchange, _shared, mut outbox) = outbox();
    exchange.push(1, b"a:1|c\n");
    outbox.sweep();
    assert_eq!((outbox.unsent(), outbox.is_all_sent(), outbox.backlog()), (0, false, 6));
    assert!(outbox.refill());
    exchange.push(1, b"b:12|c\n");
    outbox.sweep();
    assert!(!outbox.refill());
    assert_eq!((outbox.unsent(), outbox.backlog()), (6, 13));
    assert!(!outbox.is_ready_to_sweep());
    outbox.mark_sent(6);
    assert!(!outbox.is_ready_to_sweep() && !outbox.is_all_sent());
    assert!(outbox.refill());
    outbox.mark_sent(7);
    assert!(outbox.is_ready_to_sweep() && outbox.is_all_sent());
    assert_eq!((outbox.released(), outbox.backlog()), (0, 0));
}

/// A line that may be at fault needs a line after it, also if it is not sent yet.
#[test]
fn a_suspect_finds_a_next_line() {
    let (exchange, _shared, mut outbox) = outbox();
    exchange.push(1, b"a:1|c\n");
    outbox.sweep_for_next_line();
    exchange.push(1, b"b:12|c\n");
    outbox.sweep_for_next_line();
    assert_eq!(outbox.unsent(), 13);
}

/// Starts flushers as fast as the one before ends, which must leave both exchanges together.
#[test]
fn a_next_outbox_finds_both_exchanges() {
    let (exchange, shared, outbox) = outbox();
    let (shared, mut outbox) = (&shared, Some(outbox));
    std::thread::scope(|scope| {
        for _ in 0..200 {
            let previous = outbox.take();
            scope.spawn(move || drop(previous));
            let input =
                std::iter::repeat_with(|| Consumer::claim(&exchange)).find_map(|input| input);
            outbox = Some(Outbox::of(shared, input.unwrap()));
        }
    });
}
