//! libFuzzer's entry to the target `server_recording`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("server_recording", input));
