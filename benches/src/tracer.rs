//! Tracer that counts the system calls of one thread of another process.
//!
//! Only that thread is traced, so that the client's other threads keep their speed.

use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::BTreeMap;

/// Counts the system calls of the thread `thread` between two calls of `getppid`. Runs `resume`
/// once the thread is traced. Returns the number of each system call by its name, or `None` if
/// threads cannot be traced here.
///
/// # Panics
/// If the thread ends before its second `getppid`.
pub fn count_between_marks(thread: i32, resume: impl FnOnce()) -> Option<BTreeMap<String, u64>> {
    let thread = Pid::from_raw(thread);
    if !cfg!(target_arch = "x86_64") {
        resume();
        return None;
    }
    if ptrace::seize(thread, Options::PTRACE_O_TRACESYSGOOD).is_err() {
        resume();
        return None;
    }
    ptrace::interrupt(thread).expect("the thread is traced");
    wait(thread);
    ptrace::syscall(thread, None).expect("the thread is stopped");
    resume();
    let (mut counts, mut marks) = (BTreeMap::new(), 0);
    while marks < 2 {
        let mut signal = None;
        match wait(thread) {
            WaitStatus::PtraceSyscall(_) => match entered(thread) {
                Some(libc::SYS_getppid) => marks += 1,
                Some(number) if marks == 1 => *counts.entry(name(number)).or_default() += 1,
                _ => {}
            },
            WaitStatus::Stopped(_, delivered) => signal = Some(delivered),
            _ => {}
        }
        ptrace::syscall(thread, signal).expect("the thread is stopped");
    }
    // The thread stops once more, at the end of its last `getppid`.
    wait(thread);
    ptrace::detach(thread, None).expect("the thread is stopped");
    Some(counts)
}

fn wait(thread: Pid) -> WaitStatus {
    let status = waitpid(thread, Some(WaitPidFlag::__WALL)).expect("the thread is traced");
    assert!(
        !matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..)),
        "the traced thread ended: {status:?}"
    );
    status
}

/// Returns the number of the system call that the stopped thread has entered, or `None` if it is
/// about to return from one.
#[cfg(target_arch = "x86_64")]
fn entered(thread: Pid) -> Option<i64> {
    let registers = ptrace::getregs(thread).expect("the thread is stopped");
    // The kernel sets this result at the entry. No call that exists returns it.
    let is_entry = registers.rax as i64 == -i64::from(libc::ENOSYS);
    is_entry.then_some(registers.orig_rax as i64)
}

#[cfg(not(target_arch = "x86_64"))]
fn entered(_: Pid) -> Option<i64> {
    None
}

fn name(number: i64) -> String {
    let known = [
        (libc::SYS_futex, "futex"),
        (libc::SYS_write, "write"),
        (libc::SYS_sendto, "sendto"),
        (libc::SYS_sendmsg, "sendmsg"),
        (libc::SYS_sendmmsg, "sendmmsg"),
        (libc::SYS_mmap, "mmap"),
        (libc::SYS_munmap, "munmap"),
        (libc::SYS_madvise, "madvise"),
        (libc::SYS_mprotect, "mprotect"),
        (libc::SYS_brk, "brk"),
        (libc::SYS_getpid, "getpid"),
        (libc::SYS_sched_yield, "sched_yield"),
        (libc::SYS_clock_nanosleep, "clock_nanosleep"),
    ];
    let name = known.into_iter().find(|&(known, _)| known == number);
    name.map_or_else(|| format!("number {number}"), |(_, name)| name.to_owned())
}

#[test]
#[cfg(target_arch = "x86_64")]
fn system_calls_between_marks_are_counted() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    // The traced process is this executable again. It runs `traced_child` below.
    let mut child = Command::new(std::env::current_exe().expect("the test has a path"))
        .args(["--exact", "tracer::traced_child", "--nocapture", "--test-threads=1"])
        .env("FREEWHEEL_TRACED_CHILD", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process can be started");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let thread = loop {
        let line = lines.next().expect("the child prints").expect("the child prints text");
        if let Some((_, thread)) = line.split_once("thread ") {
            break thread.parse().expect("the child prints a number");
        }
    };
    let counts =
        count_between_marks(thread, || stdin.write_all(b"\n").expect("the child is alive"));
    // The child could not print the rest into a closed pipe.
    lines.for_each(drop);
    child.wait().expect("the child was started");
    match counts {
        Some(counts) => assert_eq!(counts, BTreeMap::from([("sched_yield".to_owned(), 3)])),
        None => eprintln!("SKIPPED: threads cannot be traced here"),
    }
}

/// Makes three system calls between the marks, if the test above started it.
#[test]
fn traced_child() {
    if std::env::var_os("FREEWHEEL_TRACED_CHILD").is_none() {
        return;
    }
    println!("thread {}", nix::unistd::gettid());
    std::io::stdin().read_line(&mut String::new()).expect("stdin is open");
    let _ = nix::unistd::getppid();
    for _ in 0..3 {
        std::thread::yield_now();
    }
    let _ = nix::unistd::getppid();
}
