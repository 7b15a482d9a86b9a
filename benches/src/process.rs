//! A process for each subject, and what the two sides say to each other: lines of JSON.
//!
//! The client's process does [`Work`]; the suite's process has the receiver, and asks.

use crate::subject::{Setup, Subject};
use crate::subjects::{self, Visitor};
use crate::work::Work;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub subject: String,
    pub setup: Setup,
    pub work: Work,
}

/// The first argument of a client's process; the second is its job.
const ROLE: &str = "client";
/// Begins what is meant for the other side: some clients print.
const MARK: &str = "SUITE ";

/// A client's process.
pub struct Process {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// # Panics
    /// As all of this: where there is no process to be had, or it says what it should not.
    #[must_use]
    pub fn start(job: &Job) -> Self {
        Self::start_under(&[], job)
    }

    /// The same, as the arguments of this command.
    #[must_use]
    pub fn start_under(command: &[&str], job: &Job) -> Self {
        let own = std::env::current_exe().expect("a path");
        let mut process = match command {
            [] => Command::new(own),
            [program, arguments @ ..] => {
                let mut process = Command::new(program);
                process.args(arguments).arg(own);
                process
            }
        };
        process.arg(ROLE).arg(serde_json::to_string(job).expect("plain data"));
        process.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = process.spawn().expect("a process");
        let orders = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, orders, answers }
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its next answer.
    pub fn hear<T: DeserializeOwned>(&mut self) -> T {
        loop {
            let line = self.answers.next().expect("the client's process died").expect("text");
            if let Some(answer) = line.strip_prefix(MARK) {
                return serde_json::from_str(answer).expect("what was asked for");
            }
        }
    }

    /// Has it go on.
    pub fn go_on(&mut self) {
        self.orders.write_all(b"\n").expect("the client's process died");
    }

    /// Waits for its end, which is near.
    pub fn end(mut self) {
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has nothing to say any more, or this process is about to fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a client's process: tells the suite.
pub fn answer(answer: &impl Serialize) {
    println!("{MARK}{}", serde_json::to_string(answer).expect("plain data"));
}

/// In a client's process: until the suite has it go on. Where that has died, so does this.
pub fn wait() {
    if std::io::stdin().read_line(&mut String::new()).is_ok_and(|bytes| bytes > 0) {
        return;
    }
    std::process::exit(1);
}

/// Does the job, if this is a client's process.
pub fn work_if_client() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(ROLE) {
        return;
    }
    let job = arguments.next().expect("a job");
    let job: Job = serde_json::from_str(&job).expect("a job");
    let id = job.subject.clone();
    subjects::visit(&id, Client(job));
    wait();
    std::process::exit(0);
}

struct Client(Job);

impl Visitor for Client {
    type Output = ();
    fn visit<S: Subject>(self) {
        self.0.work.carry_out::<S>(&self.0.setup);
    }
}
