//! Playlists, written once for each part.

use super::file;
use crate::adapters::muxer::{SESSION, SESSION_KEY};
use crate::net::text::Text;
use crate::segment::{self, DateRange, Part, Rendition, Snapshot};
use hls::{media as playlist, multivariant};
use media::{Codec, Kind};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// Segments at the end of a playlist that still list their parts. A player joins within three target
/// durations of the end.
const SEGMENTS_WITH_PARTS: usize = 3;

/// A delta update leaves out what is further from the end than so many target durations, the least that the draft allows
/// (section 4.4.3.8 of draft-pantos-hls-rfc8216bis).
const SKIP_TARGETS: u32 = 6;

/// Durations of parts are told to so much.
const ROUNDING: Duration = Duration::from_micros(4);

/// Where it would leave out fewer segments, there is none.
const WORTH_SKIPPING: usize = 8;

/// All playlists of a snapshot, each written for the first who asks for it.
#[derive(Debug)]
pub(crate) struct Playlists {
    /// The multivariant playlist, with [`SESSION`] where each viewer's session belongs.
    pub(super) multivariant: String,
    /// One of each kind.
    media: Vec<Media>,
}

/// Those of one rendition.
#[derive(Debug)]
struct Media {
    kind: Kind,
    whole: OnceLock<Text>,
    delta: OnceLock<Text>,
}

impl Playlists {
    /// Of a snapshot of the stream with that ID.
    pub(crate) fn of(snapshot: &Snapshot, id: &str) -> Self {
        // Who plays a track that has fallen silent still asks for it, and is told that it has ended.
        let renditions = snapshot.renditions.iter();
        let media = renditions.map(|rendition| Media {
            kind: rendition.track.kind(),
            whole: OnceLock::new(),
            delta: OnceLock::new(),
        });
        Self {
            multivariant: multivariant(snapshot.present(), id),
            media: media.collect(),
        }
    }

    /// The playlist of that kind of media, of the same snapshot: a delta update, if that is wanted and worth it.
    pub(crate) fn media(&self, snapshot: &Snapshot, kind: Kind, delta: bool) -> Option<&Text> {
        let rendition = snapshot.rendition(kind)?;
        let media = self.media.iter().find(|media| media.kind == kind)?;
        let skipped = match delta {
            true => skippable(rendition, snapshot),
            false => 0,
        };
        let place = match skipped {
            0 => &media.whole,
            _ => &media.delta,
        };
        Some(place.get_or_init(|| Text::new(media_playlist(rendition, snapshot, skipped))))
    }
}

/// Whether nothing more comes of it.
pub(super) fn is_over(rendition: &Rendition, snapshot: &Snapshot) -> bool {
    let mut present = snapshot.present().iter();
    snapshot.ended || !present.any(|present| present.track.id == rendition.track.id)
}

/// How far from the end a delta update begins.
fn skip_boundary(snapshot: &Snapshot) -> Duration {
    Duration::from_secs(snapshot.target.unwrap_or(1).max(1).into()) * SKIP_TARGETS
}

/// How many segments a delta update leaves out; 0 where there is none to be had.
fn skippable(rendition: &Rendition, snapshot: &Snapshot) -> usize {
    if is_over(rendition, snapshot) {
        return 0;
    }
    let boundary = skip_boundary(snapshot);
    let mut distance: Duration = rendition.open_parts.iter().map(|part| part.duration).sum();
    let listed: Vec<_> = rendition.listed().0.collect();
    let near = listed.iter().rev().take_while(|segment| {
        distance += segment.duration;
        distance <= boundary
    });
    match listed.len().saturating_sub(near.count()) {
        skippable @ WORTH_SKIPPING.. => skippable,
        _ => 0,
    }
}

/// Without so many segments at the start.
fn media_playlist(rendition: &Rendition, snapshot: &Snapshot, skipped: usize) -> String {
    let ended = is_over(rendition, snapshot);
    let name = file::name(rendition.track.kind());
    let (listed, discontinuity_sequence) = rendition.listed();
    let listed: Vec<_> = listed.collect();
    let media_sequence = listed
        .first()
        .map_or(rendition.open_number, |segment| segment.number);
    let oldest = listed.first().map(|segment| segment.program_date_time);
    let listed = listed.get(skipped..).unwrap_or_default();
    // Parts are for who follows a live edge.
    let in_parts = !ended && is_in_parts(rendition, snapshot.part);
    let with_parts = if in_parts { SEGMENTS_WITH_PARTS } else { 0 };
    let parts_from = listed.len().saturating_sub(with_parts);
    // The model borrows its texts, so they are made first.
    let texts: Vec<_> = listed
        .iter()
        .enumerate()
        .map(|(at, segment)| {
            let parts = if at >= parts_from {
                part_uris(name, segment.number, &segment.parts)
            } else {
                Vec::new()
            };
            (
                format!("{name}_{}.m4s", segment.number),
                format!("{name}_{}.mp4", segment.init.number),
                parts,
            )
        })
        .collect();
    let parts: Vec<_> = listed
        .iter()
        .zip(&texts)
        .map(|(segment, (_, _, uris))| playlist_parts(&segment.parts, uris))
        .collect();
    let segments: Vec<_> = listed
        .iter()
        .zip(texts.iter().zip(&parts))
        .map(|(segment, ((uri, map, _), parts))| playlist::Segment {
            uri,
            duration: segment.duration,
            parts,
            discontinuity: segment.discontinuity,
            program_date_time: Some(segment.program_date_time),
            map: Some(map),
        })
        .collect();
    let open_uris = part_uris(name, rendition.open_number, &rendition.open_parts);
    let open_parts = playlist_parts(&rendition.open_parts, &open_uris);
    let open_map = format!("{name}_{}.mp4", rendition.init.number);
    let hint = format!(
        "{name}_{}.{}.m4s",
        rendition.open_number,
        rendition.open_parts.len()
    );
    // Those of the multivariant playlist: by these the page notices that it has changed.
    let others: Vec<_> = snapshot
        .present()
        .iter()
        .filter(|other| other.track.id != rendition.track.id)
        .collect();
    let reports: Vec<_> = others
        .iter()
        .map(|other| (format!("{}.m3u8", file::name(other.track.kind())), *other))
        .collect();
    let reports: Vec<_> = reports
        .iter()
        .filter_map(|(uri, other)| report(uri, other))
        .collect();
    let date_ranges = date_ranges(snapshot, oldest);
    let playlist = playlist::Playlist {
        target_duration: snapshot.target.unwrap_or(1),
        part_target: in_parts.then_some(snapshot.part),
        can_skip_until: (skippable(rendition, snapshot) > 0).then(|| skip_boundary(snapshot)),
        is_recording: false,
        media_sequence,
        discontinuity_sequence,
        skipped: skipped as u64,
        date_ranges: &date_ranges,
        segments: &segments,
        open: (in_parts && !open_parts.is_empty()).then_some(playlist::OpenSegment {
            parts: &open_parts,
            discontinuity: rendition.open_discontinuity,
            program_date_time: None,
            map: Some(&open_map),
        }),
        preload_hint: in_parts.then_some(&hint),
        rendition_reports: &reports,
        ended,
    };
    let mut text = String::with_capacity(4_096);
    playlist.render(&mut text);
    text
}

/// Whether none of the newest parts is longer than parts may be: where pictures stand for longer, there are none to tell of.
fn is_in_parts(rendition: &Rendition, longest: Duration) -> bool {
    let newest = rendition.segments.iter().rev().take(SEGMENTS_WITH_PARTS);
    let parts = newest.flat_map(|segment| &segment.parts);
    let mut parts = parts.chain(&rendition.open_parts);
    parts.all(|part| part.duration <= longest + ROUNDING)
}

/// What happened since then: of what is no longer listed nothing is told.
pub(super) fn date_ranges(
    snapshot: &Snapshot,
    oldest: Option<SystemTime>,
) -> Vec<playlist::DateRange<'_>> {
    let ranges = snapshot.date_ranges.iter();
    let listed = ranges.filter(|range| oldest.is_none_or(|oldest| range.end() >= oldest));
    listed.map(date_range).collect()
}

fn date_range(range: &DateRange) -> playlist::DateRange<'_> {
    playlist::DateRange {
        id: &range.id,
        start: range.start,
        duration: range.length,
        planned_duration: range.planned,
        scte35_out: range.out.as_deref(),
        scte35_in: range.back.as_deref(),
        scte35_command: range.command.as_deref(),
    }
}

/// Where the other rendition stands: its newest segment and part.
fn report<'a>(uri: &'a str, other: &Rendition) -> Option<playlist::RenditionReport<'a>> {
    let (last_msn, parts) = match other.open_parts.len() {
        0 => (
            other.open_number.checked_sub(1)?,
            other.segments.back()?.parts.len(),
        ),
        parts => (other.open_number, parts),
    };
    Some(playlist::RenditionReport {
        uri,
        last_msn,
        last_part: parts.checked_sub(1).map(|part| part as u64),
    })
}

fn part_uris(name: &str, number: u64, parts: &[Part]) -> Vec<String> {
    (0..parts.len())
        .map(|part| format!("{name}_{number}.{part}.m4s"))
        .collect()
}

/// Parts with their URIs; none where there are no URIs.
fn playlist_parts<'a>(parts: &[Part], uris: &'a [String]) -> Vec<playlist::Part<'a>> {
    let pairs = parts.iter().zip(uris);
    pairs
        .map(|(part, uri)| playlist::Part {
            uri,
            duration: part.duration,
            independent: part.independent,
        })
        .collect()
}

fn multivariant(renditions: &[Rendition], id: &str) -> String {
    const GROUP: &str = "audio";
    let of = |kind| {
        renditions
            .iter()
            .find(|rendition| rendition.track.kind() == kind)
    };
    let (video, audio) = (of(Kind::Video), of(Kind::Audio));
    let uri = |kind| format!("{id}/{}.m3u8?{SESSION_KEY}={SESSION}", file::name(kind));
    let (audio_uri, video_uri) = (uri(Kind::Audio), uri(Kind::Video));
    let codecs: Vec<String> = [video, audio]
        .into_iter()
        .flatten()
        .filter_map(|rendition| segment::codecs(&rendition.track.codec))
        .collect();
    let codecs: Vec<&str> = codecs.iter().map(String::as_str).collect();
    let resolution = video.and_then(|rendition| rendition.track.codec.size());
    let frame_rate = video.and_then(|rendition| rendition.track.codec.frame_rate());
    let channels = audio.and_then(|rendition| rendition.track.codec.channels());
    let rates: Vec<_> = [video, audio]
        .into_iter()
        .flatten()
        .map(Rendition::bandwidth)
        .collect();
    let group = [multivariant::AudioRendition {
        group_id: GROUP,
        name: "Audio",
        language: None,
        default: true,
        autoselect: true,
        channels,
        uri: Some(&audio_uri),
    }];
    let with_group = video.is_some() && audio.is_some();
    let variant = multivariant::Variant {
        uri: if video.is_some() {
            &video_uri
        } else {
            &audio_uri
        },
        bandwidth: rates.iter().map(|rate| rate.peak).sum(),
        average_bandwidth: Some(rates.iter().map(|rate| rate.average).sum()),
        codecs: &codecs,
        resolution,
        frame_rate,
        audio: with_group.then_some(GROUP),
    };
    // For players that know the pictures and not the sound. As dear as the other, so that nobody changes to it to save.
    let silent = multivariant::Variant {
        codecs: codecs.get(..1).unwrap_or_default(),
        audio: None,
        ..variant
    };
    let common = audio.is_none_or(|audio| matches!(audio.track.codec, Codec::Aac(_)));
    let playlist = multivariant::Playlist {
        independent_segments: false,
        audio: if with_group { &group } else { &[] },
        variants: match with_group && !common {
            true => &[variant, silent],
            false => &[variant],
        },
    };
    let mut text = String::with_capacity(512);
    playlist.render(&mut text);
    text
}
