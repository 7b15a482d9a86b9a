//! Whatever is emitted, and whatever happens meanwhile: what arrives is what was meant, and the
//! account is right. Judged by what a receiver got, never by the client's own word.

mod support;

use freewheel::{Connector, FlushOutcome, Tally, Value};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use support::{
    Line, TcpReceiver, UdpReceiver, assert_balanced, assert_whole_and_in_order, emit_numbered,
    eventually, flush, runtime, started, tally, tcp, udp,
};
use tokio::runtime::Runtime;

/// No line is longer than a block, which has this size at the default capacity.
const LONGEST_LINE: usize = 16 << 10;

/// Emits under this name.
type Emit = dyn Fn(&Connector, &str);

/// A call that emits, and what it means.
#[derive(Clone)]
struct Call {
    text: String,
    emit: Arc<Emit>,
    kind: &'static str,
    code: String,
    /// One for each line; none if the call cannot mean a line.
    values: Vec<Meant>,
}

#[derive(Clone, Debug)]
enum Meant {
    /// These characters.
    Text(String),
    Double(f64),
    Single(f32),
    /// In milliseconds.
    Time(Duration),
    /// In milliseconds.
    Seconds(f64),
    /// With a sign always, so that a gauge is changed by it.
    Change(Box<Meant>),
}

impl Meant {
    fn is(&self, value: &str) -> bool {
        let has_sign = |negative: bool| value.starts_with('-') == negative;
        match self {
            Self::Text(text) => text == value,
            Self::Double(number) => has_sign(*number < 0.0) && value.parse() == Ok(*number),
            Self::Single(number) => has_sign(*number < 0.0) && value.parse() == Ok(*number),
            Self::Time(time) => nanoseconds(value) == Some(time.as_nanos()),
            // Thousandths of a second, digit for digit.
            Self::Seconds(seconds) => format!("{value}e-3").parse() == Ok(*seconds),
            Self::Change(by) if value.starts_with('+') => by.is(&value[1..]),
            Self::Change(by) => value.starts_with('-') && by.is(value),
        }
    }

    fn is_negative(&self) -> bool {
        match self {
            Self::Text(text) => text.starts_with('-'),
            Self::Double(number) => *number < 0.0,
            Self::Single(number) => *number < 0.0,
            _ => false,
        }
    }

    fn negated(self) -> Self {
        match self {
            Self::Text(text) if text == "0" => Self::Text(text),
            Self::Text(text) => match text.strip_prefix('-') {
                Some(magnitude) => Self::Text(magnitude.to_owned()),
                None => Self::Text(format!("-{text}")),
            },
            Self::Double(number) => Self::Double(-number),
            Self::Single(number) => Self::Single(-number),
            other => other,
        }
    }
}

/// Milliseconds with up to six decimals.
fn nanoseconds(milliseconds: &str) -> Option<u128> {
    let (whole, fraction) = milliseconds.split_once('.').unwrap_or((milliseconds, ""));
    let whole: u128 = whole.parse().ok()?;
    let fraction: u128 = format!("{fraction:0<6.7}").parse().ok()?;
    (fraction < 1_000_000).then_some(whole * 1_000_000 + fraction)
}

/// What a number of some type means; nothing if it is not finite.
trait Number: Value + fmt::Debug {
    fn meant(self) -> Option<Meant>;
}

macro_rules! numbers {
    ($($type:ident)*) => {$(
        impl Number for $type {
            fn meant(self) -> Option<Meant> {
                Some(Meant::Text(self.to_string()))
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

impl Number for f64 {
    fn meant(self) -> Option<Meant> {
        self.is_finite().then_some(Meant::Double(self))
    }
}

impl Number for f32 {
    fn meant(self) -> Option<Meant> {
        self.is_finite().then_some(Meant::Single(self))
    }
}

impl Call {
    fn new(
        text: String,
        (kind, code): (&'static str, &str),
        values: Vec<Meant>,
        emit: impl Fn(&Connector, &str) + 'static,
    ) -> Self {
        Self { text, emit: Arc::new(emit), kind, code: code.to_owned(), values }
    }

    fn count<N: Number + 'static>(number: N) -> Self {
        let values = number.meant().into_iter().collect();
        let emit = move |statsd: &Connector, name: &str| statsd.incr_by(name, number);
        Self::new(format!("incr_by({number:?})"), ("counters", "c"), values, emit)
    }

    fn count_down<N: Number + 'static>(number: N) -> Self {
        let values = number.meant().map(Meant::negated).into_iter().collect();
        let emit = move |statsd: &Connector, name: &str| statsd.decr_by(name, number);
        Self::new(format!("decr_by({number:?})"), ("counters", "c"), values, emit)
    }

    fn gauge<N: Number + 'static>(number: N) -> Self {
        let reset = |meant: &Meant| meant.is_negative().then(|| Meant::Text("0".to_owned()));
        let lines = |meant: Meant| reset(&meant).into_iter().chain([meant]).collect();
        let values = number.meant().map_or(Vec::new(), lines);
        let emit = move |statsd: &Connector, name: &str| statsd.gauge(name, number);
        Self::new(format!("gauge({number:?})"), ("gauges", "g"), values, emit)
    }

    fn gauge_delta<N: Number + 'static>(number: N) -> Self {
        let change = |by: Meant| Meant::Change(Box::new(by));
        let values = number.meant().map(change).into_iter().collect();
        let emit = move |statsd: &Connector, name: &str| statsd.gauge_delta(name, number);
        Self::new(format!("gauge_delta({number:?})"), ("gauges", "g"), values, emit)
    }

    fn timing(elapsed: Duration) -> Self {
        let emit = move |statsd: &Connector, name: &str| statsd.timing(name, elapsed);
        Self::new(
            format!("timing({elapsed:?})"),
            ("timers", "ms"),
            vec![Meant::Time(elapsed)],
            emit,
        )
    }

    fn timing_seconds(seconds: f64) -> Self {
        let is_time = seconds.is_finite() && seconds >= 0.0;
        let values = is_time.then_some(Meant::Seconds(seconds)).into_iter().collect();
        let emit = move |statsd: &Connector, name: &str| statsd.timing_seconds(name, seconds);
        Self::new(format!("timing_seconds({seconds:?})"), ("timers", "ms"), values, emit)
    }

    fn inject(value: String, code: String) -> Self {
        let is_line = !value.is_empty()
            && !value.contains(is_forbidden)
            && !code.is_empty()
            && !code.contains(char::is_control);
        let values = is_line.then(|| Meant::Text(value.clone())).into_iter().collect();
        let text = format!("inject_metric({value:?}, {code:?})");
        let fields = ("", code.clone());
        let emit = move |statsd: &Connector, name: &str| statsd.inject_metric(name, &value, &code);
        Self::new(text, (fields.0, &fields.1), values, emit)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_forbidden(character: char) -> bool {
    matches!(character, ':' | '|') || character.is_control()
}

/// Characters that end fields and lines, or that some program takes for such.
fn hostile_character() -> impl Strategy<Value = char> {
    prop_oneof![
        2 => prop::char::range(' ', '~'),
        2 => prop::sample::select(vec![
            ':', '|', '\n', '\r', '\0', '\t', '\u{1b}', '\u{7f}', '\u{80}', '\u{85}', '\u{9f}',
            '\u{a0}', '\u{2028}', '\u{feff}', '\u{202e}', '@', '#', ',', ';', '=', '.', '/',
        ]),
        1 => any::<char>(),
    ]
}

fn hostile(length: Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(hostile_character(), length).prop_map(String::from_iter)
}

/// Mostly such as are found in services; else hostile ones, empty ones, and long ones on either
/// side of what fits.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => "[a-z][a-z0-9_.-]{0,40}",
        30 => hostile(0..40),
        1 => prop::sample::select(vec![7_000, LONGEST_LINE]).prop_map(|length| "n".repeat(length)),
    ]
}

fn any_call_with<N: Number + 'static>(
    number: impl Strategy<Value = N> + 'static,
) -> BoxedStrategy<Call> {
    let calls = [Call::count, Call::count_down, Call::gauge, Call::gauge_delta];
    (prop::sample::select(calls.to_vec()), number).prop_map(|(call, number)| call(number)).boxed()
}

fn double() -> BoxedStrategy<f64> {
    prop_oneof![
        4 => prop::num::f64::ANY,
        2 => any::<u64>().prop_map(f64::from_bits),
        2 => (any::<i32>(), 0..9).prop_map(|(digits, point)| f64::from(digits) / 10_f64.powi(point)),
        1 => any::<i64>().prop_map(|number| number as f64),
    ]
    .boxed()
}

fn time() -> impl Strategy<Value = Duration> {
    let any = (any::<u64>(), 0..1_000_000_000_u32);
    prop_oneof![
        any.prop_map(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds)),
        (0..10_000_000_000_u64).prop_map(Duration::from_nanos),
        (0..10_000_u64).prop_map(Duration::from_millis),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let integers = prop_oneof![
        any_call_with(any::<u8>()),
        any_call_with(any::<u16>()),
        any_call_with(any::<u32>()),
        any_call_with(any::<u64>()),
        any_call_with(any::<u128>()),
        any_call_with(any::<usize>()),
        any_call_with(any::<i8>()),
        any_call_with(any::<i16>()),
        any_call_with(any::<i32>()),
        any_call_with(any::<i64>()),
        any_call_with(any::<i128>()),
        any_call_with(any::<isize>()),
    ];
    let injected = (hostile(0..12), prop_oneof!["c|ms", "c\\|@0\\.[1-9]", hostile(0..12)]);
    let plain = (any::<i16>(), prop::sample::select(vec!["c", "g", "h", "c|@0.1"]));
    prop_oneof![
        4 => integers,
        4 => any_call_with(double()),
        2 => any_call_with(prop::num::f32::ANY),
        2 => time().prop_map(Call::timing),
        2 => double().prop_map(Call::timing_seconds),
        1 => injected.prop_map(|(value, code)| Call::inject(value, code)),
        1 => plain.prop_map(|(value, code)| Call::inject(value.to_string(), code.to_owned())),
    ]
}

/// Mostly such as are accepted.
fn prefix() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => hostile(0..60).prop_map(|text| text.replace(is_forbidden, ".")),
        1 => hostile(0..60),
        1 => hostile(200..300).prop_map(|text| text.replace(is_forbidden, "")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Names cannot leave their field, numbers read back as the same numbers, and what cannot
    /// be a line is counted. Nothing touches the lines before and after it.
    #[test]
    fn what_arrives_is_what_was_meant(
        prefix in prefix(),
        type_prefixes in any::<bool>(),
        calls in prop::collection::vec((name(), call()), 1..24),
    ) {
        arrives(prefix, type_prefixes, &calls)?;
    }
}

fn arrives(prefix: String, type_prefixes: bool, calls: &[(String, Call)]) -> TestCaseResult {
    let receiver = UdpReceiver::start();
    let builder = udp(receiver.port()).type_prefixes(type_prefixes).prefix(prefix.clone());
    let prefix = prefix.trim_matches('.');
    let Ok(statsd) = builder.build() else {
        prop_assert!(prefix.contains(is_forbidden) || prefix.len() > 256, "{prefix:?} is refused");
        return Ok(());
    };
    prop_assert!(!prefix.contains(is_forbidden) && prefix.len() <= 256, "{prefix:?} is accepted");
    let path = |kind: &str, name: &str| {
        let kind = if type_prefixes { kind } else { "" };
        let parts = [prefix, kind, name].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(".").replace(is_forbidden, "_")
    };

    let mut expected = Vec::new();
    let (mut invalid, mut oversize, mut altered) = (0, 0, 0);
    for (index, (name, call)) in calls.iter().enumerate() {
        let neighbour = (path("counters", "neighbour"), "c", Meant::Text(index.to_string()));
        statsd.incr_by("neighbour", index);
        (call.emit)(&statsd, name);
        statsd.incr_by("neighbour", index);
        expected.push(neighbour.clone());
        if name.is_empty() || call.values.is_empty() {
            invalid += call.values.len().max(1) as u64;
        } else if name.len() >= LONGEST_LINE {
            oversize += call.values.len() as u64;
        } else {
            altered += if name.contains(is_forbidden) { call.values.len() as u64 } else { 0 };
            let line = |meant: &Meant| (path(call.kind, name), &*call.code, meant.clone());
            expected.extend(call.values.iter().map(line));
        }
        expected.push(neighbour);
    }

    statsd.start_on_thread().expect("it is not running");
    flush(&statsd);
    let received = receiver.lines(expected.len() as u64);
    for (line, (path, code, value)) in received.iter().zip(&expected) {
        let is_numeric = !matches!(value, Meant::Text(_));
        let fields = if is_numeric { Line::parse(line) } else { Line::split(line) };
        let meant =
            |read: Line<'_>| read.path == path && read.code == *code && value.is(read.value);
        prop_assert!(fields.is_some_and(meant), "{line:?} is not {path:?} {value:?} {code:?}");
    }
    prop_assert_eq!(received.len(), expected.len());
    let stats = statsd.stats();
    prop_assert_eq!(stats.sent, tally(&received));
    prop_assert_eq!((stats.drops.invalid.lines, stats.drops.oversize.lines), (invalid, oversize));
    prop_assert_eq!((stats.buffered, stats.altered), (Tally::default(), altered));
    assert_balanced(&stats);
    Ok(())
}

/// What may happen to a connector.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A thread is told to emit so many lines. Nobody waits until it has.
    Emit {
        thread: usize,
        lines: u64,
    },
    /// The server reads no more.
    Stall,
    /// The server reads again.
    ReadOn,
    Start,
    Stop,
    Flush,
    /// The runtime goes down, without a stop.
    Abandon,
    Rest,
}

const THREADS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let emit = |lines: Range<u64>| {
        (0..THREADS, lines).prop_map(|(thread, lines)| Step::Emit { thread, lines }).boxed()
    };
    prop_oneof![
        4 => emit(1..100),
        // Enough for the operating system to take no more, where the server is stalled.
        2 => emit(5_000..10_000),
        2 => Just(Step::Stall),
        2 => Just(Step::ReadOn),
        3 => Just(Step::Start),
        1 => Just(Step::Stop),
        1 => Just(Step::Flush),
        1 => Just(Step::Abandon),
        2 => Just(Step::Rest),
    ]
}

/// A thread that emits as many lines as it is told to. It ends when told no more, and says what
/// it has emitted.
struct Emitter {
    go: Sender<u64>,
    thread: JoinHandle<Tally>,
}

impl Emitter {
    fn spawn(statsd: &Connector, thread: u64) -> Self {
        let (go, told) = mpsc::channel();
        let statsd = statsd.clone();
        let thread = thread::spawn(move || {
            let mut numbers = 0..;
            let mut emitted = Tally::default();
            for lines in told {
                for number in numbers.by_ref().take(lines as usize) {
                    emitted += emit_numbered(&statsd, thread, number);
                }
            }
            emitted
        });
        Self { go, thread }
    }
}

/// A connector, the runtime that it runs on, and its server.
struct Stage {
    statsd: Connector,
    runtime: Option<Runtime>,
    receiver: TcpReceiver,
}

impl Stage {
    fn start(&mut self) {
        if self.runtime.is_none() {
            let runtime = runtime();
            runtime.block_on(self.statsd.start()).expect("it is not running");
            self.runtime = Some(runtime);
        }
    }

    fn take(&mut self, step: Step, emitters: &[Emitter]) {
        match step {
            Step::Emit { thread, lines } => emitters[thread].go.send(lines).expect("it listens"),
            Step::Stall => self.receiver.stall(),
            Step::ReadOn => self.receiver.read_on(),
            Step::Start => self.start(),
            Step::Stop => {
                let _report = self.statsd.blocking_stop();
                self.runtime = None;
            }
            Step::Flush => drop(self.statsd.blocking_flush()),
            Step::Abandon => self.runtime = None,
            Step::Rest => thread::sleep(Duration::from_millis(20)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..ProptestConfig::default()
    })]

    /// Threads emit, the server stalls, the connector is stopped and started: each line is
    /// dropped or arrives, whole, once, in its thread's order, and the account says which.
    #[test]
    fn the_account_balances(
        capacity in 1_usize << 10..16 << 10,
        steps in prop::collection::vec(step(), 1..24),
    ) {
        let receiver = TcpReceiver::start();
        let builder = tcp(receiver.port()).queue_capacity(capacity);
        // Shorter than some of the stalls.
        let statsd = builder.stop_timeout(Duration::from_millis(20)).build().expect("valid");
        let emitters: Vec<_> =
            (0..THREADS as u64).map(|thread| Emitter::spawn(&statsd, thread)).collect();
        let mut stage = Stage { statsd, runtime: None, receiver };
        for &step in &steps {
            stage.take(step, &emitters);
        }
        let emitted = emitters.into_iter().fold(Tally::default(), |sum, Emitter { go, thread }| {
            drop(go);
            sum + thread.join().expect("no panic")
        });
        stage.receiver.read_on();
        stage.start();
        let Stage { statsd, receiver, runtime } = stage;
        eventually("all is sent", || statsd.blocking_flush() == FlushOutcome::Done);
        prop_assert_eq!(statsd.blocking_stop().kept, Tally::default());
        drop(runtime);

        let stats = statsd.stats();
        assert_balanced(&stats);
        prop_assert_eq!(stats.emitted, emitted);
        prop_assert_eq!(stats.buffered, Tally::default());
        prop_assert_eq!(stats.dropped(), stats.drops.full);
        receiver.wait_for_lines(stats.sent.lines);
        receiver.wait_for_end();
        let received = receiver.lines();
        prop_assert_eq!(tally(&received), stats.sent);
        assert_whole_and_in_order(&received);
    }
}

/// A thread that turns to its next block while a sweep looks at the threads one by one: its
/// newer lines must not overtake those that it has sealed.
#[test]
fn lines_of_a_thread_keep_their_order_while_it_turns_from_block_to_block() {
    const IDLE: u64 = 100;
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()).queue_capacity(4 << 10));
    // A sweep that has many threads to look at takes longer.
    let idle = Vec::from_iter((1..=IDLE).map(|thread| Emitter::spawn(&statsd, thread)));
    idle.iter().for_each(|emitter| emitter.go.send(1).expect("it listens"));
    eventually("all have a place", || statsd.stats().emitted.lines == IDLE);
    for number in 0..20_000 {
        emit_numbered(&statsd, 0, number);
        // Slow enough that there always is a next block to turn to.
        (0..100).for_each(|_| std::hint::spin_loop());
    }
    flush(&statsd);
    receiver.wait_for_lines(statsd.stats().sent.lines);
    assert_whole_and_in_order(&receiver.lines());
    drop(idle);
}
