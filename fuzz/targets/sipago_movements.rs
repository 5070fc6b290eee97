//! See `pregonero::fuzz::sipago_movements`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pregonero::fuzz::sipago_movements(data));
