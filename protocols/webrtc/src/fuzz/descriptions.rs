//! Offers and answers of others.

use super::{OFFER, certificate, config, path};
use crate::sdp::{Media, Offer};
use crate::stun::{self, Binding, Class, Message, Role};
use crate::{
    AudioFormat, Config, Invitation, Output, Path, Proposal, Session, VideoFormat, VoiceFormat,
};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What a stream may have.
const PICTURES: [Option<VideoFormat>; 6] = [
    Some(VideoFormat::H264 {
        profile_level_id: [0x42, 0xc0, 0x1f],
    }),
    Some(VideoFormat::H265),
    Some(VideoFormat::Av1),
    Some(VideoFormat::Vp9 { profile: 0 }),
    Some(VideoFormat::Vp8),
    None,
];

const VOICES: [VoiceFormat; 3] = [VoiceFormat::Pcmu, VoiceFormat::Pcma, VoiceFormat::Opus];

/// A stream with these pictures.
pub(super) fn stream(start: Instant, number: usize) -> Config {
    let video = PICTURES.get(number).copied().flatten();
    // Another profile for each letter of the rest.
    let video = match number {
        0..6 => video,
        _ => Some(VideoFormat::H264 {
            profile_level_id: [if number == 6 { 0x4d } else { 0x64 }, 0, 0x28],
        }),
    };
    Config {
        video,
        audio: (number != 1).then_some(AudioFormat::Opus {
            stereo: number != 2,
        }),
        ..config(start)
    }
}

/// Whatever is offered, an answer keeps to its form: a section for each of the offer, with none but the offer's formats
/// in it, and no line that is not one of its own.
pub fn offer(start: Instant, data: &[u8]) {
    answered(start, data);
}

/// How many answers there were.
pub(super) fn answered(start: Instant, data: &[u8]) -> usize {
    let text = String::from_utf8_lossy(data);
    let played = (0..8).map(|number| Session::answer(&text, &stream(start, number), start));
    let received = std::iter::once_with(|| Session::receive(&text, &config(start), start));
    let voices = VOICES.into_iter();
    let heard = voices.map(|voice| Session::listen(&text, voice, &config(start), start));
    let mut answers = 0;
    for (session, answer) in played.chain(received).chain(heard).flatten() {
        keeps_form(&text, &answer);
        let audio = session.has(media::Kind::Audio) || session.has(media::Kind::Video);
        assert_ne!(
            audio,
            !session.received().is_empty(),
            "it sends or receives"
        );
        answers += 1;
    }
    if let Ok((mut session, _)) = Session::answer(OFFER, &config(start), start)
        && let Ok(answer) = session.restart(&text, &config(start).candidates)
    {
        assert!(answer.lines().all(|line| line.contains('=')), "{answer:?}");
        answers += 1;
    }
    answers
}

/// Whatever a server or a viewer answers to an offer of ours, it is refused or makes a session, which sends to nobody
/// but those of its candidates that may be tried. Those behave as the last digit of their port says; see `Manner`.
pub fn answer(start: Instant, data: &[u8]) {
    accepted(start, data);
}

/// How a candidate behaves towards checks.
enum Manner {
    /// It answers them.
    Answers,
    /// It takes itself for the end that chooses.
    Conflict,
    /// It does not know the password.
    Wrong,
    Silent,
    /// It answers, checks on its own, and wants to choose.
    Chooses,
    /// It answers, checks on its own, and chooses nothing.
    Checks,
}

impl Manner {
    const fn of(address: SocketAddr) -> Self {
        match address.port() % 10 {
            5 => Self::Conflict,
            6 => Self::Wrong,
            7 => Self::Silent,
            8 => Self::Chooses,
            9 => Self::Checks,
            _ => Self::Answers,
        }
    }
}

/// How many sessions there were, and how many of them found their peer.
pub(super) fn accepted(start: Instant, data: &[u8]) -> (usize, usize) {
    let text = String::from_utf8_lossy(data);
    let may_be_tried = |address: SocketAddr| address.ip().is_loopback();
    let invitations = (0..8).flat_map(|number| {
        let play = (number == 0).then(|| Invitation::play(config(start)));
        let publish = Invitation::publish(stream(start, number));
        play.into_iter().chain(std::iter::once(publish)).flatten()
    });
    let local = [path().local, SocketAddr::from(([127, 0, 0, 1], 3))];
    let invited =
        invitations.map(|(invitation, _)| invitation.accept(&text, &local, may_be_tried, start));
    let proposals = (0..8).filter_map(|number| Proposal::new(stream(start, number)).ok());
    let proposed = proposals.map(|(proposal, offer)| {
        assert!(offer.contains(&format!("a=ice-ufrag:{}", proposal.ufrag())));
        proposal.accept(&text, start)
    });
    let passwords: Vec<_> = Offer::parse(&text)
        .map(|offer| {
            offer
                .media
                .into_iter()
                .filter_map(|media| media.password)
                .collect()
        })
        .unwrap_or_default();
    let (mut sessions, mut found) = (0, 0);
    for session in invited.chain(proposed).flatten() {
        sessions += 1;
        found += usize::from(seek(session, start, &passwords, may_be_tried));
    }
    (sessions, found)
}

/// Half a minute of a session whose peer is at its candidates, or nowhere. Whether it knows where to send.
fn seek(
    mut session: Session,
    start: Instant,
    passwords: &[String],
    may_be_tried: impl Fn(SocketAddr) -> bool,
) -> bool {
    let crypto = certificate().crypto();
    let (mut now, end) = (start, start + Duration::from_secs(31));
    for round in 0.. {
        assert!(round < 5_000, "it never rests");
        session.handle_timeout(now);
        let mut answers: Vec<(Path, Vec<u8>)> = Vec::new();
        let due = loop {
            let sent = match session.poll_output() {
                Output::Transmit(sent) => sent,
                Output::Timeout(due) => break due,
                _ => continue,
            };
            assert!(may_be_tried(sent.path.remote), "{:?}", sent.path);
            let Some(0..=3) = sent.contents.first() else {
                continue;
            };
            let check = Binding::parse(&sent.contents);
            let Some(check) = check.ok().filter(|check| check.class == Class::Request) else {
                continue;
            };
            let mut known = passwords.iter();
            let Some(password) = known.find(|password| check.is_from(crypto, password)) else {
                panic!("{check:?} with a password that nobody has named");
            };
            let answer = match Manner::of(sent.path.remote) {
                Manner::Silent => continue,
                Manner::Conflict => (Message::RoleConflict, password.as_str()),
                Manner::Wrong => (Message::Success(sent.path.local), "wrong"),
                _ => (Message::Success(sent.path.local), password.as_str()),
            };
            let answer = stun::write(crypto, &answer.0, check.transaction, answer.1);
            answers.push((sent.path, answer.unwrap_or_default()));
        };
        for (path, answer) in answers {
            session.handle_input(now, path, &answer);
            // What comes as an answer once more is none.
            session.handle_input(now, path, &answer);
            match Manner::of(path.remote) {
                Manner::Chooses => {
                    session.check(now, path, 7, true, Role::Controlling(u64::MAX));
                }
                Manner::Checks => session.check(now, path, 7, false, Role::Controlled(7)),
                _ => {}
            }
        }
        if due.is_none() || now >= end {
            break;
        }
        // Some owners come too early.
        let next = due.unwrap_or(end).max(now + Duration::from_millis(5));
        now = next.min(now + Duration::from_secs(3));
    }
    session.path().is_some()
}

fn keeps_form(text: &str, answer: &str) {
    let offer = Offer::parse(text).unwrap_or_default();
    let read = Offer::parse(answer).unwrap_or_default();
    assert_eq!(read.media.len(), offer.media.len());
    let named: HashSet<_> = offer.bundle.iter().collect();
    assert!(
        read.bundle.iter().all(|mid| named.contains(mid)),
        "{:?}",
        read.bundle
    );
    let numbers = |media: &Media| -> HashSet<u8> {
        media
            .formats
            .iter()
            .map(|format| format.payload_type)
            .collect()
    };
    for (offered, answered) in offer.media.iter().zip(&read.media) {
        assert_eq!(
            (&answered.kind, &answered.protocol, &answered.mid),
            (&offered.kind, &offered.protocol, &offered.mid)
        );
        // A section that offers none is refused with one of its own, since a line without any is none.
        let offered = numbers(offered);
        assert!(
            offered.is_empty() || numbers(answered).is_subset(&offered),
            "{answer}"
        );
    }
    for line in answer.split("\r\n").filter(|line| !line.is_empty()) {
        let form = line.as_bytes();
        assert!(matches!(form, [b'a'..=b'z', b'=', ..]), "{line:?}");
        assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
    }
}

/// What a peer answers who may be reached and who may not, at ports that behave in every manner.
fn answers(direction: &str, ports: &[u16]) -> String {
    let mut candidates = "a=candidate:0 1 udp 1 192.0.2.7 8189 typ host\r\n".to_owned();
    for (port, priority) in ports.iter().zip((0..u32::MAX).step_by(1_000)) {
        candidates += &format!("a=candidate:1 1 udp {priority} 127.0.0.1 {port} typ host\r\n");
    }
    let answer = OFFER
        .replace("actpass", "passive")
        .replace("recvonly", direction);
    answer
        .replace("96 97 98", "97")
        .replace("a=mid:0\r\n", &format!("{candidates}a=mid:0\r\n"))
}

/// An offer with a lot of what an offer may have.
fn rich(direction: &str) -> String {
    let above = "v=0\r\no=mozilla 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:LS 0 1\r\n\
        a=group:BUNDLE v a d\r\na=setup:active\r\na=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\n\
        a=fingerprint:sha-1 00:01\r\n\
        a=fingerprint:SHA-256 00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:14:15:16:17:18:19:1a:1b:1c:1d:1e:1f\r\n";
    let mut offer = above.to_owned();
    offer += "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\na=sctp-port:5000\r\n";
    offer += "m=video 0 UDP/TLS/RTP/SAVPF 99 100 101 102 103 104 105 106 107 45 39\r\na=bundle-only\r\na=mid:v\r\na=rtcp-mux\r\n";
    offer += "a=extmap:3/sendonly http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n";
    for (number, map, parameters) in [
        (
            99,
            "H264/90000",
            "packetization-mode=0;profile-level-id=42001f",
        ),
        (
            100,
            "H264/90000",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f",
        ),
        (
            101,
            "H264/90000",
            "packetization-mode=1;profile-level-id=4d801f",
        ),
        (
            102,
            "H264/90000",
            "packetization-mode=1;profile-level-id=4d001f",
        ),
        (
            103,
            "H264/90000",
            "packetization-mode=1;profile-level-id=f4001f",
        ),
        (104, "H265/90000", "level-id=93"),
        (105, "VP9/90000", "profile-id=2"),
        (106, "VP9/90000", "profile-id=0"),
        (107, "VP8/90000", "max-fs=12288"),
        (45, "AV1/90000", "profile=0"),
    ] {
        offer += &format!("a=rtpmap:{number} {map}\r\na=fmtp:{number} {parameters}\r\n");
    }
    offer += "a=rtpmap:39 rtx/90000\r\na=fmtp:39 apt=100\r\n";
    offer += "a=rtcp-fb:* nack\r\na=rtcp-fb:* ccm fir\r\na=rtcp-fb:* transport-cc\r\na=rtcp-fb:100 goog-remb\r\n";
    offer += &format!(
        "a={direction}\r\nm=audio 9/2 UDP/TLS/RTP/SAVPF 111 9 0 8 13\r\na=mid:a\r\na=rtcp-mux\r\n"
    );
    offer +=
        "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n";
    offer += "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtcp-fb:111 transport-cc\r\n\
        a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\n";
    offer + &format!("a={direction}\r\n")
}

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let only = |direction: &str, from: &str, to: &str| rich(direction).replace(from, to);
    let restart = "a=ice-options:trickle ice2\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
        a=mid:0\r\na=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n\r\n\
        a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host\r\n";
    let alone = "m=audio 9 RTP/SAVP 8\r\na=rtpmap:8 PCMA/8000\r\na=sendonly\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\n\
        a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=setup:active\r\na=fingerprint:sha-256 00\r\n";
    let offers = [
        OFFER.to_owned(),
        rich("recvonly"),
        rich("sendonly"),
        rich("sendrecv"),
        // Of H.264 nothing but the simplest, or nothing at all.
        only("sendonly", " 100 101 102 103", ""),
        only("sendonly", " 99 100 101 102 103 104", " 107"),
        only("recvonly", "H264", "theora"),
        // More than can be taken, or not all in one bundle.
        rich("sendonly") + &rich("sendonly").replacen("v=0", "m=video 9 UDP/TLS/RTP/SAVPF 107", 1),
        only("sendonly", "BUNDLE v a d", "BUNDLE v"),
        only(
            "sendonly",
            "m=application 9 UDP/DTLS/SCTP",
            "m=video 9 UDP/TLS/RTP/SAVPF",
        ),
        only("inactive", "", ""),
        only("recvonly", "a=rtcp-mux\r\n", ""),
        only("recvonly", "active", "passive"),
        format!("v=0\r\n{alone}"),
        restart.to_owned(),
    ];
    let every = [11, 12, 15, 16, 17, 18, 19, 21, 28, 29];
    let active = answers("sendonly", &[11]).replace("passive", "active");
    let answers = [
        answers("recvonly", &[11, 12]),
        answers("sendonly", &[11]),
        answers("sendonly", &every),
        answers("recvonly", &every),
        answers("sendonly", &[15, 25, 16, 17]),
        answers("recvonly", &[19, 11]),
        active.clone(),
        active.replace("sendonly", "recvonly"),
        answers("recvonly", &[11]).replace("H264", "VP8"),
        answers("recvonly", &[11]).replace("a=rtcp-fb:97 nack\r\n", ""),
        rich("recvonly").replace("a=setup:active", "a=setup:actpass"),
        "v=0\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\n".to_owned(),
    ];
    let offers = offers.map(|offer| ("offer", offer.into_bytes()));
    let answers = answers.map(|answer| ("answer", answer.into_bytes()));
    offers.into_iter().chain(answers).collect()
}
