//! libFuzzer's entry to the target `rtmp_chunk_reader`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("rtmp_chunk_reader", input));
