//! Offers as browsers write them, and what is answered.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test: what cannot be read fails it, and what it leaves out is told"
)]

use media::Kind;
use std::time::{Duration, Instant};
use webrtc::sdp::{Direction, Media, Offer, OfferError, Setup};
use webrtc::{
    AudioFormat, Candidate, Certificate, Config, Proposal, Session, Transport, VideoFormat,
    VoiceFormat, WallClock,
};

const CHROMIUM: &str = include_str!("offers/chromium.sdp");
const FIREFOX: &str = include_str!("offers/firefox.sdp");
const SAFARI: &str = include_str!("offers/safari.sdp");

const BASELINE: [u8; 3] = [0x42, 0xc0, 0x1f];
const HIGH: [u8; 3] = [0x64, 0x00, 0x28];

fn config(profile_level_id: [u8; 3]) -> Config {
    Config {
        certificate: Certificate::generate().unwrap(),
        candidates: ["192.0.2.1:8189", "[2001:db8::1]:8189"]
            .map(|address| Candidate {
                transport: Transport::Udp,
                address: address.parse().unwrap(),
                is_relayed: false,
            })
            .to_vec(),
        video: Some(VideoFormat::H264 { profile_level_id }),
        audio: Some(AudioFormat::Opus { stereo: true }),
        wall_clock: WallClock {
            at: Instant::now(),
            since_1970: Duration::from_secs(1_700_000_000),
        },
    }
}

fn answer(offer: &str, config: &Config) -> Result<(Session, String), OfferError> {
    Session::answer(offer, config, Instant::now())
}

fn section<'a>(answer: &'a Offer, kind: &str) -> &'a Media {
    let mut media = answer.media.iter();
    media.find(|media| media.kind == kind).unwrap()
}

#[test]
fn browsers_get_pictures_and_sound() {
    // The offer, the stream's profile; the payload types of video, of its retransmissions, and of audio; and
    // the profile agreed on.
    let cases = [
        (CHROMIUM, BASELINE, 108, 109, 111, "42e01f"),
        (CHROMIUM, HIGH, 41, 42, 111, "f40028"),
        (FIREFOX, BASELINE, 126, 127, 109, "42e01f"),
        (FIREFOX, HIGH, 126, 127, 109, "42e028"),
        (SAFARI, BASELINE, 98, 99, 111, "42e01f"),
        (SAFARI, HIGH, 96, 97, 111, "640c28"),
    ];
    for (offer, profile, video, rtx, audio, agreed) in cases {
        let config = config(profile);
        let (session, text) = answer(offer, &config).unwrap();
        assert!(session.has(Kind::Video) && session.has(Kind::Audio));
        let offered = Offer::parse(offer).unwrap();
        let answer = Offer::parse(&text).unwrap();
        assert_eq!(answer.bundle, offered.bundle);
        let names = |offer: &Offer| -> Vec<_> {
            let media = offer.media.iter();
            media
                .map(|media| (media.kind.clone(), media.mid.clone()))
                .collect()
        };
        assert_eq!(names(&answer), names(&offered));
        let section = |kind| section(&answer, kind);
        let types = |kind| -> Vec<_> {
            let formats = section(kind).formats.iter();
            formats.map(|format| format.payload_type).collect()
        };
        assert_eq!(types("video"), [video, rtx], "{text}");
        assert_eq!(types("audio"), [audio]);
        let format = &section("video").formats[0];
        assert_eq!(format.parameter("profile-level-id"), Some(agreed));
        assert_eq!(format.parameter("packetization-mode"), Some("1"));
        assert!(format.gives("nack") && format.gives("nack pli"));
        for kind in ["video", "audio"] {
            let section = section(kind);
            assert_eq!(section.direction, Direction::SendOnly);
            assert_eq!(section.setup, Some(Setup::Passive));
            assert_eq!(section.ufrag.as_deref(), Some(session.ufrag()));
            let fingerprint = section.fingerprint.as_deref();
            assert_eq!(fingerprint, Some(config.certificate.fingerprint()));
            assert!(section.rtcp_mux && section.password.is_some());
        }
        assert!(text.contains("a=ice-lite\r\n"));
        let candidate = "a=candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host\r\n";
        assert!(text.contains(candidate), "{text}");
        assert!(text.contains(" 2001:db8::1 8189 typ host\r\n"));
    }
}

#[test]
fn what_the_stream_does_not_have_is_refused() {
    let only_sound = Config {
        video: None,
        ..config(BASELINE)
    };
    let (session, text) = answer(CHROMIUM, &only_sound).unwrap();
    assert!(!session.has(Kind::Video));
    let answer = Offer::parse(&text).unwrap();
    let video = section(&answer, "video");
    assert_eq!((video.port, video.direction), (0, Direction::Inactive));
    assert_eq!(answer.bundle.len(), 1);
    assert_eq!(
        Some(&answer.bundle[0]),
        section(&answer, "audio").mid.as_ref()
    );
}

#[test]
fn data_channels_are_refused() {
    let offer = CHROMIUM.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0 1 2")
        + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n";
    let (_, text) = answer(&offer, &config(BASELINE)).unwrap();
    assert!(text.contains("a=group:BUNDLE 0 1\r\n"));
    assert!(text.contains("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
}

#[test]
fn offers_that_do_not_suit() {
    let without = |line: &str| {
        let lines = CHROMIUM.lines().filter(|kept| !kept.starts_with(line));
        lines.map(|line| format!("{line}\r\n")).collect::<String>()
    };
    let cases = [
        (without("a=ice-ufrag"), OfferError::Missing("a=ice-ufrag")),
        (without("a=ice-pwd"), OfferError::Missing("a=ice-pwd")),
        (
            without("a=fingerprint"),
            OfferError::Missing("a=fingerprint of SHA-256"),
        ),
        (without("a=setup"), OfferError::Missing("a=setup")),
        (without("a=rtcp-mux"), OfferError::Missing("a=rtcp-mux")),
        (
            CHROMIUM.replace("a=setup:actpass", "a=setup:passive"),
            OfferError::Setup,
        ),
        (
            CHROMIUM.replace("a=recvonly", "a=sendonly"),
            OfferError::NothingInCommon("no section in that direction".to_owned()),
        ),
        (
            "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=recvonly\r\na=rtpmap:96 VP8/90000\r\n"
                .to_owned(),
            OfferError::OtherCodec("H264", "VP8".to_owned()),
        ),
    ];
    for (offer, error) in cases {
        let result = answer(&offer, &config(BASELINE)).map(|(_, answer)| answer);
        assert_eq!(result, Err(error), "{offer}");
    }
}

#[test]
fn sections_on_transports_of_their_own_are_not_both_taken() {
    let offer = CHROMIUM.replace("a=group:BUNDLE 0 1\r\n", "");
    let (session, _) = answer(&offer, &config(BASELINE)).unwrap();
    assert!(session.has(Kind::Video) != session.has(Kind::Audio));
}

#[test]
fn nothing_is_bundled_that_the_offer_does_not_bundle() {
    let offer = CHROMIUM.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0");
    let sound = Config {
        video: None,
        ..config(BASELINE)
    };
    let (session, text) = answer(&offer, &sound).unwrap();
    assert!(
        session.has(Kind::Audio) && !text.contains("BUNDLE"),
        "{text}"
    );
}

#[test]
fn sections_without_a_port_are_wanted_in_a_bundle_alone() {
    let ports = CHROMIUM.replace("m=video 9 ", "m=video 0 ");
    let (session, _) = answer(&ports, &config(BASELINE)).unwrap();
    assert!(session.has(Kind::Video));
    let alone = ports.replace("a=group:BUNDLE 0 1\r\n", "");
    let (session, _) = answer(&alone, &config(BASELINE)).unwrap();
    assert!(!session.has(Kind::Video) && session.has(Kind::Audio));
}

#[test]
fn sessions_can_be_given_to_other_threads() {
    fn moves<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    moves::<Session>();
    is_shared::<Certificate>();
}

/// Offers that others recorded, where they are there: a JSON file with lists of lines under `sdp`.
#[test]
fn recorded_offers() {
    let Ok(corpus) = std::env::var("MILLSTREAM_CORPUS") else {
        println!("MILLSTREAM_CORPUS is not set: recorded offers are left out");
        return;
    };
    let folder = std::path::Path::new(&corpus).join("webrtc/str0m-sdp");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        for sdp in descriptions(&serde_json::from_str(&text).unwrap()) {
            count += 1;
            let offer = Offer::parse(&sdp).unwrap();
            assert!(!offer.media.is_empty());
            // Those that ask for nothing are refused in words, and none is answered out of form.
            if let Ok((_, text)) = answer(&sdp, &config(BASELINE)) {
                assert_eq!(Offer::parse(&text).unwrap().media.len(), offer.media.len());
            }
        }
    }
    assert!(count > 0);
}

/// Every `sdp` in a JSON value: a text or a list of lines.
fn descriptions(value: &serde_json::Value) -> Vec<String> {
    use serde_json::Value;
    match value {
        Value::Array(values) => values.iter().flat_map(descriptions).collect(),
        Value::Object(fields) => {
            let found = fields
                .iter()
                .map(|(name, value)| match (name.as_str(), value) {
                    ("sdp", Value::String(text)) => vec![text.clone()],
                    ("sdp", Value::Array(lines)) => {
                        let lines = lines.iter().filter_map(Value::as_str);
                        vec![lines.map(|line| format!("{line}\r\n")).collect()]
                    }
                    (_, value) => descriptions(value),
                });
            found.flatten().collect()
        }
        _ => Vec::new(),
    }
}

/// The offer of a browser that sends what it was asked to receive.
fn publishing(offer: &str) -> String {
    offer.replace("a=recvonly", "a=sendonly")
}

fn received(offer: &str) -> Result<(Session, Offer), OfferError> {
    let (session, answer) = Session::receive(offer, &config(BASELINE), Instant::now())?;
    Ok((session, Offer::parse(&answer)?))
}

#[test]
fn h264_and_opus_of_browsers_that_publish_are_taken() {
    for (name, offer) in [
        ("Chromium", CHROMIUM),
        ("Firefox", FIREFOX),
        ("Safari", SAFARI),
    ] {
        let (session, answer) = received(&publishing(offer)).unwrap();
        let mut taken: Vec<_> = session
            .received()
            .iter()
            .map(|format| (format.kind == Kind::Video, format.encoding.to_lowercase()))
            .collect();
        taken.sort();
        let expected = [(false, "opus".to_owned()), (true, "h264".to_owned())];
        assert_eq!(taken, expected, "{name}");
        for section in answer.media.iter().filter(|section| section.is_rtp()) {
            assert_eq!(section.direction, Direction::ReceiveOnly, "{name}");
            assert_eq!(section.setup, Some(Setup::Passive), "{name}");
            let [format, rest @ ..] = &section.formats[..] else {
                panic!("{name}: nothing taken");
            };
            if section.kind == "video" {
                assert!(format.gives("nack") && format.gives("nack pli"), "{name}");
                // Firefox and Safari name the extension only where they send.
                let counted = section.extensions.len() == 1;
                assert_eq!(format.gives("transport-cc"), counted, "{name}");
                assert!(counted || name != "Chromium", "{name}: {section:?}");
                assert!(rest.len() <= 1, "{name}: retransmissions alone");
                let level = format.parameter("profile-level-id").map(|id| &id[4..]);
                assert_eq!(level, Some("34"), "{name}");
            } else {
                assert_eq!(format.parameter("stereo"), Some("1"), "{name}");
            }
        }
    }
}

#[test]
fn of_browsers_that_talk_one_form_of_sound_is_taken() {
    for (name, offer) in [
        ("Chromium", CHROMIUM),
        ("Firefox", FIREFOX),
        ("Safari", SAFARI),
    ] {
        for (voice, encoding) in [
            (VoiceFormat::Pcmu, "PCMU"),
            (VoiceFormat::Pcma, "PCMA"),
            (VoiceFormat::Opus, "opus"),
        ] {
            let (offer, config) = (publishing(offer), config(BASELINE));
            let listening = Session::listen(&offer, voice, &config, Instant::now());
            let (session, answer) = listening.unwrap();
            let [format] = session.received() else {
                panic!("{name}: {:?}", session.received());
            };
            assert_eq!(format.encoding, encoding, "{name}");
            let answer = Offer::parse(&answer).unwrap();
            assert_eq!(section(&answer, "audio").formats.len(), 1);
            assert_eq!(section(&answer, "video").port, 0, "{name}");
        }
    }
    // Who only wants to hear says nothing.
    let refused = Session::listen(
        CHROMIUM,
        VoiceFormat::Pcmu,
        &config(BASELINE),
        Instant::now(),
    );
    let words = refused.map(drop).unwrap_err().to_string();
    assert!(words.contains("sends nothing"), "{words}");
}

#[test]
fn without_h264_the_first_codec_that_is_carried_is_taken() {
    let offer = publishing(CHROMIUM).replace("H264/90000", "H266/90000");
    let (session, _) = received(&offer).unwrap();
    let mut formats = session.received().iter();
    let video = formats.find(|format| format.kind == Kind::Video).unwrap();
    assert_eq!(video.encoding, "VP8");
}

#[test]
fn what_cannot_be_published_whole_is_refused() {
    let offer = publishing(CHROMIUM);
    let mut half = offer.clone();
    for name in ["opus/48000/2", "G722/8000", "PCMU/8000", "PCMA/8000"] {
        half = half.replace(name, "other/48000");
    }
    let cases = [
        (CHROMIUM.to_owned(), "sends nothing that is carried here"),
        (half, "not all"),
        (format!("{offer}{}", second_video(&offer)), "more than one"),
    ];
    for (offer, words) in cases {
        let error = received(&offer).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// The offer's section of video once more.
fn second_video(offer: &str) -> String {
    let at = offer.find("m=video").unwrap();
    let section = &offer[at..];
    let end = section[1..].find("m=").map_or(section.len(), |end| end + 1);
    section[..end].to_owned()
}

#[test]
fn what_the_server_offers_is_what_the_stream_has_and_the_answer_makes_the_session() {
    let now = Instant::now();
    let mute = |video: bool, audio: bool| Config {
        video: config(HIGH).video.filter(|_| video),
        audio: config(HIGH).audio.filter(|_| audio),
        ..config(HIGH)
    };
    for (video, audio) in [(true, true), (true, false), (false, true)] {
        let (proposal, offer) = Proposal::new(mute(video, audio)).unwrap();
        let read = Offer::parse(&offer).unwrap();
        assert_eq!(read.media.len(), usize::from(video) + usize::from(audio));
        for section in &read.media {
            assert_eq!(section.direction, Direction::SendOnly);
            assert_eq!(section.setup, Some(Setup::Either));
            assert!(
                section
                    .ufrag
                    .as_deref()
                    .unwrap()
                    .starts_with(proposal.ufrag())
            );
            let id = section.formats[0].parameter("profile-level-id");
            assert!(section.kind == "audio" || id == Some("640028"), "{offer}");
        }
        // As a browser answers.
        let answer = offer
            .replace("a=sendonly", "a=recvonly")
            .replace("a=setup:actpass", "a=setup:active")
            .replace("a=ice-lite\r\n", "");
        let ufrag = proposal.ufrag().to_owned();
        let session = proposal.accept(&answer, now).unwrap();
        assert_eq!(session.ufrag(), ufrag);
        assert_eq!(
            (session.has(Kind::Video), session.has(Kind::Audio)),
            (video, audio)
        );
    }
    let (proposal, offer) = Proposal::new(mute(true, true)).unwrap();
    let refused = offer.replace("a=sendonly", "a=inactive");
    let error = proposal.accept(&refused, now).unwrap_err();
    assert!(matches!(error, OfferError::NothingInCommon(_)), "{error}");
}
