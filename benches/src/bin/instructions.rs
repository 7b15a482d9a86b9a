//! Prints how many instructions each of freewheel's calls takes: a line for each, `incr 153.6`. What
//! `.ci/instructions` compares.

use freewheel_benches::{measures::instructions, process, subjects};

fn main() {
    process::work_if_client();
    let subject = subjects::info("freewheel");
    for &call in subject.calls {
        println!("{} {:.1}", call.id(), instructions::count(&subject, call));
    }
}
