//! libFuzzer's entry to the target `hls_client`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("hls_client", input));
