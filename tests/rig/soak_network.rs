//! Random faults of a network and of the host at its other end, for a while: see `soak`.

use crate::namespace::{Host, with_a_network};
use crate::network::{receiver, settings};
use crate::soak::{Dice, Emitters};
use crate::support::{Arrivals, Findings, flush, started};
use std::thread;
use std::time::Duration;

/// What a kernel holds for a server that it takes down with it.
const KERNEL: u64 = 64 << 10;

/// Pulls the cable out for a while. Nothing counts as sent meanwhile, once it is known what had
/// arrived.
fn cut(host: &Host, emitters: &mut Emitters, dice: &mut Dice) {
    host.cut();
    thread::sleep(Duration::from_millis(150));
    let before = emitters.stats().sent;
    emitters.emit(dice, 2_000);
    dice.rest(500);
    assert_eq!(emitters.stats().sent, before);
}

#[test]
fn tcp_survives_random_network_faults() {
    with_a_network(|| {
        let mut dice = Dice::begin("soak_network::tcp_survives_random_network_faults");
        let mut host = Some(Host::plug_in(1));
        let mut server = receiver(host.as_ref().unwrap());
        let settings = settings(&host.as_ref().unwrap().address().to_string());
        let settings = settings.peer_timeout(Duration::from_millis(300));
        let statsd = started(settings.queue_capacity(8 << 20));
        let (mut emitters, mut arrivals, mut breaks) =
            (Emitters::of(&statsd), Arrivals::default(), 0);
        while dice.are_thrown() {
            emitters.emit(&mut dice, 2_000);
            let there = host.as_ref().unwrap();
            match dice.below(6) {
                0 => {
                    cut(there, &mut emitters, &mut dice);
                    there.mend();
                }
                1 => {
                    there.cut_here();
                    emitters.emit(&mut dice, 2_000);
                    dice.rest(100);
                    there.mend_here();
                }
                2 => {
                    breaks += 1;
                    server.hang_up();
                }
                3 => {
                    server.stall();
                    emitters.emit(&mut dice, 2_000);
                    dice.rest(50);
                    server.read_on();
                }
                4 => {
                    // Where it crashes its kernel says nothing more; otherwise resets do.
                    breaks += 1;
                    if dice.one_in(2) {
                        cut(there, &mut emitters, &mut dice);
                    }
                    server.stall();
                    arrivals.count_all(&server.kill());
                    drop(host.take());
                    dice.rest(200);
                    let there = host.insert(Host::plug_in(1));
                    server = receiver(there);
                }
                _ => dice.rest(20),
            }
            emitters.assert_accounted(&statsd.stats());
        }
        flush(&statsd);
        let stats = statsd.blocking_stop().stats;
        server.wait_for_end();
        arrivals.count_all(&server.kill());
        let found = arrivals.against(&stats);
        println!("{breaks} breaks: {stats}, {found:?}");
        emitters.assert_accounted(&stats);
        // What a connection got whose acknowledgements did not come back is sent again.
        assert_eq!(Findings { lost: 0, duplicated: 0, ..found }, Findings::default());
        assert!(
            stats.sent.bytes - arrivals.tally().bytes <= breaks * KERNEL,
            "{breaks}: {found:?}"
        );
        assert_eq!(stats.emitted, stats.sent + stats.drops.full);
    });
}
