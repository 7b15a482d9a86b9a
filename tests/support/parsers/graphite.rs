//! Graphite's tags, as its documentation has them ("Graphite Tag Support") and Etsy's server lets them
//! through: `name;key=value;key=value:1|c|@0.5`.
//!
//! A key or value is of ASCII; a key holds none of `;!^=`, a value no `;`, and begins not with `~`. What
//! Etsy's server rewrites (it keeps letters, digits, `_-./;=` and takes a `/` for a `-`) is refused too.

use super::tagged::{READER, Syntax, metric};
use super::{Metric, Refused, each_line, require};

pub(crate) fn parse(datagram: &[u8]) -> Result<Vec<Metric>, Refused> {
    let syntax = Syntax {
        reader: READER,
        open: ';',
        next: ';',
        close: None,
        codes: &["c", "g", "ms", "s"],
        check: |key, value| {
            require(!key.contains(['!', '^']), "a key with `!` or `^`")?;
            require(!value.starts_with('~'), "a value that begins with `~`")?;
            require(is_kept(key) && is_kept(value), "a tag that the server rewrites")
        },
    };
    each_line(datagram, |line| {
        let metric = metric(line, &syntax)?;
        require(is_kept(&metric.name), "a name that the server rewrites")?;
        Ok(metric)
    })
}

fn is_kept(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}
