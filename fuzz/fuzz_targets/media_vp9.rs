//! libFuzzer's entry to the target `media_vp9`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("media_vp9", input));
