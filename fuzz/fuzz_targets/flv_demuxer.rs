//! libFuzzer's entry to the target `flv_demuxer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("flv_demuxer", input));
