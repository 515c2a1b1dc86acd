//! libFuzzer's entry to the target `rtp_packet_differential`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("rtp_packet_differential", input));
