//! libFuzzer's entry to the target `srt_session`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("srt_session", input));
