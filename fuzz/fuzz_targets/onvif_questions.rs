//! libFuzzer's entry to the target `onvif_questions`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("onvif_questions", input));
