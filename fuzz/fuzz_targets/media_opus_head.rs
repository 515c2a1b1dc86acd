//! libFuzzer's entry to the target `media_opus_head`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("media_opus_head", input));
