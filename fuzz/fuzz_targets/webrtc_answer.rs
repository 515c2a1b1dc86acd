//! libFuzzer's entry to the target `webrtc_answer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("webrtc_answer", input));
