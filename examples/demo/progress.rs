//! Progress display of the demo: one line that is redrawn on a terminal, or a new line each second
//! elsewhere.

use crate::table::thousands;
use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

/// Width of the progress bar in characters.
const BAR: usize = 12;

pub(crate) struct Progress {
    name: &'static str,
    start: Instant,
    deadline: Instant,
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn new(name: &'static str, start: Instant, deadline: Instant) -> Self {
        Self { name, start, deadline, is_terminal: io::stdout().is_terminal() }
    }

    /// Shows the current numbers of emitted and received lines at intervals, until the deadline.
    pub(crate) fn follow(&self, counts: impl Fn() -> (u64, u64)) -> io::Result<()> {
        let step = Duration::from_millis(if self.is_terminal { 100 } else { 1_000 });
        while Instant::now() + step < self.deadline {
            thread::sleep(step);
            let (emitted, received) = counts();
            self.show(emitted, received)?;
        }
        Ok(())
    }

    /// Shows the final numbers of emitted and received lines, and ends the progress line on a
    /// terminal.
    pub(crate) fn finish(&self, emitted: u64, received: u64) -> io::Result<()> {
        self.show(emitted, received)?;
        if self.is_terminal { writeln!(io::stdout()) } else { Ok(()) }
    }

    fn show(&self, emitted: u64, received: u64) -> io::Result<()> {
        let (elapsed, total) = (self.start.elapsed(), self.deadline - self.start);
        let name = self.name;
        let seconds = elapsed.as_secs_f64();
        let (emitted, received) = (thousands(emitted), thousands(received));
        let text = format!("{seconds:.1} s  {emitted:>11} emitted  {received:>11} received");
        let mut out = io::stdout();
        if self.is_terminal {
            let done = (elapsed.div_duration_f64(total) * BAR as f64).min(BAR as f64) as usize;
            let (full, rest) = ("━".repeat(done), "╌".repeat(BAR - done));
            write!(out, "\r{name:<13}  {full}{rest}  {text}\x1b[K")?;
            out.flush()
        } else {
            writeln!(out, "{name:<13}  {text}")
        }
    }
}
