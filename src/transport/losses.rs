//! What of a transport stream is lost, in words.

use mpegts::Format;
use mpegts::demuxer::Demuxer;
use mpegts::psi::Pmt;

/// What could not be read so far.
pub(super) fn counted(demuxer: &Demuxer) -> impl Iterator<Item = String> {
    let counts = demuxer.counts();
    let skipped = demuxer.aligner_counts().skipped_bytes;
    let counted = [
        (counts.transport_errors, "packets are marked as damaged"),
        (counts.malformed_packets, "packets cannot be read"),
        (counts.continuity_errors, "times packets are missing"),
        (counts.scrambled_packets, "packets are encrypted"),
        (counts.malformed_sections, "tables cannot be read"),
        (counts.malformed_pes, "PES packets are not whole"),
        (
            counts.damaged_units,
            "access units were dropped, since parts of them are missing",
        ),
        (
            counts.units_before_configuration,
            "access units come before what a decoder needs for them",
        ),
        (counts.units_without_time, "access units have no time"),
        (skipped, "bytes are no packets"),
    ];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    counted.map(|(count, words)| format!("{count} {words}"))
}

/// The streams of a program, by whether they can be carried.
pub(super) fn sorted(program: &Pmt) -> (Vec<Format>, Vec<Format>) {
    let streams = program.streams.iter();
    let formats = streams.map(|stream| Format::of(program, stream));
    formats.partition(|format| !matches!(format, Format::Known { .. } | Format::Unknown))
}

/// Words for streams that are not carried.
pub(super) fn left_out(names: &[&'static str]) -> impl Iterator<Item = String> {
    let names = names.iter();
    names.map(|name| format!("a stream of {name} is not carried"))
}
