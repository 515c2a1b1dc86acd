//! libFuzzer's entry to the target `srt_packet`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("srt_packet", input));
