//! A fuzzer for the subject that the program is named for.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| scrip_fuzz::run(env!("CARGO_BIN_NAME"), data));
