//! Soak test over TCP with random faults of the network and of the server's host, such as an
//! unplugged cable or a crash. It uses the environment variables of the module `soak`.

use crate::namespace::{Host, with_a_network};
use crate::network::{receiver, settings};
use crate::soak::{Emitters, SoakRun};
use crate::support::{Arrivals, Discrepancies, flush, started};
use std::thread;
use std::time::Duration;

/// Maximum number of received bytes that the kernel of the server's host holds for a connection.
/// These bytes are lost if the host crashes or the server closes the connection.
const KERNEL_BYTES: u64 = 64 << 10;

/// Unplugs the simulated network cable of the server's host, emits lines, and sleeps for a random
/// time. The cable stays unplugged.
///
/// No line counts as sent meanwhile, once the acknowledgements of earlier lines are processed.
fn unplug_for_a_while(host: &Host, emitters: &mut Emitters, run: &mut SoakRun) {
    host.unplug();
    thread::sleep(Duration::from_millis(150));
    let before = emitters.stats().sent;
    emitters.emit(run, 2_000);
    run.sleep_up_to(500);
    assert_eq!(emitters.stats().sent, before);
}

#[test]
fn tcp_survives_random_network_faults() {
    with_a_network(|| {
        let mut run = SoakRun::start("soak_network::tcp_survives_random_network_faults");
        let mut host = Some(Host::start(1));
        let mut server = receiver(host.as_ref().unwrap());
        let settings = settings(&host.as_ref().unwrap().address().to_string());
        let settings = settings.peer_timeout(Duration::from_millis(300));
        let statsd = started(settings.queue_capacity(8 << 20));
        let (mut emitters, mut arrivals, mut breaks) =
            (Emitters::of(&statsd), Arrivals::default(), 0);
        while run.is_running() {
            emitters.emit(&mut run, 2_000);
            let current = host.as_ref().unwrap();
            match run.random_below(6) {
                0 => {
                    unplug_for_a_while(current, &mut emitters, &mut run);
                    current.plug_in();
                }
                1 => {
                    current.unplug_here();
                    emitters.emit(&mut run, 2_000);
                    run.sleep_up_to(100);
                    current.plug_in_here();
                }
                2 => {
                    breaks += 1;
                    server.close_connections();
                }
                3 => {
                    server.stall();
                    emitters.emit(&mut run, 2_000);
                    run.sleep_up_to(50);
                    server.resume_reading();
                }
                4 => {
                    // With the cable unplugged, no reset reaches the client.
                    breaks += 1;
                    if run.one_in(2) {
                        unplug_for_a_while(current, &mut emitters, &mut run);
                    }
                    server.stall();
                    arrivals.count_all(&server.kill());
                    drop(host.take());
                    run.sleep_up_to(200);
                    server = receiver(host.insert(Host::start(1)));
                }
                _ => run.sleep_up_to(20),
            }
            emitters.assert_accounted(&statsd.stats());
        }
        flush(&statsd);
        let stats = statsd.blocking_stop().stats;
        server.wait_for_last_end();
        arrivals.count_all(&server.kill());
        let found = arrivals.compare_with(&stats);
        println!("{breaks} breaks: {stats}, {found:?}");
        emitters.assert_accounted(&stats);
        // Lines whose acknowledgements were lost are sent again.
        assert_eq!(Discrepancies { lost: 0, duplicated: 0, ..found }, Discrepancies::default());
        assert!(
            stats.sent.bytes - arrivals.tally().bytes <= breaks * KERNEL_BYTES,
            "{breaks}: {found:?}"
        );
        assert_eq!(stats.emitted, stats.sent + stats.drops.full);
    });
}
