//! libFuzzer's entry to the target `rtp_rtcp_differential`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run("rtp_rtcp_differential", input));
