//! Names of the files that make up a stream over HLS.

use crate::adapters::muxer::Visit;

/// A file below `/APP/streams/` that belongs to this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    /// `ID.m3u8`, and `ID_adaptive.m3u8` as Ant Media's players ask first.
    Multivariant,
    /// `ID/video.m3u8`.
    Media(Kind),
    /// `ID/video_7.mp4`: initialisation section of segment 7 and those after it.
    Init(Kind, u64),
    /// `ID/video_7.m4s`.
    Segment(Kind, u64),
    /// `ID/video_7_90000.m4s`: the segment that begins at that tick, behind the initialisation section 7. So it is
    /// named in descriptions of DASH.
    At(Kind, u64, u64),
    /// `ID/video_7.2.m4s`: the third part of segment 7.
    Part(Kind, u64, usize),
    /// `ID/ts.m3u8`: segments of MPEG-TS, of pictures and sound together.
    Transport,
    /// `ID/ts_7.ts`: one of them.
    TransportSegment(u64),
}

/// Which rendition.
pub(crate) type Kind = media::Kind;

impl File {
    /// What a request for it says of who makes it.
    pub(super) const fn visit(self) -> Visit {
        match self {
            Self::Multivariant => Visit::Begin,
            Self::Media(_) | Self::Transport => Visit::Follow,
            _ => Visit::Fetch,
        }
    }

    /// The stream's ID (not checked) and the file, if the path has this protocol's form.
    pub(crate) fn parse(path: &str) -> Option<(&str, Self)> {
        let Some((id, file)) = path.split_once('/') else {
            let id = path.strip_suffix(".m3u8")?;
            return Some((
                id.strip_suffix("_adaptive").unwrap_or(id),
                Self::Multivariant,
            ));
        };
        if let Some(rest) = file.strip_prefix("ts") {
            let segment = || rest.strip_prefix('_')?.strip_suffix(".ts");
            let file = match rest {
                ".m3u8" => Self::Transport,
                _ => Self::TransportSegment(number(segment()?)?),
            };
            return Some((id, file));
        }
        let (kind, rest) = [Kind::Video, Kind::Audio]
            .into_iter()
            .find_map(|kind| Some((kind, file.strip_prefix(name(kind))?)))?;
        if rest == ".m3u8" {
            return Some((id, Self::Media(kind)));
        }
        let rest = rest.strip_prefix('_')?;
        let file = match (rest.strip_suffix(".mp4"), rest.strip_suffix(".m4s")) {
            (Some(text), _) => Self::Init(kind, number(text)?),
            (_, Some(numbers)) => match numbers.split_once('.') {
                Some((segment, part)) => {
                    Self::Part(kind, number(segment)?, usize::try_from(number(part)?).ok()?)
                }
                None => match numbers.split_once('_') {
                    Some((init, time)) => Self::At(kind, number(init)?, number(time)?),
                    None => Self::Segment(kind, number(numbers)?),
                },
            },
            _ => return None,
        };
        Some((id, file))
    }
}

/// `video`, `audio` or `data`.
pub(super) const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Video => "video",
        Kind::Audio => "audio",
        Kind::Data => "data",
    }
}

/// Digits only: no sign, no more than fit.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_one_name() {
        let cases = [
            ("cam.m3u8", Some(("cam", File::Multivariant))),
            ("cam_adaptive.m3u8", Some(("cam", File::Multivariant))),
            ("cam/video.m3u8", Some(("cam", File::Media(Kind::Video)))),
            ("cam/audio.m3u8", Some(("cam", File::Media(Kind::Audio)))),
            ("cam/video_7.mp4", Some(("cam", File::Init(Kind::Video, 7)))),
            (
                "cam/audio_7.m4s",
                Some(("cam", File::Segment(Kind::Audio, 7))),
            ),
            (
                "cam/video_7.2.m4s",
                Some(("cam", File::Part(Kind::Video, 7, 2))),
            ),
            (
                "cam/video_7_90000.m4s",
                Some(("cam", File::At(Kind::Video, 7, 90_000))),
            ),
            ("cam/ts.m3u8", Some(("cam", File::Transport))),
            ("cam/ts_7.ts", Some(("cam", File::TransportSegment(7)))),
            ("cam/ts_.ts", None),
            ("cam/ts_7.m4s", None),
            ("cam/video_7_.m4s", None),
            ("cam/video_7_1_2.m4s", None),
            ("cam/cam.mpd", None),
            ("cam.flv", None),
            ("cam/video_.m4s", None),
            ("cam/video_+7.m4s", None),
            ("cam/video_99999999999999999999999.m4s", None),
            ("cam/x/video.m3u8", None),
            ("../video.m3u8", Some(("..", File::Media(Kind::Video)))),
        ];
        for (path, expected) in cases {
            assert_eq!(File::parse(path), expected, "{path}");
        }
    }
}
