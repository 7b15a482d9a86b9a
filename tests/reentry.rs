//! Signal handlers that emit on the thread that is emitting.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
// In a test, that is an assertion. Unsafe are only calls of the operating system.
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

/// Connector and counter used by the handler.
static HANDLERS: OnceLock<Connector> = OnceLock::new();
static HANDLED: AtomicU64 = AtomicU64::new(0);
const HANDLERS_LINES: [&str; 2] = ["from.handler:1|c", "from.handler:1|g"];

fn emit_in_handler() {
    if let Some(statsd) = HANDLERS.get() {
        statsd.incr("from.handler");
        statsd.gauge("from.handler", 1);
        HANDLED.fetch_add(1, Relaxed);
    }
}

/// Emits, then stops at a breakpoint for the tracer.
extern "C" fn handle_and_stop(_signal: libc::c_int) {
    emit_in_handler();
    stop_here();
}

extern "C" fn handle(_signal: libc::c_int) {
    emit_in_handler();
}

/// Inlined, so that the handler's return path is not part of the interrupted call.
#[inline(always)]
fn stop_here() {
    // SAFETY: a breakpoint, which a tracer takes.
    unsafe { asm!("int3") }
}

fn set_handler(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: an action of zeroes is one; the handler lives as long as the process.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        assert_eq!(libc::sigaction(signal, &raw const action, null_mut()), 0);
    }
}

/// A traced process that is stopped.
struct Traced(libc::pid_t);

impl Traced {
    /// Continues the process with a signal until it stops again. Returns the stop's cause.
    fn go_on(&self, request: libc::c_uint, signal: libc::c_int) -> libc::c_int {
        // SAFETY: the process is stopped, and traced by this thread.
        assert_eq!(unsafe { libc::ptrace(request, self.0, null_mut::<()>(), signal as usize) }, 0);
        let mut status = 0;
        // SAFETY: `status` is valid for writes.
        assert_eq!(unsafe { libc::waitpid(self.0, &raw mut status, 0) }, self.0);
        assert!(libc::WIFSTOPPED(status), "the process ended: status {status:#x}");
        libc::WSTOPSIG(status)
    }

    fn instruction(&self) -> u64 {
        // SAFETY: as above; registers of zeroes are some.
        unsafe {
            let mut registers: libc::user_regs_struct = std::mem::zeroed();
            let request = libc::PTRACE_GETREGS;
            assert_eq!(libc::ptrace(request, self.0, null_mut::<()>(), &raw mut registers), 0);
            registers.rip
        }
    }

    /// Returns true if the process has reached its own breakpoint.
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

    /// Runs the handler at this instruction until it returns here.
    fn interrupt(&self) {
        let here = self.instruction();
        assert_eq!(self.go_on(libc::PTRACE_SINGLESTEP, libc::SIGUSR1), libc::SIGTRAP);
        assert_ne!(self.instruction(), here, "it is in the handler");
        assert_eq!(self.go_on(libc::PTRACE_CONT, 0), libc::SIGTRAP);
        while self.instruction() != here {
            assert_eq!(self.go_on(libc::PTRACE_SINGLESTEP, 0), libc::SIGTRAP);
        }
    }
}

/// Size of a block at the capacity set below.
const BLOCK: u64 = 16 << 10;

/// A call to be interrupted.
struct Case {
    /// True if the thread has emitted before.
    is_first: bool,
    /// Number of lines of eleven bytes that the thread emits into its block before the call.
    fill: u64,
    task: fn(&Connector),
    expected: &'static [&'static str],
}

const CASE: Case = Case { is_first: false, fill: 0, task: |_| {}, expected: &[] };

impl Case {
    /// Single-steps the call in a child process, with a signal at each instruction, and then checks
    /// the lines.
    fn is_interrupted_everywhere(&self) {
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
            assert_eq!(traced.go_on(libc::PTRACE_SINGLESTEP, 0), libc::SIGTRAP);
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

    fn run(&self, port: u16) {
        let builder = tcp(port).queue_capacity(16 << 20);
        let statsd = HANDLERS.get_or_init(|| builder.build().unwrap());
        if !self.is_first {
            statsd.gauge("before", 1);
        }
        (0..self.fill).for_each(|_| statsd.incr("before"));
        let before = statsd.stats().emitted.lines;
        set_handler(libc::SIGUSR1, handle_and_stop);
        // SAFETY: asks to be traced; the parent waits for the stop.
        unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, null::<()>(), null::<()>()) };
        stop_here();
        (self.task)(statsd);
        stop_here();
        self.check(statsd, before, port);
    }

    /// Asserts that the server gets each line whole and once.
    fn check(&self, statsd: &Connector, before: u64, port: u16) {
        let handlers = 2 * HANDLED.load(Relaxed);
        let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
        statsd.start_on_thread().unwrap();
        flush(statsd);
        let stats = statsd.blocking_stop().stats;
        assert_balanced(&stats);
        let expected = self.expected.len() as u64;
        assert_eq!(stats.emitted.lines, before + expected + handlers, "{stats:?}");
        let reentrant = stats.drops.reentrant.lines;
        assert!(0 < reentrant && reentrant < handlers, "within the call, and around it");
        assert_eq!(stats.dropped(), stats.drops.reentrant);
        receiver.wait_for_lines(stats.sent.lines);
        let mut lines = receiver.kill();
        let is_handlers = |line: &mut String| HANDLERS_LINES.contains(&&**line);
        let of_handler = lines.extract_if(.., is_handlers).count() as u64;
        assert_eq!(of_handler + stats.dropped().lines, handlers);
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
    Case { task, expected: &["task:1|c"], ..CASE }.is_interrupted_everywhere();
}

#[test]
fn a_signal_at_any_instruction_of_a_gauges_call() {
    let task: fn(&Connector) = |statsd| statsd.gauge("task", -1);
    Case { task, expected: &["task:0|g", "task:-1|g"], ..CASE }.is_interrupted_everywhere();
}

#[test]
fn a_signal_at_any_instruction_of_a_threads_first_call() {
    let task: fn(&Connector) = |statsd| statsd.incr("task");
    let case = Case { is_first: true, task, expected: &["task:1|c"], ..CASE };
    case.is_interrupted_everywhere();
}

#[test]
fn signal_at_any_instruction_of_a_rotation_is_counted() {
    let task: fn(&Connector) = |statsd| statsd.incr("task");
    let case = Case { fill: BLOCK / 11, task, expected: &["task:1|c"], ..CASE };
    case.is_interrupted_everywhere();
}

/// A timer signal interrupts a thread that emits continuously, and its handler emits.
#[test]
fn a_handler_that_emits_loses_nothing_uncounted() {
    let port = unused_port();
    // SAFETY: as above.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let result = std::panic::catch_unwind(|| {
            let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
            let statsd = HANDLERS.get_or_init(|| started(tcp(port)));
            statsd.gauge("before", 1);
            emit_among_signals(statsd);
            flush(statsd);
            let stats = statsd.blocking_stop().stats;
            assert_balanced(&stats);
            receiver.wait_for_lines(stats.sent.lines);
            let mut lines = receiver.kill();
            let is_handlers = |line: &mut String| HANDLERS_LINES.contains(&&**line);
            let of_handler = lines.extract_if(.., is_handlers).count() as u64;
            let handlers = 2 * HANDLED.load(Relaxed);
            assert!(handlers > 100 && of_handler > 0);
            let Drops { full, reentrant, .. } = stats.drops;
            assert_eq!(stats.dropped(), full + reentrant);
            assert_eq!(stats.emitted.lines, stats.sent.lines + stats.dropped().lines);
            assert!(of_handler + reentrant.lines <= handlers);
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

fn emit_among_signals(statsd: &Connector) {
    set_handler(libc::SIGALRM, handle);
    let timer = |microseconds| {
        let every = libc::timeval { tv_sec: 0, tv_usec: microseconds };
        let times = libc::itimerval { it_interval: every, it_value: every };
        // SAFETY: the times are there during the call, which copies them.
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
