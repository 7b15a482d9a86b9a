//! Client process, which runs a [`Workload`] with one subject. The suite's process has the
//! receiver, and exchanges messages with the client process through [`ipc`].

use crate::ipc;
use crate::subject::{Setup, Subject};
use crate::subjects::{self, Visitor};
use crate::workload::Workload;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Job of a client process: the workload to run, and the subject to run it with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The subject's [`id`](crate::subject::Info::id).
    pub subject: String,
    pub setup: Setup,
    pub workload: Workload,
}

/// First command-line argument of a client process. The second is its job.
const CLIENT_ROLE: &str = "client";

/// Handle of the suite to a client process.
pub struct ClientProcess {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl ClientProcess {
    /// Starts this executable again, as a client process.
    ///
    /// # Panics
    /// If the process cannot be started. The other methods panic if the process ends early or sends
    /// an unexpected message.
    #[must_use]
    pub fn start(job: &Job) -> Self {
        Self::start_under(&[], job)
    }

    /// Starts a client process under `command`, such as valgrind with its arguments.
    #[must_use]
    pub fn start_under(command: &[&str], job: &Job) -> Self {
        let executable = std::env::current_exe().expect("the executable has a path");
        let mut process = match command {
            [] => Command::new(executable),
            [program, arguments @ ..] => {
                let mut process = Command::new(program);
                process.args(arguments).arg(executable);
                process
            }
        };
        let job = serde_json::to_string(job).expect("a job is plain data");
        process.arg(CLIENT_ROLE).arg(job);
        process.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = process.spawn().expect("a process can be started");
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        Self { child, stdin, stdout }
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next message of the client process and returns it.
    pub fn receive<T: DeserializeOwned>(&mut self) -> T {
        loop {
            let line = self.stdout.next().expect("the client process is alive");
            if let Some(message) = ipc::parse(&line.expect("clients print text")) {
                return message;
            }
        }
    }

    /// Lets the client continue after [`ipc::wait_for_resume`].
    pub fn resume(&mut self) {
        self.stdin.write_all(b"\n").expect("the client process is alive");
    }

    /// Waits until the process, which has finished its job, has exited.
    pub fn wait_for_exit(mut self) {
        let _ = self.child.wait();
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        // The job is complete, or this process panics.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the job and exits if this is a client process. Otherwise returns at once.
pub fn run_if_client() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(CLIENT_ROLE) {
        return;
    }
    let job = arguments.next().expect("a client process has a job");
    let job: Job = serde_json::from_str(&job).expect("the suite wrote the job");
    let id = job.subject.clone();
    subjects::visit(&id, RunJob(job));
    ipc::wait_for_resume();
    std::process::exit(0);
}

struct RunJob(Job);

impl Visitor for RunJob {
    type Output = ();
    fn visit<S: Subject>(self) {
        self.0.workload.run::<S>(&self.0.setup);
    }
}
