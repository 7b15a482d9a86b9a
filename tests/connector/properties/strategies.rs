//! Proptest strategies for API calls, metric names and prefixes.

use super::call::{Call, Number};
use super::{LONGEST_LINE, is_forbidden};
use proptest::prelude::*;
use std::ops::Range;
use std::time::Duration;

/// Generates any character, often one that ends a field or a line in some program.
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

/// Generates texts of hostile characters, with a length in this range.
fn hostile(length: Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(hostile_character(), length).prop_map(String::from_iter)
}

/// Generates metric names: common ones, hostile or empty ones, and rarely a long one of up to the
/// maximum length of a line.
pub(crate) fn name() -> impl Strategy<Value = String> {
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

/// Generates floating-point numbers of all kinds, often with a short decimal form.
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

/// Generates an API call that emits a counter, a gauge, a timing or a line with any type code (by
/// `inject_metric`), with a valid or invalid value.
pub(crate) fn call() -> impl Strategy<Value = Call> {
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

/// Generates prefixes of metric names, most of them valid.
pub(crate) fn prefix() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => hostile(0..60).prop_map(|text| text.replace(is_forbidden, ".")),
        1 => hostile(0..60),
        1 => hostile(200..300).prop_map(|text| text.replace(is_forbidden, "")),
    ]
}
