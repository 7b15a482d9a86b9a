//! Messages between the benchmark suite and its child processes, each of which runs one client. A
//! message of the child is one line with a JSON value.
//!
//! The client writes messages to its standard output. The suite writes an empty line to the
//! client's standard input to let the client continue.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Prefix of each line of standard output that is a message to the suite. It distinguishes messages
/// from lines that a client library prints.
const MESSAGE_PREFIX: &str = "SUITE ";

/// Sends a message from the client process to the suite.
pub fn send(message: &impl Serialize) {
    println!(
        "{MESSAGE_PREFIX}{}",
        serde_json::to_string(message).expect("messages are plain data")
    );
}

/// Returns the message in a line of the client's standard output, or `None` if the line is not a
/// message.
///
/// # Panics
/// If the message is not a `T`.
pub fn parse<T: DeserializeOwned>(line: &str) -> Option<T> {
    let message = line.strip_prefix(MESSAGE_PREFIX)?;
    Some(serde_json::from_str(message).expect("both sides agree on the type of each message"))
}

/// Blocks the client process until the benchmark suite sends a line to its standard input. Exits
/// the process if the suite has ended.
pub fn wait_for_resume() {
    if std::io::stdin().read_line(&mut String::new()).is_ok_and(|bytes| bytes > 0) {
        return;
    }
    std::process::exit(1);
}
