//! libFuzzer's entry to the target `auth_challenge`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("auth_challenge", input));
