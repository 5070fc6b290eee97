//! See `pregonero::fuzz::diff`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pregonero::fuzz::diff(data));
