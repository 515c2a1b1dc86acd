//! libFuzzer's entry to the target `media_audio_config`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("media_audio_config", input));
