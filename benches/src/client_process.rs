//! Client process: a child process that runs one [`Workload`] with one benchmarked client. Its
//! parent, the benchmark suite, receives the lines and exchanges messages with the child through
//! [`ipc`].

use crate::ipc;
use crate::subject::{Setup, Subject};
use crate::subjects::{self, Visitor};
use crate::workload::Workload;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Job of a client process: the workload to run, and the benchmarked client or reference program
/// (the subject) to run it with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Identifier of the subject (the benchmarked client or reference program), as in
    /// [`Info::id`](crate::subject::Info::id).
    pub subject: String,
    pub setup: Setup,
    pub workload: Workload,
}

/// First command-line argument with which the benchmark suite starts itself as a client process.
/// The second argument is the job as JSON.
const CLIENT_ROLE: &str = "client";

/// Handle through which the benchmark suite exchanges messages with a child process that runs a
/// client.
pub struct ClientProcess {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl ClientProcess {
    /// Starts this executable again as a child process that runs `job`.
    ///
    /// # Panics
    /// If the process cannot be started. The other methods panic if the process ends early or sends
    /// an unexpected message.
    #[must_use]
    pub fn start(job: &Job) -> Self {
        Self::start_under(&[], job)
    }

    /// Starts this executable again as a child process that runs `job`, under a wrapper `command`
    /// such as valgrind with its arguments.
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

    /// Unblocks the client process, which waits in [`ipc::wait_for_resume`] until this call.
    pub fn resume(&mut self) {
        self.stdin.write_all(b"\n").expect("the client process is alive");
    }

    /// Waits for the client process to exit. Its job must be finished.
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

/// Runs the job of the command line and then exits, if this process was started as a client
/// process. Returns at once otherwise.
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
