//! libFuzzer's entry to the target `rtmp_client_session`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("rtmp_client_session", input));
