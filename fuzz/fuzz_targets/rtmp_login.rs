//! libFuzzer's entry to the target `rtmp_login`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("rtmp_login", input));
