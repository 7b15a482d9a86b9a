//! Networks of a test's own: this process in one namespace, each host in another, and a cable
//! between them.

use crate::process::{must_pass, skip, test_of};
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Once;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

/// Set in a process that has such a network.
const WITHIN: &str = "FREEWHEEL_RIG_NETWORK";

/// What comes before a program's name to give it a network, users and mounts of its own. No
/// rights are needed where the kernel lets everybody have a user namespace.
const UNSHARE: [&str; 4] = ["--user", "--map-root-user", "--net", "--mount"];

/// Runs the body of a test in a process that has a network of its own. It must be the whole
/// body: that process is this one once more, told to run this test alone.
pub(crate) fn with_a_network<F: FnOnce()>(body: F) {
    if std::env::var_os(WITHIN).is_some() {
        ip("link set lo up");
        return body();
    }
    let test = test_of::<F>();
    let hosts = "unshare(CLONE_NEWNET) and veth";
    let probe = "ip link add one type veth peer name two";
    match Command::new("unshare").args(UNSHARE).args(["sh", "-c", probe]).output() {
        Err(error) => return skip(test, format!("{hosts}: no `unshare`: {error}")),
        Ok(output) if !output.status.success() => {
            return skip(test, format!("{hosts}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(_) => {}
    }
    let mut command = Command::new("unshare");
    command.args(UNSHARE).arg(std::env::current_exe().unwrap());
    must_pass(test, command.env(WITHIN, "yes"));
}

/// What the name `server` stands for from now on, in a process that has a network of its own.
pub(crate) fn name_server(addresses: &[Ipv4Addr]) {
    static OWN_FILE: Once = Once::new();
    let lines = addresses.iter().map(|address| format!("{address} server\n"));
    OWN_FILE.call_once(|| shadow("/etc/hosts"));
    fs::write("/etc/hosts", lines.collect::<String>()).unwrap();
}

/// No name stands for anything from now on, and to find that out takes minutes.
pub(crate) fn name_servers_that_hang(resolver: Ipv4Addr) {
    name_server(&[]);
    resolve_by(&format!("nameserver {resolver}\noptions timeout:30 attempts:5\n"));
}

/// As above, and it takes no time.
pub(crate) fn name_servers_that_refuse() {
    name_server(&[]);
    resolve_by("nameserver 127.0.0.1\n");
}

fn resolve_by(text: &str) {
    shadow("/etc/resolv.conf");
    fs::write("/etc/resolv.conf", text).unwrap();
}

/// Puts an empty file in the place of this one, for this process alone.
fn shadow(path: &str) {
    let file = std::env::temp_dir().join(format!("freewheel-shadow-{}", std::process::id()));
    fs::write(&file, "").unwrap();
    run("mount", &["--bind", file.to_str().unwrap(), path]);
    fs::remove_file(&file).unwrap();
}

type Task = Box<dyn FnOnce() + Send>;

/// A machine at the other end of a cable: a thread whose sockets belong to a namespace of its
/// own, until it and they are gone.
pub(crate) struct Host {
    number: u8,
    tasks: Option<Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// The hosts of a test have different numbers, from 1.
    pub(crate) fn plug_in(number: u8) -> Self {
        let (tasks, to_do) = mpsc::channel::<Task>();
        let (ready, is_ready) = mpsc::channel();
        let thread = thread::spawn(move || {
            // SAFETY: concerns this thread alone, which has no sockets yet.
            let (result, thread) = unsafe { (libc::unshare(libc::CLONE_NEWNET), libc::gettid()) };
            assert_eq!(result, 0, "{}", io::Error::last_os_error());
            ready.send(thread).unwrap();
            to_do.into_iter().for_each(|task| task());
        });
        let host = Self { number, tasks: Some(tasks), thread: Some(thread) };
        let place = is_ready.recv().unwrap();
        // Always the same hardware, so that a host that takes another's place is found at once.
        let hardware = format!("02:00:00:00:00:{number:02x}");
        ip(&format!(
            "link add host{number} type veth peer name cable address {hardware} netns {place}"
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

    pub(crate) fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 9, self.number, 2)
    }

    /// Does something there.
    pub(crate) fn run<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        let task = Box::new(move || drop(done.send(task())));
        self.tasks.as_ref().unwrap().send(task).unwrap();
        result.recv().expect("it did not panic there")
    }

    /// Pulls the cable out there: nothing arrives, and here nobody knows.
    pub(crate) fn cut(&self) {
        self.run(|| ip("link set cable down"));
    }

    pub(crate) fn mend(&self) {
        self.run(|| ip("link set cable up"));
    }

    /// From now on each packet is lost that a throw of the dice decides against, at either end: one
    /// in twenty. Not by netem, which few kernels of test machines have: by a filter that all have
    /// (see bpf(8) of tc: "load a random number; drop what has one below the twentieth").
    pub(crate) fn lose_packets(&self) -> io::Result<()> {
        let below = u32::MAX / 20;
        let code = format!("4,32 0 0 4294963256,53 0 1 {below},6 0 0 4294967295,6 0 0 2");
        let lose_at = move |device: &str| {
            traffic_control(&format!("qdisc add dev {device} clsact"))?;
            let filter = format!("filter add dev {device} egress bpf direct-action bytecode");
            traffic_control_with(&filter, &[&code])
        };
        lose_at(&format!("host{}", self.number))?;
        self.run(move || lose_at("cable"))
    }

    /// The cable takes so many kilobits a second from here, and what waits for it counts as its
    /// sender's.
    pub(crate) fn slow_down(&self, rate: u32) -> io::Result<()> {
        let device = format!("host{}", self.number);
        traffic_control(&format!(
            "qdisc add dev {device} root tbf rate {rate}kbit burst 4kb limit 16mb"
        ))
    }

    /// Pulls the cable out here: the network is unreachable, and that is known.
    pub(crate) fn cut_here(&self) {
        ip(&format!("link set host{} down", self.number));
    }

    pub(crate) fn mend_here(&self) {
        ip(&format!("link set host{} up", self.number));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // With the cable ends whatever its sockets would still have said.
        let _ =
            Command::new("ip").args(["link", "delete", &format!("host{}", self.number)]).output();
        drop(self.tasks.take());
        let _ = self.thread.take().unwrap().join();
    }
}

/// A machine that swallows everything: an address that answers nobody, on this host's cable, and
/// no farther than the host, which resolvers would put first.
pub(crate) fn black_hole(host: &Host) -> Ipv4Addr {
    let number = host.number;
    ip(&format!("neighbour add 10.9.{number}.3 lladdr 02:00:00:00:00:99 dev host{number}"));
    Ipv4Addr::new(10, 9, number, 3)
}

/// The tool of this name, in the network of the thread that calls.
pub(crate) fn ip(arguments: &str) {
    run("ip", &arguments.split(' ').collect::<Vec<_>>());
}

fn traffic_control(arguments: &str) -> io::Result<()> {
    traffic_control_with(arguments, &[])
}

/// A kernel may lack what is asked for.
fn traffic_control_with(arguments: &str, more: &[&str]) -> io::Result<()> {
    let output = Command::new("tc").args(arguments.split(' ')).args(more).output()?;
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
