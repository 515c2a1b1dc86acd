//! Two ends in memory, with virtual time and a network that loses, repeats, delays and reorders.

use super::*;
use crate::crypto::KeyLength;
use crate::listener::{Limits, Listener, ListenerOutput, Route};
use crate::options::Passphrase;
use rand::seq::SliceRandom as _;
use std::net::SocketAddr;

const CALLER: &str = "10.0.0.1:1000";

/// What a network does to a datagram.
#[derive(Clone, Copy, Default)]
struct Weather {
    loss: f64,
    repeat: f64,
    delay: Duration,
    jitter: Duration,
    /// Datagrams in a row that are lost when one is.
    burst: u32,
}

/// One end and what is on the way to it.
struct End {
    session: Session,
    inbox: Vec<(Instant, u64, Vec<u8>)>,
    got: Vec<(Vec<u8>, Instant, u64)>,
    connected: Option<(Duration, Duration, bool)>,
    closed: Option<CloseReason>,
    next: Instant,
}

struct World {
    now: Instant,
    start: Instant,
    ends: [End; 2],
    weather: Weather,
    random: StdRng,
    number: u64,
    burst: u32,
    datagrams: u64,
}

impl World {
    fn new(sessions: [Session; 2], now: Instant, weather: Weather, seed: u64) -> Self {
        let ends = sessions.map(|session| End {
            session,
            inbox: Vec::new(),
            got: Vec::new(),
            connected: None,
            closed: None,
            next: now,
        });
        Self {
            now,
            start: now,
            ends,
            weather,
            random: StdRng::seed_from_u64(seed),
            number: 0,
            burst: 0,
            datagrams: 0,
        }
    }

    fn send(&mut self, to: usize, datagram: &[u8]) {
        self.datagrams += 1;
        if self.burst > 0 {
            self.burst -= 1;
            return;
        }
        if self.random.random_bool(self.weather.loss) {
            self.burst = self.weather.burst;
            return;
        }
        let copies = 1 + usize::from(self.random.random_bool(self.weather.repeat));
        for _ in 0..copies {
            let jitter = self.weather.jitter.mul_f64(self.random.random());
            let at = self.now + self.weather.delay + jitter;
            self.number += 1;
            self.ends[to]
                .inbox
                .push((at, self.number, datagram.to_vec()));
        }
    }

    /// Does what is due now at one end.
    fn drive(&mut self, index: usize) {
        let now = self.now;
        let end = &mut self.ends[index];
        let mut due: Vec<_> = end.inbox.extract_if(.., |(at, ..)| *at <= now).collect();
        due.sort_by_key(|(at, number, _)| (*at, *number));
        for (_, _, datagram) in due {
            end.session.handle_input(now, &datagram);
        }
        end.session.handle_timeout(now);
        let mut out = Vec::new();
        for round in 0.. {
            assert!(round < 20_000, "it never rests");
            let end = &mut self.ends[index];
            let mut bytes = Vec::new();
            while let Some(message) = end.session.read(&mut bytes) {
                assert!(message.due <= now);
                end.got
                    .push((std::mem::take(&mut bytes), now, message.missed));
            }
            out.clear();
            match end.session.poll_output(&mut out) {
                Output::Transmit => {
                    assert!(out.len() <= 1_472);
                    self.send(1 - index, &out);
                }
                Output::Event(Event::Connected {
                    receive_latency,
                    send_latency,
                    encrypted,
                }) => {
                    end.connected = Some((receive_latency, send_latency, encrypted));
                }
                Output::Event(Event::Closed(reason)) => end.closed = Some(reason),
                Output::Timeout(Some(at)) if at <= now => end.session.handle_timeout(now),
                Output::Timeout(at) => {
                    end.next = at.unwrap_or(now + Duration::from_secs(3_600));
                    return;
                }
            }
        }
    }

    fn next(&self) -> Instant {
        let arrivals = self
            .ends
            .iter()
            .flat_map(|end| end.inbox.iter().map(|(at, ..)| *at));
        let timers = self.ends.iter().map(|end| end.next);
        arrivals.chain(timers).min().unwrap()
    }

    fn run_until(&mut self, until: Instant) {
        loop {
            self.drive(0);
            self.drive(1);
            let next = self.next();
            if next > until {
                break;
            }
            self.now = next.max(self.now);
        }
        self.now = until;
        self.drive(0);
        self.drive(1);
    }

    fn run(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    fn stream(&mut self, from: usize, count: u64, interval: Duration, length: usize) {
        for number in 0..count {
            let mut message = vec![7; length.max(8)];
            message[..8].copy_from_slice(&number.to_be_bytes());
            let sent = self.ends[from]
                .session
                .send(self.now, &Bytes::from(message));
            assert_eq!(sent, Ok(()), "{number}");
            self.run(interval);
        }
    }
}

fn options(latency: u64, secret: Option<&str>) -> Options {
    Options {
        latency: Duration::from_millis(latency),
        passphrase: secret.map(|text| Passphrase::new(text).unwrap()),
        ..Options::default()
    }
}

/// A caller and what a listener makes of it.
fn pair(now: Instant, caller: Options, listener: Options) -> Result<[Session; 2], Reject> {
    pair_from(now, caller, listener, 0x7fff_ff00)
}

/// The same; packets are numbered from `initial`.
fn pair_from(
    now: Instant,
    caller: Options,
    listener: Options,
    initial: u32,
) -> Result<[Session; 2], Reject> {
    let address: SocketAddr = CALLER.parse().unwrap();
    let mut caller = Session::caller(now, caller, [1; 32]).unwrap();
    caller.initial = Sequence::new(initial);
    let mut port = Listener::new(now, Limits::default(), [2; 32]);
    let mut terms = Some(listener);
    for _ in 0..10 {
        let mut out = Vec::new();
        match caller.poll_output(&mut out) {
            Output::Transmit => assert_eq!(port.handle_input(now, address, &out), Route::Done),
            Output::Event(Event::Closed(CloseReason::Rejected(reason))) => return Err(reason),
            _ => {}
        }
        let mut out = Vec::new();
        match port.poll_output(&mut out) {
            ListenerOutput::Transmit(to) => {
                assert_eq!(to, address);
                caller.handle_input(now, &out);
            }
            ListenerOutput::Request(request) => {
                if let Ok(session) = port.accept(now, request.id, terms.take().unwrap()) {
                    return Ok([caller, session]);
                }
            }
            ListenerOutput::Idle => {}
        }
    }
    panic!("no end of the handshake");
}

#[test]
fn everything_arrives_in_time_in_good_weather() {
    let now = Instant::now();
    let sessions = pair(now, options(80, None), options(200, None)).unwrap();
    let weather = Weather {
        delay: Duration::from_millis(20),
        ..Weather::default()
    };
    let mut world = World::new(sessions, now, weather, 1);
    world.run(Duration::from_millis(100));
    let latency = Duration::from_millis(200);
    for end in &world.ends {
        assert_eq!(end.connected, Some((latency, latency, false)));
    }
    world.stream(0, 1_000, Duration::from_millis(2), 1_316);
    world.ends[0].session.close(world.now);
    world.run(Duration::from_secs(1));
    assert_eq!(world.ends[0].closed, Some(CloseReason::Local));
    assert_eq!(world.ends[1].closed, Some(CloseReason::Peer));
    let got = &world.ends[1].got;
    assert_eq!(got.len(), 1_000);
    for (number, (bytes, at, missed)) in got.iter().enumerate() {
        assert_eq!(
            (bytes.len(), bytes[..8].to_vec(), *missed),
            (1_316, (number as u64).to_be_bytes().to_vec(), 0)
        );
        // One network delay and the latency after its origin.
        let origin = now + Duration::from_millis(100 + 2 * number as u64);
        let error = at.saturating_duration_since(origin + latency);
        assert!(error <= Duration::from_millis(25), "{number}: {error:?}");
    }
}

#[test]
fn both_ends_send_at_once_and_messages_keep_their_bounds() {
    let now = Instant::now();
    let secret = Some("a long passphrase");
    let sessions = pair(now, options(120, secret), options(120, secret)).unwrap();
    let weather = Weather {
        loss: 0.05,
        delay: Duration::from_millis(10),
        ..Weather::default()
    };
    let mut world = World::new(sessions, now, weather, 2);
    world.run(Duration::from_millis(900));
    for number in 0..200_usize {
        for end in &mut world.ends {
            let message = Bytes::from(vec![1; 1 + number * 40]);
            assert_eq!(end.session.send(world.now, &message), Ok(()));
        }
        world.run(Duration::from_millis(10));
    }
    world.run(Duration::from_secs(1));
    for end in &world.ends {
        let lengths: Vec<_> = end.got.iter().map(|(bytes, ..)| bytes.len()).collect();
        assert_eq!(
            lengths,
            (0..200).map(|number| 1 + number * 40).collect::<Vec<_>>()
        );
    }
}

#[test]
fn bad_weather_is_recovered_from() {
    let ms = Duration::from_millis;
    let cases = [
        Weather {
            loss: 0.01,
            delay: ms(10),
            ..Weather::default()
        },
        Weather {
            loss: 0.10,
            delay: ms(10),
            jitter: ms(5),
            ..Weather::default()
        },
        Weather {
            loss: 0.20,
            delay: ms(20),
            jitter: ms(10),
            repeat: 0.1,
            ..Weather::default()
        },
        Weather {
            loss: 0.01,
            burst: 20,
            delay: ms(20),
            ..Weather::default()
        },
        Weather {
            jitter: ms(60),
            repeat: 0.3,
            ..Weather::default()
        },
    ];
    for (number, weather) in cases.into_iter().enumerate() {
        for secret in [None, Some("a long passphrase")] {
            let now = Instant::now();
            let sessions = pair(now, options(600, secret), options(120, secret)).unwrap();
            let mut world = World::new(sessions, now, weather, 3);
            world.run(ms(1_900));
            world.stream(0, 3_000, ms(1), 1_316);
            world.run(Duration::from_secs(2));
            let got = &world.ends[1].got;
            let in_order = got.windows(2).all(|pair| pair[0].0 < pair[1].0);
            let stats = world.ends[0].session.stats().unwrap();
            assert!(in_order, "weather {number}");
            assert_eq!(got.len(), 3_000, "weather {number}: {stats:?}");
            // What is sent again is in proportion to what was lost, or seemed to be: every packet may be
            // overtaken where they come out of order, and its repetition as well.
            let most = 3_000.0 * (weather.loss * f64::from(1 + weather.burst) * 2.5 + 0.1);
            let overtaken = if weather.jitter.is_zero() {
                0.0
            } else {
                4_500.0
            };
            assert!(
                (stats.packets_retrans as f64) < most + overtaken,
                "weather {number}: {stats:?}"
            );
        }
    }
}

#[test]
fn a_storm_costs_no_more_than_what_cannot_be_helped() {
    let (mut sent, mut missing) = (0, 0);
    for seed in 0..10 {
        let now = Instant::now();
        let sessions = pair(now, options(250, None), options(250, None)).unwrap();
        let weather = Weather {
            loss: 0.20,
            repeat: 0.05,
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(10),
            ..Weather::default()
        };
        let mut world = World::new(sessions, now, weather, seed);
        world.run(Duration::from_secs(1));
        world.stream(0, 4_000, Duration::from_millis(3), 1_316);
        world.run(Duration::from_secs(2));
        sent += 4_000;
        missing += 4_000 - world.ends[1].got.len();
    }
    // 82 with these seeds; 99 when repetitions are held back for a whole round trip.
    assert!(missing < 90, "{missing} of {sent}");
}

#[test]
fn what_cannot_come_in_time_is_skipped() {
    let now = Instant::now();
    let sessions = pair(now, options(40, None), options(40, None)).unwrap();
    // A repetition takes longer than the latency.
    let weather = Weather {
        loss: 0.05,
        delay: Duration::from_millis(100),
        ..Weather::default()
    };
    let mut world = World::new(sessions, now, weather, 4);
    world.run(Duration::from_secs(1));
    world.stream(0, 2_000, Duration::from_millis(2), 100);
    world.run(Duration::from_secs(2));
    let end = &world.ends[1];
    let missed: u64 = end.got.iter().map(|(.., missed)| missed).sum();
    assert!(missed > 30, "{missed}");
    let stats = end.session.stats().unwrap();
    assert_eq!(stats.packets_received_drop, missed);
    let last = u64::from_be_bytes(end.got.last().unwrap().0[..8].try_into().unwrap());
    assert_eq!(end.got.len() as u64 + missed, last + 1);
}

#[test]
fn a_day_over_a_bad_line() {
    let now = Instant::now();
    let secret = Some("a long passphrase");
    let caller = Options {
        key_refresh: 50_000,
        key_announce: 1_000,
        ..options(400, secret)
    };
    let sessions = pair_from(now, caller, options(400, secret), 0x7fff_ffff - 100_000).unwrap();
    let weather = Weather {
        loss: 0.05,
        delay: Duration::from_millis(15),
        jitter: Duration::from_millis(5),
        ..Weather::default()
    };
    let mut world = World::new(sessions, now, weather, 5);
    world.run(Duration::from_secs(1));
    let (mut received, mut order) = (0_u64, 0_u64);
    let day = Duration::from_secs(86_400);
    let step = Duration::from_millis(200);
    let total = u64::try_from(day.as_millis() / step.as_millis()).unwrap();
    for number in 0..total {
        let message = Bytes::copy_from_slice(&number.to_be_bytes());
        assert_eq!(world.ends[0].session.send(world.now, &message), Ok(()));
        world.run(step);
        for (bytes, _, missed) in world.ends[1].got.drain(..) {
            let number = u64::from_be_bytes(bytes.try_into().unwrap());
            assert_eq!(number, order + missed);
            order = number + 1;
            received += 1;
        }
    }
    let stats = world.ends[0].session.stats().unwrap();
    assert!(world.now - world.start >= day);
    assert!(stats.packets_sent_km > 7, "{stats:?}");
    // The last two are on their way. One in ten thousand would be 15 repetitions in a row that were lost.
    assert!(received + 45 >= total, "{received} of {total}: {stats:?}");
}

#[test]
fn secrets_that_do_not_match_are_refused() {
    let now = Instant::now();
    let [one, other] = [Some("correct horse"), Some("battery staple")];
    let cases = [
        (one, other, Reject::BAD_SECRET),
        (one, None, Reject::UNSECURE),
        (None, one, Reject::UNSECURE),
    ];
    for (caller, listener, reason) in cases {
        let refused = pair(now, options(120, caller), options(120, listener)).err();
        assert_eq!(refused, Some(reason));
    }
    for length in [KeyLength::Aes128, KeyLength::Aes192, KeyLength::Aes256] {
        for gcm in [false, true] {
            if gcm && length == KeyLength::Aes192 {
                continue;
            }
            let caller = Options {
                key_length: Some(length),
                gcm,
                ..options(120, one)
            };
            let sessions = pair(now, caller, options(120, one)).unwrap();
            let mut world = World::new(sessions, now, Weather::default(), 1);
            world.run(Duration::from_millis(10));
            assert!(
                world
                    .ends
                    .iter()
                    .all(|end| end.connected.is_some_and(|(.., encrypted)| encrypted))
            );
            world.stream(0, 100, Duration::from_millis(1), 1_456);
            world.stream(1, 100, Duration::from_millis(1), 1_316);
            world.run(Duration::from_secs(1));
            assert_eq!(world.ends[1].got.len(), 100);
            assert_eq!(world.ends[0].got.len(), 100);
        }
    }
}

#[test]
fn two_callers_meet() {
    for seed in 0..20 {
        for (first, second) in [
            (None, None),
            (Some("a long passphrase"), Some("a long passphrase")),
        ] {
            let now = Instant::now();
            let make = |secret, seed| {
                Session::rendezvous(
                    now,
                    Options {
                        connect_timeout: Duration::from_secs(20),
                        idle_timeout: Duration::from_secs(60),
                        ..options(120, secret)
                    },
                    [seed; 32],
                )
                .unwrap()
            };
            let sessions = [make(first, seed), make(second, seed + 100)];
            let weather = Weather {
                loss: 0.3,
                delay: Duration::from_millis(u64::from(seed) * 5),
                ..Weather::default()
            };
            let mut world = World::new(sessions, now, weather, seed.into());
            world.run(Duration::from_secs(8));
            world.weather.loss = 0.0;
            for end in &world.ends {
                assert_eq!(
                    end.connected.map(|(.., encrypted)| encrypted),
                    Some(first.is_some()),
                    "{seed}"
                );
                assert_eq!(end.closed, None, "{seed}");
            }
            world.stream(0, 50, Duration::from_millis(1), 100);
            world.stream(1, 50, Duration::from_millis(1), 100);
            world.run(Duration::from_secs(2));
            assert_eq!(
                world.ends.each_ref().map(|end| end.got.len()),
                [50, 50],
                "{seed}"
            );
        }
    }
    let now = Instant::now();
    let same = [0, 0].map(|_| Session::rendezvous(now, Options::default(), [3; 32]).unwrap());
    let mut world = World::new(same, now, Weather::default(), 0);
    world.run(Duration::from_secs(4));
    // Whoever is told first knows; the other one hears nothing.
    let closed = world.ends.each_ref().map(|end| end.closed);
    assert!(
        closed.contains(&Some(CloseReason::Rejected(Reject::COOKIE))),
        "{closed:?}"
    );
    assert!(closed.iter().all(Option::is_some), "{closed:?}");
}

#[test]
fn silence_ends_a_connection_and_keep_alives_do_not_let_it_begin() {
    let now = Instant::now();
    let sessions = pair(now, options(120, None), options(120, None)).unwrap();
    let mut world = World::new(sessions, now, Weather::default(), 1);
    world.run(Duration::from_secs(60));
    assert!(world.ends.iter().all(|end| end.closed.is_none()));
    // Each said once a second that it is there.
    assert!((110..200).contains(&world.datagrams), "{}", world.datagrams);
    world.weather.loss = 1.0;
    world.run(Duration::from_secs(6));
    assert!(
        world
            .ends
            .iter()
            .all(|end| end.closed == Some(CloseReason::Idle))
    );
    let mut caller = Session::caller(now, Options::default(), [1; 32]).unwrap();
    caller.handle_timeout(now + Duration::from_secs(3));
    let mut events = Vec::new();
    for _ in 0..4 {
        if let Output::Event(event) = caller.poll_output(&mut Vec::new()) {
            events.push(event);
        }
    }
    assert_eq!(
        events,
        [Event::Closed(CloseReason::Rejected(Reject::TIMEOUT))]
    );
}

#[test]
fn a_lost_last_packet_is_sent_again() {
    let now = Instant::now();
    let sessions = pair(now, options(1_000, None), options(120, None)).unwrap();
    let mut world = World::new(sessions, now, Weather::default(), 1);
    world.run(Duration::ZERO);
    world.stream(0, 10, Duration::from_millis(10), 100);
    world.weather.loss = 1.0;
    assert_eq!(
        world.ends[0]
            .session
            .send(world.now, &Bytes::from_static(b"the last")),
        Ok(())
    );
    world.run(Duration::from_millis(1));
    world.weather.loss = 0.0;
    world.run(Duration::from_secs(2));
    assert_eq!(world.ends[1].got.len(), 11);
}

#[test]
fn goodbye_is_said_when_the_peer_has_delivered_everything() {
    let now = Instant::now();
    let sessions = pair(now, options(400, None), options(120, None)).unwrap();
    let weather = Weather {
        delay: Duration::from_millis(20),
        ..Weather::default()
    };
    let mut world = World::new(sessions, now, weather, 1);
    world.run(Duration::from_millis(100));
    world.stream(0, 50, Duration::from_millis(10), 100);
    world.ends[0].session.close(world.now);
    while world.ends[0].closed.is_none() {
        world.run(Duration::from_millis(1));
    }
    assert_eq!(world.ends[1].got.len(), 50);
    assert_eq!(world.ends[1].closed, None, "the goodbye is on its way");
    // Where nothing was sent, nothing is waited for.
    let sessions = pair(now, options(400, None), options(120, None)).unwrap();
    let mut world = World::new(sessions, now, weather, 1);
    world.run(Duration::from_millis(100));
    world.ends[0].session.close(world.now);
    world.run(Duration::ZERO);
    assert_eq!(world.ends[0].closed, Some(CloseReason::Local));
}

/// What is to be read still is waited for without asking for more than that.
#[test]
fn a_goodbye_in_front_of_what_waits_leaves_nothing_to_do_until_then() {
    let now = Instant::now();
    let sessions = pair(now, options(1_000, None), options(1_000, None)).unwrap();
    let mut world = World::new(sessions, now, Weather::default(), 1);
    world.run(Duration::ZERO);
    world.stream(0, 1, Duration::from_millis(10), 100);
    world.run(Duration::from_secs(3));
    let last = Bytes::from_static(b"the last");
    assert_eq!(world.ends[1].session.send(world.now, &last), Ok(()));
    world.run(Duration::from_millis(1));
    world.ends[1].session.abort(world.now);
    world.run(Duration::from_secs(2));
    assert_eq!(world.ends[0].got.len(), 1);
    assert_eq!(world.ends[0].closed, Some(CloseReason::Peer));
}

#[test]
fn input_in_any_order_never_stops_a_session() {
    let now = Instant::now();
    let secret = Some("a long passphrase");
    let mut random = StdRng::seed_from_u64(9);
    let [mut caller, mut other] = pair(now, options(120, secret), options(120, secret)).unwrap();
    let mut datagrams = Vec::new();
    for number in 0..200_u32 {
        let at = now + Duration::from_millis(number.into());
        let _ = other.send(at, &Bytes::from(vec![3; 100]));
        other.handle_timeout(at);
        let mut out = Vec::new();
        while other.poll_output(&mut out) == Output::Transmit {
            datagrams.push(std::mem::take(&mut out));
        }
    }
    datagrams.shuffle(&mut random);
    for mut datagram in datagrams {
        if random.random_bool(0.3) {
            let at = random.random_range(0..datagram.len().min(60));
            datagram[at] ^= random.random::<u8>();
        }
        caller.handle_input(now, &datagram);
        let mut out = Vec::new();
        for _ in 0..1_000 {
            if matches!(caller.poll_output(&mut out), Output::Timeout(_)) {
                break;
            }
        }
        while caller.read(&mut out).is_some() {}
    }
}
