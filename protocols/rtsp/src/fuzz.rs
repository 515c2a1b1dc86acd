//! Bodies of the fuzz targets: each takes any bytes and asserts what must hold for all of them.
//!
//! They live here so that the seeds, which are made with the crate's own writers, can be replayed by its
//! tests.

mod pair;
mod seeds;

pub use pair::pair;
pub use seeds::seeds;

use crate::auth::Credentials;
use crate::client::{self, Choice, Wanted};
use crate::header::{Range, RtpInfo, Transport};
use crate::message::{Headers, Message, Status};
use crate::reader::{Incoming, MAX_BODY, ReadError, Reader, frame_header};
use crate::server::{self, Group, Offer, Start};
use crate::tunnel::{Decoder, Opening, encode};
use crate::{Output, message::MAX_HEAD};
use sdp::Description;
use std::fmt::Debug;
use std::time::{Duration, Instant};

/// What may be unread of input: a message or frame that is not whole.
const UNREAD: usize = MAX_HEAD + MAX_BODY + (64 << 10);

/// What may be held for it, since memory grows in steps.
const HELD: usize = 2 * UNREAD;

/// A description of two tracks.
const DESCRIPTION: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=control:*\r\n\
    m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n\
    m=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\n";

/// What is read is written and read as the same, and however the input is cut: the first byte says how, and how many
/// channels have been agreed on. What is waited for in the end can come. Header fields with a grammar are written and
/// read as the same too, and so is a tunnel.
pub fn message(data: &[u8]) {
    let Some((&cut, data)) = data.split_first() else {
        return;
    };
    tunnel(data);
    let channels = cut % 8;
    let (whole, result) = read(data, data.len(), channels);
    let (pieces, same) = read(data, usize::from(cut) + 1, channels);
    assert_eq!((&whole, &result), (&pieces, &same));
    whole.into_iter().for_each(again);
}

/// What is read of these bytes when they come in pieces of this length.
fn read(data: &[u8], piece: usize, channels: u8) -> (Vec<Incoming>, Result<u64, ReadError>) {
    let mut reader = Reader::default();
    reader.set_channels(channels);
    let mut found = Vec::new();
    for part in data.chunks(piece.max(1)) {
        reader.push(part);
        if let Err(error) = pull(&mut reader, &mut found) {
            return (found, Err(error));
        }
        assert!(reader.unread_bytes() <= UNREAD);
        assert!(reader.held_bytes() <= HELD + data.len());
    }
    let skipped = reader.skipped();
    goes_on(&mut reader, &mut found);
    (found, Ok(skipped))
}

fn pull(reader: &mut Reader, found: &mut Vec<Incoming>) -> Result<(), ReadError> {
    while let Some(incoming) = reader.pull()? {
        found.push(incoming);
    }
    Ok(())
}

/// A reader does not wait for what cannot come: the end of a head or frame makes it go on, or fail.
fn goes_on(reader: &mut Reader, found: &mut Vec<Incoming>) {
    let mut more = b"\r\n\r\n".to_vec();
    while reader.unread_bytes() > 0 || reader.awaits_body() {
        match reader.finish_body() {
            Some(message) => found.push(Incoming::Message(message)),
            None => {
                assert!(more.len() <= 2 * UNREAD, "waits for ever");
                reader.push(&more);
                more = vec![0; 2 * more.len()];
            }
        }
        if pull(reader, found).is_err() {
            return;
        }
    }
}

/// A server stands whatever a client sends, and whenever its caller acts; see `Step`. Within HTTP it does the same.
/// `start` is any instant.
pub fn server_session(start: Instant, data: &[u8]) {
    serve_all(start, data, &mut |_| ());
}

/// The same, and tells each event.
fn serve_all(start: Instant, data: &[u8], tell: &mut dyn FnMut(&dyn Debug)) {
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
        let (outputs, next) = drain(data.len(), || session.poll_output());
        let same = drain(data.len(), || tunnelled.poll_output());
        assert_eq!((&outputs, next), (&same.0, same.1));
        assert!(
            result.is_err() || next.is_none_or(|next| next > now),
            "late"
        );
        for output in outputs {
            match output {
                Output::Transmit(bytes) if bytes.starts_with(b"HTTP/1.1 400 ") => {
                    assert!(result.is_err());
                }
                Output::Transmit(bytes) => {
                    let mut answers = said(&bytes).into_iter();
                    assert!(answers.all(|message| matches!(message, Message::Response(_))));
                }
                Output::Event(event) => tell(&event),
                Output::Timeout(_) => {}
            }
        }
        if let Err(error) = result {
            tell(&error);
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
        Step::Input(bytes) if is_tunnel => {
            // Pieces of HTTP end anywhere.
            let text = encode(bytes).into_bytes();
            let mut pieces = text.chunks(1 + bytes.len() % 7);
            pieces.try_for_each(|piece| session.handle_input(now, piece))
        }
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
        Step::Command(6) => session.ask_for_password(now),
        Step::Command(7) => session.start(now, &[]),
        Step::Command(8) => {
            session.alive(now);
            Ok(())
        }
        // Who has the password gets in, and who tells it has it.
        Step::Command(_) => {
            let told = session.told();
            let verified = session.verify(now, "joe", "secret");
            if let Some((user, password)) = told {
                assert_eq!(
                    verified.is_ok(),
                    (&*user, &*password) == ("joe", "secret"),
                    "{user}"
                );
            }
            match verified {
                Ok(()) => session.offer(now, offer()),
                Err(_) => session.challenge(now, true),
            }
        }
        Step::Wait(_) => session.handle_timeout(now),
    }
}

/// A client stands whatever a server sends, and whenever its caller acts; see `Step`. `start` is any
/// instant. It records if the first byte is odd, and plays if not: of 6 and more, what a camera's loudspeaker takes.
pub fn client_session(start: Instant, data: &[u8]) {
    ask_all(start, data, &mut |_| ());
}

/// The same, and tells each event.
fn ask_all(start: Instant, data: &[u8], tell: &mut dyn FnMut(&dyn Debug)) {
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
    let mut number = 0;
    for step in steps(data) {
        let result = match step {
            Step::Input(bytes) => session.handle_input(now, bytes),
            Step::Command(command) => {
                match command {
                    0 if speaks => session.setup(now, &heard),
                    0 => session.setup(now, &choices),
                    1 => session.pause(now),
                    2 => session.resume(now),
                    4 => {
                        if let Some(again) = session.again(now) {
                            session = again;
                            number = 0;
                        }
                    }
                    _ => session.teardown(now),
                }
                Ok(())
            }
            Step::Wait(time) => {
                now += time;
                session.handle_timeout(now)
            }
        };
        let is_wait = matches!(step, Step::Wait(_));
        assert!(session.held_bytes() <= HELD + (512 << 10) + 64 * data.len());
        let (outputs, next) = drain(data.len(), || session.poll_output());
        // Whoever acts when it is time is not told the same time again.
        let late = is_wait && next.is_some_and(|next| next <= now);
        assert!(result.is_err() || !late);
        for output in outputs {
            match output {
                Output::Transmit(bytes) => number = asked(&bytes, number),
                Output::Event(event) => {
                    tell(&event);
                    if let client::Event::Described(description) = event {
                        let speakers = client::speakers(&description).into_iter();
                        let [choice, _] = choices;
                        heard = speakers
                            .map(|section| Choice { section, ..choice })
                            .collect();
                    }
                }
                Output::Timeout(_) => {}
            }
        }
        if let Err(error) = result {
            tell(&error);
            return;
        }
    }
}

/// What one end sends is what the other takes for messages and nothing else, whatever got into them.
fn said(bytes: &[u8]) -> Vec<Message> {
    let mut reader = Reader::default();
    reader.push(bytes);
    let mut found = Vec::new();
    match pull(&mut reader, &mut found) {
        Ok(()) => {
            let left = (
                reader.unread_bytes(),
                reader.awaits_body(),
                reader.skipped(),
            );
            assert_eq!(left, (0, false, 0));
        }
        // What a server describes may be so long that another does not take it.
        Err(error) => assert_eq!(error, ReadError::HeadTooLong),
    }
    let messages = found.into_iter().map(|incoming| match incoming {
        Incoming::Message(message) => message,
        Incoming::Frame(frame) => panic!("{frame:?}"),
    });
    messages.collect()
}

/// What a client sends are answers, and requests with numbers in order, from the one behind `number` on; the last.
fn asked(bytes: &[u8], number: u32) -> u32 {
    said(bytes)
        .iter()
        .fold(number, |number, message| match message {
            Message::Response(_) => number,
            Message::Request(request) => {
                assert_eq!(request.headers.cseq(), Some(number + 1));
                number + 1
            }
        })
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
        let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if printable(&opening.path) && printable(&opening.cookie) {
            let again = Opening::parse(&request);
            assert_eq!(again, Ok(Some((opening, request.len()))));
        }
        decodes(data.get(length..).unwrap_or_default());
    }
    if let Ok(Some(length)) = crate::tunnel::answer(data) {
        assert!(length <= data.len().min(MAX_HEAD));
        decodes(data.get(length..).unwrap_or_default());
    }
    let decoded = Decoder::default().decode(encode(data).as_bytes());
    assert_eq!(decoded.as_deref(), Ok(data));
}

/// The body of a POST is the same however it is cut.
fn decodes(text: &[u8]) {
    let whole = Decoder::default().decode(text);
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    let result = text.chunks(3).try_for_each(|piece| {
        out.extend(decoder.decode(piece)?);
        Ok(())
    });
    assert_eq!(result.map(|()| out), whole);
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
#[derive(Clone, Copy)]
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

/// Polls until there is no more output, which may not take more steps than the input can have caused; and until when
/// the session waits.
fn drain<E: Debug>(
    input: usize,
    mut poll: impl FnMut() -> Output<E>,
) -> (Vec<Output<E>>, Option<Instant>) {
    let bound = input + 64;
    let mut outputs = Vec::new();
    loop {
        match poll() {
            Output::Timeout(next) => {
                assert!(
                    matches!(poll(), Output::Timeout(again) if again == next),
                    "output after a timeout"
                );
                return (outputs, next);
            }
            output => outputs.push(output),
        }
        assert!(outputs.len() < bound, "output without end");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGETS: [&str; 4] = ["message", "server_session", "client_session", "pair"];

    fn run(target: &str, data: &[u8]) {
        match target {
            "message" => message(data),
            "server_session" => server_session(Instant::now(), data),
            "client_session" => client_session(Instant::now(), data),
            "pair" => pair(Instant::now(), data),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn seeds_pass_whole_cut_and_with_bytes_changed() {
        for (target, seed) in seeds() {
            run(target, &seed);
            // Of long ones not every byte.
            for position in (0..seed.len()).step_by(1 + seed.len() / 100) {
                run(target, &seed[..position]);
                let mut changed = seed.clone();
                changed[position] ^= [1, 0x20, 0x80][position % 3];
                run(target, &changed);
            }
        }
    }

    /// A seed that fails early would lead a fuzzer nowhere.
    #[test]
    fn seeds_reach_their_ends() {
        let expected: [(&str, &[&str]); 3] = [
            (
                "server_session",
                &[
                    "Describe(",
                    "Announce(",
                    "Play([Track { section: 0, carriage: Tcp",
                    "Play([Track { section: 0, carriage: Multicast",
                    "Record(",
                    "Packet { section: 0, control: false",
                    "Packet { section: 1, control: true",
                    "Pause",
                    "Teardown",
                    "Read(NotRtsp(Http))",
                    "Read(NotRtsp(Version))",
                    "Timeout { what: \"a sign",
                    "Timeout { what: \"the first",
                ],
            ),
            (
                "client_session",
                &[
                    "Described(",
                    "SetUp { track: 1, carriage: Tcp",
                    "SetUp { track: 1, carriage: Udp",
                    "SetUp { track: 1, carriage: Multicast { address: 239.0.0.7",
                    "SetUp { track: 1, carriage: Multicast { address: 239.0.0.9",
                    "Playing(",
                    "Recording",
                    "Paused",
                    "Packet { track: 0, control: false",
                    "Packet { track: 1, control: false",
                    "Packet { track: 0, control: true",
                    "Redirected { location: \"rtsp://answer/",
                    "Redirected { location: \"rtsp://asked/",
                    "Rejected { method: Describe",
                    "Rejected { method: GetParameter",
                    "Closed",
                    "Transport(",
                    "Timeout {",
                ],
            ),
            (
                "pair",
                &[
                    "Playing(",
                    "Recording",
                    "Paused",
                    "Teardown",
                    "Packet { track: 1",
                    "Packet { section: 1",
                    "Rejected { method: Describe, status: Status(401)",
                    "Rejected { method: Announce, status: Status(404)",
                    "SetUp { track: 0, carriage: Udp",
                    "SetUp { track: 0, carriage: Multicast",
                    "Tunnel(Encoding)",
                ],
            ),
        ];
        for (target, events) in expected {
            let mut reached = Vec::new();
            let mut tell = |event: &dyn Debug| {
                let text = format!("{event:?}");
                reached.push(text.chars().take(100).collect::<String>());
            };
            for (_, seed) in seeds().iter().filter(|(name, _)| *name == target) {
                match target {
                    "server_session" => serve_all(Instant::now(), seed, &mut tell),
                    "client_session" => ask_all(Instant::now(), seed, &mut tell),
                    _ => pair::between(Instant::now(), seed, &mut tell),
                }
            }
            for event in events {
                let there = reached.iter().any(|reached| reached.starts_with(event));
                assert!(there, "{target}: {event}");
            }
        }
    }

    /// Whatever our ends agree on, nothing is changed on the way.
    #[test]
    fn every_way_goes_well() {
        for mode in 0..=u8::MAX {
            // Packets, a pause, and the end.
            let steps = [0x83, 0x84, 0x85, 0x86, 0xf0, 0x80, 0xf0, 0x81, 0x82];
            for pieces in [mode & 0x0f, mode >> 4] {
                pair(Instant::now(), &[&[mode, pieces][..], &steps].concat());
            }
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
