//! Program that prints one line for each kind of freewheel call, with the number of CPU
//! instructions that the call executes, such as `incr 153.6`.
//!
//! `cargo xtask instructions` compares this output with `benches/instructions.baseline`.

use freewheel_benches::measures::instructions::count;
use freewheel_benches::subject::Call;
use freewheel_benches::{client_process, subjects};

fn main() {
    client_process::run_if_client();
    for (id, row_prefix, calls) in [
        ("freewheel", "", Call::UNTAGGED),
        ("freewheel_dogstatsd", "dogstatsd.", &[Call::Incr, Call::IncrTagged]),
        ("freewheel_prepared", "prepared.", &Call::ALL),
        ("freewheel_aggregated", "aggregated.", &[Call::Incr, Call::IncrTagged, Call::GaugeWhole]),
    ] {
        let subject = subjects::info(id);
        for &call in calls {
            println!("{row_prefix}{} {:.1}", call.id(), count(&subject, call));
        }
    }
}
