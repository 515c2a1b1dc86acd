//! libFuzzer's entry to the target `media_picture_order`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("media_picture_order", input));
