//! libFuzzer's entry to the target `rtp_picture_depacketizer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("rtp_picture_depacketizer", input));
