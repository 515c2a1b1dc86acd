//! libFuzzer's entry to the target `rtmp_amf0_differential`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("rtmp_amf0_differential", input));
