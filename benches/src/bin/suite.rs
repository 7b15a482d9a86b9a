//! Program that runs the benchmark suite, writes the results to `benches/results/`, and redraws the
//! plots and tables of `docs/benchmarks.md`.
//!
//! ```sh
//! cargo suite                           # everything: about an hour on two cores
//! cargo suite latency sustained         # these measures only
//! cargo suite latency freewheel floor   # this measure, with these subjects only
//! cargo suite freewheel                 # every measure, with this subject only
//! cargo suite --quick                   # everything in a few minutes, to test the suite itself
//! cargo suite --apart latency           # with the emitting thread on its own core
//! cargo suite --list                    # prints the names of the measures and subjects
//! ```
//!
//! Quick runs, runs with some of the subjects, and runs with `--apart` write results, plots and tables to
//! `target/suite-scratch/`. They do not change `benches/results/` and the documents.

use freewheel_benches::client_process;
use freewheel_benches::machine::{Machine, Observation};
use freewheel_benches::measures::{self, SuiteOptions};
use freewheel_benches::report::{self, AllResults};
use freewheel_benches::results::{Header, Results, folder};
use freewheel_benches::subjects;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    client_process::run_if_client();
    let measure_ids = measures::ALL.map(|measure| measure.id);
    let subject_ids: Vec<_> = subjects::all().iter().map(|subject| subject.id).collect();
    let mut options = SuiteOptions::default();
    let mut selected = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--apart" => options.apart = true,
            "--list" => {
                println!("measures: {}", measure_ids.join(" "));
                println!("subjects: {}", subject_ids.join(" "));
                return Ok(());
            }
            id if measure_ids.contains(&id) => selected.push(argument),
            id if subject_ids.contains(&id) => options.subjects.push(argument),
            other => {
                return Err(format!(
                    "invalid argument {other}: expected --quick, --apart, --list, a measure ({}) or a subject ({})",
                    measure_ids.join(", "),
                    subject_ids.join(", "),
                )
                .into());
            }
        }
    }
    // The description is of the state before the run. Later changes of the working tree are not
    // measured.
    let machine = Machine::detect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let run = format!("{now}-{}", std::process::id());
    for measure in &measures::ALL {
        if !selected.is_empty() && !selected.iter().any(|id| id == measure.id) {
            continue;
        }
        let start = Instant::now();
        eprint!("{} ... ", measure.id);
        let observation = Observation::start();
        let samples = (measure.run)(&options);
        let disturbance = observation.finish();
        eprintln!("{} samples in {:.0} s", samples.len(), start.elapsed().as_secs_f64());
        let header = Header {
            measure: measure.id.to_owned(),
            quick: options.quick,
            run: run.clone(),
            disturbance,
            machine: machine.clone(),
        };
        Results { header, samples }.write(options.is_scratch())?;
    }
    let scratch = options.is_scratch();
    report::show(&AllResults::read(scratch)?, scratch)?;
    if scratch {
        println!("results, plots and tables.md: {}", folder(scratch).display());
    }
    Ok(())
}
