//! Answers of the media service of version 1 (ONVIF Media Service Specification). It has no name for H.265: streams of that
//! are profiles of version 2 alone.

use super::text::{
    MULTICAST, QUALITY, SESSION_TIMEOUT, audio_source_configuration, entity, items, joined, number,
    range, resolution, video_source_configuration,
};
use super::{Device, Fault, MAX_STREAMS, Stream, VideoEncoding};
use crate::xml::{Element, escape};

pub(super) fn answer(operation: &Element, device: &Device) -> Result<String, Fault> {
    let asked = Asked { operation, device };
    Ok(match operation.name.as_str() {
        "GetServiceCapabilities" => capabilities("r"),
        "GetProfiles" => joined(asked.all().map(|stream| profile("r:Profiles", stream))),
        "GetProfile" => profile("r:Profile", asked.profile()?),
        "GetVideoSources" => joined(device.streams.iter().map(video_source)),
        "GetAudioSources" => joined(asked.all().filter_map(audio_source)),
        "GetVideoSourceConfigurations" => asked.each(|s| video_source_configuration(LIST, s)),
        "GetVideoEncoderConfigurations" => asked.each(|s| video_encoder(LIST, s)),
        "GetAudioSourceConfigurations" => asked.each(|s| audio_source_configuration(LIST, s)),
        "GetAudioEncoderConfigurations" => asked.each(|s| audio_encoder(LIST, s)),
        "GetCompatibleVideoSourceConfigurations" => {
            video_source_configuration(LIST, asked.profile()?)
        }
        "GetCompatibleVideoEncoderConfigurations" => video_encoder(LIST, asked.profile()?),
        "GetCompatibleAudioSourceConfigurations" => {
            audio_source_configuration(LIST, asked.profile()?)
        }
        "GetCompatibleAudioEncoderConfigurations" => audio_encoder(LIST, asked.profile()?),
        "GetVideoSourceConfiguration" => video_source_configuration(ONE, asked.configuration()?),
        "GetVideoEncoderConfiguration" => video_encoder(ONE, asked.configuration()?),
        "GetAudioSourceConfiguration" => audio_source_configuration(ONE, asked.sound()?),
        "GetAudioEncoderConfiguration" => audio_encoder(ONE, asked.sound()?),
        "GetVideoSourceConfigurationOptions" => asked.source_options()?,
        "GetVideoEncoderConfigurationOptions" => video_options(&asked.named()?),
        "GetAudioSourceConfigurationOptions" => {
            let with_sound = asked
                .named()?
                .into_iter()
                .filter(|stream| stream.audio.is_some());
            let tokens = with_sound.map(|stream| {
                let token = escape(&stream.token);
                format!("<tt:InputTokensAvailable>{token}</tt:InputTokensAvailable>")
            });
            format!("<r:Options>{}</r:Options>", joined(tokens))
        }
        "GetAudioEncoderConfigurationOptions" => {
            let options = asked.named()?.into_iter().filter_map(audio_options);
            format!("<r:Options>{}</r:Options>", joined(options))
        }
        "GetGuaranteedNumberOfVideoEncoderInstances" => {
            asked.configuration()?;
            "<r:TotalNumber>1</r:TotalNumber>".to_owned()
        }
        "GetStreamUri" => {
            let transport = ["StreamSetup", "Transport", "Protocol"];
            let protocol = operation.text_at(&transport).ok_or(Fault::InvalidArgs)?;
            let uri = stream_uri(asked.profile()?, protocol, &["UDP", "TCP", "RTSP"], "HTTP")?;
            format!(
                "<r:MediaUri><tt:Uri>{}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>\
                 <tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></r:MediaUri>",
                escape(&uri)
            )
        }
        "SetSynchronizationPoint" => {
            asked.profile()?;
            String::new()
        }
        _ => return Err(Fault::ActionNotSupported),
    })
}

/// The element of configurations in a list, and of one alone.
const LIST: &str = "r:Configurations";
const ONE: &str = "r:Configuration";

/// What the service can do, as an element of this prefix.
pub(super) fn capabilities(p: &str) -> String {
    format!(
        "<{p}:Capabilities SnapshotUri=\"false\" Rotation=\"false\" VideoSourceMode=\"false\" OSD=\"false\">\
         <{p}:ProfileCapabilities MaximumNumberOfProfiles=\"{MAX_STREAMS}\"/>\
         <{p}:StreamingCapabilities RTPMulticast=\"false\" RTP_TCP=\"true\" RTP_RTSP_TCP=\"true\" \
         NonAggregateControl=\"false\" NoRTSPStreaming=\"false\"/></{p}:Capabilities>"
    )
}

/// Where a stream is played, for who wants its packets that way.
pub(super) fn stream_uri(
    stream: &Stream,
    protocol: &str,
    plain: &[&str],
    tunnel: &str,
) -> Result<String, Fault> {
    if stream.url.is_empty() {
        return Err(Fault::IncompleteConfiguration);
    }
    match protocol {
        _ if plain.contains(&protocol) => Ok(stream.url.clone()),
        // RTSP within HTTP is at the port of RTSP.
        _ if protocol == tunnel => Ok(stream.url.replacen("rtsp", "http", 1)),
        _ => Err(Fault::InvalidStreamSetup),
    }
}

/// A request, and what it is about.
struct Asked<'a> {
    operation: &'a Element,
    device: &'a Device,
}

impl<'a> Asked<'a> {
    /// The streams that version 1 has names for.
    fn all(&self) -> impl Iterator<Item = &'a Stream> + use<'a> {
        let streams = self.device.streams.iter();
        streams.filter(|stream| stream.video.encoding.old_name().is_some())
    }

    fn each(&self, part: impl Fn(&Stream) -> String) -> String {
        joined(self.all().map(part))
    }

    fn find(&self, name: &str, unknown: Fault) -> Result<&'a Stream, Fault> {
        let token = self.operation.text_at(&[name]).ok_or(Fault::InvalidArgs)?;
        self.all()
            .find(|stream| stream.token == token)
            .ok_or(unknown)
    }

    fn profile(&self) -> Result<&'a Stream, Fault> {
        self.find("ProfileToken", Fault::NoProfile)
    }

    fn configuration(&self) -> Result<&'a Stream, Fault> {
        self.find("ConfigurationToken", Fault::NoConfig)
    }

    fn sound(&self) -> Result<&'a Stream, Fault> {
        let stream = self.configuration()?;
        match stream.audio {
            Some(_) => Ok(stream),
            None => Err(Fault::NoConfig),
        }
    }

    /// The one of the configuration or of the profile that is named, or all.
    fn named(&self) -> Result<Vec<&'a Stream>, Fault> {
        let is_named = |name| self.operation.text_at(&[name]).is_some();
        if is_named("ConfigurationToken") {
            return Ok(vec![self.configuration()?]);
        }
        match is_named("ProfileToken") {
            true => Ok(vec![self.profile()?]),
            false => Ok(self.all().collect()),
        }
    }

    fn source_options(&self) -> Result<String, Fault> {
        source_options(&self.named()?)
    }
}

/// Which sources a configuration can have.
pub(super) fn source_options(streams: &[&Stream]) -> Result<String, Fault> {
    let sizes = || streams.iter().map(|stream| stream.video.size);
    let width = sizes()
        .map(|(width, _)| width)
        .max()
        .ok_or(Fault::NoConfig)?;
    let height = sizes().map(|(_, height)| height).max().unwrap_or_default();
    let bounds = [
        range("tt:XRange", 0, 0),
        range("tt:YRange", 0, 0),
        range("tt:WidthRange", width, width),
        range("tt:HeightRange", height, height),
    ];
    let tokens = streams.iter().map(|stream| {
        let token = escape(&stream.token);
        format!("<tt:VideoSourceTokensAvailable>{token}</tt:VideoSourceTokensAvailable>")
    });
    Ok(format!(
        "<r:Options><tt:BoundsRange>{}</tt:BoundsRange>{}</r:Options>",
        joined(bounds),
        joined(tokens)
    ))
}

fn profile(element: &str, stream: &Stream) -> String {
    let token = escape(&stream.token);
    let name: String = stream.name.chars().take(super::MAX_TOKEN).collect();
    let parts = [
        video_source_configuration("tt:VideoSourceConfiguration", stream),
        audio_source_configuration("tt:AudioSourceConfiguration", stream),
        video_encoder("tt:VideoEncoderConfiguration", stream),
        audio_encoder("tt:AudioEncoderConfiguration", stream),
    ];
    format!(
        "<{element} token=\"{token}\" fixed=\"true\"><tt:Name>{}</tt:Name>{}</{element}>",
        escape(&name),
        joined(parts)
    )
}

/// A source of pictures, whatever they are encoded as.
fn video_source(stream: &Stream) -> String {
    format!(
        "<r:VideoSources token=\"{}\"><tt:Framerate>{}</tt:Framerate>{}</r:VideoSources>",
        escape(&stream.token),
        number(stream.video.frame_rate),
        resolution("tt:Resolution", stream.video.size)
    )
}

fn audio_source(stream: &Stream) -> Option<String> {
    let audio = stream.audio?;
    Some(format!(
        "<r:AudioSources token=\"{}\"><tt:Channels>{}</tt:Channels></r:AudioSources>",
        escape(&stream.token),
        audio.channels
    ))
}

fn video_encoder(element: &str, stream: &Stream) -> String {
    let video = &stream.video;
    let Some(encoding) = video.encoding.old_name() else {
        return String::new();
    };
    let h264 = match video.encoding {
        VideoEncoding::H264 => format!(
            "<tt:H264><tt:GovLength>{}</tt:GovLength><tt:H264Profile>{}</tt:H264Profile></tt:H264>",
            video.gop_length,
            video.profile.unwrap_or("Main")
        ),
        _ => String::new(),
    };
    format!(
        "<{element} token=\"{}\">{}<tt:Encoding>{encoding}</tt:Encoding>{}{QUALITY}<tt:RateControl>\
         <tt:FrameRateLimit>{}</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval>\
         <tt:BitrateLimit>{}</tt:BitrateLimit></tt:RateControl>{h264}{MULTICAST}{SESSION_TIMEOUT}</{element}>",
        escape(&stream.token),
        entity(stream),
        resolution("tt:Resolution", video.size),
        video.whole_rate(),
        video.bitrate
    )
}

fn audio_encoder(element: &str, stream: &Stream) -> String {
    let Some(audio) = stream.audio else {
        return String::new();
    };
    format!(
        "<{element} token=\"{}\">{}<tt:Encoding>{}</tt:Encoding><tt:Bitrate>{}</tt:Bitrate>\
         <tt:SampleRate>{}</tt:SampleRate>{MULTICAST}{SESSION_TIMEOUT}</{element}>",
        escape(&stream.token),
        entity(stream),
        audio.old_name(),
        audio.bitrate(),
        audio.kilohertz()
    )
}

/// There is no choice but what is: the configurations are fixed.
fn video_options(streams: &[&Stream]) -> String {
    let of = |encoding| {
        let streams = streams
            .iter()
            .filter(move |stream| stream.video.encoding == encoding);
        streams.map(|stream| &stream.video).collect::<Vec<_>>()
    };
    let common = |videos: &[&super::Video]| {
        let sizes = videos.iter().map(|video| video.size);
        let sizes = sizes.collect::<std::collections::BTreeSet<_>>();
        let sizes = sizes
            .into_iter()
            .map(|size| resolution("tt:ResolutionsAvailable", size));
        let rate = videos.iter().map(|video| video.whole_rate()).max();
        (
            joined(sizes),
            range("tt:FrameRateRange", 1, rate.unwrap_or(1)),
            range("tt:EncodingIntervalRange", 1, 1),
        )
    };
    let mut options = range("tt:QualityRange", 1, 1);
    let jpeg = of(VideoEncoding::Jpeg);
    if !jpeg.is_empty() {
        let (sizes, rate, interval) = common(&jpeg);
        options += &format!("<tt:JPEG>{sizes}{rate}{interval}</tt:JPEG>");
    }
    let h264 = of(VideoEncoding::H264);
    if !h264.is_empty() {
        let (sizes, rate, interval) = common(&h264);
        let lengths = || h264.iter().map(|video| video.gop_length);
        let gop = range(
            "tt:GovLengthRange",
            lengths().min().unwrap_or(1),
            lengths().max().unwrap_or(1),
        );
        let profiles = h264.iter().map(|video| video.profile.unwrap_or("Main"));
        let profiles = profiles
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter();
        let profiles = joined(profiles.map(|profile| {
            format!("<tt:H264ProfilesSupported>{profile}</tt:H264ProfilesSupported>")
        }));
        options += &format!("<tt:H264>{sizes}{gop}{rate}{interval}{profiles}</tt:H264>");
    }
    format!("<r:Options>{options}</r:Options>")
}

fn audio_options(stream: &Stream) -> Option<String> {
    let audio = stream.audio?;
    Some(format!(
        "<tt:Options><tt:Encoding>{}</tt:Encoding>{}{}</tt:Options>",
        audio.old_name(),
        items("tt:BitrateList", audio.bitrate()),
        items("tt:SampleRateList", audio.kilohertz())
    ))
}
