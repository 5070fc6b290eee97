//! See `pregonero::fuzz::telepagos_transactions`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pregonero::fuzz::telepagos_transactions(data));
