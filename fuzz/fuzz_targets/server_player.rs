//! libFuzzer's entry to the target `server_player`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("server_player", input));
