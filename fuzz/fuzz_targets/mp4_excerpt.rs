//! libFuzzer's entry to the target `mp4_excerpt`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("mp4_excerpt", input));
