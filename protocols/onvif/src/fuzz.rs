//! Bodies of the fuzz targets: each takes any bytes and asserts what must hold for all of them.

mod camera;
mod seeds;

pub use camera::session;
pub use seeds::seeds;

use crate::device::{GetDeviceInformation, GetNetworkInterfaces, Information, Interface};
use crate::discovery::{Found, Match};
use crate::profiles::{GetProfiles, GetStreamUri};
use crate::security::digest;
use crate::server::discovery::{Question, Responder};
use crate::server::{Answer, Audio, AudioEncoding, Nonces, Request, Stream, Video, VideoEncoding};
use crate::soap;
use crate::xml::{Element, MAX_DEPTH, escape, is_allowed};
use crate::{Operation, Random, Service, Services};
use ::media::DateTime;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::{Duration, SystemTime};

/// What is read has its bounds; what is written again is read as the same.
pub fn xml(data: &[u8]) {
    let Ok(element) = Element::parse(&String::from_utf8_lossy(data)) else {
        return;
    };
    assert!(depth(&element) <= MAX_DEPTH + 1);
    let text: String = element.text.chars().filter(|c| is_allowed(*c)).collect();
    let written = format!("<a b=\"{}\"/>", escape(&element.text));
    let again = Element::parse(&written);
    assert_eq!(
        again.as_ref().map(|again| again.attribute("b")),
        Ok(Some(text.as_str()))
    );
}

fn depth(element: &Element) -> usize {
    let deepest = element.children.iter().map(depth).max();
    1 + deepest.unwrap_or(0)
}

/// What is found is bounded, and each device found once.
pub fn discovery(data: &[u8]) {
    let Ok(matches) = Match::read(data) else {
        return;
    };
    let mut found = Found::default();
    for one in &matches {
        found.take(one.clone());
    }
    for one in matches {
        assert!(!found.take(one));
    }
    assert!(
        found
            .into_devices()
            .iter()
            .all(|device| !device.places.is_empty())
    );
}

/// A request to a device is answered by an envelope, whatever it says, and as our own client reads it; a proof is good
/// once. The first byte chooses the service; from 0xf0 on, the others are a time that a proof is made with.
pub fn device(now: SystemTime, data: &[u8]) {
    answered(now, data);
}

/// The same, and which operation was answered, and with which status.
fn answered(now: SystemTime, data: &[u8]) -> Option<(String, u16)> {
    let (service, body) = data.split_first()?;
    if *service >= 0xf0 {
        proof(now, body);
        return None;
    }
    let path = match service % 5 {
        0 => "/onvif/device_service",
        1 => "/onvif/media_service",
        2 => "/onvif/media2_service/",
        3 => "/onvif/ptz_service",
        _ => "/",
    };
    let device = shown(now, *service);
    let mut name = String::new();
    let answer = match Request::read(path, body) {
        Ok(request) => {
            if let Some(token) = request.token() {
                let mut nonces = Nonces::default();
                let is_good_once = nonces.take(token, now);
                assert!(!nonces.take(token, now) || token.told().is_some());
                assert!(is_good_once || token.told().is_none());
                let told = token.told() == Some(("joe", "pa55word"));
                assert!(told || token.told().is_none() || !token.proves("joe", "pa55word"));
            }
            name = request.name().to_owned();
            assert!(
                !request.is_open()
                    || !request.is_about_streams()
                    || name == "GetServiceCapabilities"
            );
            request.answer(&device)
        }
        Err(fault) => Answer::refusal(fault),
    };
    assert!(matches!(answer.status, 200 | 400 | 500));
    if let Some(token) = &answer.wants_key_frame {
        let mut streams = device.streams.iter();
        assert!(answer.status == 200 && streams.any(|stream| stream.token == *token));
    }
    let read = soap::read(answer.body.as_bytes());
    match (answer.status, read.map(|(_, content)| content)) {
        (200, Ok(soap::Content::Body(body))) => {
            let [one] = &body.children[..] else {
                unreachable!("{}", answer.body);
            };
            assert_eq!(one.name, format!("{name}Response"));
            understood(one, &device);
        }
        (400 | 500, Ok(soap::Content::Fault(fault))) => assert!(!fault.codes.is_empty()),
        (status, content) => unreachable!("{status}: {content:?}"),
    }
    Some((name, answer.status))
}

/// What a device says is what our client reads.
fn understood(answer: &Element, device: &crate::server::Device) {
    let mut services = Services::default();
    let is_new = answer
        .children
        .iter()
        .any(|child| child.name == "Profiles" && child.child("Configurations").is_some());
    if is_new {
        services.insert(Service::Media2, "/");
    }
    match answer.name.as_str() {
        "GetProfilesResponse" => {
            let profiles = GetProfiles.read(answer, &services).unwrap_or_default();
            assert!(profiles.len() <= device.streams.len());
            for profile in profiles {
                let mut streams = device.streams.iter();
                let stream = streams.find(|stream| stream.token == profile.token);
                let size = stream.map(|stream| stream.video.size);
                assert!(size.is_some());
                let encoder = profile.encoder;
                assert!(encoder.is_none_or(|encoder| Some(encoder.size) == size));
            }
        }
        "GetStreamUriResponse" => {
            let profile = String::new();
            let uri = GetStreamUri { profile }.read(answer, &services);
            let uri = uri.unwrap_or_default().replacen("http", "rtsp", 1);
            assert!(device.streams.iter().any(|stream| stream.url == uri));
        }
        "GetDeviceInformationResponse" => {
            let information = GetDeviceInformation.read(answer, &services);
            assert_eq!(information.as_ref(), Ok(&device.information));
        }
        "GetNetworkInterfacesResponse" if !device.interfaces.is_empty() => {
            let interfaces = GetNetworkInterfaces.read(answer, &services);
            assert_eq!(interfaces.as_ref(), Ok(&device.interfaces));
        }
        _ => {}
    }
}

/// A proof of the right password is one, and good once, if it was made in the last minutes. Of the input two bytes are
/// the seconds, one is the zone that its time is told in, and the rest is a nonce; from 0x80 on, the rest is the time.
fn proof(now: SystemTime, data: &[u8]) {
    let [high, low, zone, rest @ ..] = data else {
        return;
    };
    // Late enough for any zone.
    let now = now + Duration::from_secs(1 << 30);
    let ago = u64::from(u16::from_be_bytes([*high, *low]));
    let made = match ago % 2 {
        0 => now.checked_sub(Duration::from_secs(ago / 2)),
        _ => now.checked_add(Duration::from_secs(ago / 2)),
    };
    let (hours, minutes) = (u64::from(zone % 15), u64::from(zone / 15 % 4) * 15);
    let offset = Duration::from_secs(hours * 3_600 + minutes * 60);
    // The clock of that place shows another time for the same instant.
    let shown = |made: SystemTime| match zone % 3 {
        0 => Some(DateTime(made).to_string()),
        1 => {
            let text = DateTime(made.checked_add(offset)?).to_string();
            Some(format!(
                "{}+{hours:02}:{minutes:02}",
                text.trim_end_matches('Z')
            ))
        }
        _ => {
            let text = DateTime(made.checked_sub(offset)?).to_string();
            Some(format!(
                "{}-{hours:02}:{minutes:02}",
                text.trim_end_matches('Z')
            ))
        }
    };
    let is_any = *zone >= 0x80;
    let created = match is_any {
        true => Some(String::from_utf8_lossy(rest).trim().to_owned()),
        false => made.and_then(shown),
    };
    let nonce: &[u8] = if is_any || rest.is_empty() {
        &[1]
    } else {
        rest
    };
    let created = created.unwrap_or_default();
    // What XML does not give back as it was written.
    if created.chars().any(|c| c.is_control() || !is_allowed(c)) {
        return;
    }
    let text = format!(
        "<s:Envelope><s:Header><w:Security><w:UsernameToken><w:Username>joe</w:Username><w:Password \
         Type='x#PasswordDigest'>{}</w:Password><w:Nonce>{}</w:Nonce><u:Created>{}</u:Created></w:UsernameToken>\
         </w:Security></s:Header><s:Body><GetProfiles/></s:Body></s:Envelope>",
        digest(nonce, &created, "pa55word"),
        STANDARD.encode(nonce),
        escape(&created)
    );
    let read = Request::read("/onvif/media_service", text.as_bytes());
    let Some(token) = read.as_ref().ok().and_then(Request::token) else {
        assert!(text.len() > crate::server::MAX_REQUEST, "{text}");
        return;
    };
    assert!(token.proves("joe", "pa55word"));
    assert!(!token.proves("joe", "password") && !token.proves("jo", "pa55word"));
    let mut nonces = Nonces::default();
    let is_good = nonces.take(token, now);
    assert!(is_any || is_good == (ago / 2 <= 300), "{created}");
    assert!(!nonces.take(token, now));
}

/// A device of streams of every kind; which is left out a bit says.
fn shown(now: SystemTime, kind: u8) -> crate::server::Device {
    let is = |bit: u8| kind >> bit & 1 == 1;
    let audio = |encoding, sample_rate| Audio {
        encoding,
        sample_rate,
        channels: 2,
    };
    let stream = |token: &str, encoding, audio| Stream {
        token: token.to_owned(),
        name: format!("{token} <&>"),
        url: format!("rtsp://203.0.113.7/{token}"),
        video: Video {
            encoding,
            size: (640, 360),
            frame_rate: 29.97,
            bitrate: 800,
            gop_length: 60,
            profile: (encoding != VideoEncoding::Jpeg).then_some("High"),
        },
        audio,
    };
    let mut streams = vec![
        stream(
            "p",
            VideoEncoding::H264,
            Some(audio(AudioEncoding::Aac, 48_000)),
        ),
        stream(
            "q",
            VideoEncoding::H265,
            Some(audio(AudioEncoding::Pcmu, 8_000)),
        ),
        stream(
            "r",
            VideoEncoding::Jpeg,
            Some(audio(AudioEncoding::Pcma, 8_000)),
        ),
        Stream {
            url: String::new(),
            ..stream("s", VideoEncoding::H264, None)
        },
    ];
    if is(7) {
        streams.clear();
    }
    crate::server::Device {
        information: Information {
            manufacturer: "M & S".to_owned(),
            serial_number: "<1>".to_owned(),
            ..Information::default()
        },
        reference: "urn:uuid:1".to_owned(),
        scopes: vec!["onvif://www.onvif.org/name/A".to_owned()],
        host: "host".to_owned(),
        place: "http://203.0.113.7:8081".to_owned(),
        now,
        is_discoverable: !is(6),
        interfaces: match is(5) {
            true => Vec::new(),
            false => vec![Interface {
                name: "eth0".to_owned(),
                hardware: "02:00:00:00:00:01".to_owned(),
                addresses: vec!["192.0.2.1/24".to_owned(), "fd00::2/64".to_owned()],
                dhcp: false,
            }],
        },
        ports: [Some(8081), (!is(5)).then_some(8554)],
        streams,
    }
}

/// What is answered to who looks for devices is found by who looks.
pub fn questions(data: &[u8]) {
    told(data);
}

/// The same, and what was answered.
fn told(data: &[u8]) -> Option<String> {
    let question = Question::read(data)?;
    let scopes = vec![
        "onvif://www.onvif.org/Profile/Streaming".to_owned(),
        "of-nobody".to_owned(),
    ];
    let mut responder = Responder::new("urn:uuid:1".to_owned(), scopes, Random([5; 16]), 1);
    let places = ["http://203.0.113.7:8081/onvif/device_service".to_owned()];
    let answer = responder.answer(&question, &places)?;
    // Its size is bounded, whatever was asked.
    assert!(answer.len() < 4_096, "{}", answer.len());
    assert!(soap::read(answer.as_bytes()).is_ok(), "{answer}");
    if answer.contains("<d:ProbeMatches>") {
        let matches = Match::read(answer.as_bytes()).unwrap_or_default();
        assert!(matches!(&matches[..], [one] if one.places == places));
    }
    // As is what is said to everybody, until the end.
    let hello = Match::read(responder.hello(&places).as_bytes()).unwrap_or_default();
    assert!(matches!(&hello[..], [one] if one.places == places && one.is_camera()));
    assert_eq!(Match::read(responder.bye().as_bytes()), Ok(Vec::new()));
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EPOCH: SystemTime = SystemTime::UNIX_EPOCH;

    fn run(entry: &str, data: &[u8]) {
        match entry {
            "xml" => xml(data),
            "discovery" => discovery(data),
            "device" => device(EPOCH, data),
            "questions" => questions(data),
            "session" => session(EPOCH, data),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn seeds_pass_whole_cut_and_with_bytes_changed() {
        for (entry, _, seed) in seeds() {
            run(entry, &seed);
            // Of long ones not every byte.
            for position in (0..seed.len()).step_by(3 + seed.len() / 50) {
                run(entry, &seed[..position]);
                let mut changed = seed.clone();
                changed[position] ^= 0x21;
                run(entry, &changed);
            }
        }
    }

    /// Each seed of the device is named after its operation, and after what becomes of it where that is a fault.
    #[test]
    fn seeds_of_the_device_are_answered() {
        for (entry, name, seed) in seeds() {
            if entry != "device" || name.starts_with("proof") {
                continue;
            }
            let (operation, is_good) = match name.split_once('-') {
                Some((operation, rest)) => (operation, !rest.contains("fault")),
                None => (name, true),
            };
            let (found, status) = answered(EPOCH, &seed).unwrap();
            assert_eq!(status == 200, is_good, "{name}");
            assert!(!is_good || found == operation, "{name}: {found}");
        }
    }

    #[test]
    fn seeds_of_questions_are_answered_or_not() {
        for (entry, name, seed) in seeds() {
            if entry == "questions" {
                assert_eq!(told(&seed).is_some(), !name.starts_with("no-"), "{name}");
            }
        }
    }

    /// A seed that fails early would lead a fuzzer nowhere.
    #[test]
    fn seeds_of_sessions_come_to_answers() {
        let mut reached = std::collections::BTreeSet::new();
        for (_, _, seed) in seeds().iter().filter(|(entry, ..)| *entry == "session") {
            camera::asked(EPOCH, seed, &mut |what| {
                reached.insert(what.to_owned());
            });
        }
        for name in [
            "AbsoluteMove",
            "ContinuousMove",
            "CreatePullPointSubscription",
            "GetConfigurationOptions",
            "GetDeviceInformation",
            "GetImagingSettings",
            "GetNetworkInterfaces",
            "GetPresets",
            "GetProfiles",
            "GetSnapshotUri",
            "GetStatus",
            "GetStreamUri",
            "GetSystemDateAndTime",
            "GetUsers",
            "GotoHomePosition",
            "GotoPreset",
            "PullMessages",
            "RelativeMove",
            "RemovePreset",
            "SetHomePosition",
            "SetImagingSettings",
            "SetPreset",
            "SetVideoEncoderConfiguration",
            "Stop",
            "SystemReboot",
            // Ways in, and what became of who did not get in.
            "by Digest",
            "by token",
            "by nothing",
            "Error: Unauthorized",
            "Error: Fault",
            "Error: NotOnvif",
            "Error: Xml",
            "Error: Missing",
            "Error: NoService",
        ] {
            assert!(reached.contains(name), "{name}: {reached:#?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_pass(data in prop::collection::vec(any::<u8>(), 0..300)) {
            for entry in ["xml", "discovery", "device", "questions", "session"] {
                run(entry, &data);
            }
            device(EPOCH, &[&[0xf0][..], &data].concat());
        }
    }
}
