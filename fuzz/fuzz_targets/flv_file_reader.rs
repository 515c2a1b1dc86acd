//! libFuzzer's entry to the target `flv_file_reader`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("flv_file_reader", input));
