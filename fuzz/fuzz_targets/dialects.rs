#![no_main]

use freewheel_fuzz::dialects::{Input, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: Input<'_>| check(&input));
