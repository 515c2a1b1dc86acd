//! Bodies of the fuzz targets: each takes any bytes and asserts what must hold for all of them.
//!
//! They live here so that the seeds, which are made with the crate's own writers, can be replayed by its
//! tests.

mod seeds;

pub use seeds::seeds;

use crate::auth::Credentials;
use crate::client::{self, Choice, Wanted};
use crate::header::{Range, RtpInfo, Transport};
use crate::message::{Headers, Message, Status};
use crate::reader::{Incoming, MAX_BODY, Reader, frame_header};
use crate::server::{self, Group, Offer, Start};
use crate::tunnel::{Decoder, Opening, encode};
use crate::{Output, message::MAX_HEAD};
use sdp::Description;
use std::fmt::Debug;
use std::time::{Duration, Instant};

/// What may be held of input: a message or frame that is not whole.
const HELD: usize = 2 * (MAX_HEAD + MAX_BODY + (64 << 10));

/// A description of two tracks.
const DESCRIPTION: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=control:*\r\n\
    m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n\
    m=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\n";

/// What is read is written and read as the same, however the input is cut: the first byte says how. Header
/// fields with a grammar are written and read as the same too.
pub fn message(data: &[u8]) {
    let Some((&cut, data)) = data.split_first() else {
        return;
    };
    let mut reader = Reader::default();
    for part in data.chunks(usize::from(cut) + 1) {
        reader.push(part);
        loop {
            match reader.pull() {
                Ok(Some(incoming)) => again(incoming),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert!(reader.held_bytes() <= HELD + data.len());
    }
    tunnel(data);
}

/// A server stands whatever a client sends, and whenever its caller acts; see `Step`. Within HTTP it does the same.
/// `start` is any instant.
pub fn server_session(start: Instant, data: &[u8]) {
    let mut now = start;
    let mut session = server::Session::new(now, server_config());
    let mut tunnelled = server::Session::new(
        now,
        server::Config {
            is_tunnel: true,
            ..server_config()
        },
    );
    for step in steps(data) {
        if let Step::Wait(time) = step {
            now += time;
        }
        let result = serve(&mut session, now, &step, false);
        assert_eq!(serve(&mut tunnelled, now, &step, true), result);
        assert!(session.held_bytes() <= HELD + (512 << 10) + 64 * data.len());
        let mut other = drain(data.len(), || tunnelled.poll_output()).into_iter();
        for output in drain(data.len(), || session.poll_output()) {
            assert_eq!(Some(output), other.next());
        }
        if result.is_err() {
            return;
        }
    }
}

fn serve(
    session: &mut server::Session,
    now: Instant,
    step: &Step<'_>,
    is_tunnel: bool,
) -> Result<(), crate::Error> {
    match step {
        Step::Input(bytes) if is_tunnel => session.handle_input(now, encode(bytes).as_bytes()),
        Step::Input(bytes) => session.handle_input(now, bytes),
        Step::Command(0) => session.accept(now),
        Step::Command(1) => session.offer(now, offer()),
        Step::Command(2) => session.start(
            now,
            &[Start {
                sequence: 1,
                time: 2,
            }],
        ),
        Step::Command(3) => session.refuse(now, Status::NOT_FOUND, "No."),
        Step::Command(4) => session.challenge(now, false),
        // Who has the password gets in.
        Step::Command(_) => match session.verify(now, "joe", "secret") {
            Ok(()) => session.offer(now, offer()),
            Err(_) => session.challenge(now, true),
        },
        Step::Wait(_) => session.handle_timeout(now),
    }
}

/// A client stands whatever a server sends, and whenever its caller acts; see `Step`. `start` is any
/// instant. It records if the first byte is odd, and plays if not: of 6 and more, what a camera's loudspeaker takes.
pub fn client_session(start: Instant, data: &[u8]) {
    let Some((&first, data)) = data.split_first() else {
        return;
    };
    let mut now = start;
    let choices = choices(first);
    let speaks = first >= 6;
    let mut session = if first % 2 == 1 {
        let Ok(description) = Description::parse(DESCRIPTION.as_bytes()) else {
            return;
        };
        client::Session::record(now, client_config(), description, choices.to_vec())
    } else {
        let config = client::Config {
            back_channel: speaks,
            ..client_config()
        };
        client::Session::play(now, config)
    };
    // What a camera describes to who wants to be heard.
    let mut heard = Vec::new();
    for step in steps(data) {
        let result = match step {
            Step::Input(bytes) => session.handle_input(now, bytes),
            Step::Command(command) => {
                match command {
                    0 if speaks => session.setup(now, &heard),
                    0 => session.setup(now, &choices),
                    1 => session.pause(now),
                    2 => session.resume(now),
                    _ => session.teardown(now),
                }
                Ok(())
            }
            Step::Wait(time) => {
                now += time;
                session.handle_timeout(now)
            }
        };
        assert!(session.held_bytes() <= HELD + (512 << 10) + 64 * data.len());
        for output in drain(data.len(), || session.poll_output()) {
            if let Output::Event(client::Event::Described(description)) = output {
                let speakers = client::speakers(&description).into_iter();
                let [choice, _] = choices;
                heard = speakers
                    .map(|section| Choice { section, ..choice })
                    .collect();
            }
        }
        if result.is_err() {
            return;
        }
    }
}

fn again(incoming: Incoming) {
    let mut bytes = Vec::new();
    match &incoming {
        Incoming::Frame(frame) => {
            let length = u16::try_from(frame.payload.len()).unwrap_or(0);
            bytes.extend_from_slice(&frame_header(frame.channel, length));
            bytes.extend_from_slice(&frame.payload);
            let mut reader = Reader::default();
            reader.push(&bytes);
            assert_eq!(reader.pull(), Ok(Some(incoming)));
        }
        // Of a message it is enough that what is written can be read, and is written the same again: texts
        // lose what may not stand in them.
        Incoming::Message(message) => {
            fields(headers(message));
            write(message, &mut bytes);
            let mut reader = Reader::default();
            reader.push(&bytes);
            let read = match reader.pull() {
                Ok(Some(Incoming::Message(read))) => read,
                // A body without the length that it had, and nothing behind it.
                _ => match reader.finish_body() {
                    Some(read) => read,
                    None => return,
                },
            };
            let mut rewritten = Vec::new();
            write(&read, &mut rewritten);
            assert_eq!(
                String::from_utf8_lossy(&rewritten),
                String::from_utf8_lossy(&bytes)
            );
        }
    }
}

fn headers(message: &Message) -> &Headers {
    match message {
        Message::Request(request) => &request.headers,
        Message::Response(response) => &response.headers,
    }
}

fn write(message: &Message, out: &mut Vec<u8>) {
    match message {
        Message::Request(request) => request.write(out),
        Message::Response(response) => response.write(out),
    }
}

fn fields(headers: &Headers) {
    for (_, value) in headers.iter() {
        for transport in Transport::parse_list(value) {
            let again = Transport::parse_list(&transport.to_string());
            assert_eq!(again, [transport]);
        }
        if let Some(range) = Range::parse(value) {
            let text = range.to_string();
            let again = Range::parse(&text).map(|range| range.to_string());
            assert_eq!(again, Some(text));
        }
        for info in RtpInfo::parse_list(value) {
            assert!(!info.url.is_empty());
        }
        let credentials = Credentials {
            user: "joe".to_owned(),
            password: "secret".to_owned(),
        };
        let mut login = crate::auth::Login::new(Some(credentials), crate::auth::Random::default());
        let met = login.challenged(std::iter::once(value), 0);
        let answer = login.authorization("PLAY", "u");
        assert_eq!(answer.is_some(), met);
        let authorization = answer
            .as_deref()
            .and_then(crate::auth::Authorization::parse);
        let user = authorization.and_then(|authorization| authorization.user());
        assert_eq!(user.as_deref(), met.then_some("joe"));
    }
}

fn tunnel(data: &[u8]) {
    if let Ok(Some((opening, length))) = Opening::parse(data) {
        let request = opening.request("h");
        if let Ok(Some((again, _))) = Opening::parse(&request) {
            assert_eq!(again.request("h"), request);
        }
        let _ = Decoder::default().decode(data.get(length..).unwrap_or_default());
    }
    let _ = crate::tunnel::answer(data);
}

fn server_config() -> server::Config {
    server::Config {
        udp: Some((7_000, 7_001)),
        ..server::Config::default()
    }
}

fn client_config() -> client::Config {
    client::Config {
        credentials: Some(Credentials {
            user: "joe".to_owned(),
            password: "secret".to_owned(),
        }),
        ..client::Config::new("rtsp://h/s")
    }
}

fn offer() -> Offer {
    let media = Description::parse(DESCRIPTION.as_bytes()).map(|description| description.media);
    Offer {
        media: media.unwrap_or_default(),
        ssrcs: vec![1, 2],
        groups: vec![
            Group {
                address: [239, 0, 0, 1].into(),
                rtp: 5_000,
                rtcp: 5_001,
                ttl: 1,
            };
            2
        ],
        ..Offer::default()
    }
}

/// Both tracks, on the connection, in datagrams or to a group.
fn choices(first: u8) -> [Choice; 2] {
    let wanted = match first / 2 % 3 {
        0 => Wanted::Tcp,
        1 => Wanted::Udp {
            rtp: 5_000,
            rtcp: 5_001,
        },
        _ => Wanted::Multicast,
    };
    [0, 1].map(|section| Choice { section, wanted })
}

/// What happens next to a session. In the input, a byte up to 0x7f is followed by that many bytes and one
/// more to be received; 0x80 to 0x8f are commands; the rest let 1 to 112 seconds pass.
enum Step<'a> {
    Input(&'a [u8]),
    Command(u8),
    Wait(Duration),
}

fn steps(data: &[u8]) -> impl Iterator<Item = Step<'_>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        rest = after;
        Some(match first {
            length @ ..0x80 => {
                let (bytes, after) = rest.split_at_checked(usize::from(length) + 1)?;
                rest = after;
                Step::Input(bytes)
            }
            command @ 0x80..0x90 => Step::Command(command - 0x80),
            seconds => Step::Wait(Duration::from_secs(u64::from(seconds - 0x8f))),
        })
    })
}

/// Polls until there is no more output, which may not take more steps than the input can have caused.
fn drain<E: Debug>(input: usize, mut poll: impl FnMut() -> Output<E>) -> Vec<Output<E>> {
    let bound = input + 64;
    let more = |output: &Output<E>| !matches!(output, Output::Timeout(_));
    let steps: Vec<_> = (0..bound).map(|_| poll()).take_while(more).collect();
    assert!(steps.len() < bound, "output without end");
    assert!(!more(&poll()), "output after a timeout");
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGETS: [&str; 3] = ["message", "server_session", "client_session"];

    fn run(target: &str, data: &[u8]) {
        match target {
            "message" => message(data),
            "server_session" => server_session(Instant::now(), data),
            "client_session" => client_session(Instant::now(), data),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn seeds_pass_whole_cut_and_with_any_byte_changed() {
        for (target, seed) in seeds() {
            run(target, &seed);
            for position in 0..seed.len() {
                run(target, &seed[..position]);
                for change in [1, 0x20, 0x80] {
                    let mut changed = seed.clone();
                    changed[position] ^= change;
                    run(target, &changed);
                }
            }
        }
    }

    /// A seed that fails early would lead a fuzzer nowhere.
    #[test]
    fn seeds_reach_their_ends() {
        let mut reached = Vec::new();
        for (target, seed) in seeds() {
            let now = Instant::now();
            if target == "server_session" {
                let mut session = server::Session::new(now, server_config());
                for step in steps(&seed) {
                    match step {
                        Step::Input(bytes) => session.handle_input(now, bytes).unwrap(),
                        Step::Command(0) => session.accept(now).unwrap(),
                        Step::Command(1 | 5) => session.offer(now, offer()).unwrap(),
                        Step::Command(2) => session.start(now, &[]).unwrap(),
                        Step::Command(3) => session.refuse(now, Status::NOT_FOUND, "").unwrap(),
                        Step::Command(_) => session.challenge(now, false).unwrap(),
                        Step::Wait(_) => {}
                    }
                    while let output @ (Output::Event(_) | Output::Transmit(_)) =
                        session.poll_output()
                    {
                        if let Output::Event(event) = output {
                            reached.push(format!("{event:?}"));
                        }
                    }
                }
            } else if target == "client_session" {
                let choices = choices(seed[0]);
                let mut session = client::Session::play(now, client_config());
                if seed[0] % 2 == 1 {
                    let description = Description::parse(DESCRIPTION.as_bytes()).unwrap();
                    session = client::Session::record(
                        now,
                        client_config(),
                        description,
                        choices.to_vec(),
                    );
                }
                for step in steps(&seed[1..]) {
                    match step {
                        Step::Input(bytes) => session.handle_input(now, bytes).unwrap(),
                        Step::Command(0) => session.setup(now, &choices),
                        _ => {}
                    }
                    while let output @ (Output::Event(_) | Output::Transmit(_)) =
                        session.poll_output()
                    {
                        if let Output::Event(event) = output {
                            reached.push(format!("{event:?}"));
                        }
                    }
                }
            }
        }
        for event in [
            "Play(",
            "Record(",
            "Packet",
            "Teardown",
            "Playing",
            "Recording",
            "SetUp",
        ] {
            let there = reached.iter().any(|reached| reached.starts_with(event));
            assert!(there, "{event}: {reached:#?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_pass(data in prop::collection::vec(any::<u8>(), 0..1_000)) {
            for target in TARGETS {
                run(target, &data);
            }
        }
    }
}
