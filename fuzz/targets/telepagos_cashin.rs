//! See `pregonero::fuzz::telepagos_cashin`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pregonero::fuzz::telepagos_cashin(data));
