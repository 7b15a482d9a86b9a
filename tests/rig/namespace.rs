//! Private networks for tests: this process in one network namespace, each simulated host in
//! another, and a cable (a veth pair) between them.

use crate::process::{assert_passes, skip, test_of};
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Once;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

/// Name of the environment variable that marks a process with a private network.
const IN_NETWORK: &str = "FREEWHEEL_RIG_NETWORK";

/// Options of the tool `unshare` that create private network, user and mount namespaces. They need
/// no privileges if the kernel permits unprivileged user namespaces.
const UNSHARE: [&str; 4] = ["--user", "--map-root-user", "--net", "--mount"];

/// Runs the body of a test in a child process with a private network, or skips the test if the
/// machine permits none.
///
/// `body` must be the whole body of the test: the process is this program again, and runs only this
/// test.
pub(crate) fn with_a_network<F: FnOnce()>(body: F) {
    if std::env::var_os(IN_NETWORK).is_some() {
        ip("link set lo up");
        return body();
    }
    let test = test_of::<F>();
    let requirement = "unshare(CLONE_NEWNET) and veth";
    let probe = "ip link add one type veth peer name two";
    match Command::new("unshare").args(UNSHARE).args(["sh", "-c", probe]).output() {
        Err(error) => return skip(test, format!("{requirement}: no `unshare`: {error}")),
        Ok(output) if !output.status.success() => {
            return skip(
                test,
                format!("{requirement}: {}", String::from_utf8_lossy(&output.stderr)),
            );
        }
        Ok(_) => {}
    }
    let mut command = Command::new("unshare");
    command.args(UNSHARE).arg(std::env::current_exe().unwrap());
    assert_passes(test, command.env(IN_NETWORK, "yes"));
}

/// Makes the host name `server` resolve to these addresses, in this process with a private network.
pub(crate) fn resolve_server_to(addresses: &[Ipv4Addr]) {
    static OWN_FILE: Once = Once::new();
    let lines = addresses.iter().map(|address| format!("{address} server\n"));
    OWN_FILE.call_once(|| mount_empty_file_over("/etc/hosts"));
    fs::write("/etc/hosts", lines.collect::<String>()).unwrap();
}

/// Makes each name lookup of this process hang for minutes and then fail, because the DNS server at
/// `resolver` does not answer.
pub(crate) fn make_lookups_hang(resolver: Ipv4Addr) {
    resolve_server_to(&[]);
    write_resolver_configuration(&format!(
        "nameserver {resolver}\noptions timeout:30 attempts:5\n"
    ));
}

/// Makes each name lookup of this process fail at once, because no DNS server listens.
pub(crate) fn make_lookups_fail() {
    resolve_server_to(&[]);
    write_resolver_configuration("nameserver 127.0.0.1\n");
}

fn write_resolver_configuration(text: &str) {
    static OWN_FILE: Once = Once::new();
    OWN_FILE.call_once(|| mount_empty_file_over("/etc/resolv.conf"));
    fs::write("/etc/resolv.conf", text).unwrap();
}

/// Mounts an empty file over the file at `path`, for this process only.
fn mount_empty_file_over(path: &str) {
    let file = std::env::temp_dir().join(format!("freewheel-shadow-{}", std::process::id()));
    fs::write(&file, "").unwrap();
    run("mount", &["--bind", file.to_str().unwrap(), path]);
    fs::remove_file(&file).unwrap();
}

type Task = Box<dyn FnOnce() + Send>;

/// Simulated host at the other end of a cable (a veth pair): a thread with sockets in a separate
/// network namespace.
///
/// The namespace ends with the thread and its sockets.
pub(crate) struct Host {
    number: u8,
    tasks: Option<Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Starts a simulated host, and connects it to this process by a cable. The hosts of a test
    /// have different numbers, from 1.
    pub(crate) fn start(number: u8) -> Self {
        let (tasks, task_queue) = mpsc::channel::<Task>();
        let (ready, is_ready) = mpsc::channel();
        let thread = thread::spawn(move || {
            // SAFETY: the calls affect only this thread, which has no sockets yet.
            let (result, thread) = unsafe { (libc::unshare(libc::CLONE_NEWNET), libc::gettid()) };
            assert_eq!(result, 0, "{}", io::Error::last_os_error());
            ready.send(thread).unwrap();
            task_queue.into_iter().for_each(|task| task());
        });
        let host = Self { number, tasks: Some(tasks), thread: Some(thread) };
        let thread_id = is_ready.recv().unwrap();
        // The hardware address depends only on the number. The neighbour table therefore stays
        // valid when a host replaces another one.
        let hardware = format!("02:00:00:00:00:{number:02x}");
        ip(&format!(
            "link add host{number} type veth peer name cable address {hardware} netns {thread_id}"
        ));
        ip(&format!("address add 10.9.{number}.1/24 dev host{number}"));
        ip(&format!("link set host{number} up"));
        host.run(move || {
            ip("link set lo up");
            ip(&format!("address add 10.9.{number}.2/24 dev cable"));
            ip("link set cable up");
        });
        host
    }

    /// Returns the IPv4 address of the simulated host.
    pub(crate) fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 9, self.number, 2)
    }

    /// Runs `task` on the simulated host's thread, and returns its result.
    pub(crate) fn run<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        let task = Box::new(move || drop(done.send(task())));
        self.tasks.as_ref().unwrap().send(task).unwrap();
        result.recv().expect("the task does not panic")
    }

    /// Unplugs the cable at the host's end: packets are lost, and the client's kernel does not
    /// notice.
    pub(crate) fn unplug(&self) {
        self.run(|| ip("link set cable down"));
    }

    /// Plugs the cable back in at the host's end.
    pub(crate) fn plug_in(&self) {
        self.run(|| ip("link set cable up"));
    }

    /// Makes the cable drop one packet in twenty at random, in both directions.
    ///
    /// The filter is BPF code (see bpf(8) of tc) that loads a random number and drops the packet
    /// if the number is in the lowest twentieth. netem is missing in most kernels of test
    /// machines; this filter is in all of them.
    pub(crate) fn lose_packets(&self) -> io::Result<()> {
        let drop_below = u32::MAX / 20;
        let code = format!("4,32 0 0 4294963256,53 0 1 {drop_below},6 0 0 4294967295,6 0 0 2");
        let lose_at = move |device: &str| {
            traffic_control(&format!("qdisc add dev {device} clsact"))?;
            let filter = format!("filter add dev {device} egress bpf direct-action bytecode");
            traffic_control_with(&filter, &[&code])
        };
        lose_at(&format!("host{}", self.number))?;
        self.run(move || lose_at("cable"))
    }

    /// Limits the cable from the client to the host to `rate` kilobits a second. Queued packets
    /// count against the client's socket buffer.
    pub(crate) fn slow_down(&self, rate: u32) -> io::Result<()> {
        let device = format!("host{}", self.number);
        traffic_control(&format!(
            "qdisc add dev {device} root tbf rate {rate}kbit burst 4kb limit 16mb"
        ))
    }

    /// Unplugs the cable at the client's end: the client's kernel reports that the network is
    /// unreachable.
    pub(crate) fn unplug_here(&self) {
        ip(&format!("link set host{} down", self.number));
    }

    /// Plugs the cable back in at the client's end.
    pub(crate) fn plug_in_here(&self) {
        ip(&format!("link set host{} up", self.number));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Without the cable, the closing sockets of the host can send nothing more.
        let _ =
            Command::new("ip").args(["link", "delete", &format!("host{}", self.number)]).output();
        drop(self.tasks.take());
        let _ = self.thread.take().unwrap().join();
    }
}

/// Adds an address in the host's network to which all packets are lost, and returns it.
///
/// The address is in this host's network. Resolvers put near addresses first, and would move a
/// distant address after the host's.
pub(crate) fn black_hole(host: &Host) -> Ipv4Addr {
    let number = host.number;
    ip(&format!("neighbour add 10.9.{number}.3 lladdr 02:00:00:00:00:99 dev host{number}"));
    Ipv4Addr::new(10, 9, number, 3)
}

/// Runs the command-line tool `ip` with these arguments, in the calling thread's network namespace.
pub(crate) fn ip(arguments: &str) {
    run("ip", &arguments.split(' ').collect::<Vec<_>>());
}

fn traffic_control(arguments: &str) -> io::Result<()> {
    traffic_control_with(arguments, &[])
}

/// Runs the traffic-control tool `tc` with the space-separated `arguments`, followed by the `extra`
/// arguments. Returns an error if the tool fails, for instance because the kernel lacks a feature.
fn traffic_control_with(arguments: &str, extra: &[&str]) -> io::Result<()> {
    let output = Command::new("tc").args(arguments.split(' ')).args(extra).output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("tc {arguments}: {errors}")))
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
}
