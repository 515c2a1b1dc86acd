//! libFuzzer's entry to the target `srt_listener`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("srt_listener", input));
