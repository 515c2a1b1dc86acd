//! libFuzzer's entry to the target `mpegts_constant_rate`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("mpegts_constant_rate", input));
