//! libFuzzer's entry to the target `onvif_device`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("onvif_device", input));
