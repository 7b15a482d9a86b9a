//! Parser of lines with Graphite's tags, as Graphite documents them ("Graphite Tag Support") and as
//! Etsy's server passes them through: `name;key=value;key=value:1|c|@0.5`.
//!
//! Keys and values are ASCII. A key holds none of `;!^=`. A value holds no `;`, and does not begin
//! with `~`. Text that Etsy's server rewrites is refused too. (The server keeps letters, digits
//! and `_-./;=`, and replaces `/` by `-`.)

use super::tagged::{READER, Syntax, metric};
use super::{Metric, Refused, each_line, require};

pub(crate) fn parse(datagram: &[u8]) -> Result<Vec<Metric>, Refused> {
    let syntax = Syntax {
        reader: READER,
        open: ';',
        next: ';',
        close: None,
        codes: &["c", "g", "ms", "s"],
        check_tag: |key, value| {
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

/// Returns true if `text` has only letters, digits and `_-.`, which Etsy's server does not rewrite.
fn is_kept(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}
