//! Prints how many instructions each of freewheel's calls takes: a line for each, `incr 153.6`. What
//! `.ci/instructions` compares.

use freewheel_benches::measures::instructions::count;
use freewheel_benches::subject::Call;
use freewheel_benches::{client_process, subjects};

fn main() {
    client_process::run_if_client();
    for (id, of, calls) in [
        ("freewheel", "", Call::UNTAGGED),
        ("freewheel_dogstatsd", "dogstatsd.", &[Call::Incr, Call::IncrTagged]),
        ("freewheel_prepared", "prepared.", &Call::ALL),
    ] {
        let subject = subjects::info(id);
        for &call in calls {
            println!("{of}{} {:.1}", call.id(), count(&subject, call));
        }
    }
}
