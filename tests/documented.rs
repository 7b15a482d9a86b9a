//! Tests of the documentation. The examples of the README and of the guide (the crate's front page) run unchanged against a test server, and the
//! lines that their comments state arrive. The API's examples, which run as doc tests, assert each
//! line that they state.

#![allow(clippy::unwrap_used)]

#[path = "support/allocations.rs"]
mod allocations;
// Doc tests use the other functions of this module.
#[allow(dead_code)]
#[path = "support/documented.rs"]
mod documented;

use documented::Server;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const README: &str = include_str!("../README.md");
const GUIDE: &str = include_str!("../src/guide.md");

/// Returns the code blocks of a document that are marked as Rust.
fn blocks(document: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("```rust") {
            let code = lines.by_ref().take_while(|line| !line.starts_with("```"));
            blocks.push(code.map(|line| format!("{line}\n")).collect());
        }
    }
    blocks
}

/// Returns this file's copy of the code block of a section of the guide, without the lines marked `//
/// test`.
fn copy_of(name: &str) -> String {
    let begin = format!("// GUIDE: {name}\n");
    let (_, rest) = include_str!("documented.rs").split_once(&*begin).unwrap();
    let (code, _) = rest.split_once("// GUIDE ends").unwrap();
    let indent = code.len() - code.trim_start_matches(' ').len();
    let lines = code.lines().filter(|line| !line.ends_with("// test"));
    let dedented = lines.map(|line| format!("{}\n", line.get(indent..).unwrap_or_default()));
    dedented.collect::<String>().trim_end_matches([' ', '\n']).to_owned() + "\n"
}

/// Returns the StatsD line that the comment in a line of code states as sent, or `None` if the
/// comment states none.
fn claim(line: &str) -> Option<&str> {
    let (_, comment) = line.rsplit_once("// ")?;
    let stated = comment.split([' ', '\n']).next()?;
    let stated = stated.strip_suffix(',').unwrap_or(stated);
    let (_, after) = stated.split_once(':')?;
    let (_, code) = after.split_once('|')?;
    let code = code.split('|').next()?;
    ["c", "g", "ms", "h", "d", "s", "m"].contains(&code).then_some(stated)
}

/// Returns the StatsD lines that the comments of a code block state as sent. `...` in a comment
/// stands for the prefix.
fn claims(code: &str, prefix: &str) -> BTreeSet<String> {
    let written = |stated: &str| match stated.strip_prefix("...") {
        Some(rest) => format!("{prefix}.{rest}"),
        None => stated.to_owned(),
    };
    code.lines().filter_map(claim).map(written).collect()
}

#[rustfmt::skip]
mod first {
    use super::{GUIDE, README, Server, blocks, claims, copy_of};

    static SERVER: std::sync::LazyLock<Server> = std::sync::LazyLock::new(Server::start);

    // GUIDE: Use
    use freewheel::{Connector, Counter, Protocol};
    use std::time::Duration;

    #[tokio::main]
    async fn main() -> Result<(), Box<dyn std::error::Error>> {
        let statsd = Connector::builder("127.0.0.1")    // an address or a name
            .port(8125)
            .port(SERVER.port()) // test
            .protocol(Protocol::Udp)                    // TCP by default, UDP in DogStatsD
            .prefix("applications.my-service")
            .build()?;                                  // invalid settings are an error here
        statsd.start().await?;                          // on this tokio runtime

        // Prepared once and emitted often: the fastest way.
        let requests = statsd.metric::<Counter>("requests").build();
        requests.incr();                                // ...counters.requests:1|c
        requests.incr_by(5);                            // ...counters.requests:5|c

        // Aggregated: a call only adds to a number, which is sent once a second.
        let bytes = statsd.metric::<Counter>("bytes").aggregate();
        bytes.incr_by(1_500);                           // ...counters.bytes:1500|c

        // By name.
        statsd.incr("requests");                        // ...counters.requests:1|c
        statsd.gauge("queue.depth", 17);                // ...gauges.queue.depth:17|g
        statsd.gauge_delta("queue.depth", -3);          // ...gauges.queue.depth:-3|g
        statsd.timing("db.query", Duration::from_micros(1500)); // ...timers.db.query:1.5|ms
        let timer = statsd.timer("render");             // records when dropped
        drop(timer);

        let report = statsd.stop().await;               // sends what is left, within a deadline
        println!("{}", report.stats);                   // emitted 8 = sent 8 + buffered 0 + ...
        let account = report.stats.to_string(); // test
        assert!(account.starts_with("emitted 8 = sent 8 + buffered 0 + "), "{account}"); // test
        Ok(())
    }
    // GUIDE ends

    #[test]
    fn section_use_matches_its_comments() {
        assert_eq!(copy_of("Use"), blocks(GUIDE)[0]);
        assert_eq!(blocks(README)[0], blocks(GUIDE)[0]);
        main().unwrap();
        let mut lines = SERVER.lines(8);
        let timer = "applications.my-service.timers.render:";
        let at = lines.iter().position(|line| line.starts_with(timer)).expect("the timer emits a line");
        lines.remove(at);
        assert_eq!(lines.into_iter().collect::<std::collections::BTreeSet<_>>(),
            claims(&blocks(GUIDE)[0], "applications.my-service"));
    }
}

#[rustfmt::skip]
mod aggregated {
    use super::{GUIDE, Server, blocks, claims, copy_of};

    static SERVER: std::sync::LazyLock<Server> = std::sync::LazyLock::new(Server::start);

    // GUIDE: Aggregated metrics
    use freewheel::{Connector, Counter, Gauge};

    fn main() -> Result<(), Box<dyn std::error::Error>> {
        let statsd = Connector::builder("127.0.0.1").build()?;
        let statsd = { drop(statsd); Connector::builder("127.0.0.1").protocol(freewheel::Protocol::Udp).port(SERVER.port()).build()? }; // test
        statsd.start_on_thread()?;
        let hits = statsd.metric::<Counter>("hits").aggregate();
        let depth = statsd.metric::<Gauge>("depth").aggregate();
        let open = statsd.metric::<Gauge>("connections").aggregate_level();

        (0..1000).for_each(|_| hits.incr());            // counters.hits:1000|c
        depth.set(16);
        depth.set(17);                                  // gauges.depth:17|g, the last value
        open.add(3);
        open.sub(1);                                    // gauges.connections:2|g, in every dialect

        let report = statsd.blocking_stop();            // emits what has gathered
        assert_eq!(report.undrained, 0);
        Ok(())
    }
    // GUIDE ends

    #[test]
    fn section_aggregated_metrics_matches_its_comments() {
        let guide = &blocks(GUIDE)[2];
        assert_eq!(copy_of("Aggregated metrics"), *guide);
        main().unwrap();
        let arrived: std::collections::BTreeSet<_> = SERVER.lines(3).into_iter().collect();
        assert_eq!(arrived, claims(guide, ""));
    }
}

#[rustfmt::skip]
mod low_latency {
    use super::{GUIDE, blocks, copy_of};

    // GUIDE: Lowest latency
    use freewheel::{Connector, Counter};

    fn main() -> Result<(), Box<dyn std::error::Error>> {
        let statsd = Connector::builder("127.0.0.1")
            .low_latency(4)                             // never_wake, and prefault for 4 threads
            .thread_name("statsd")                      // of the flusher's own thread
            .on_thread_start(|| { /* its core and its priority */ })
            .build()?;                                  // allocates everything, and touches it
        statsd.start_on_thread()?;
        let requests = statsd.metric::<Counter>("requests").build();

        let prepared = statsd.prepare_thread();         // on each thread that emits
        assert!(prepared);
        requests.incr();                                // no system call, allocation or page fault
        Ok(())
    }
    // GUIDE ends

    #[test]
    fn section_low_latency_runs() {
        assert_eq!(copy_of("Lowest latency"), blocks(GUIDE)[5]);
        main().unwrap();
    }
}

#[rustfmt::skip]
mod prepared {
    use super::{GUIDE, Server, blocks, claims, copy_of};

    static SERVER: std::sync::LazyLock<Server> = std::sync::LazyLock::new(Server::start);

    // GUIDE: Prepared metrics
    use freewheel::{Connector, Counter, Dialect, SampleRate, Timing};
    use std::{sync::LazyLock, time::Duration};

    static STATSD: LazyLock<Connector> = LazyLock::new(|| {
        let builder = Connector::builder("127.0.0.1").dialect(Dialect::DogStatsD); // over UDP
        let builder = builder.port(SERVER.port()); // test
        let statsd = builder.tag("env", "prod").build().expect("good settings");
        statsd.start_on_thread().expect("a thread");    // without this call, nothing is sent
        statsd
    });
    static HITS: LazyLock<Counter> =
        LazyLock::new(|| STATSD.metric::<Counter>("http.hits").tag("route", "/").build());

    fn main() {
        HITS.incr();                                    // http.hits:1|c|#env:prod,route:/

        // Without a handle, also without an allocation.
        STATSD.metric::<Counter>("http.hits").tag("route", "/admin").incr();

        let tenth = SampleRate::new(0.1).expect("a rate"); // drawn before anything is formatted
        let render = STATSD.metric::<Timing>("render").sample_rate(tenth).build();
        render.record(Duration::from_millis(3));        // render:3|ms|@0.1|#env:prod, one time in ten
        (0..1000).for_each(|_| render.record(Duration::from_millis(3))); // test

        // For a part of the service: another handle of the same connector.
        let db = STATSD.scoped("db").with_tag("shard", "7");
        db.incr("queries");                             // db.queries:1|c|#env:prod,shard:7

        // A static is never dropped. Lines that it still holds are lost with the process.
        let report = STATSD.blocking_stop();
        println!("all sent: {}, {}", report.all_sent(), report.stats); // true, if a server reads
    }
    // GUIDE ends

    #[test]
    fn section_prepared_metrics_matches_its_comments() {
        let guide = &blocks(GUIDE)[1];
        assert_eq!(copy_of("Prepared metrics"), *guide);
        main();
        let arrived = SERVER.lines(STATSD.stats().sent.lines);
        let mut arrived: std::collections::BTreeSet<_> = arrived.into_iter().collect();
        assert!(arrived.remove("http.hits:1|c|#env:prod,route:/admin"));
        assert_eq!(arrived, claims(guide, ""));
    }
}

#[cfg(all(unix, feature = "axum"))]
#[rustfmt::skip]
mod web {
    use super::{GUIDE, Server, blocks, copy_of};
    use std::collections::BTreeSet;
    use std::io::{Read, Write};
    use std::net::SocketAddr;
    use std::process::Command;

    async fn do_something() {}

    async fn served(listener: tokio::net::TcpListener) -> Result<(), Box<dyn std::error::Error>> {
        // GUIDE: Web services
        use axum::{Router, http::StatusCode, routing::get};
        use freewheel::{Settings, axum::Statsd};

        async fn handler(statsd: Statsd) -> StatusCode {
            let timer = statsd.execution_timer("some-operation");
            do_something().await;                           // a second, say
            drop(timer);                                    // otherwise at the end, at a panic or a disconnect
            StatusCode::NO_CONTENT
        }

        let router = Router::new().route("/", get(handler));
        let report = freewheel::axum::serve(listener, router, Settings::new()).await?;
        // GUIDE ends
        assert_eq!(report.kept.lines, 0);
        Ok(())
    }

    async fn layered() -> Result<(), Box<dyn std::error::Error>> {
        use axum::http::{Request, Response, StatusCode};
        use freewheel::{Connector, tower::StatsdLayer};
        use tower::{ServiceBuilder, ServiceExt, service_fn};

        let service = service_fn(async |_: Request<()>| {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok::<_, std::convert::Infallible>(response)
        });
        // GUIDE: On tower
        let statsd = Connector::from_env()?;                // a connector, not a builder
        statsd.start().await?;
        let service = ServiceBuilder::new()
            .layer(StatsdLayer::new(&statsd, "gateway").in_flight("requests.in_flight"))
            .service(service);                              // timers.gateway.GET.204:1.5|ms
        // GUIDE ends
        assert_eq!(service.oneshot(Request::new(())).await?.status(), 204);
        assert_eq!(statsd.stop().await.kept.lines, 0);
        Ok(())
    }

    /// Sends one HTTP request to a service in this process, and then SIGTERM to the process, as an
    /// orchestrator would to stop it.
    fn request_and_terminate(address: SocketAddr) {
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        connection.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
        assert!(Command::new("kill").arg(std::process::id().to_string()).status().unwrap().success());
    }

    const CHILD: &str = "FREEWHEEL_TEST_OF_DOCUMENTATION";

    /// Runs one example of the guide if this process is a child that [`lines_of_child`] has started.
    /// Otherwise does nothing.
    #[test]
    fn a_child() {
        let runtime = || tokio::runtime::Runtime::new().unwrap();
        match std::env::var(CHILD).as_deref() {
            Ok("served") => runtime().block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let client = std::thread::spawn(move || request_and_terminate(address));
                served(listener).await.unwrap();
                client.join().unwrap();
            }),
            Ok("layered") => runtime().block_on(layered()).unwrap(),
            _ => {}
        }
    }

    /// Runs the named example of the guide in a child process. Returns the StatsD lines that it sends,
    /// without their values. There are at least these lines.
    fn lines_of_child(child: &str, lines: &BTreeSet<String>) -> BTreeSet<String> {
        let server = Server::start();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "web::a_child"]).env(CHILD, child).env_remove("STATSD_ENABLED");
        command.env("STATSD_HOST", "127.0.0.1").env("STATSD_PORT", server.port().to_string());
        command.env("STATSD_PROTOCOL", "udp").env("STATSD_PREFIX", "applications.my-service");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let mut arrived = BTreeSet::new();
        while !arrived.is_superset(lines) {
            arrived.extend(server.lines(1).iter().map(|line| without_value(line)));
        }
        arrived
    }

    /// Returns the name and the type code of a StatsD line, without the value.
    fn without_value(line: &str) -> String {
        let (name, rest) = line.split_once(':').unwrap();
        format!("{name}|{}", rest.split_once('|').unwrap().1)
    }

    #[test]
    fn documented_service_sends_the_documented_lines() {
        assert_eq!(copy_of("Web services"), blocks(GUIDE)[3]);
        let (_, shown) = GUIDE.split_once("each GET sends\n\n```text\n").unwrap();
        let (shown, _) = shown.split_once("```").unwrap();
        let shown = shown.lines().map(without_value).collect();
        assert_eq!(lines_of_child("served", &shown), shown);
    }

    #[test]
    fn documented_layer_sends_the_documented_line() {
        assert_eq!(copy_of("On tower"), blocks(GUIDE)[4]);
        let stated = blocks(GUIDE)[4].lines().find_map(super::claim).map(without_value).unwrap();
        let expected = BTreeSet::from([format!("applications.my-service.{stated}")]);
        let mut arrived = lines_of_child("layered", &expected);
        // Only if the request is in flight at the end of an aggregate interval.
        arrived.remove("applications.my-service.gauges.requests.in_flight|g");
        assert_eq!(arrived, expected);
    }
}

/// Adds the paths of the Rust files in a folder and its subfolders to `found`.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns the code examples in the doc comments of a source file, including their hidden lines.
fn examples(source: &str) -> Vec<String> {
    let (mut examples, mut example) = (Vec::new(), None::<String>);
    for line in source.lines().map(str::trim_start) {
        let text = line.strip_prefix("///").or(line.strip_prefix("//!"));
        match (text.map(str::trim_start), &mut example) {
            (Some(text), _) if text.starts_with("```") => match example.take() {
                Some(ended) => examples.push(ended),
                None => example = Some(String::new()),
            },
            (Some(text), Some(example)) => *example += &format!("{text}\n"),
            (Some(_), None) => {}
            (None, _) => example = None,
        }
    }
    examples
}

/// Each documentation example that states a StatsD line in a comment asserts, in a hidden line of
/// code, that the StatsD line arrives.
#[test]
fn examples_assert_their_lines() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut claimed = 0;
    for file in files {
        for example in examples(&std::fs::read_to_string(&file).unwrap()) {
            for stated in example.lines().filter(|line| !line.starts_with("# ")).filter_map(claim) {
                let asserted = example.lines().any(|line| {
                    line.starts_with("# ")
                        && line.contains("assert")
                        && line.contains(&format!("\"{stated}\""))
                });
                assert!(asserted, "{}: {stated}", file.display());
                claimed += 1;
            }
        }
    }
    assert!(claimed >= 26, "{claimed}");
}

/// `Connector::with_tag`, `Connector::scoped` and `Metric::build` make as many heap allocations as
/// their documentation states.
#[test]
fn allocations_of_a_scope_are_as_documented() {
    use freewheel::{Connector, Counter, Dialect};
    static BUILT: LazyLock<Connector> = LazyLock::new(|| {
        let builder = Connector::builder("127.0.0.1").dialect(Dialect::DogStatsD);
        builder.prefix("app").tag("env", "prod").build().unwrap()
    });
    let allocations = |make: fn()| {
        make();
        let before = allocations::ALLOCATIONS.get();
        make();
        allocations::ALLOCATIONS.get() - before
    };
    let with_tag = allocations(|| drop(BUILT.with_tag("part", "checkout")));
    let scoped = allocations(|| drop(BUILT.scoped("db")));
    let prepared = allocations(|| drop(BUILT.metric::<Counter>("hits").tag("route", "/").build()));
    assert!((5..=10).contains(&with_tag), "with_tag: {with_tag}");
    assert!((20..=25).contains(&scoped), "scoped: {scoped}");
    assert!((5..=10).contains(&prepared), "build: {prepared}");
}

/// Copies the connectors and the calls of the page for users of other clients. The page must state them
/// in these words. Each connector accepts each call of its client, and writes the line that the other
/// client writes.
#[test]
fn rows_of_the_page_for_other_clients_work_when_copied() -> Result<(), Box<dyn std::error::Error>> {
    use freewheel::dogstatsd::{Event, ServiceCheck, Status};
    use freewheel::{Builder, Connector, Counter, Dialect, Protocol, SampleRate};
    use std::time::Duration;

    let without_spaces = |text: &str| text.split_whitespace().collect::<String>();
    let page = without_spaces(include_str!("../docs/coming-from.md"));
    let assert_stated = |code: &str| assert!(page.contains(&without_spaces(code)), "{code}");
    macro_rules! stated {
        ($code:expr) => {{
            assert_stated(stringify!($code));
            $code
        }};
    }
    // The bytes of a line show its prefixes, its tags and its type, without a server.
    let assert_line = |statsd: &Connector, emit: &dyn Fn(&Connector), line: &str| {
        let before = statsd.stats();
        emit(statsd);
        let after = statsd.stats();
        assert_eq!(after.dropped(), before.dropped(), "{line}");
        assert_eq!(after.emitted.bytes - before.emitted.bytes, line.len() as u64 + 1, "{line}");
    };
    macro_rules! assert_rows {
        ($of:expr; |$statsd:ident| $($call:expr => $line:expr),* $(,)?) => {{
            let connector = $of;
            $({
                assert_stated(stringify!($call));
                assert_line(connector, &|$statsd| $call, $line);
            })*
        }};
    }
    let (host, port) = ("127.0.0.1", 8125);
    #[cfg(unix)]
    {
        let builder = stated!(Builder::from_url("unixgram:///path")?.dialect(Dialect::DogStatsD));
        assert_rows!(&builder.build()?; |statsd| statsd.incr("hits") => "hits:1|c");
    }
    for builder in [
        stated!(Connector::builder(host).dialect(Dialect::DogStatsD).prefix("app")),
        stated!(Connector::builder(host).port(port).dialect(Dialect::DogStatsD).prefix("app")),
    ] {
        assert_rows!(
            &builder.build()?;
            |statsd|
            statsd.incr_by("hits", 3) => "app.hits:3|c",
            statsd.incr("hits") => "app.hits:1|c",
            statsd.decr("hits") => "app.hits:-1|c",
            statsd.gauge("depth", 17) => "app.depth:17|g",
            statsd.metric::<Counter>("hits").tag("route", "/").incr_by(3) => "app.hits:3|c|#route:/",
            statsd.metric::<Counter>("hits").tag("route", "/").incr() => "app.hits:1|c|#route:/",
            statsd.histogram("size", 17) => "app.size:17|h",
        );
    }
    assert_rows!(
        &stated!(Connector::builder("127.0.0.1").dialect(Dialect::DogStatsD)).build()?;
        |statsd|
        statsd.timing("render", Duration::from_millis(12)) => "render:12|ms",
        statsd.event(&Event::new("title", "text")) => "_e{5,4}:title|text",
        statsd.service_check(&ServiceCheck::new("name", Status::Ok)) => "_sc|name|0",
    );
    let builder = stated!(
        Connector::builder("127.0.0.1").protocol(Protocol::Udp).prefix("app").type_prefixes(false)
    );
    assert_rows!(
        &builder.build()?;
        |statsd|
        statsd.incr_by("hits", 3) => "app.hits:3|c",
        statsd.timing("render", Duration::from_millis(12)) => "app.render:12|ms",
    );
    assert_stated("statsd.metric::<Counter>(\"hits\").sample_rate(SampleRate::new(0.1)?).incr()");
    let extended = Connector::builder(host).dialect(Dialect::Extended).build()?;
    extended.meter("requests", 1);
    extended.histogram("size", 17);
    extended.metric::<Counter>("hits").sample_rate(SampleRate::new(1.0)?).incr();
    assert_eq!(extended.stats().buffered.lines, 3);
    Ok(())
}
