//! libFuzzer's entry to the target `rtsp_pair`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("rtsp_pair", input));
