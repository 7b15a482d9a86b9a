//! What freewheel does, in ten seconds: `cargo run --release --example demo`.
//!
//! It starts a small StatsD receiver on this machine and lets a few threads emit to it through
//! freewheel: over UDP, over TCP, and over TCP without a pause. Then it compares what the
//! threads, freewheel and the receiver have counted, each by itself. It fails if a line, or
//! only a byte, is unaccounted for.

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
use workload::Work;

const THREADS: usize = 2;
const SECONDS: u64 = 3;

/// Each thread serves 100 requests, which is 500 lines of some 35 bytes, and then rests this
/// long: together at most 100,000 lines a second, in 2,500 datagrams.
///
/// Flushed as often, that is 25 datagrams at a time. A socket buffer of Linux's default size
/// holds some 90, so a healthy machine loses none even if the receiver is late.
const PACE: Duration = Duration::from_millis(10);

const PLANS: [Plan; 3] = [
    Plan { name: "UDP, paced", protocol: Protocol::Udp, rest: Some(PACE) },
    Plan { name: "TCP, paced", protocol: Protocol::Tcp, rest: Some(PACE) },
    Plan { name: "TCP, flat out", protocol: Protocol::Tcp, rest: None },
];

struct Plan {
    name: &'static str,
    protocol: Protocol,
    /// Between two bursts of requests.
    rest: Option<Duration>,
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

/// Runs all plans and shows the table. Returns what does not balance.
fn demo() -> Result<Vec<String>, Box<dyn Error>> {
    println!("{THREADS} threads emit to a StatsD receiver on this machine, {SECONDS} s each:\n");
    let runs = PLANS.iter().map(run).collect::<Result<Vec<_>, _>>()?;
    println!("\n{}", table::of(&runs));
    for note in runs.iter().filter_map(account::note) {
        println!("{note}\n");
    }
    Ok(runs.iter().flat_map(account::problems).collect())
}

fn run(plan: &Plan) -> Result<Run, Box<dyn Error>> {
    let receiver = Receiver::start(plan.protocol)?;
    let statsd = Connector::builder("127.0.0.1")
        .port(receiver.port())
        .protocol(plan.protocol)
        .prefix(receiver::PREFIX)
        .max_datagram_payload(account::PAYLOAD)
        .flush_interval(PACE)
        .build()?;
    statsd.start_on_thread()?;
    wait_for_connection(&statsd)?;

    let begun = Instant::now();
    let until = begun + Duration::from_secs(SECONDS);
    let progress = Progress::new(plan.name, begun, until);
    let mut work = Work::default();
    thread::scope(|scope| {
        let emit = || workload::emit(&statsd, until, plan.rest);
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(emit)).collect();
        progress.follow(|| (statsd.stats().emitted.lines, receiver.lines()))?;
        for thread in threads {
            work += thread.join().expect("emitting never panics");
        }
        Ok::<_, std::io::Error>(())
    })?;

    // What is still buffered is sent now, and the connection is closed.
    let stats = statsd.blocking_stop().stats;
    let received = receiver.finish()?;
    progress.finish(stats.emitted.lines, received.size.lines)?;
    Ok(Run { name: plan.name, begun, work, stats, received })
}

/// A service need not wait: lines are kept until there is a connection. Here it makes the
/// times comparable.
fn wait_for_connection(statsd: &Connector) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    while !statsd.connected() {
        if begun.elapsed() > Duration::from_secs(5) {
            return Err("no connection to the receiver within 5 s".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
