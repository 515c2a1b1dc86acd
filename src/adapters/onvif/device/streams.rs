//! The streams of the hub as those of a camera.

use super::DeviceSettings;
use crate::adapters::Context;
use crate::auth::{Action, Caller, Denied};
use crate::hub::{Snapshot, StreamName};
use media::{Codec, Kind};
use onvif::server::{Audio, AudioEncoding, MAX_STREAMS, Stream, Video, VideoEncoding, token};

/// Pictures a second where a stream does not tell.
const USUAL_RATE: f64 = 25.0;

/// Between key frames, in seconds, where that is not known yet.
const USUAL_GOP: f64 = 2.0;

/// Those that are live, offered, and may be played by the caller. The second is true where there are others, which who
/// shows another password may play.
pub(super) async fn of(
    context: &Context,
    settings: &DeviceSettings,
    caller: Caller<'_>,
    place: Option<&str>,
) -> (Vec<Stream>, bool) {
    let mut shown = Vec::new();
    let mut needs_login = false;
    for stream in context.hub.list() {
        let (name, snapshot) = (stream.name(), stream.snapshot());
        if !snapshot.ready || !snapshot.publishing || !is_offered(settings, name) {
            continue;
        }
        let Some(mut found) = described(name, &snapshot) else {
            continue;
        };
        match context
            .auth
            .check(Action::Play(name.app(), name.id()), caller)
            .await
        {
            Ok(_) => {}
            Err(denied) => {
                needs_login |= denied == Denied::Login;
                continue;
            }
        }
        // Names are harmless in URLs.
        found.url = place.map_or_else(String::new, |place| format!("{place}/{name}"));
        shown.push(found);
        if shown.len() >= MAX_STREAMS {
            break;
        }
    }
    (shown, needs_login)
}

fn is_offered(settings: &DeviceSettings, name: &StreamName) -> bool {
    let mut offered = settings.streams.iter();
    settings.streams.is_empty() || offered.any(|text| text == name.app() || text == name.as_str())
}

/// A stream with pictures that ONVIF knows; none for others.
fn described(name: &StreamName, snapshot: &Snapshot) -> Option<Stream> {
    let pictures = snapshot.tracks.first(Kind::Video)?;
    let encoding = match &pictures.codec {
        Codec::H264(_) => VideoEncoding::H264,
        Codec::H265(_) => VideoEncoding::H265,
        Codec::Jpeg(_) => VideoEncoding::Jpeg,
        _ => return None,
    };
    let told = pictures.codec.frame_rate();
    let frame_rate = told.filter(|(number, of)| *number > 0 && *of > 0);
    let frame_rate =
        frame_rate.map_or(USUAL_RATE, |(number, of)| f64::from(number) / f64::from(of));
    let gop = snapshot.gop.map_or(USUAL_GOP, |gop| gop.as_secs_f64());
    let video = Video {
        encoding,
        size: pictures.codec.size()?,
        frame_rate: frame_rate.min(1_000.0),
        bitrate: u32::try_from(snapshot.bits_per_second / 1_000)
            .unwrap_or(u32::MAX)
            .max(1),
        // Of some seconds and some pictures a second.
        gop_length: (gop * frame_rate).round().clamp(1.0, 100_000.0) as u32,
        profile: profile(&pictures.codec),
    };
    let sound = snapshot.tracks.first(Kind::Audio);
    let audio = sound.and_then(|track| {
        let (encoding, sample_rate) = match &track.codec {
            Codec::Aac(config) => (AudioEncoding::Aac, config.sample_rate),
            Codec::G711 {
                law, sample_rate, ..
            } => {
                let encoding = match law {
                    media::codec::g711::Law::Mu => AudioEncoding::Pcmu,
                    media::codec::g711::Law::A => AudioEncoding::Pcma,
                };
                (encoding, *sample_rate)
            }
            _ => return None,
        };
        Some(Audio {
            encoding,
            sample_rate: sample_rate.ticks_per_second(),
            channels: track.codec.channels().unwrap_or(1),
        })
    });
    Some(Stream {
        token: token(name.as_str()),
        name: name.id().to_owned(),
        url: String::new(),
        video,
        audio,
    })
}

/// The profile of the codec, by its number (ITU-T H.264 annex A, H.265 annex A).
fn profile(codec: &Codec) -> Option<&'static str> {
    let name = codec.rfc6381()?;
    let (kind, rest) = name.split_once('.')?;
    match kind {
        "avc1" | "avc3" => match rest.get(..2)?.to_ascii_lowercase().as_str() {
            "42" => Some("Baseline"),
            "58" => Some("Extended"),
            "4d" => Some("Main"),
            _ => Some("High"),
        },
        "hvc1" | "hev1" => match rest.split('.').next()? {
            "1" => Some("Main"),
            "2" => Some("Main10"),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered() {
        let name = |id| StreamName::new("LiveApp", id).unwrap();
        let with = |streams: &[&str]| DeviceSettings {
            streams: streams.iter().map(|&text| text.to_owned()).collect(),
            ..DeviceSettings::default()
        };
        assert!(is_offered(&with(&[]), &name("a")));
        assert!(is_offered(&with(&["live", "LiveApp"]), &name("a")));
        assert!(is_offered(&with(&["LiveApp/a"]), &name("a")));
        assert!(!is_offered(&with(&["LiveApp/a"]), &name("ab")));
        assert!(!is_offered(&with(&["live"]), &name("a")));
    }
}
