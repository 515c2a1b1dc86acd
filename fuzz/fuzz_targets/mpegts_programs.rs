//! libFuzzer's entry to the target `mpegts_programs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("mpegts_programs", input));
