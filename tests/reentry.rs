//! Tests of signal handlers that emit metrics while the interrupted thread is emitting.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
// An `unwrap` in a test is an assertion. `unsafe` code calls libc, and contains a breakpoint.
#![allow(clippy::unwrap_used, unsafe_code)]

mod support;

use freewheel::{Connector, Drops};
use std::arch::asm;
use std::net::Ipv4Addr;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use support::{Close, TcpReceiver, assert_balanced, flush, started, tcp, unused_port};

/// Connector to which the signal handlers emit.
static STATSD: OnceLock<Connector> = OnceLock::new();
/// Number of times that a signal handler has run. Each run emits two lines.
static HANDLER_RUNS: AtomicU64 = AtomicU64::new(0);
const HANDLER_LINES: [&str; 2] = ["from.handler:1|c", "from.handler:1|g"];

fn emit_in_handler() {
    if let Some(statsd) = STATSD.get() {
        statsd.incr("from.handler");
        statsd.gauge("from.handler", 1);
        HANDLER_RUNS.fetch_add(1, Relaxed);
    }
}

/// Signal handler that emits two lines, and then stops the process at a breakpoint for its tracer.
extern "C" fn handle_and_stop(_signal: libc::c_int) {
    emit_in_handler();
    stop_here();
}

extern "C" fn handle(_signal: libc::c_int) {
    emit_in_handler();
}

/// Stops the process at a breakpoint, where its tracer takes over.
///
/// Inlined: the return of a separate function would be among the interrupted instructions.
#[inline(always)]
fn stop_here() {
    // SAFETY: a breakpoint changes no state. The tracer handles it.
    unsafe { asm!("int3") }
}

fn set_handler(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: a zeroed `sigaction` is valid, and the handler is valid until the process ends.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        assert_eq!(libc::sigaction(signal, &raw const action, null_mut()), 0);
    }
}

/// Process that is traced with ptrace, and stopped.
struct Traced(libc::pid_t);

impl Traced {
    /// Resumes the traced process by the ptrace request `request`, and waits until the process
    /// stops again. Delivers `signal` to the process unless it is 0. Returns the signal of the new
    /// stop.
    fn resume(&self, request: libc::c_uint, signal: libc::c_int) -> libc::c_int {
        // SAFETY: the process is stopped, and traced by this thread.
        assert_eq!(unsafe { libc::ptrace(request, self.0, null_mut::<()>(), signal as usize) }, 0);
        let mut status = 0;
        // SAFETY: `status` is valid for writes.
        assert_eq!(unsafe { libc::waitpid(self.0, &raw mut status, 0) }, self.0);
        assert!(libc::WIFSTOPPED(status), "the process ended: status {status:#x}");
        libc::WSTOPSIG(status)
    }

    /// Returns the address of the next instruction of the traced process.
    fn instruction(&self) -> u64 {
        // SAFETY: as above. Zeroed registers are a valid value.
        unsafe {
            let mut registers: libc::user_regs_struct = std::mem::zeroed();
            let request = libc::PTRACE_GETREGS;
            assert_eq!(libc::ptrace(request, self.0, null_mut::<()>(), &raw mut registers), 0);
            registers.rip
        }
    }

    /// Returns true if the traced process stopped at its own breakpoint, and not after a single
    /// step.
    fn is_at_breakpoint(&self) -> bool {
        const SI_KERNEL: libc::c_int = 0x80;
        // SAFETY: as above.
        unsafe {
            let mut information: libc::siginfo_t = std::mem::zeroed();
            let request = libc::PTRACE_GETSIGINFO;
            assert_eq!(libc::ptrace(request, self.0, null_mut::<()>(), &raw mut information), 0);
            information.si_code == SI_KERNEL
        }
    }

    /// Sends a signal to the traced process before its next instruction, and runs the signal
    /// handler until it returns to that instruction.
    fn interrupt(&self) {
        let here = self.instruction();
        assert_eq!(self.resume(libc::PTRACE_SINGLESTEP, libc::SIGUSR1), libc::SIGTRAP);
        assert_ne!(self.instruction(), here, "the handler has not begun");
        assert_eq!(self.resume(libc::PTRACE_CONT, 0), libc::SIGTRAP);
        while self.instruction() != here {
            assert_eq!(self.resume(libc::PTRACE_SINGLESTEP, 0), libc::SIGTRAP);
        }
    }
}

/// Size in bytes of a block (a thread's buffer of lines) at the queue capacity that [`Case::run`]
/// sets.
const BLOCK: u64 = 16 << 10;

/// Test case: a call that emits lines while signals interrupt it, and the lines that must arrive.
struct Case {
    /// True if the call under test is the first one that its thread makes.
    is_first: bool,
    /// Number of lines of eleven bytes that the thread under test emits into its block (buffer of
    /// lines) before the call under test.
    fill: u64,
    task: fn(&Connector),
    expected: &'static [&'static str],
}

const CASE: Case = Case { is_first: false, fill: 0, task: |_| {}, expected: &[] };

impl Case {
    /// Single-steps the call under test in a child process, and sends a signal at each instruction.
    /// The child then checks the lines.
    fn interrupt_everywhere(&self) {
        let port = unused_port();
        // SAFETY: the child uses nothing that another thread of this program may have locked.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let result = std::panic::catch_unwind(|| self.run(port));
            // SAFETY: ends the process immediately, so that shared resources are not released
            // twice.
            unsafe { libc::_exit(i32::from(result.is_err())) }
        }
        let mut status = 0;
        // SAFETY: as in `Traced`.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert!(libc::WIFSTOPPED(status), "status {status:#x}");
        let (traced, mut instructions) = (Traced(child), 0);
        loop {
            traced.interrupt();
            instructions += 1;
            assert_eq!(traced.resume(libc::PTRACE_SINGLESTEP, 0), libc::SIGTRAP);
            if traced.is_at_breakpoint() {
                break;
            }
        }
        // SAFETY: as above.
        unsafe {
            libc::ptrace(libc::PTRACE_DETACH, child, null_mut::<()>(), null_mut::<()>());
            libc::waitpid(child, &raw mut status, 0);
        }
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status:#x}");
        assert!(instructions > 100, "{instructions}");
    }

    /// Makes the call under test between two breakpoints, and then checks the lines. The child
    /// process runs this function.
    fn run(&self, port: u16) {
        let builder = tcp(port).queue_capacity(16 << 20);
        let statsd = STATSD.get_or_init(|| builder.build().unwrap());
        if !self.is_first {
            statsd.gauge("before", 1);
        }
        (0..self.fill).for_each(|_| statsd.incr("before"));
        let before = statsd.stats().emitted.lines;
        set_handler(libc::SIGUSR1, handle_and_stop);
        // SAFETY: makes the parent the tracer. The parent waits for the first breakpoint.
        unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, null::<()>(), null::<()>()) };
        stop_here();
        (self.task)(statsd);
        stop_here();
        self.check(statsd, before, port);
    }

    /// Asserts that each line of the call under test arrives once. Each line of a signal handler
    /// arrives, or is counted as dropped because its thread was already emitting.
    fn check(&self, statsd: &Connector, before: u64, port: u16) {
        let handler_lines = 2 * HANDLER_RUNS.load(Relaxed);
        let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
        statsd.start_on_thread().unwrap();
        flush(statsd);
        let stats = statsd.blocking_stop().stats;
        assert_balanced(&stats);
        let expected = self.expected.len() as u64;
        assert_eq!(stats.emitted.lines, before + expected + handler_lines, "{stats:?}");
        let reentrant = stats.drops.reentrant.lines;
        assert!(0 < reentrant && reentrant < handler_lines, "{reentrant} of {handler_lines} lines");
        assert_eq!(stats.dropped(), stats.drops.reentrant);
        receiver.wait_for_lines(stats.sent.lines);
        let mut lines = receiver.kill();
        let is_from_handler = |line: &mut String| HANDLER_LINES.contains(&&**line);
        let received_from_handler = lines.extract_if(.., is_from_handler).count() as u64;
        assert_eq!(received_from_handler + stats.dropped().lines, handler_lines);
        lines.retain(|line| !line.contains("before"));
        let in_order =
            |ordered: bool| lines.iter().filter(move |line| line.contains("|g") == ordered);
        let received: Vec<_> = in_order(false).chain(in_order(true)).collect();
        assert_eq!(received, self.expected.iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_signal_at_any_instruction_of_a_call() {
    let task: fn(&Connector) = |statsd| statsd.incr("task");
    Case { task, expected: &["task:1|c"], ..CASE }.interrupt_everywhere();
}

#[test]
fn a_signal_at_any_instruction_of_a_gauges_call() {
    let task: fn(&Connector) = |statsd| statsd.gauge("task", -1);
    Case { task, expected: &["task:0|g", "task:-1|g"], ..CASE }.interrupt_everywhere();
}

#[test]
fn a_signal_at_any_instruction_of_a_threads_first_call() {
    let task: fn(&Connector) = |statsd| statsd.incr("task");
    let case = Case { is_first: true, task, expected: &["task:1|c"], ..CASE };
    case.interrupt_everywhere();
}

#[test]
fn signal_at_any_instruction_of_a_rotation_is_counted() {
    let task: fn(&Connector) = |statsd| statsd.incr("task");
    let case = Case { fill: BLOCK / 11, task, expected: &["task:1|c"], ..CASE };
    case.interrupt_everywhere();
}

/// A timer signal runs a handler that emits, also while the interrupted thread emits. Each line
/// that is lost by this is counted as dropped.
#[test]
fn emitting_handler_loses_no_uncounted_line() {
    let port = unused_port();
    // SAFETY: as in `Case::interrupt_everywhere`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let result = std::panic::catch_unwind(|| {
            let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
            let statsd = STATSD.get_or_init(|| started(tcp(port)));
            statsd.gauge("before", 1);
            emit_among_signals(statsd);
            flush(statsd);
            let stats = statsd.blocking_stop().stats;
            assert_balanced(&stats);
            receiver.wait_for_lines(stats.sent.lines);
            let mut lines = receiver.kill();
            let is_from_handler = |line: &mut String| HANDLER_LINES.contains(&&**line);
            let received_from_handler = lines.extract_if(.., is_from_handler).count() as u64;
            let handler_lines = 2 * HANDLER_RUNS.load(Relaxed);
            assert!(handler_lines > 100 && received_from_handler > 0);
            let Drops { full, reentrant, .. } = stats.drops;
            assert_eq!(stats.dropped(), full + reentrant);
            assert_eq!(stats.emitted.lines, stats.sent.lines + stats.dropped().lines);
            assert!(received_from_handler + reentrant.lines <= handler_lines);
            assert!(lines.iter().all(|line| {
                ["before:1|g", "in.loop:123456.78|g", "in.loop:1|c"].contains(&&**line)
            }));
        });
        // SAFETY: as above.
        unsafe { libc::_exit(i32::from(result.is_err())) }
    }
    let mut status = 0;
    // SAFETY: as above.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status:#x}");
}

/// Emits lines for half a second, while a timer signal interrupts the thread every 200 µs.
fn emit_among_signals(statsd: &Connector) {
    set_handler(libc::SIGALRM, handle);
    let timer = |microseconds| {
        let every = libc::timeval { tv_sec: 0, tv_usec: microseconds };
        let times = libc::itimerval { it_interval: every, it_value: every };
        // SAFETY: `times` is valid during the call, which copies it.
        assert_eq!(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const times, null_mut()) }, 0);
    };
    timer(200);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        statsd.gauge("in.loop", 123_456.78);
        statsd.incr("in.loop");
    }
    timer(0);
}
