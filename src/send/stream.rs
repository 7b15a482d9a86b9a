//! The stream's remainder: what a connection has taken of a line that is not whole yet.
//!
//! Pure. Lines are let go of when they were written whole. What a broken connection took of
//! the line after them is forgotten, and the next connection begins at that line's start:
//! a server never joins the half line it got to another. Most drop it; some take it for a line
//! if the connection ends in order, as it does where a stop gives up in the midst of one.

use crate::handoff::Tally;
use bytes::Buf;
use memchr::{memchr_iter, memrchr};
use std::io::IoSlice;

/// One for each connection: a new one begins at the start of a line.
#[derive(Default)]
pub(crate) struct Remainder {
    /// Bytes of the first line that this connection has taken already.
    torn: usize,
}

impl Remainder {
    /// Fills `slices` with what this connection is to take next; says how many.
    pub(crate) fn unsent<'a>(&self, lines: &'a impl Buf, slices: &mut [IoSlice<'a>]) -> usize {
        let count = lines.chunks_vectored(slices);
        if count > 0 {
            // A run holds whole lines, so the torn one lies in the first.
            slices[0].advance(self.torn);
        }
        count
    }

    /// Records that the connection took `count` bytes more. Returns the lines that it has
    /// whole now and lets go of them.
    pub(crate) fn wrote(&mut self, lines: &mut impl Buf, count: usize) -> Tally {
        let mut whole = Tally::default();
        let mut left = self.torn + count;
        while left > 0 {
            let run = lines.chunk();
            let head = &run[..left.min(run.len())];
            let Some(newline) = memrchr(b'\n', head) else { break };
            let head = &head[..=newline];
            let size = head.len();
            whole += Tally { lines: memchr_iter(b'\n', head).count() as u64, bytes: size as u64 };
            lines.advance(size);
            left -= size;
        }
        self.torn = left;
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::super::datagram::tests::Runs;
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    #[test]
    fn a_broken_connection_is_followed_from_the_start_of_its_line() {
        let mut lines = Runs([Bytes::from("a:1|c\nb:2|c\n")].into());
        let mut broken = Remainder::default();
        let whole = broken.wrote(&mut lines, 8);
        assert_eq!(whole, Tally { lines: 1, bytes: 6 });
        assert_eq!(lines.chunk(), b"b:2|c\n");

        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(broken.unsent(&lines, &mut slices), 1);
        assert_eq!(&*slices[0], b"2|c\n", "the same connection goes on where it was");
        assert_eq!(Remainder::default().unsent(&lines, &mut slices), 1);
        assert_eq!(&*slices[0], b"b:2|c\n", "the next one begins the line again");
    }

    proptest! {
        /// Random partial writes and breaks: every line arrives whole exactly once, in
        /// order, and what a connection leaves behind is at most the start of one.
        #[test]
        fn every_line_arrives_whole_once(
            runs in prop::collection::vec(prop::collection::vec("[a-z]{1,6}:[0-9]\\|c\n", 1..6), 1..20),
            steps in prop::collection::vec((1usize..40, prop::bool::weighted(0.2)), 1..400),
        ) {
            let sent = runs.concat().concat();
            let mut lines = Runs(runs.into_iter().map(|run| Bytes::from(run.concat())).collect());
            let mut received = String::new();
            let mut tally = Tally::default();
            let (mut connection, mut remainder) = (Vec::new(), Remainder::default());
            for (room, breaks) in steps {
                if breaks {
                    received += whole_lines(&connection);
                    (connection, remainder) = (Vec::new(), Remainder::default());
                }
                let mut slices = [IoSlice::new(&[]); 3];
                let filled = remainder.unsent(&lines, &mut slices);
                let offered: Vec<u8> = slices[..filled].iter().flat_map(|s| s.to_vec()).collect();
                let taken = room.min(offered.len());
                connection.extend_from_slice(&offered[..taken]);
                tally += remainder.wrote(&mut lines, taken);
            }
            received += whole_lines(&connection);
            prop_assert!(sent.starts_with(&received));
            prop_assert_eq!(received.len() as u64, tally.bytes);
            prop_assert_eq!(received.lines().count() as u64, tally.lines);
            prop_assert_eq!(sent.len(), received.len() + lines.remaining());
        }
    }

    fn whole_lines(connection: &[u8]) -> &str {
        let end = memrchr(b'\n', connection).map_or(0, |newline| newline + 1);
        std::str::from_utf8(&connection[..end]).unwrap()
    }
}
