//! Answers of the media service of version 2 (ONVIF Media2 Service Specification).

use super::media1::{source_options, stream_uri};
use super::text::{
    QUALITY, audio_source_configuration, entity, items, joined, number, resolution,
    video_source_configuration,
};
use super::{Device, Fault, MAX_STREAMS, Stream, VideoEncoding};
use crate::xml::{Element, escape};

pub(super) fn answer(operation: &Element, device: &Device) -> Result<String, Fault> {
    let token = |name: &str| operation.text_at(&[name]);
    // Configurations are asked for by their own token, by that of a profile, or all.
    let named = || match token("ConfigurationToken") {
        Some(token) => device.streams_of(Some(token), Fault::NoConfig),
        None => device.streams_of(token("ProfileToken"), Fault::NoProfile),
    };
    let profile = || {
        let token = token("ProfileToken").ok_or(Fault::InvalidArgs)?;
        device.stream(token).ok_or(Fault::NoProfile)
    };
    let each = |part: Part| {
        let streams = named()?.into_iter();
        Ok(joined(
            streams.map(|stream| part("r:Configurations", stream)),
        ))
    };
    Ok(match operation.name.as_str() {
        "GetServiceCapabilities" => capabilities("r"),
        "GetProfiles" => {
            let streams = device.streams_of(token("Token"), Fault::NoProfile)?;
            let types: Vec<_> = operation
                .all("Type")
                .map(|kind| kind.text.as_str())
                .collect();
            joined(
                streams
                    .into_iter()
                    .map(|stream| media_profile(stream, &types)),
            )
        }
        "GetVideoSourceConfigurations" => each(video_source_configuration)?,
        "GetVideoEncoderConfigurations" => each(video_encoder)?,
        "GetAudioSourceConfigurations" => each(audio_source_configuration)?,
        "GetAudioEncoderConfigurations" => each(audio_encoder)?,
        "GetVideoSourceConfigurationOptions" => source_options(&named()?)?,
        "GetVideoEncoderConfigurationOptions" => joined(named()?.into_iter().map(video_options)),
        "GetAudioEncoderConfigurationOptions" => {
            joined(named()?.into_iter().filter_map(audio_options))
        }
        "GetVideoEncoderInstances" => {
            let token = token("ConfigurationToken").ok_or(Fault::InvalidArgs)?;
            let stream = device.stream(token).ok_or(Fault::NoConfig)?;
            let encoding = stream.video.encoding.name();
            format!(
                "<r:Info><r:Codec><r:Encoding>{encoding}</r:Encoding><r:Number>1</r:Number></r:Codec>\
                 <r:Total>1</r:Total></r:Info>"
            )
        }
        "GetStreamUri" => {
            let protocol = token("Protocol").ok_or(Fault::InvalidArgs)?;
            let plain = ["RtspUnicast", "RTSP"];
            let uri = stream_uri(profile()?, protocol, &plain, "RtspOverHttp")?;
            format!("<r:Uri>{}</r:Uri>", escape(&uri))
        }
        "SetSynchronizationPoint" => {
            profile()?;
            String::new()
        }
        _ => return Err(Fault::ActionNotSupported),
    })
}

/// What the service can do, as an element of this prefix.
pub(super) fn capabilities(p: &str) -> String {
    format!(
        "<{p}:Capabilities SnapshotUri=\"false\" Rotation=\"false\" VideoSourceMode=\"false\" OSD=\"false\" Mask=\"false\">\
         <{p}:ProfileCapabilities MaximumNumberOfProfiles=\"{MAX_STREAMS}\" \
         ConfigurationsSupported=\"VideoSource VideoEncoder AudioSource AudioEncoder\"/>\
         <{p}:StreamingCapabilities RTSPStreaming=\"true\" RTPMulticast=\"false\" RTP_RTSP_TCP=\"true\" \
         NonAggregateControl=\"false\" AutoStartMulticast=\"false\"/></{p}:Capabilities>"
    )
}

/// A configuration of a stream, as the element of that name.
type Part = fn(&str, &Stream) -> String;

/// Configurations are told of the kinds that are asked for (section 5.2.3).
fn media_profile(stream: &Stream, types: &[&str]) -> String {
    let is_wanted = |kind: &str| types.contains(&"All") || types.contains(&kind);
    let parts: [(&str, Part); 4] = [
        ("VideoSource", video_source_configuration),
        ("AudioSource", audio_source_configuration),
        ("VideoEncoder", video_encoder),
        ("AudioEncoder", audio_encoder),
    ];
    let parts = parts.into_iter().filter(|(kind, _)| is_wanted(kind));
    let parts = joined(parts.map(|(kind, part)| part(&format!("r:{kind}"), stream)));
    let configurations = match parts.is_empty() {
        true => parts,
        false => format!("<r:Configurations>{parts}</r:Configurations>"),
    };
    let name: String = stream.name.chars().take(super::MAX_TOKEN).collect();
    format!(
        "<r:Profiles token=\"{}\" fixed=\"true\"><r:Name>{}</r:Name>{configurations}</r:Profiles>",
        escape(&stream.token),
        escape(&name)
    )
}

fn video_encoder(element: &str, stream: &Stream) -> String {
    let video = &stream.video;
    let attributes = match (video.encoding, video.profile) {
        (VideoEncoding::Jpeg, _) => String::new(),
        (_, None) => format!(" GovLength=\"{}\"", video.gop_length),
        (_, Some(profile)) => {
            format!(" GovLength=\"{}\" Profile=\"{profile}\"", video.gop_length)
        }
    };
    format!(
        "<{element} token=\"{}\"{attributes}>{}<tt:Encoding>{}</tt:Encoding>{}<tt:RateControl>\
         <tt:FrameRateLimit>{}</tt:FrameRateLimit><tt:BitrateLimit>{}</tt:BitrateLimit></tt:RateControl>{QUALITY}\
         </{element}>",
        escape(&stream.token),
        entity(stream),
        video.encoding.name(),
        resolution("tt:Resolution", video.size),
        number(video.frame_rate),
        video.bitrate
    )
}

fn audio_encoder(element: &str, stream: &Stream) -> String {
    let Some(audio) = stream.audio else {
        return String::new();
    };
    format!(
        "<{element} token=\"{}\">{}<tt:Encoding>{}</tt:Encoding><tt:Bitrate>{}</tt:Bitrate>\
         <tt:SampleRate>{}</tt:SampleRate></{element}>",
        escape(&stream.token),
        entity(stream),
        audio.name(),
        audio.bitrate(),
        audio.kilohertz()
    )
}

/// There is no choice but what is: the configurations are fixed.
fn video_options(stream: &Stream) -> String {
    let video = &stream.video;
    let profiles = match video.profile {
        Some(profile) => format!(" ProfilesSupported=\"{profile}\""),
        None => String::new(),
    };
    format!(
        "<r:Options GovLengthRange=\"{0} {0}\" FrameRatesSupported=\"{1}\"{profiles} ConstantBitRateSupported=\"false\">\
         <tt:Encoding>{2}</tt:Encoding><tt:QualityRange><tt:Min>1</tt:Min><tt:Max>1</tt:Max></tt:QualityRange>{3}\
         <tt:BitrateRange><tt:Min>{4}</tt:Min><tt:Max>{4}</tt:Max></tt:BitrateRange></r:Options>",
        video.gop_length,
        number(video.frame_rate),
        video.encoding.name(),
        resolution("tt:ResolutionsAvailable", video.size),
        video.bitrate
    )
}

fn audio_options(stream: &Stream) -> Option<String> {
    let audio = stream.audio?;
    Some(format!(
        "<r:Options><tt:Encoding>{}</tt:Encoding>{}{}</r:Options>",
        audio.name(),
        items("tt:BitrateList", audio.bitrate()),
        items("tt:SampleRateList", audio.kilohertz())
    ))
}
