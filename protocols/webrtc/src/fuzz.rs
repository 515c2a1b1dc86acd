//! Bodies of the fuzz targets: each takes any bytes and asserts what must hold for all of them.
//!
//! The handshake of a session draws random numbers, so that what follows a ClientHello differs from run to
//! run; what comes in before that does not.

use crate::framing::{self, Frames, MAX_PACKET};
use crate::sdp::Offer;
use crate::stun::{Binding, Class, Message, Role, attribute};
use crate::turn::Relay;
use crate::{
    AudioFormat, Candidate, Certificate, Config, Event, Invitation, Output, Path, Proposal,
    Session, Transport, VideoFormat, VoiceFormat, WallClock, stun,
};
use media::Kind;
use rtp::Payloads;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// An offer with everything a session needs, as browsers write it.
const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=setup:actpass\r\n\
    a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F\r\n\
    a=mid:0\r\na=recvonly\r\na=extmap:4 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
    a=rtcp-fb:97 transport-cc\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 H264/90000\r\n\
    a=fmtp:97 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
    a=rtcp-fb:97 nack\r\na=rtcp-fb:97 nack pli\r\na=rtpmap:98 rtx/90000\r\na=fmtp:98 apt=97\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtcp-mux\r\na=mid:1\r\na=recvonly\r\n\
    a=rtpmap:111 opus/48000/2\r\n";

/// A message that is read says nothing its bytes do not.
pub fn stun(data: &[u8]) {
    let Ok(binding) = Binding::parse(data) else {
        return;
    };
    assert!(binding.username.len() < data.len());
    assert!(binding.username.starts_with(binding.receiver()));
    assert!(!binding.is_from(certificate().crypto(), "a password that nobody was told"));
}

/// What a TURN server says, whatever it says, is taken; what goes out is bounded, and what is wrapped comes out as it was.
/// Each step is a kind, a length and that many bytes; see `Step`.
pub fn turn(start: Instant, data: &[u8]) {
    let mut now = start;
    let mut relay = Relay::new(certificate().clone(), "joe".into(), "secret".into());
    let mut asked = [0; 12];
    for step in steps(data) {
        for round in 0.. {
            assert!(round < 100, "it asks without end");
            let Some(question) = relay.poll(now) else {
                break;
            };
            assert!(question.len() < 2_048);
            if let Some(number) = question.get(8..20) {
                asked.copy_from_slice(number);
            }
        }
        match step {
            // An answer to what was asked last, of which the number is all that cannot be made up.
            Step::Check(bytes) => {
                let mut message = bytes.to_vec();
                if let Some(number) = message.get_mut(8..20) {
                    number.copy_from_slice(&asked);
                }
                relay.handle_input(now, &message);
            }
            Step::Input(bytes) => {
                relay.handle_input(now, bytes);
            }
            Step::Wait(time) => now += time,
            Step::Media(bytes) => {
                let peer = path().remote;
                let mut wrapped = relay.wrap(peer, bytes);
                if let Some(kind) = wrapped.first_chunk_mut::<2>() {
                    *kind = [0x00, 0x17];
                }
                assert_eq!(relay.handle_input(now, &wrapped), Some((peer, bytes)));
            }
            Step::GoodCheck | Step::Close => relay.permit(now, path().remote.ip()),
        }
    }
}

/// Packets are the same however a connection is cut, and written again they are what was read, but for empty ones.
pub fn framing(data: &[u8]) {
    let (cuts, bytes) = data.split_at(data.len().min(8));
    let read = |parts: &mut dyn Iterator<Item = &[u8]>| {
        let (mut frames, mut packets) = (Frames::default(), Vec::new());
        for part in parts {
            frames.push(part);
            loop {
                match frames.pull() {
                    Ok(Some(packet)) => packets.push(packet),
                    Ok(None) => break,
                    Err(error) => return (packets, Err(error)),
                }
            }
            assert!(frames.waiting() < 2 + MAX_PACKET);
        }
        (packets, Ok(frames.waiting()))
    };
    let whole = read(&mut std::iter::once(bytes));
    let mut rest = bytes;
    let mut sizes = cuts.iter().cycle();
    let mut cut = std::iter::from_fn(|| {
        let size = sizes.next().map_or(1, |size| usize::from(*size) + 1);
        let (part, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        (!part.is_empty()).then_some(part)
    });
    assert_eq!(read(&mut cut), whole);
    let mut again = Vec::new();
    for packet in &whole.0 {
        framing::write(packet, &mut again);
    }
    assert_eq!(read(&mut std::iter::once(&again[..])), (whole.0, Ok(0)));
}

/// Whatever is offered, an answer keeps to its form: a section for each of the offer, and no line that is
/// not one of its own.
pub fn offer(start: Instant, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let made = [
        Session::answer(&text, &config(start), start),
        Session::receive(&text, &config(start), start),
        Session::listen(&text, VoiceFormat::Pcma, &config(start), start),
    ];
    for (_, answer) in made.into_iter().flatten() {
        keeps_form(&text, &answer);
    }
    if let Ok((mut session, _)) = Session::answer(OFFER, &config(start), start)
        && let Ok(answer) = session.restart(&text, &[])
    {
        assert!(answer.lines().all(|line| line.contains('=')), "{answer:?}");
    }
}

/// Whatever a server or a viewer answers to an offer of ours, it is refused or makes a session, which sends to nobody but
/// those of its candidates that may be tried.
pub fn answer(start: Instant, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let may_be_tried = |address: SocketAddr| address.ip().is_loopback();
    let invitations = [
        Invitation::play(config(start)),
        Invitation::publish(config(start)),
    ];
    let invited = invitations
        .into_iter()
        .flatten()
        .map(|(invitation, _)| invitation.accept(&text, &[path().local], may_be_tried, start));
    let proposed = Proposal::new(config(start)).map(|(proposal, _)| proposal.accept(&text, start));
    for mut session in invited.chain(proposed).flatten() {
        let mut now = start;
        for _ in 0..20 {
            now += Duration::from_millis(250);
            session.handle_timeout(now);
            for round in 0.. {
                assert!(round < 1_000);
                match session.poll_output() {
                    Output::Transmit(sent) => {
                        assert!(may_be_tried(sent.path.remote), "{:?}", sent.path);
                    }
                    Output::Timeout(_) => break,
                    _ => {}
                }
            }
        }
    }
}

fn keeps_form(text: &str, answer: &str) {
    let offer = Offer::parse(text).map(|offer| offer.media.len());
    let read = Offer::parse(answer).map(|answer| answer.media.len());
    assert_eq!(read, offer);
    for line in answer.split("\r\n").filter(|line| !line.is_empty()) {
        let form = line.as_bytes();
        assert!(matches!(form, [b'a'..=b'z', b'=', ..]), "{line:?}");
        assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
    }
}

/// A session stands whatever comes in, and what it holds and sends stays in proportion. Each step is a kind,
/// a length and that many bytes; see `Step`.
pub fn session(start: Instant, data: &[u8]) {
    let mut now = start;
    let Ok((mut session, _)) = Session::answer(OFFER, &config(start), start) else {
        return;
    };
    let path = path();
    let username = format!("{}:abcd", session.ufrag());
    for step in steps(data) {
        match step {
            Step::Input(bytes) => session.handle_input(now, path, bytes),
            Step::Check(bytes) => {
                let request = Message::Request {
                    username: &username,
                    priority: 1,
                    use_candidate: true,
                    role: Role::Controlling(1),
                };
                let password = String::from_utf8_lossy(bytes);
                let check = stun::write(certificate().crypto(), &request, [0; 12], &password);
                session.handle_input(now, path, &check.unwrap_or_default());
            }
            Step::GoodCheck => session.check(now, path),
            Step::Media(bytes) => {
                session.send(now, Kind::Video, 0, 90_000, &Payloads::single(bytes));
            }
            Step::Wait(time) => {
                now += time;
                session.handle_timeout(now);
            }
            Step::Close => session.close(now),
        }
        // A handshake's flights are the most that one datagram can call forth.
        for round in 0.. {
            assert!(round < 1_000);
            if let Output::Timeout(due) = session.poll_output() {
                assert!(due.is_none_or(|due| due + Duration::from_secs(60) > now));
                break;
            }
        }
    }
}

/// What a publisher sends is told by its tracks, nothing of it is made up, and what is missing does not pile up. Each
/// step is a kind, a length and that many bytes: a packet, or time that passes.
pub fn received(start: Instant, data: &[u8]) {
    let mut now = start;
    let offer = OFFER.replace("recvonly", "sendonly");
    let Ok((mut session, _)) = Session::receive(&offer, &config(start), start) else {
        return;
    };
    for step in steps(data) {
        let mut longest = 0;
        match step {
            Step::Wait(time) => {
                now += time;
                session.handle_timeout(now);
            }
            Step::Media(_) => session.want_picture(now),
            Step::Input(bytes) => {
                longest = bytes.len();
                session.plain_packet(now, bytes.to_vec());
            }
            _ => {}
        }
        for round in 0.. {
            assert!(round < 10);
            match session.poll_output() {
                Output::Event(Event::Packet { track, bytes, .. }) => {
                    assert!(bytes.len() <= longest && track < session.received().len());
                    assert!(rtp::Packet::parse(&bytes).is_ok());
                }
                Output::Timeout(due) => {
                    assert!(due.is_none_or(|due| due > now));
                    break;
                }
                _ => {}
            }
        }
    }
}

enum Step<'a> {
    /// A datagram from the viewer.
    Input(&'a [u8]),
    /// A check with this password.
    Check(&'a [u8]),
    /// A check with the right one.
    GoodCheck,
    /// An access unit is sent.
    Media(&'a [u8]),
    /// Time passes.
    Wait(Duration),
    Close,
}

fn steps(data: &[u8]) -> impl Iterator<Item = Step<'_>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (head, after) = rest.split_first_chunk::<3>()?;
        let [kind, l0, l1] = *head;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let (bytes, after) = after.split_at_checked(length).unwrap_or((after, &[]));
        rest = after;
        Some(match kind % 6 {
            0 => Step::Input(bytes),
            1 => Step::Check(bytes),
            2 => Step::GoodCheck,
            3 => Step::Media(bytes),
            4 => Step::Wait(Duration::from_millis(length as u64)),
            _ => Step::Close,
        })
    })
}

fn step(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let [l0, l1] = (bytes.len() as u16).to_be_bytes();
    [&[kind, l0, l1], bytes].concat()
}

fn path() -> Path {
    let [local, remote] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    Path {
        transport: Transport::Udp,
        local,
        remote,
    }
}

/// One for all runs: making one takes a while.
fn certificate() -> &'static Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| match Certificate::generate() {
        Ok(certificate) => certificate,
        Err(error) => unreachable!("{error}"),
    })
}

fn config(start: Instant) -> Config {
    Config {
        certificate: certificate().clone(),
        candidates: vec![Candidate {
            transport: Transport::Udp,
            address: SocketAddr::from(([192, 0, 2, 1], 8_189)),
            is_relayed: false,
        }],
        video: Some(VideoFormat::H264 {
            profile_level_id: [0x42, 0xc0, 0x1f],
        }),
        audio: Some(AudioFormat::Opus { stereo: true }),
        wall_clock: WallClock {
            at: start,
            since_1970: Duration::from_secs(1_700_000_000),
        },
    }
}

/// A ClientHello as a record, cut to 40 bytes of its body and whole.
fn hellos() -> [Vec<u8>; 2] {
    let mut body = vec![0xfe, 0xfd];
    body.extend([7; 32]);
    // No session, no cookie, one cipher suite, no compression.
    body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let extensions = [
        0, 23, 0, 0, 0, 10, 0, 4, 0, 2, 0, 29, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3, 0, 14,
        0, 7, 0, 4, 0, 1, 0, 7, 0,
    ];
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    [40, body.len()].map(|end| {
        let three = |number: usize| (number as u32).to_be_bytes()[1..].to_vec();
        let part = body.get(..end).unwrap_or_default();
        let message = [
            &[1][..],
            &three(body.len()),
            &[0; 5],
            &three(part.len()),
            part,
        ]
        .concat();
        let length = (message.len() as u16).to_be_bytes();
        let head = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, end as u8];
        [&head[..], &length, &message].concat()
    })
}

/// What a peer answers who may be reached and who may not.
fn answers(direction: &str) -> Vec<u8> {
    let candidates = "a=candidate:1 1 udp 2130706431 127.0.0.1 8189 typ host\r\n\
        a=candidate:2 1 udp 1 192.0.2.7 8189 typ host\r\na=end-of-candidates\r\na=mid:0\r\n";
    let answer = OFFER
        .replace("actpass", "passive")
        .replace("recvonly", direction);
    answer
        .replace("96 97 98", "97")
        .replace("a=mid:0\r\n", candidates)
        .into_bytes()
}

/// Valid inputs to start from, each with the name of its target.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let request = Message::Request {
        username: "abc:def",
        priority: 7,
        use_candidate: true,
        role: Role::Controlling(1),
    };
    let messages = [request, Message::Success(path().local)].map(|message| {
        let message = stun::write(certificate().crypto(), &message, [5; 12], "password");
        message.unwrap_or_default()
    });
    let [check, answer] = messages;
    let [part, hello] = hellos();
    let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    let feedback = [
        0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let mut login = Vec::new();
    stun::begin(Class::Error, 3, [0; 12], &mut login);
    stun::put(attribute::ERROR_CODE, &[0, 0, 4, 1], &mut login);
    stun::put(attribute::REALM, b"here", &mut login);
    stun::put(attribute::NONCE, b"number", &mut login);
    stun::set_length(&mut login, 0);
    let relayed = [
        step(1, &login),
        step(2, &[]),
        step(3, b"a packet"),
        step(4, &[0; 1_000]),
        step(1, &login),
    ];
    let handshake = [
        step(2, &[]),
        step(0, &part),
        step(0, &hello),
        step(4, &[0; 1_100]),
        step(0, &feedback),
        step(3, &[0x65; 50]),
        step(0, &alert),
    ];
    let checks = [
        step(1, b"wrong"),
        step(0, &check),
        step(2, &[]),
        step(4, &[0; 31_000]),
    ];
    let goodbye = [step(2, &[]), step(5, &[]), step(0, &hello)];
    let packet = |payload_type: u8, sequence: u8, payload: &[u8]| {
        let ssrc = payload_type;
        let head = [0x90, payload_type, 0, sequence, 0, 0, 0, 1, 0, 0, 0, ssrc];
        let extension = [0xbe, 0xde, 0, 1, 0x41, 0, sequence, 0];
        step(0, &[&head[..], &extension, payload].concat())
    };
    let published = [
        packet(97, 1, &[0x65, 1]),
        packet(111, 2, &[0xfc]),
        packet(97, 4, &[0x41, 1]),
        step(4, &[0; 20]),
        packet(98, 5, &[0, 2, 0x41, 1]),
        packet(98, 6, &[0, 1, 0x41, 1]),
        step(3, &[]),
        step(4, &[0; 600]),
    ];
    let mut framed = vec![0, 3, 7, 200, 1, 0, 0, 30];
    for packet in [&check[..], &[], &hello, &[0x80; 1_200]] {
        framing::write(packet, &mut framed);
    }
    vec![
        ("stun", check),
        ("stun", answer),
        ("turn", relayed.concat()),
        ("offer", OFFER.as_bytes().to_vec()),
        ("answer", answers("recvonly")),
        ("answer", answers("sendonly")),
        ("session", handshake.concat()),
        ("session", checks.concat()),
        ("session", goodbye.concat()),
        ("received", published.concat()),
        ("framing", framed),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGETS: [&str; 7] = [
        "stun", "offer", "answer", "session", "received", "framing", "turn",
    ];

    fn run(name: &str, data: &[u8]) {
        match name {
            "stun" => stun(data),
            "offer" => offer(Instant::now(), data),
            "framing" => framing(data),
            "answer" => answer(Instant::now(), data),
            "received" => received(Instant::now(), data),
            "turn" => turn(Instant::now(), data),
            _ => session(Instant::now(), data),
        }
    }

    #[test]
    fn seeds_pass_whole_and_cut() {
        for (name, seed) in seeds() {
            let step = seed.len().div_ceil(100).max(1);
            for end in (0..=seed.len()).rev().step_by(step) {
                run(name, &seed[..end]);
            }
        }
    }

    #[test]
    fn seeds_do_what_they_are_for() {
        assert!(Session::answer(OFFER, &config(Instant::now()), Instant::now()).is_ok());
        let seeds = seeds();
        let stun = seeds.iter().filter(|(name, _)| *name == "stun");
        assert!(stun.clone().all(|(_, seed)| Binding::parse(seed).is_ok()));
        assert_eq!(stun.count(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn anything_passes(data in prop::collection::vec(any::<u8>(), 0..300)) {
            for name in TARGETS {
                run(name, &data);
            }
        }

        #[test]
        fn damaged_seeds_pass(at in any::<prop::sample::Index>(), value: u8) {
            for (name, mut seed) in seeds() {
                let at = at.index(seed.len());
                seed[at] = value;
                run(name, &seed);
            }
        }
    }
}
