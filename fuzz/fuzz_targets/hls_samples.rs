//! libFuzzer's entry to the target `hls_samples`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("hls_samples", input));
