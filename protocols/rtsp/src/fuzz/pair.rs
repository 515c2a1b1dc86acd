//! Our client and our server: what one asks the other answers, and neither minds what happens to the bytes between
//! them.

use super::{
    DESCRIPTION, HELD, Step, asked, client_config, drain, offer, said, server_config, steps,
};
use crate::auth::Denied;
use crate::carriage::Carriage;
use crate::client::{self, Choice, Wanted};
use crate::message::{Message, Status};
use crate::server::{self, Start};
use crate::tunnel::encode;
use crate::{Error, Output, frame_header};
use sdp::Description;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Most timeouts of one input.
const MAX_TIMEOUTS: u32 = 100;

/// More than two ends can have to say to each other before one has to be asked again.
const MAX_TURNS: u32 = 200;

/// A client and a server in all their ways: the first byte says which, the second in which pieces bytes arrive. Then
/// follow `Step`s. An input is two bytes of a place, one of a length, and what is to be there instead of so many bytes
/// in what is said next. Up to then everything has to go well. `start` is any instant.
pub fn pair(start: Instant, data: &[u8]) {
    between(start, data, &mut |_| ());
}

/// The same, and tells each event.
pub(super) fn between(start: Instant, data: &[u8], tell: &mut dyn FnMut(&dyn Debug)) {
    let [mode, pieces, data @ ..] = data else {
        return;
    };
    let Some(mut pair) = Pair::new(start, *mode, *pieces, data.len(), tell) else {
        return;
    };
    // An error is the end, and has to have a reason.
    let result = pair.all(data);
    if let Err(error) = result {
        assert!(!pair.is_well, "{error}");
        (pair.tell)(&error);
    }
}

/// Who may play or record, as the server's caller sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Open,
    /// Who proves the password.
    Proven,
    /// Who tells it.
    Told,
    /// Who has another password than the client.
    Other,
}

struct Pair<'a> {
    now: Instant,
    client: client::Session,
    server: server::Session,
    wanted: Vec<Choice>,
    door: Door,
    is_recording: bool,
    is_tunnel: bool,
    has_udp: bool,
    piece: usize,
    size: usize,
    /// Number of the client's last request.
    number: u32,
    /// What is to be changed in what is said next: where, how many bytes, and what stands there instead.
    changes: VecDeque<(usize, usize, &'a [u8])>,
    /// How the server's caller answers what it is asked next; 0 is as it should.
    answers: VecDeque<u8>,
    /// Nothing was changed, refused or ended.
    is_well: bool,
    /// What happened last at each end.
    client_did: Vec<client::Event>,
    server_did: Vec<server::Event>,
    tell: &'a mut dyn FnMut(&dyn Debug),
}

impl<'a> Pair<'a> {
    fn new(
        now: Instant,
        mode: u8,
        pieces: u8,
        size: usize,
        tell: &'a mut dyn FnMut(&dyn Debug),
    ) -> Option<Self> {
        let is = |bit: u8| mode >> bit & 1 == 1;
        let [udp, group] = [
            Wanted::Udp {
                rtp: 5_000,
                rtcp: 5_001,
            },
            Wanted::Multicast,
        ];
        let wanted = match mode >> 1 & 3 {
            0 => [Wanted::Tcp; 2],
            1 => [udp; 2],
            2 => [group; 2],
            _ => [Wanted::Tcp, udp],
        };
        let wanted = [0, 1].map(|section: usize| Choice {
            section,
            wanted: if section == 0 { wanted[0] } else { wanted[1] },
        });
        let mut description = Description::parse(DESCRIPTION.as_bytes()).ok()?;
        for (number, media) in description.media.iter_mut().enumerate() {
            media.control = match pieces >> 2 & 3 {
                0 => Some(format!("trackID={number}")),
                1 => None,
                2 => Some(format!("rtsp://h/s/{number}")),
                _ => Some(format!("streamid={number}/")),
            };
        }
        let config = server::Config {
            udp: is(6).then_some((7_000, 7_001)),
            is_secure: is(7),
            is_tunnel: is(5),
            ..server_config()
        };
        let client = if is(0) {
            client::Session::record(now, client_config(), description, wanted.to_vec())
        } else {
            client::Session::play(now, client_config())
        };
        Some(Self {
            now,
            client,
            server: server::Session::new(now, config),
            wanted: wanted.to_vec(),
            door: match mode >> 3 & 3 {
                0 => Door::Open,
                1 => Door::Proven,
                2 => Door::Told,
                _ => Door::Other,
            },
            is_recording: is(0),
            is_tunnel: is(5),
            has_udp: is(6),
            piece: match pieces & 3 {
                0 => usize::MAX,
                1 => 100,
                2 => 7,
                _ => 1,
            },
            size,
            number: 0,
            changes: VecDeque::new(),
            answers: VecDeque::new(),
            is_well: true,
            client_did: Vec::new(),
            server_did: Vec::new(),
            tell,
        })
    }

    fn all(&mut self, data: &'a [u8]) -> Result<(), Error> {
        // What is to happen on the way to the first packet stands in front.
        let mut steps = steps(data).peekable();
        while let Some(step) =
            steps.next_if(|step| matches!(step, Step::Input(_) | Step::Command(8..)))
        {
            self.prepare(&step);
        }
        self.begin()?;
        let mut timeouts = MAX_TIMEOUTS;
        for step in steps {
            self.prepare(&step);
            match step {
                Step::Command(command) => self.command(command)?,
                Step::Wait(time) => self.wait(time, &mut timeouts)?,
                Step::Input(_) => {}
            }
        }
        Ok(())
    }

    /// What concerns what is said next.
    fn prepare(&mut self, step: &Step<'a>) {
        match step {
            Step::Input([high, low, length, more @ ..]) => {
                let place = u16::from_be_bytes([*high, *low]);
                self.changes
                    .push_back((place.into(), (*length).into(), more));
            }
            Step::Command(answer @ 8..) => self.answers.push_back(answer - 8),
            _ => {}
        }
    }

    /// Up to the packets.
    fn begin(&mut self) -> Result<(), Error> {
        self.run()?;
        if self.is_well && !self.is_recording {
            assert!(matches!(self.client_did[..], [client::Event::Described(_)]));
        }
        if !self.is_recording {
            self.client_did.clear();
            self.client.setup(self.now, &self.wanted);
            self.run()?;
        }
        if self.is_well {
            self.agreed();
        }
        Ok(())
    }

    /// Both ends have begun, and mean the same.
    fn agreed(&mut self) {
        // What one refuses is on the connection, and all that follows.
        let mut is_back = false;
        for (track, choice) in self.wanted.iter().enumerate() {
            is_back |= match choice.wanted {
                Wanted::Tcp => false,
                Wanted::Udp { .. } => !self.has_udp,
                Wanted::Multicast => self.is_recording,
            };
            let wanted = if is_back { Wanted::Tcp } else { choice.wanted };
            let carriage = self.client.carriage(track);
            let (rtp, rtcp) = (2 * track as u8, 2 * track as u8 + 1);
            let is_wanted = match wanted {
                Wanted::Tcp => carriage == Some(Carriage::Tcp { rtp, rtcp }),
                Wanted::Udp { .. } => matches!(
                    carriage,
                    Some(Carriage::Udp {
                        rtp: 7_000,
                        rtcp: 7_001,
                        ..
                    })
                ),
                Wanted::Multicast => matches!(carriage, Some(Carriage::Multicast { .. })),
            };
            assert!(is_wanted, "{wanted:?}: {carriage:?}");
        }
        let tracks = match self.server_did.last() {
            Some(server::Event::Play(tracks)) if !self.is_recording => tracks,
            Some(server::Event::Record(tracks)) if self.is_recording => tracks,
            other => panic!("{other:?}"),
        };
        assert_eq!(tracks.len(), self.wanted.len());
        for (number, track) in tracks.iter().enumerate() {
            assert_eq!(track.section, number);
            match (track.carriage, self.client.carriage(number)) {
                (Carriage::Udp { rtp, rtcp, .. }, Some(Carriage::Udp { .. })) => {
                    assert_eq!((rtp, rtcp), (5_000, 5_001));
                }
                (one, other) => assert_eq!(Some(one), other),
            }
        }
        match self.client_did.last() {
            Some(client::Event::Recording) if self.is_recording => {}
            Some(client::Event::Playing(infos)) if !self.is_recording => {
                let numbers = infos.iter().map(|info| (info.sequence, info.time));
                assert!(numbers.eq([(Some(100), Some(7)), (Some(101), Some(7))]));
            }
            other => panic!("{other:?}"),
        }
    }

    fn command(&mut self, command: u8) -> Result<(), Error> {
        match command {
            0 => self.client.pause(self.now),
            1 => self.client.resume(self.now),
            2 => {
                self.client.teardown(self.now);
                self.run()?;
                if self.is_well {
                    assert_eq!(self.server_did.last(), Some(&server::Event::Teardown));
                }
                // The server has nothing to wait for.
                self.is_well = false;
            }
            3..8 => return self.packet(command),
            _ => {}
        }
        self.run()
    }

    /// A packet of a track, from one end to the other.
    fn packet(&mut self, command: u8) -> Result<(), Error> {
        let (to_client, control) = (command % 2 == 1, command >= 5);
        let Some(Carriage::Tcp { rtp, rtcp }) = self.client.carriage(1) else {
            return Ok(());
        };
        let payload = [0x80, if control { 201 } else { 8 }, 0, command];
        let frame = [
            &frame_header(if control { rtcp } else { rtp }, 4)[..],
            &payload,
        ]
        .concat();
        self.carry(&frame, to_client)?;
        self.run()?;
        if !self.is_well {
            return Ok(());
        }
        if to_client {
            let expected = client::Event::Packet {
                track: 1,
                control,
                payload: payload.to_vec().into(),
            };
            assert_eq!(self.client_did.last(), Some(&expected));
        } else {
            let expected = server::Event::Packet {
                section: 1,
                control,
                payload: payload.to_vec().into(),
            };
            assert_eq!(self.server_did.last(), Some(&expected));
        }
        Ok(())
    }

    /// Time passes at both ends, and each acts when it has to.
    fn wait(&mut self, time: Duration, timeouts: &mut u32) -> Result<(), Error> {
        let until = self.now + time;
        while *timeouts > 0 {
            *timeouts -= 1;
            let next = [
                drain(0, || self.client.poll_output()).1,
                drain(0, || self.server.poll_output()).1,
            ];
            let next = next.into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                break;
            };
            self.now = next.max(self.now);
            self.client.handle_timeout(self.now)?;
            self.server.handle_timeout(self.now)?;
            self.run()?;
        }
        Ok(())
    }

    /// Until neither has anything to say.
    fn run(&mut self) -> Result<(), Error> {
        self.server_did.clear();
        for _ in 0..MAX_TURNS {
            let (ours, _) = drain(self.size, || self.client.poll_output());
            let (theirs, _) = drain(self.size, || self.server.poll_output());
            if ours.is_empty() && theirs.is_empty() {
                return Ok(());
            }
            for output in ours {
                match output {
                    Output::Transmit(bytes) => {
                        self.number = asked(&bytes, self.number);
                        self.carry(&bytes, false)?;
                    }
                    Output::Event(event) => {
                        (self.tell)(&event);
                        self.refused(&event);
                        self.client_did.push(event);
                    }
                    Output::Timeout(_) => {}
                }
            }
            for output in theirs {
                match output {
                    Output::Transmit(bytes) => {
                        let is_http = bytes.starts_with(b"HTTP/1.1 400 ");
                        let is_answer = |message: &Message| matches!(message, Message::Response(_));
                        assert!(is_http || said(&bytes).iter().all(is_answer));
                        self.carry(&bytes, true)?;
                    }
                    Output::Event(event) => {
                        (self.tell)(&event);
                        self.answer(&event)?;
                        self.server_did.push(event);
                    }
                    Output::Timeout(_) => {}
                }
            }
        }
        panic!("they talk without end");
    }

    /// Who was refused had to be.
    fn refused(&mut self, event: &client::Event) {
        if let client::Event::Rejected { status, .. } = event {
            assert!(!self.is_well || self.door == Door::Other, "{event:?}");
            assert!(!self.is_well || *status == Status::UNAUTHORIZED);
            self.is_well = false;
        }
    }

    fn carry(&mut self, bytes: &[u8], to_client: bool) -> Result<(), Error> {
        let mut bytes = match self.is_tunnel && !to_client {
            true => encode(bytes).into_bytes(),
            false => bytes.to_vec(),
        };
        if let Some((place, length, more)) = self.changes.pop_front() {
            self.is_well = false;
            let place = place % (bytes.len() + 1);
            let end = (place + length).min(bytes.len());
            bytes.splice(place..end, more.iter().copied());
        }
        for piece in bytes.chunks(self.piece) {
            if to_client {
                self.client.handle_input(self.now, piece)?;
            } else {
                self.server.handle_input(self.now, piece)?;
            }
        }
        let held = self.client.held_bytes().max(self.server.held_bytes());
        assert!(held <= HELD + (512 << 10) + 64 * self.size);
        Ok(())
    }

    /// What the server's caller does.
    fn answer(&mut self, event: &server::Event) -> Result<(), Error> {
        let now = self.now;
        let is_question = matches!(
            event,
            server::Event::Describe(_)
                | server::Event::Announce(..)
                | server::Event::Play(_)
                | server::Event::Record(_)
        );
        let otherwise = is_question.then(|| self.answers.pop_front()).flatten();
        if let Some(otherwise) = otherwise.filter(|otherwise| *otherwise > 0) {
            self.is_well = false;
            return match otherwise {
                1 => self.server.refuse(now, Status::NOT_FOUND, "No."),
                2 => self.server.challenge(now, true),
                3 => self.server.challenge(now, false),
                4 => self.server.ask_for_password(now),
                // It never answers.
                _ => Ok(()),
            };
        }
        match event {
            server::Event::Describe(_) | server::Event::Announce(..) => {
                let verified = match self.door {
                    Door::Open => Ok(()),
                    Door::Proven => self.server.verify(now, "joe", "secret"),
                    Door::Other => self.server.verify(now, "joe", "other"),
                    Door::Told => match self.server.told() {
                        Some((user, password)) if (&*user, &*password) == ("joe", "secret") => {
                            self.server.verify(now, &user, &password)
                        }
                        Some(_) => Err(Denied::Wrong),
                        None => Err(Denied::Missing),
                    },
                };
                match verified {
                    Ok(()) if matches!(event, server::Event::Describe(_)) => {
                        self.server.offer(now, offer())
                    }
                    Ok(()) => self.server.accept(now),
                    Err(Denied::Wrong) => self.server.refuse(now, Status::UNAUTHORIZED, ""),
                    Err(Denied::Missing) if self.door == Door::Told => {
                        self.server.ask_for_password(now)
                    }
                    Err(denied) => self.server.challenge(now, denied == Denied::Stale),
                }
            }
            server::Event::Play(tracks) => {
                let start = |track: &server::Track| Start {
                    sequence: 100 + track.section as u16,
                    time: 7,
                };
                let starts: Vec<_> = tracks.iter().map(start).collect();
                self.server.start(now, &starts)
            }
            server::Event::Record(_) => self.server.accept(now),
            _ => Ok(()),
        }
    }
}
