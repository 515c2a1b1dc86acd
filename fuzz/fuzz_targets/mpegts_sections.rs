//! libFuzzer's entry to the target `mpegts_sections`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("mpegts_sections", input));
