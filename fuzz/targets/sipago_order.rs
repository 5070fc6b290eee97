//! See `pregonero::fuzz::sipago_order`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pregonero::fuzz::sipago_order(data));
