//! Demonstration of freewheel that takes ten seconds: threads emit lines to a local StatsD
//! receiver, and the demo compares all counts.
//!
//! Run it with `cargo run --release --example demo`.
//!
//! The demo starts a small StatsD receiver on this machine. A few threads emit to the receiver
//! through freewheel: over UDP, over TCP, and over TCP without pauses. The threads, freewheel and
//! the receiver count independently, and the demo compares the counts. It fails if a single byte is
//! unaccounted for.

mod account;
mod progress;
mod receiver;
mod table;
mod workload;

use account::Run;
use freewheel::{Connector, Protocol};
use progress::Progress;
use receiver::Receiver;
use std::error::Error;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};
use workload::WorkCounts;

const THREADS: usize = 2;
const SECONDS: u64 = 3;

/// Pause of each emitting thread after a burst of 100 simulated requests, which are 500 lines of
/// about 35 bytes. Together the threads emit at most 100,000 lines a second, in 2,500 datagrams.
///
/// At a flush interval of the same length, a flush sends 25 datagrams. A socket buffer of Linux's
/// default size holds about 90, so a healthy machine loses none even if the receiver is late.
const PACE: Duration = Duration::from_millis(10);

const SCENARIOS: [Scenario; 3] = [
    Scenario { name: "UDP, paced", protocol: Protocol::Udp, pause: Some(PACE) },
    Scenario { name: "TCP, paced", protocol: Protocol::Tcp, pause: Some(PACE) },
    Scenario { name: "TCP, flat out", protocol: Protocol::Tcp, pause: None },
];

struct Scenario {
    name: &'static str,
    protocol: Protocol,
    /// Pause of each thread between two bursts of simulated requests, or `None` to emit without
    /// pauses.
    pause: Option<Duration>,
}

fn main() -> ExitCode {
    match demo() {
        Ok(problems) if problems.is_empty() => {
            println!("balanced: every line is accounted for");
            ExitCode::SUCCESS
        }
        Ok(problems) => {
            eprintln!("NOT balanced:");
            problems.iter().for_each(|problem| eprintln!("  {problem}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the demo could not run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all scenarios and prints the table of their counts. Returns a description of each
/// disagreement between counts.
fn demo() -> Result<Vec<String>, Box<dyn Error>> {
    println!("{THREADS} threads emit to a StatsD receiver on this machine, {SECONDS} s each:\n");
    let runs = SCENARIOS.iter().map(run).collect::<Result<Vec<_>, _>>()?;
    println!("\n{}", table::render(&runs));
    println!(
        "A call is one of the five metrics of a request. One of them is a timer, which reads the clock\n\
         twice, and one a gauge, which keeps its order across threads. A counter takes less: see\n\
         BENCHMARKS.md.\n"
    );
    for note in runs.iter().filter_map(account::note) {
        println!("{note}\n");
    }
    Ok(runs.iter().flat_map(account::problems).collect())
}

fn run(scenario: &Scenario) -> Result<Run, Box<dyn Error>> {
    let receiver = Receiver::start(scenario.protocol)?;
    let statsd = Connector::builder("127.0.0.1")
        .port(receiver.port())
        .protocol(scenario.protocol)
        .prefix(receiver::PREFIX)
        .max_datagram_payload(account::PAYLOAD)
        .flush_interval(PACE)
        .build()?;
    statsd.start_on_thread()?;
    wait_for_connection(&statsd)?;

    let start = Instant::now();
    let deadline = start + Duration::from_secs(SECONDS);
    let progress = Progress::new(scenario.name, start, deadline);
    let mut work = WorkCounts::default();
    thread::scope(|scope| {
        let emit = || workload::emit(&statsd, deadline, scenario.pause);
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(emit)).collect();
        progress.follow(|| (statsd.stats().emitted.lines, receiver.lines()))?;
        for thread in threads {
            work += thread.join().expect("emitting never panics");
        }
        Ok::<_, std::io::Error>(())
    })?;

    // Sends the buffered lines and closes the connection.
    let stats = statsd.blocking_stop().stats;
    let received = receiver.finish()?;
    progress.finish(stats.emitted.lines, received.size.lines)?;
    Ok(Run { name: scenario.name, start, work, stats, received })
}

/// Waits until the client is connected to the receiver, so that the measured times do not include
/// the connection. A service need not wait, because freewheel keeps lines until there is a
/// connection.
fn wait_for_connection(statsd: &Connector) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    while !statsd.connected() {
        if start.elapsed() > Duration::from_secs(5) {
            return Err("no connection to the receiver within 5 s".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
