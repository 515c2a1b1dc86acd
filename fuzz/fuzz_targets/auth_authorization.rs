//! libFuzzer's entry to the target `auth_authorization`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("auth_authorization", input));
