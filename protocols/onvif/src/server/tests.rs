//! Requests of our own client to our own device, and what is refused.

use super::*;
use crate::device::{GetDeviceInformation, GetNetworkInterfaces};
use crate::profiles::{GetProfiles, GetStreamUri};
use crate::soap::{self, Content};
use crate::{Address, Output, Random, Response, Session};
use std::time::Duration;

pub(crate) fn device() -> Device {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_779_005);
    let stream = |id: &str, encoding| Stream {
        token: format!("LiveApp/{id}"),
        name: format!("{id} <&>"),
        url: format!("rtsp://192.0.2.1:8554/LiveApp/{id}"),
        video: Video {
            encoding,
            size: (640, 360),
            frame_rate: 29.97,
            bitrate: 800,
            gop_length: 60,
            profile: Some("High"),
        },
        audio: Some(Audio {
            encoding: AudioEncoding::Aac,
            sample_rate: 48_000,
            channels: 2,
        }),
    };
    Device {
        information: Information {
            manufacturer: "Millstream".to_owned(),
            model: "M & S".to_owned(),
            ..Information::default()
        },
        reference: "urn:uuid:1".to_owned(),
        scopes: vec!["onvif://www.onvif.org/Profile/Streaming".to_owned()],
        host: "host".to_owned(),
        place: "http://192.0.2.1:8081".to_owned(),
        now,
        is_discoverable: true,
        interfaces: vec![Interface {
            name: "eth0".to_owned(),
            hardware: "02:00:00:00:00:01".to_owned(),
            addresses: vec!["192.0.2.1/24".to_owned(), "fd00::2/64".to_owned()],
            dhcp: false,
        }],
        ports: [Some(8081), Some(8554)],
        streams: vec![
            stream("one", VideoEncoding::H264),
            stream("two", VideoEncoding::H265),
            Stream {
                audio: None,
                ..stream("three", VideoEncoding::Jpeg)
            },
        ],
    }
}

/// Asks our device, as our client does.
fn ask<O: crate::Operation>(
    session: &mut Session,
    operation: O,
) -> Result<O::Answer, crate::Error> {
    let device = device();
    let mut asking = session.ask(operation);
    loop {
        match asking.poll_output(device.now) {
            Output::Request(request) => {
                let read = Request::read(request.url.path(), request.body.as_bytes());
                let answer = match read {
                    Ok(read) => read.answer(&device),
                    Err(fault) => Answer::refusal(fault),
                };
                let response = Response {
                    status: answer.status,
                    challenges: &[],
                    body: answer.body.as_bytes(),
                };
                asking.handle_input(device.now, response);
            }
            Output::Waiting => unreachable!("it was answered"),
            Output::Done(result) => return result,
        }
    }
}

fn session() -> Session {
    let (address, _) = Address::parse("192.0.2.1:8081").unwrap();
    Session::new(address, None, Random([3; 16]))
}

#[test]
fn our_client_understands_it() {
    let mut session = session();
    let profiles = ask(&mut session, GetProfiles).unwrap();
    let [one, two, three] = &profiles[..] else {
        panic!("{profiles:?}");
    };
    assert_eq!(
        (one.token.as_str(), one.name.as_str()),
        ("LiveApp/one", "one <&>")
    );
    let encoder = one.encoder.as_ref().unwrap();
    assert_eq!(
        (encoder.encoding.as_str(), encoder.size),
        ("H264", (640, 360))
    );
    assert_eq!(
        (encoder.frame_rate, encoder.bitrate),
        (Some(29.97), Some(800))
    );
    assert_eq!(encoder.gop_length, Some(60));
    assert_eq!(two.encoder.as_ref().unwrap().encoding, "H265");
    assert_eq!(three.audio, None);
    for profile in profiles {
        let token = profile.token.clone();
        let uri = ask(&mut session, GetStreamUri { profile: token }).unwrap();
        assert_eq!(uri, format!("rtsp://192.0.2.1:8554/{}", profile.token));
    }
    let unknown = ask(
        &mut session,
        GetStreamUri {
            profile: "x".to_owned(),
        },
    );
    let words = unknown.unwrap_err().to_string();
    assert!(
        words.ends_with("no profile has this token (NoProfile)"),
        "{words}"
    );
    let information = ask(&mut session, GetDeviceInformation).unwrap();
    assert_eq!(information, device().information);
    let interfaces = ask(&mut session, GetNetworkInterfaces).unwrap();
    assert_eq!(interfaces, device().interfaces);
    assert_eq!(session.clock_offset(), Some(0));
}

fn request(service: &str, body: &str) -> Result<Answer, Fault> {
    let body = soap::write("", body);
    let request = Request::read(&format!("/onvif/{service}"), body.as_bytes())?;
    Ok(request.answer(&device()))
}

/// The element of an answer, and its status.
fn answer(service: &str, body: &str) -> (u16, crate::xml::Element) {
    let answer = request(service, body).unwrap();
    match soap::read(answer.body.as_bytes()).unwrap() {
        (_, Content::Body(mut body)) => (answer.status, body.children.remove(0)),
        (_, other) => panic!("{body}: {other:?}"),
    }
}

#[test]
fn version_1_leaves_out_what_it_has_no_name_for() {
    let (status, profiles) = answer("media_service", "<GetProfiles/>");
    assert_eq!(
        (status, profiles.name.as_str()),
        (200, "GetProfilesResponse")
    );
    let tokens: Vec<_> = profiles
        .all("Profiles")
        .map(|p| p.attribute("token").unwrap())
        .collect();
    assert_eq!(tokens, ["LiveApp/one", "LiveApp/three"]);
    let (_, sources) = answer("media_service", "<GetVideoSources/>");
    assert_eq!(sources.children.len(), 3);
    let (_, all) = answer("media_service", "<GetAudioEncoderConfigurations/>");
    assert_eq!(all.children.len(), 1);
    // Configurations are told where they are asked for.
    let (_, profiles) = answer("media2_service", "<GetProfiles/>");
    assert!(
        profiles
            .all("Profiles")
            .all(|profile| profile.children.len() == 1)
    );
    let (_, profiles) = answer(
        "media2_service",
        "<GetProfiles><Token>LiveApp/two</Token><Type>VideoEncoder</Type></GetProfiles>",
    );
    let [profile] = &profiles.children[..] else {
        panic!("{profiles:?}");
    };
    assert_eq!(profile.child("Configurations").unwrap().children.len(), 1);
}

#[test]
fn a_key_frame_is_asked_for() {
    let body = "<SetSynchronizationPoint><ProfileToken>LiveApp/one</ProfileToken></SetSynchronizationPoint>";
    let answered = request("media_service", body).unwrap();
    assert_eq!(answered.wants_key_frame.as_deref(), Some("LiveApp/one"));
    let other = request("media_service", &body.replace("one", "x")).unwrap();
    assert_eq!((other.status, other.wants_key_frame), (400, None));
}

#[test]
fn who_may_ask() {
    let is_open = |service: &str, body: &str| {
        let body = soap::write("", body);
        let request = Request::read(&format!("/onvif/{service}"), body.as_bytes());
        request.unwrap().is_open()
    };
    assert!(is_open("device_service", "<GetSystemDateAndTime/>"));
    assert!(is_open("media_service/", "<GetServiceCapabilities/>"));
    assert!(!is_open("media_service", "<GetSystemDateAndTime/>"));
    assert!(!is_open("device_service", "<GetDeviceInformation/>"));
    assert!(!is_open("media2_service", "<GetProfiles/>"));
    // A request for another service at the device's address, as its namespace says.
    let media = "<GetProfiles xmlns='http://www.onvif.org/ver10/media/wsdl'/>";
    let (_, profiles) = answer("device_service", media);
    assert_eq!(profiles.children.len(), 2);
}

#[test]
fn what_is_refused() {
    let cases = [
        (
            "device_service",
            "<SystemReboot/>",
            500,
            "ActionNotSupported",
        ),
        (
            "media_service",
            "<GetSnapshotUri><ProfileToken>LiveApp/one</ProfileToken></GetSnapshotUri>",
            500,
            "ActionNotSupported",
        ),
        ("media_service", "<GetProfile/>", 400, "InvalidArgs"),
        (
            "media_service",
            "<GetProfile><ProfileToken>LiveApp/two</ProfileToken></GetProfile>",
            400,
            "NoProfile",
        ),
        (
            "media_service",
            "<GetStreamUri><ProfileToken>LiveApp/one</ProfileToken></GetStreamUri>",
            400,
            "InvalidArgs",
        ),
        (
            "media2_service",
            "<GetStreamUri><Protocol>SRT</Protocol><ProfileToken>LiveApp/one</ProfileToken></GetStreamUri>",
            400,
            "InvalidStreamSetup",
        ),
        (
            "media2_service",
            "<GetStreamUri><Protocol>RTSP</Protocol><ProfileToken>x</ProfileToken></GetStreamUri>",
            400,
            "NoProfile",
        ),
        (
            "media2_service",
            "<GetVideoEncoderConfigurations><ConfigurationToken>x</ConfigurationToken></GetVideoEncoderConfigurations>",
            400,
            "NoConfig",
        ),
        (
            "media_service",
            "<GetAudioEncoderConfiguration><ConfigurationToken>LiveApp/three</ConfigurationToken></GetAudioEncoderConfiguration>",
            400,
            "NoConfig",
        ),
        (
            "device_service",
            "<GetCapabilities><Category>PTZ</Category></GetCapabilities>",
            500,
            "NoSuchService",
        ),
    ];
    for (service, body, status, code) in cases {
        let answer = request(service, body).unwrap();
        let Ok((_, Content::Fault(fault))) = soap::read(answer.body.as_bytes()) else {
            panic!("{body}");
        };
        assert!(
            answer.status == status && fault.is(code),
            "{body}: {} {fault:?}",
            answer.status
        );
    }
    let long = format!("<GetProfiles>{}</GetProfiles>", " ".repeat(MAX_REQUEST));
    for body in ["", "<a/><b/>", &long] {
        assert_eq!(
            request("device_service", body),
            Err(Fault::WellFormed),
            "{body:.40}"
        );
    }
    assert_eq!(
        request("ptz_service", "<GetNodes/>"),
        Err(Fault::NoSuchService)
    );
    let entity = format!(
        "<!DOCTYPE a [<!ENTITY b 'c'>]>{}",
        soap::write("", "<GetServices/>")
    );
    assert_eq!(
        Request::read(DEVICE_PATH, entity.as_bytes()),
        Err(Fault::WellFormed)
    );
    let whole = soap::write("", "<GetServices/>");
    for end in 0..whole.len() {
        assert_eq!(
            Request::read(DEVICE_PATH, &whole.as_bytes()[..end]),
            Err(Fault::WellFormed)
        );
    }
}

/// Everything that can be asked gives XML, whose elements have a prefix that is declared.
#[test]
fn answers_are_well_formed() {
    let operations = [
        (
            "device_service",
            vec![
                "GetSystemDateAndTime",
                "GetDeviceInformation",
                "GetServices",
                "GetServiceCapabilities",
                "GetCapabilities",
                "GetScopes",
                "GetHostname",
                "GetNetworkInterfaces",
                "GetNetworkProtocols",
                "GetDiscoveryMode",
                "GetEndpointReference",
                "GetWsdlUrl",
            ],
        ),
        (
            "media_service",
            vec![
                "GetServiceCapabilities",
                "GetProfiles",
                "GetVideoSources",
                "GetAudioSources",
                "GetVideoSourceConfigurations",
                "GetVideoEncoderConfigurations",
                "GetAudioSourceConfigurations",
                "GetAudioEncoderConfigurations",
                "GetVideoSourceConfigurationOptions",
                "GetVideoEncoderConfigurationOptions",
                "GetAudioSourceConfigurationOptions",
                "GetAudioEncoderConfigurationOptions",
            ],
        ),
        (
            "media2_service",
            vec![
                "GetServiceCapabilities",
                "GetProfiles",
                "GetVideoSourceConfigurations",
                "GetVideoEncoderConfigurations",
                "GetAudioSourceConfigurations",
                "GetAudioEncoderConfigurations",
                "GetVideoSourceConfigurationOptions",
                "GetVideoEncoderConfigurationOptions",
                "GetAudioEncoderConfigurationOptions",
            ],
        ),
    ];
    for (service, names) in operations {
        for name in names {
            let body = format!(
                "<{name}><IncludeCapability>true</IncludeCapability><Type>All</Type></{name}>"
            );
            let (status, element) = answer(service, &body);
            assert_eq!((status, element.name), (200, format!("{name}Response")));
            assert!(!element.children.is_empty(), "{service} {name}");
        }
    }
}

#[test]
fn tokens_are_short() {
    assert_eq!(token("LiveApp/door"), "LiveApp/door");
    let long = |length| token(&"x".repeat(length));
    assert_eq!(long(MAX_TOKEN).len(), MAX_TOKEN);
    assert_eq!(long(MAX_TOKEN + 1).len(), 36);
    assert_ne!(long(100), long(101));
}
