//! libFuzzer's entry to the target `rtsp_message`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("rtsp_message", input));
