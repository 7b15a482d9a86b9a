//! Summary of one model's run, printed as one line of text that other programs parse.

use std::fmt;

/// Summary of one model's run: the number of interleavings that loom explored, and the limit on
/// preemptions.
#[derive(Clone, Debug, PartialEq)]
pub struct Explored {
    /// Name of the model (loom test).
    pub name: String,
    /// Number of interleavings that loom explored.
    pub interleavings: usize,
    /// Minimum number of interleavings. The model fails if loom explores fewer.
    pub floor: usize,
    /// Maximum number of preemptions in an interleaving, or `None` if loom explored all
    /// interleavings.
    pub bound: Option<usize>,
    /// Duration of the exploration in seconds.
    pub seconds: f64,
}

impl Explored {
    /// Parses the line that `Display` prints, or returns `None`. Output of the test runner may
    /// precede the summary on the line.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.rsplit_once("model ")?.1.split_once(": ")?;
        let mut numbers = rest.split(' ').map(str::parse::<f64>).filter_map(Result::ok);
        let mut number = || numbers.next();
        let (interleavings, floor) = (number()? as usize, number()? as usize);
        let bound = if rest.contains(EXHAUSTIVE) { None } else { Some(number()? as usize) };
        Some(Self { name: name.to_owned(), interleavings, floor, bound, seconds: number()? })
    }

    /// Returns a text for the limit on preemptions, for example `at most 3 preemptions` or
    /// `exhaustive`.
    pub fn bound(&self) -> String {
        let bounded = |bound| format!("at most {bound} preemptions");
        self.bound.map_or(EXHAUSTIVE.to_owned(), bounded)
    }
}

const EXHAUSTIVE: &str = "exhaustive";

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { name, interleavings, floor, seconds, .. } = self;
        let bound = self.bound();
        write!(
            f,
            "model {name}: {interleavings} interleavings of {floor} or more ({bound}) in {seconds:.1} s"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_line_is_parsed_again() {
        for bound in [None, Some(3)] {
            let name = "a_model".to_owned();
            let explored = Explored { name, interleavings: 70, floor: 50, bound, seconds: 1.5 };
            assert_eq!(Explored::parse(&format!("test a_model ... {explored}")), Some(explored));
        }
    }
}
