//! Program that redraws the benchmark plots and tables from stored results, without new
//! measurements.
//!
//! ```sh
//! cargo plots             # from benches/results
//! cargo plots --scratch   # from the results of quick and partial runs
//! ```

use freewheel_benches::report::{self, AllResults};

fn main() -> std::io::Result<()> {
    let scratch = std::env::args().skip(1).any(|argument| argument == "--scratch");
    report::show(&AllResults::read(scratch)?, scratch)
}
