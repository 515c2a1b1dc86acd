//! Bodies of the fuzz targets: each takes any bytes and asserts what must hold for all of them.

use crate::device::{GetDeviceInformation, GetNetworkInterfaces};
use crate::discovery::{Found, Match};
use crate::events::PullMessages;
use crate::imaging::GetImagingSettings;
use crate::profiles::{Choice, GetProfiles, GetStreamUri, MAX_PROFILES};
use crate::ptz::{GetConfigurationOptions, Motion, Move, Vector};
use crate::server::discovery::{Question, Responder};
use crate::server::{Answer, Nonces, Request, Stream, Video};
use crate::soap;
use crate::xml::{Element, MAX_DEPTH, escape, is_allowed};
use crate::{Address, Credentials, Operation, Output, Random, Response, Session};
use std::time::{Duration, SystemTime};

/// Most requests that one question makes.
const MAX_REQUESTS: usize = 16;

/// Between one response and the next in an input.
const SEPARATOR: u8 = 0xff;

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

/// A session stands whatever a camera answers, asks nobody else, and comes to an end. The responses of the input are
/// separated by a byte; the first byte of each chooses its status and challenge.
pub fn session(start: SystemTime, data: &[u8]) {
    let Ok((address, _)) = Address::parse("203.0.113.7:8080") else {
        return;
    };
    let credentials = Credentials {
        user: "joe".to_owned(),
        password: "pa55word".to_owned(),
    };
    let mut session = Session::new(address, Some(credentials), Random([3; 16]));
    let mut responses = data.split(|byte| *byte == SEPARATOR);
    let responses = &mut responses;
    if let Some(profiles) = ask(&mut session, start, GetProfiles, responses) {
        assert!(profiles.len() <= MAX_PROFILES);
        for choice in [Choice::Best, Choice::BestH264, Choice::Smallest] {
            let chosen = choice.of(&profiles);
            assert!(chosen.is_none_or(|profile| profile.encoder.is_some()));
        }
    }
    let profile = || "p".to_owned();
    if let Some(uri) = ask(
        &mut session,
        start,
        GetStreamUri { profile: profile() },
        responses,
    ) && let Some(stream) = session.address().stream(&uri)
    {
        assert_eq!(stream.host_str(), Some("203.0.113.7"));
    }
    let options = GetConfigurationOptions {
        configuration: profile(),
    };
    if let Some(ranges) = ask(&mut session, start, options, responses) {
        for motion in [Motion::Relative, Motion::Continuous, Motion::Absolute] {
            let request = Move {
                profile: profile(),
                motion,
                vector: Vector {
                    pan: 0.5,
                    tilt: -1.0,
                    zoom: 0.0,
                },
                ranges: ranges.clone(),
                timeout: Duration::from_secs(1),
            };
            let text = request.parameters(session.services());
            assert!(Element::parse(&format!("<a>{text}</a>")).is_ok(), "{text}");
        }
    }
    let pull = PullMessages {
        place: "/events".to_owned(),
        timeout: Duration::from_secs(1),
    };
    ask(&mut session, start, pull, responses);
    ask(
        &mut session,
        start,
        GetImagingSettings { source: profile() },
        responses,
    );
    ask(&mut session, start, GetNetworkInterfaces, responses);
    ask(&mut session, start, GetDeviceInformation, responses);
}

fn ask<'a, O: Operation>(
    session: &mut Session,
    now: SystemTime,
    operation: O,
    responses: &mut impl Iterator<Item = &'a [u8]>,
) -> Option<O::Answer> {
    let mut asking = session.ask(operation);
    for _ in 0..=MAX_REQUESTS {
        match asking.poll_output(now) {
            Output::Request(request) => {
                assert_eq!(request.url.host_str(), Some("203.0.113.7"));
                assert!(!request.body.contains("pa55word"));
                assert!(Element::parse(&request.body).is_ok(), "{}", request.body);
                let (kind, body) = responses.next()?.split_first()?;
                let status = match kind % 8 {
                    0 => 401,
                    1 => 500,
                    2 => 400,
                    _ => 200,
                };
                let challenges = match kind % 16 {
                    8 => vec![String::from_utf8_lossy(body).into_owned()],
                    0 => vec!["Digest realm=\"r\", nonce=\"n\"".to_owned()],
                    _ => Vec::new(),
                };
                let response = Response {
                    status,
                    challenges: &challenges,
                    body,
                };
                asking.handle_input(now, response);
            }
            Output::Waiting => return None,
            Output::Done(result) => return result.ok(),
        }
    }
    unreachable!("a question comes to an end");
}

/// A request to a device is answered by an envelope, whatever it says; a proof is good once. The first byte chooses the
/// service.
pub fn device(now: SystemTime, data: &[u8]) {
    let Some((service, body)) = data.split_first() else {
        return;
    };
    let path = match service % 4 {
        0 => "/onvif/device_service",
        1 => "/onvif/media_service",
        2 => "/onvif/media2_service/",
        _ => "/onvif/ptz_service",
    };
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
            request.answer(&shown(now))
        }
        Err(fault) => Answer::refusal(fault),
    };
    assert!(matches!(answer.status, 200 | 400 | 500));
    let read = soap::read(answer.body.as_bytes());
    match (answer.status, read.map(|(_, content)| content)) {
        (200, Ok(soap::Content::Body(body))) => {
            assert!(matches!(&body.children[..], [one] if one.name.ends_with("Response")));
        }
        (400 | 500, Ok(soap::Content::Fault(_))) => {}
        (status, content) => unreachable!("{status}: {content:?}"),
    }
}

fn shown(now: SystemTime) -> crate::server::Device {
    crate::server::Device {
        information: crate::device::Information::default(),
        reference: "urn:uuid:1".to_owned(),
        scopes: vec!["onvif://www.onvif.org/name/A".to_owned()],
        host: "host".to_owned(),
        place: "http://203.0.113.7:8081".to_owned(),
        now,
        is_discoverable: true,
        interfaces: Vec::new(),
        ports: [Some(8081), None],
        streams: vec![Stream {
            token: "p".to_owned(),
            url: "rtsp://203.0.113.7/p".to_owned(),
            video: Video {
                size: (640, 360),
                ..Video::default()
            },
            ..Stream::default()
        }],
    }
}

/// What is answered to who looks for devices is found by who looks.
pub fn questions(data: &[u8]) {
    let Some(question) = Question::read(data) else {
        return;
    };
    let scopes = vec!["onvif://www.onvif.org/Profile/Streaming".to_owned()];
    let mut responder = Responder::new("urn:uuid:1".to_owned(), scopes, Random([5; 16]), 1);
    let places = ["http://203.0.113.7:8081/onvif/device_service".to_owned()];
    let Some(answer) = responder.answer(&question, &places) else {
        return;
    };
    // Its size is bounded, whatever was asked.
    assert!(answer.len() < 4_096, "{}", answer.len());
    assert!(soap::read(answer.as_bytes()).is_ok(), "{answer}");
    if answer.contains("<d:ProbeMatches>") {
        let matches = Match::read(answer.as_bytes()).unwrap_or_default();
        assert!(matches!(&matches[..], [one] if one.places == places));
    }
}

/// Valid inputs to start from, each with the name of its target and a name.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let envelope = |body: &str| {
        format!("<s:Envelope xmlns:s=\"e\"><s:Body>{body}</s:Body></s:Envelope>").into_bytes()
    };
    let answer = "<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:1</a:Address>\
        </a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/name/A%20B \
        onvif://www.onvif.org/hardware/C onvif://www.onvif.org/Profile/T</d:Scopes><d:XAddrs>http://10.0.0.1/onvif \
        http://[fe80::1]/onvif</d:XAddrs></d:ProbeMatch></d:ProbeMatches>";
    let service = |version: u8, name: &str| {
        format!(
            "<Service><Namespace>http://www.onvif.org/ver{version}/{name}/wsdl</Namespace><XAddr>http://10.0.0.1/{name}\
             </XAddr></Service>"
        )
    };
    let services = [(10, "media"), (20, "ptz"), (20, "imaging"), (10, "events")];
    let services: String = services
        .map(|(version, name)| service(version, name))
        .concat();
    let clock = "<R><SystemDateAndTime><UTCDateTime><Time><Hour>1</Hour><Minute>2</Minute><Second>3</Second></Time>\
        <Date><Year>2026</Year><Month>11</Month><Day>27</Day></Date></UTCDateTime></SystemDateAndTime></R>";
    let range = "<URI>Generic</URI><XRange><Min>-1</Min><Max>1</Max></XRange><YRange><Min>-1</Min><Max>1</Max></YRange>";
    let bodies = [
        clock.to_owned(),
        format!("<R>{services}</R>"),
        "<R><Profiles token='p'><Name>n</Name><VideoEncoderConfiguration token='e'><Encoding>H264</Encoding><Resolution>\
            <Width>640</Width><Height>360</Height></Resolution></VideoEncoderConfiguration></Profiles></R>"
            .to_owned(),
        "<R><MediaUri><Uri>rtsp://10.0.0.1:554/1</Uri></MediaUri></R>".to_owned(),
        format!(
            "<R><PTZConfigurationOptions><Spaces><ContinuousPanTiltVelocitySpace>{range}\
             </ContinuousPanTiltVelocitySpace></Spaces></PTZConfigurationOptions></R>"
        ),
        "<R><NotificationMessage><Topic>a:b/c</Topic><Message><Message UtcTime='t'><Data><SimpleItem Name='a' \
            Value='b'/></Data></Message></Message></NotificationMessage></R>"
            .to_owned(),
        "<R><ImagingSettings><Brightness>1</Brightness></ImagingSettings></R>".to_owned(),
        "<R><NetworkInterfaces><IPv4><Config><Manual><Address>10.0.0.1</Address></Manual></Config></IPv4>\
            </NetworkInterfaces></R>"
            .to_owned(),
        "<R><Manufacturer>M</Manufacturer></R>".to_owned(),
    ];
    let responses = |kinds: &[u8]| {
        let all = bodies.iter().zip(kinds.iter().chain(std::iter::repeat(&3)));
        let all = all.map(|(body, kind)| [&[*kind][..], &envelope(body)].concat());
        all.collect::<Vec<_>>().join(&SEPARATOR)
    };
    let login = "<w:Security><w:UsernameToken><w:Username>joe</w:Username><w:Password \
        Type='x#PasswordDigest'>tuOSpGlFlIXsozq4HFNeeGeFLEI=</w:Password><w:Nonce>LKqI6G/AikKCQrN0zqZFlg==</w:Nonce>\
        <u:Created>1970-01-01T00:00:05Z</u:Created></w:UsernameToken></w:Security>";
    let request = |service: u8, header: &str, body: &str| {
        let text = format!(
            "<s:Envelope><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
        );
        [&[service][..], text.as_bytes()].concat()
    };
    let question = |body: &str| {
        format!(
            "<s:Envelope><s:Header><a:MessageID>urn:uuid:1</a:MessageID></s:Header><s:Body>{body}</s:Body></s:Envelope>"
        )
        .into_bytes()
    };
    vec![
        (
            "device",
            "profiles",
            request(1, login, "<t:GetProfiles xmlns:t='x'/>"),
        ),
        (
            "device",
            "profiles2",
            request(
                2,
                &login.replace("Digest'", "Text'"),
                "<GetProfiles><Token>p</Token><Type>All</Type></GetProfiles>",
            ),
        ),
        (
            "device",
            "stream",
            request(
                1,
                login,
                "<GetStreamUri><StreamSetup><Transport><Protocol>HTTP</Protocol></Transport></StreamSetup>\
                 <ProfileToken>p</ProfileToken></GetStreamUri>",
            ),
        ),
        (
            "device",
            "options",
            request(1, "", "<GetVideoEncoderConfigurationOptions/>"),
        ),
        (
            "device",
            "services",
            request(
                0,
                "",
                "<GetServices><IncludeCapability>true</IncludeCapability></GetServices>",
            ),
        ),
        (
            "questions",
            "probe",
            question(
                "<d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes MatchBy='x/rfc2396'>\
                 onvif://www.onvif.org/Profile</d:Scopes></d:Probe>",
            ),
        ),
        (
            "questions",
            "resolve",
            question(
                "<d:Resolve><a:EndpointReference><a:Address>urn:uuid:1</a:Address></a:EndpointReference></d:Resolve>",
            ),
        ),
        (
            "xml",
            "entities",
            b"<a b='&lt;'>x&amp;&#65;<![CDATA[<]]><c/></a>".to_vec(),
        ),
        ("discovery", "match", envelope(answer)),
        (
            "discovery",
            "hello",
            envelope("<d:Hello><d:XAddrs>http://a/onvif</d:XAddrs></d:Hello>"),
        ),
        ("session", "camera", responses(&[])),
        (
            "session",
            "digest",
            [&[0, SEPARATOR][..], &responses(&[])].concat(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seeds_pass_whole_cut_and_with_bytes_changed() {
        for (entry, _, seed) in seeds() {
            let run = |data: &[u8]| match entry {
                "xml" => xml(data),
                "discovery" => discovery(data),
                "device" => device(SystemTime::UNIX_EPOCH, data),
                "questions" => questions(data),
                _ => session(SystemTime::UNIX_EPOCH, data),
            };
            run(&seed);
            for position in (0..seed.len()).step_by(3) {
                run(&seed[..position]);
                let mut changed = seed.clone();
                changed[position] ^= 0x21;
                run(&changed);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_pass(data in prop::collection::vec(any::<u8>(), 0..300)) {
            xml(&data);
            discovery(&data);
            device(SystemTime::UNIX_EPOCH, &data);
            questions(&data);
            session(SystemTime::UNIX_EPOCH, &data);
        }
    }
}
