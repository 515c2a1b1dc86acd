//! libFuzzer's entry to the target `media_av1c`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("media_av1c", input));
