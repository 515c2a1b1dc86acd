//! Bodies of the fuzz targets: each takes any bytes and asserts what must hold for all of them.
//!
//! Sessions draw random numbers, so that not all of what follows from an input is the same from run to run.

mod descriptions;
mod ends;
mod peer;
mod relay;
mod sessions;
mod srtp;

pub use descriptions::{answer, offer};
pub use ends::{ends, handshake};
pub use relay::turn;
pub use sessions::{received, session};
pub use srtp::srtp;

use crate::framing::{self, Frames, MAX_PACKET};
use crate::stun::{self, Binding, Class, Message, Role, attribute};
use crate::{AudioFormat, Candidate, Certificate, Config, Path, Transport, VideoFormat, WallClock};
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

/// A message that is read says nothing its bytes do not, and is the same once written. A server's answer says where we
/// are seen to who has asked alone.
pub fn stun(data: &[u8]) {
    let crypto = certificate().crypto();
    let number = data.get(8..20).and_then(|number| number.first_chunk());
    if let Some(number) = number.copied() {
        let seen = stun::seen_at(data, number);
        let other = number.map(|byte| !byte);
        assert_eq!(stun::seen_at(data, other), None);
        let is_success = stun::Head::read(data).is_ok_and(|head| head.class == Class::Success);
        assert!(seen.is_none() || is_success);
    }
    let Ok(binding) = Binding::parse(data) else {
        return;
    };
    assert!(binding.username.len() < data.len());
    assert!(binding.username.starts_with(binding.receiver()));
    assert!(binding.receiver().starts_with(binding.session()));
    assert!(!binding.is_from(crypto, "a password that nobody was told"));
    let message = match (
        binding.class,
        binding.priority,
        binding.role,
        binding.mapped,
    ) {
        (Class::Request, Some(priority), Some(role), _) => Message::Request {
            username: binding.username,
            priority,
            use_candidate: binding.use_candidate,
            role,
        },
        (Class::Success, _, _, Some(mapped)) => Message::Success(mapped),
        (Class::Error, ..) if binding.error == Some(487) => Message::RoleConflict,
        _ => return,
    };
    let written = stun::write(crypto, &message, binding.transaction, "a password");
    let written = written.unwrap_or_default();
    let again = Binding::parse(&written);
    let said = |binding: &Binding<'_>| (binding.class, binding.transaction, binding.error);
    assert_eq!(again.as_ref().map(said), Ok(said(&binding)));
    assert!(again.is_ok_and(|again| again.is_from(crypto, "a password")));
    let read = again.map(|again| match again.class {
        Class::Request => Some(Message::Request {
            username: again.username,
            priority: again.priority?,
            use_candidate: again.use_candidate,
            role: again.role?,
        }),
        Class::Success => again.mapped.map(Message::Success),
        _ => Some(Message::RoleConflict),
    });
    assert_eq!(read, Ok(Some(message)));
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

/// What happens next. What it means for other than a session with a viewer, their targets say.
enum Step<'a> {
    /// A datagram of anybody.
    Input(&'a [u8]),
    /// A check with this password.
    Check(&'a [u8]),
    /// A check with the right one.
    GoodCheck(&'a [u8]),
    /// An access unit is sent.
    Media(&'a [u8]),
    /// Time passes.
    Wait(Duration),
    Close,
    /// The handshake is over.
    Keys(&'a [u8]),
    /// A compound of the peer.
    Control(&'a [u8]),
    /// A packet of media of the peer.
    Packet(&'a [u8]),
    /// One of the peer in which a bit is another.
    Damaged(&'a [u8]),
    /// What follows comes from elsewhere.
    Move(&'a [u8]),
    /// ICE begins anew.
    Restart(&'a [u8]),
}

fn steps(data: &[u8]) -> impl Iterator<Item = Step<'_>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (head, after) = rest.split_first_chunk::<3>()?;
        let [kind, l0, l1] = *head;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let (bytes, after) = after.split_at_checked(length).unwrap_or((after, &[]));
        rest = after;
        Some(match kind % 12 {
            0 => Step::Input(bytes),
            1 => Step::Check(bytes),
            2 => Step::GoodCheck(bytes),
            3 => Step::Media(bytes),
            // As long as its bytes are many, or as two of them say.
            4 => Step::Wait(Duration::from_millis(match bytes {
                [high, low] => u64::from(u16::from_be_bytes([*high, *low])),
                _ => length as u64,
            })),
            5 => Step::Close,
            6 => Step::Keys(bytes),
            7 => Step::Control(bytes),
            8 => Step::Packet(bytes),
            9 => Step::Damaged(bytes),
            10 => Step::Move(bytes),
            _ => Step::Restart(bytes),
        })
    })
}

fn step(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let [l0, l1] = (bytes.len() as u16).to_be_bytes();
    [&[kind, l0, l1], bytes].concat()
}

fn wait(millis: u16) -> Vec<u8> {
    step(4, &millis.to_be_bytes())
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
    CERTIFICATE.get_or_init(generate)
}

/// That of the other end.
fn other_certificate() -> &'static Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    CERTIFICATE.get_or_init(generate)
}

fn generate() -> Certificate {
    match Certificate::generate() {
        Ok(certificate) => certificate,
        Err(error) => unreachable!("{error}"),
    }
}

/// What stands behind these words in the first line that begins with them.
fn value(text: &str, words: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(words));
    value.unwrap_or_default().to_owned()
}

fn config(start: Instant) -> Config {
    Config {
        certificate: certificate().clone(),
        candidates: vec![
            candidate(Transport::Udp, false),
            candidate(Transport::Tcp, false),
            candidate(Transport::Udp, true),
        ],
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

fn candidate(transport: Transport, is_relayed: bool) -> Candidate {
    Candidate {
        transport,
        address: SocketAddr::from(([192, 0, 2, 1], 8_189)),
        is_relayed,
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

/// Valid inputs to start from, each with the name of its target.
pub fn seeds(now: Instant) -> Vec<(&'static str, Vec<u8>)> {
    let request = |role| Message::Request {
        username: "abc:def",
        priority: 7,
        use_candidate: true,
        role,
    };
    let messages = [
        request(Role::Controlling(1)),
        Message::Success(path().local),
        request(Role::Controlled(2)),
        Message::Success(SocketAddr::from(([0x20; 16], 9))),
        Message::RoleConflict,
    ];
    let messages = messages.map(|message| {
        let message = stun::write(certificate().crypto(), &message, [5; 12], "password");
        message.unwrap_or_default()
    });
    // What a server says that adds nothing to it, and what nobody signs.
    let mut seen = Vec::new();
    stun::begin(Class::Success, 1, [5; 12], &mut seen);
    let address = stun::address_bytes(path().remote, [5; 12]);
    stun::put(0x8022, b"software", &mut seen);
    stun::put(attribute::XOR_MAPPED_ADDRESS, &address, &mut seen);
    stun::set_length(&mut seen, 0);
    let bare = stun::question([5; 12]);
    let mut framed = vec![0, 3, 7, 200, 1, 0, 0, 30];
    for packet in [&messages[0][..], &[], &hellos()[1], &[0x80; 1_200]] {
        framing::write(packet, &mut framed);
    }
    let mut seeds = vec![("framing", framed)];
    seeds.extend(messages.map(|message| ("stun", message)));
    seeds.extend([seen, bare].map(|message| ("stun", message)));
    seeds.extend(relay::seeds().into_iter().map(|seed| ("turn", seed)));
    seeds.extend(srtp::seeds().into_iter().map(|seed| ("srtp", seed)));
    seeds.extend(ends::seeds(true).into_iter().map(|seed| ("ends", seed)));
    seeds.extend(
        ends::seeds(false)
            .into_iter()
            .map(|seed| ("handshake", seed)),
    );
    seeds.extend(descriptions::seeds());
    seeds.extend(sessions::seeds(now));
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CloseReason;
    use crate::srtp::Profile;
    use proptest::prelude::*;

    const TARGETS: [&str; 10] = [
        "stun",
        "offer",
        "answer",
        "session",
        "received",
        "framing",
        "turn",
        "srtp",
        "ends",
        "handshake",
    ];

    fn run(name: &str, data: &[u8]) {
        match name {
            "stun" => stun(data),
            "offer" => offer(Instant::now(), data),
            "framing" => framing(data),
            "answer" => answer(Instant::now(), data),
            "received" => received(Instant::now(), data),
            "turn" => turn(Instant::now(), data),
            "srtp" => srtp(data),
            "ends" => ends(Instant::now(), data),
            "handshake" => handshake(Instant::now(), data),
            _ => session(Instant::now(), data),
        }
    }

    #[test]
    fn seeds_pass_whole_and_cut() {
        for (name, seed) in seeds(Instant::now()) {
            // What is cut goes on to its end without what is missing.
            let parts = if seed.len() > 2_000 { 4 } else { 20 };
            let step = seed.len().div_ceil(parts).max(1);
            for end in (0..=seed.len()).rev().step_by(step) {
                run(name, &seed[..end]);
            }
        }
    }

    /// Of one target.
    fn seeds_of(wanted: &str) -> Vec<Vec<u8>> {
        let seeds = seeds(Instant::now()).into_iter();
        let of = seeds.filter(|(name, _)| *name == wanted);
        of.map(|(_, seed)| seed).collect()
    }

    #[test]
    fn seeds_of_messages_and_descriptions_are_read() {
        let now = Instant::now();
        let stun = seeds_of("stun").into_iter();
        assert_eq!(stun.filter(|seed| Binding::parse(seed).is_ok()).count(), 5);
        let answers = |seed: Vec<u8>| descriptions::answered(now, &seed);
        let answers: Vec<_> = seeds_of("offer").into_iter().map(answers).collect();
        assert!(answers.iter().all(|answers| *answers > 0), "{answers:?}");
        assert!(answers.iter().max() > Some(&12), "{answers:?}");
        let sessions = |seed: Vec<u8>| descriptions::accepted(now, &seed);
        let sessions: Vec<_> = seeds_of("answer").into_iter().map(sessions).collect();
        let refused = sessions.iter().filter(|(sessions, _)| *sessions == 0);
        let found = sessions.iter().filter(|(_, found)| *found > 0);
        assert_eq!((refused.count(), found.count()), (1, 9), "{sessions:?}");
    }

    #[test]
    fn seeds_of_a_relay_get_its_address() {
        let now = Instant::now();
        let mut ends = Vec::new();
        for seed in seeds_of("turn") {
            let (addresses, last) = relay::run(now, &seed);
            assert!(addresses.len() <= 1);
            ends.push(last.map_err(|error| (addresses.len(), error)));
        }
        let has = |end: &&Result<_, _>| matches!(end, Ok(Some(_)));
        assert_eq!(ends.iter().filter(has).count(), 1, "{ends:?}");
        use crate::turn::TurnError::{Login, Malformed, Refused, Silent};
        for error in [
            (1, Refused(438)),
            (1, Silent),
            (0, Refused(486)),
            (0, Malformed),
            (0, Login),
        ] {
            assert!(ends.contains(&Err(error)), "{error:?}: {ends:?}");
        }
    }

    #[test]
    fn seeds_of_protected_packets_are_opened() {
        for seed in seeds_of("srtp") {
            assert!(srtp::run(&seed) > 140);
        }
    }

    #[test]
    fn seeds_of_sessions_reach_their_ends() {
        let now = Instant::now();
        let told: Vec<_> = seeds_of("session")
            .iter()
            .map(|seed| sessions::watch(now, seed))
            .collect();
        let has = |told: &[sessions::Told], kind| told.iter().any(|told| told.kinds.contains(kind));
        for kind in [
            "answer",
            "answer of a restart",
            "handshake",
            "again",
            "goodbye",
        ] {
            assert!(has(&told, kind), "{kind}");
        }
        let watched = told.iter().filter(|told| {
            let stats = told.stats;
            let again = stats.retransmitted > 10 && stats.not_retransmitted > 0;
            let narrow = stats.exceeded > 0 && told.rate.is_some();
            again && narrow && told.wanted == 2 && told.reports > 10 && told.packets > 500
        });
        assert_eq!(watched.count(), 2, "{told:?}");
        let told: Vec<_> = seeds_of("received")
            .iter()
            .map(|seed| sessions::receive(now, seed))
            .collect();
        for kind in ["missing", "loss", "wish", "arrivals"] {
            assert!(has(&told, kind), "{kind}");
        }
        assert!(told.iter().all(|told| told.packets > 0), "{told:?}");
        let reports: usize = told.iter().map(|told| told.reports).sum();
        assert!(reports >= 4, "{told:?}");
    }

    #[test]
    fn seeds_of_two_ends_carry_media_and_mend_them() {
        let now = Instant::now();
        let mut ends = Vec::new();
        for is_quick in [true, false] {
            let name = if is_quick { "ends" } else { "handshake" };
            for seed in seeds_of(name) {
                let came = ends::run(now, &seed, is_quick);
                // But where nothing arrives.
                let lost = came.closed.iter().flatten().count() == 2;
                assert!(came.packets > 0 || lost, "{name}: {came:?}");
                ends.push((came, is_quick));
            }
        }
        let many = |of: &dyn Fn(&ends::Came) -> bool| {
            [true, false].map(|is_quick| {
                let ends = ends.iter().filter(|(_, quick)| *quick == is_quick);
                ends.filter(|(came, _)| of(came)).count()
            })
        };
        let all = |came: &ends::Came| came.sender.packets > 30 && came.closed == [None, None];
        let [quick, slow] = many(&|came| all(came) && came.sender.round_trip.is_some());
        assert!((quick, slow) >= (14, 8) && slow >= 8, "{ends:?}");
        let mended = |came: &ends::Came| came.sender.retransmitted > 10 && came.packets > 100;
        let [quick, slow] = many(&mended);
        assert!(quick >= 6 && slow >= 2, "{ends:?}");
        let [_, left] = many(&|came| came.closed.contains(&Some(CloseReason::Peer)));
        assert_eq!(left, 2, "{ends:?}");
        assert!(many(&|came| came.wanted > 0).iter().all(|ends| *ends >= 3));
        let refused = |came: &ends::Came| {
            let mut closed = came.closed.iter().flatten();
            closed.any(|reason| matches!(reason, CloseReason::Handshake(_)))
        };
        let [none, refused] = many(&refused);
        assert!(none == 0 && refused >= 4, "{ends:?}");
        // Who may choose either profile takes the better one.
        let other = |came: &ends::Came| came.sender.profile == Some(Profile::Aes128CmSha1);
        assert_eq!(many(&other), [8, 0]);
    }

    #[test]
    fn any_two_datagrams_of_a_handshake_may_be_lost() {
        let now = Instant::now();
        for (one, two) in (0..16).flat_map(|two| (0..=two).map(move |one| (one, two))) {
            let mut fates = [0; 16];
            (fates[one], fates[two]) = (2, 2);
            let lossy = [&[0][..], &step(1, &fates), &wait(9_000)].concat();
            let came = ends::run(now, &lossy, false);
            assert_eq!(came.closed, [None, None], "{one} and {two}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn anything_passes(data in prop::collection::vec(any::<u8>(), 0..300)) {
            for name in TARGETS {
                run(name, &data);
            }
        }

        #[test]
        fn damaged_seeds_pass(at in any::<prop::sample::Index>(), value: u8) {
            for (name, mut seed) in seeds(Instant::now()) {
                if seed.len() > 8_000 {
                    continue;
                }
                let at = at.index(seed.len());
                seed[at] = value;
                run(name, &seed);
            }
        }
    }
}
