//! libFuzzer's entry to the target `media_h265_sps`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("media_h265_sps", input));
