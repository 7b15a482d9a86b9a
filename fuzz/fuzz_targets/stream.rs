#![no_main]

use freewheel_fuzz::stream::{Input, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: Input| check(&input));
