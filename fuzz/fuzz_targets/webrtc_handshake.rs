//! libFuzzer's entry to the target `webrtc_handshake`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("webrtc_handshake", input));
