//! libFuzzer's entry to the target `sdp_description_differential`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| millstream_fuzz::run(
    "sdp_description_differential",
    input
));
