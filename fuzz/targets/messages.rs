//! See `pregonero::fuzz::messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pregonero::fuzz::messages(data));
