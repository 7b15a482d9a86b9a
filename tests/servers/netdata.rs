//! netdata's statsd server, over TCP.

use crate::deaths::{cost_what_they_had, free_port};
use crate::server::DEADLINE;
use freewheel::Protocol;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

struct Netdata {
    process: Child,
    /// Where it answers questions.
    web: u16,
}

impl Netdata {
    /// Starts a server and waits until it answers.
    fn start(program: &Path, statsd: u16, web: u16) -> Self {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("netdata-{statsd}"));
        fs::create_dir_all(&home).expect("cargo made the directory above");
        let config = home.join("netdata.conf");
        fs::write(&config, configuration(&home, statsd, web)).expect("it is ours");
        // It has children of its own, and minds not whether the tests are there.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).arg("-D").arg("-c").arg(config);
        command.arg("-P").arg(home.join("pid"));
        let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { process: silent.spawn().expect("setpriv is there"), web };
        let deadline = Instant::now() + DEADLINE;
        while server.ask().is_none() {
            assert!(Instant::now() < deadline, "netdata does not answer");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// All that it has counted, in the words of Prometheus.
    fn ask(&self) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.web)).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        let query = "GET /api/v1/allmetrics?format=prometheus&source=raw HTTP/1.0\r\n\r\n";
        stream.write_all(query.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(answer)
    }

    /// `netdata_statsd_NAME_counter_total{...,family="counters",...} COUNT TIME`, where a point
    /// has become `_`.
    fn counted(&self) -> BTreeMap<String, f64> {
        let answer = self.ask().expect("it answers");
        let lines = answer.lines().filter_map(|line| line.strip_prefix("netdata_statsd_"));
        let counted = lines.map(|line| {
            let (name, rest) = line.split_once("_counter_total{").expect("a counter");
            let (_, numbers) = rest.split_once("} ").expect("a value");
            let count = numbers.split(' ').next().and_then(|count| count.parse().ok());
            (name.replace('_', "."), count.expect("a number"))
        });
        counted.collect()
    }
}

impl Drop for Netdata {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(home: &Path, statsd: u16, web: u16) -> String {
    let home = home.display();
    // Of root it would make a user of its own, who may not look into here.
    let user = Command::new("id").arg("-un").output().expect("id is there").stdout;
    let user = String::from_utf8(user).expect("a name");
    let directories = ["config", "stock config", "log", "cache", "lib", "registry", "lock"]
        .into_iter()
        .chain(["plugins", "web"])
        .map(|name| format!("    {name} = {home}\n"))
        .collect::<String>();
    // Nothing but statsd: this is not to watch the machine.
    let idle = ["proc", "diskspace", "cgroups", "tc", "timex", "idlejitter", "profile"]
        .into_iter()
        .chain(["enable running new plugins", "netdata monitoring"])
        .map(|name| format!("    {name} = no\n"))
        .collect::<String>();
    format!(
        "[global]
    run as user = {user}
[directories]
{directories}
[db]
    mode = ram
    retention = 60
[logs]
    access = none
    debug = none
    error = none
[web]
    bind to = 127.0.0.1:{web}
    web server threads = 1
[statsd]
    bind to = tcp:127.0.0.1:{statsd}
[plugins]
{idle}
[health]
    enabled = no
[ml]
    enabled = no
[registry]
    enabled = no
"
    )
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    directories.map(|directory| directory.join("netdata")).find(|program| program.is_file())
}

#[test]
#[ignore = "needs netdata: run .ci/servers, then cargo test --test servers -- --ignored"]
fn deaths_over_tcp() {
    let Some(program) = program() else {
        // Not by a macro, whose output would be captured.
        let _ = writeln!(std::io::stderr(), "SKIPPED netdata::deaths_over_tcp: no netdata here");
        return;
    };
    let statsd = free_port();
    let web = free_port();
    let start = || Netdata::start(&program, statsd, web);
    cost_what_they_had(Protocol::Tcp, statsd, start, Netdata::counted);
}
