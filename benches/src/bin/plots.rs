//! Redraws the plots and the tables from the results that there are, without measuring anything.

use freewheel_benches::report::Report;

fn main() -> std::io::Result<()> {
    let quick = std::env::args().skip(1).any(|argument| argument == "--quick");
    Report::read(quick)?.show(quick)
}
