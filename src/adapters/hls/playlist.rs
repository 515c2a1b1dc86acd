//! Playlists, written once for each part.

use super::file;
use crate::adapters::muxer::{SESSION, SESSION_KEY};
use crate::segment::{Part, Rendition, Snapshot};
use bytes::Bytes;
use hls::{media as playlist, multivariant};
use media::Kind;

/// Segments at the end of a playlist that still list their parts. A player joins within three target
/// durations of the end.
const SEGMENTS_WITH_PARTS: usize = 3;

/// All playlists of a snapshot.
#[derive(Debug)]
pub(super) struct Playlists {
    /// The multivariant playlist, with [`SESSION`] where each viewer's session belongs.
    pub(super) multivariant: String,
    /// One of each kind, by the kind.
    media: Vec<(Kind, Bytes)>,
}

impl Playlists {
    /// Of a snapshot of the stream with that ID.
    pub(super) fn of(snapshot: &Snapshot, id: &str) -> Self {
        // Who plays a track that has fallen silent still asks for it, and is told that it has ended.
        let renditions = snapshot.renditions.iter();
        let media = renditions.map(|rendition| {
            let playlist = media_playlist(rendition, snapshot);
            (rendition.track.kind(), playlist.into())
        });
        Self {
            multivariant: multivariant(snapshot.present(), id),
            media: media.collect(),
        }
    }

    /// The playlist of that kind of media.
    pub(super) fn media(&self, kind: Kind) -> Option<&Bytes> {
        let mut media = self.media.iter();
        media.find_map(|(of, playlist)| (*of == kind).then_some(playlist))
    }
}

fn media_playlist(rendition: &Rendition, snapshot: &Snapshot) -> String {
    let present = snapshot.present();
    let is_present = present
        .iter()
        .any(|present| present.track.id == rendition.track.id);
    let ended = snapshot.ended || !is_present;
    let name = file::name(rendition.track.kind());
    let (listed, discontinuity_sequence) = rendition.listed();
    let listed: Vec<_> = listed.collect();
    // Parts are for who follows a live edge.
    let with_parts = if ended { 0 } else { SEGMENTS_WITH_PARTS };
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
    let others: Vec<_> = present
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
    let playlist = playlist::Playlist {
        target_duration: snapshot.target.unwrap_or(1),
        part_target: (!ended).then_some(snapshot.part),
        media_sequence: listed
            .first()
            .map_or(rendition.open_number, |segment| segment.number),
        discontinuity_sequence,
        segments: &segments,
        open: (!ended && !open_parts.is_empty()).then_some(playlist::OpenSegment {
            parts: &open_parts,
            discontinuity: rendition.open_discontinuity,
            program_date_time: None,
            map: Some(&open_map),
        }),
        preload_hint: (!ended).then_some(&hint),
        rendition_reports: &reports,
        ended,
    };
    let mut text = String::with_capacity(4_096);
    playlist.render(&mut text);
    text
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
        .filter_map(|rendition| rendition.track.codec.rfc6381())
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
    let playlist = multivariant::Playlist {
        independent_segments: false,
        audio: if with_group { &group } else { &[] },
        variants: &[variant],
    };
    let mut text = String::with_capacity(512);
    playlist.render(&mut text);
    text
}
