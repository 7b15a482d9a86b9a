//! Runs the suite, writes what it measured to `benches/results/`, and redraws the plots and tables.
//!
//! ```sh
//! cargo suite                     # everything: less than half an hour on two cores
//! cargo suite --quick             # to see that it works, in two minutes
//! cargo suite latency sustained   # these measures only
//! ```

use freewheel_benches::client_process;
use freewheel_benches::machine::Machine;
use freewheel_benches::measures::{self, SuiteOptions};
use freewheel_benches::report::Report;
use freewheel_benches::results::{Header, Results};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    client_process::run_if_client();
    let mut options = SuiteOptions::default();
    let mut wanted = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => options.quick = true,
            id if measures::ALL.iter().any(|measure| measure.id == id) => wanted.push(argument),
            other => {
                let ids = measures::ALL.map(|measure| measure.id).join(", ");
                return Err(format!("{other}: not --quick, nor a measure: {ids}").into());
            }
        }
    }
    // As of now: what changes while it measures is not measured.
    let machine = Machine::detect();
    for measure in &measures::ALL {
        if !wanted.is_empty() && !wanted.iter().any(|id| id == measure.id) {
            continue;
        }
        let begun = Instant::now();
        eprint!("{} ... ", measure.id);
        let samples = (measure.run)(&options);
        eprintln!("{} samples in {:.0} s", samples.len(), begun.elapsed().as_secs_f64());
        let machine = machine.clone();
        let header = Header { measure: measure.id.to_owned(), quick: options.quick, machine };
        Results { header, samples }.write()?;
    }
    Ok(Report::read(options.quick)?.show(options.quick)?)
}
