use super::{assert_parsed, assert_refused};
use crate::parsers::plain::{Types, parse};

#[test]
fn accepted() {
    for (line, expected) in [
        ("gorets:1|c", "gorets <> 1 c -"),
        ("gorets:1|c|@0.1", "gorets <> 1 c 0.1"),
        ("gorets:-1.5|c|@1", "gorets <> -1.5 c 1"),
        ("glork:320|ms|@0.1", "glork <> 320 ms 0.1"),
        ("gaugor:333|g", "gaugor <> 333 g -"),
        ("gaugor:-10|g", "gaugor <> -10 g -"),
        ("gaugor:+4|g", "gaugor <> +4 g -"),
        ("gaugor:-0|g", "gaugor <> -0 g -"),
        ("uniques:765|s", "uniques <> 765 s -"),
        ("uniques:é ,;=-|s", "uniques <> é ,;=- s -"),
        ("a b/é!~^{}:0|c", "a b/é!~^{} <> 0 c -"),
        ("a:1|c|@0.7", "a <> 1 c 0.7"),
    ] {
        assert_parsed(parse(line.as_bytes(), Types::Etsy), expected);
        assert_parsed(parse(format!("{line}\n").as_bytes(), Types::Etsy), expected);
    }
    // netdata accepts a member with a sign, but rounds the count of a sampled counter to an
    // integer.
    assert_parsed(parse(b"a:-1|s", Types::Extended), "a <> -1 s -");
    assert_refused(
        parse(b"a:-1|s", Types::Etsy),
        "a:-1|s",
        "a sign that the server does not accept",
    );
    assert_refused(
        parse(b"a:1|c|@0.7", Types::Extended),
        "",
        "a sample rate that the server rounds",
    );
    for line in ["a:1|h", "a:-1.5|m|@0.5"] {
        assert!(parse(line.as_bytes(), Types::Extended).is_ok(), "{line}");
        assert_refused(parse(line.as_bytes(), Types::Etsy), line, "an unknown type");
    }
    assert_eq!(parse(b"a:1|c\nb:2|g\nc:3|ms", Types::Etsy).unwrap().len(), 3);
}

#[test]
fn refused() {
    for (line, reason) in [
        ("", "an empty line"),
        ("a:1|c\n\n", "an empty line"),
        ("\na:1|c\n", "an empty line"),
        ("a:1|c\n\nb:1|c\n", "an empty line"),
        ("a:1|c\r\n", "a control character"),
        ("a\tb:1|c", "a control character"),
        ("a\u{85}:1|c", "a control character"),
        ("a:1", "no type"),
        ("a|c", "no value"),
        (":1|c", "an empty name"),
        ("a:1|", "an unknown type"),
        ("a:1|C", "an unknown type"),
        ("a:1|d", "an unknown type"),
        ("a:|c", "not a plain decimal"),
        ("a:1:2|ms", "not a plain decimal"),
        ("a:+1|c", "not a plain decimal"),
        ("a:-1|ms", "not a plain decimal"),
        ("a:1e3|c", "not a plain decimal"),
        ("a:01|c", "not a plain decimal"),
        ("a:1.|c", "not a plain decimal"),
        ("a:.5|c", "not a plain decimal"),
        ("a:1.50|c", "not a plain decimal"),
        ("a:--1|g", "not a plain decimal"),
        ("a:NaN|g", "not a plain decimal"),
        ("a:inf|g", "not a plain decimal"),
        ("a: 1|c", "not a plain decimal"),
        ("a:-0|c", "a negative zero"),
        ("a:|s", "an empty member"),
        ("a:b:c|s", "a separator in a member"),
        ("a:b@c|s", "a separator in a member"),
        ("a:b#c|s", "a separator in a member"),
        ("a=7:1|g", "a separator in the name"),
        ("a,k=v:1|c", "a separator in the name"),
        ("a,k:1|c", "a separator in the name"),
        ("a;k:1|c", "a separator in the name"),
        ("a#k:1|c", "a separator in the name"),
        ("a[k:1|c", "a separator in the name"),
        ("a]:1|c", "a separator in the name"),
        ("a@b:1|c", "a separator in the name"),
        ("a:1|ms|@0.7", "a sample rate that the server rounds"),
        ("a:1|ms|@0.010752688172043012", "a sample rate that the server rounds"),
        ("a:1|c|0.1", "a field that is not a sample rate"),
        ("a:1|c|#a:b", "a field that is not a sample rate"),
        ("a:1|c|", "a field that is not a sample rate"),
        ("a:1|c|@0.1|", "a field after the sample rate"),
        ("a:1|c|@0.1|#a:b", "a field after the sample rate"),
        ("a:1|g|@0.1", "a sample rate for a type that is not sampled"),
        ("a:1|s|@0.1", "a sample rate for a type that is not sampled"),
        ("a:1|c|@0", "a sample rate outside (0, 1]"),
        ("a:1|c|@1.1", "a sample rate outside (0, 1]"),
        ("a:1|c|@1e-1", "a sample rate that is not a plain decimal"),
        ("a:1|c|@-1", "a sample rate that is not a plain decimal"),
        ("a:1|c|@", "a sample rate that is not a plain decimal"),
    ] {
        assert_refused(parse(line.as_bytes(), Types::Extended), line, reason);
    }
    assert_refused(parse(b"a\xff:1|c", Types::Etsy), "a\u{fffd}:1|c", "text that is not UTF-8");
}
