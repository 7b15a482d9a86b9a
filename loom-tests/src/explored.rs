//! What a model says of its exploration: one line that programs read again.

use std::fmt;

/// How much of a model was explored.
#[derive(Clone, Debug, PartialEq)]
pub struct Explored {
    /// The model's.
    pub name: String,
    /// How many were run.
    pub interleavings: usize,
    /// With fewer, it fails.
    pub floor: usize,
    /// At most so many forced switches of threads in each; None if all were run.
    pub bound: Option<usize>,
    /// It took.
    pub seconds: f64,
}

impl Explored {
    /// From what a test printed: the line may begin with words of the test runner's.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.rsplit_once("model ")?.1.split_once(": ")?;
        let mut numbers = rest.split(' ').map(str::parse::<f64>).filter_map(Result::ok);
        let mut number = || numbers.next();
        let (interleavings, floor) = (number()? as usize, number()? as usize);
        let bound = if rest.contains(EXHAUSTIVE) { None } else { Some(number()? as usize) };
        Some(Self { name: name.to_owned(), interleavings, floor, bound, seconds: number()? })
    }

    /// In words.
    pub fn bound(&self) -> String {
        let most = |most| format!("at most {most} preemptions");
        self.bound.map_or(EXHAUSTIVE.to_owned(), most)
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
    fn what_is_printed_is_read_again() {
        for bound in [None, Some(3)] {
            let name = "a_model".to_owned();
            let told = Explored { name, interleavings: 70, floor: 50, bound, seconds: 1.5 };
            assert_eq!(Explored::parse(&format!("test a_model ... {told}")), Some(told));
        }
    }
}
