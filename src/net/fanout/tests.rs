//! Fan-out over real sockets: what healthy, slow and leaving readers get.

use super::*;
use crate::hub::{Hub, Origin, Publisher, Settings, StreamName};
use media::codec::h264;
use media::{Codec, Timebase, Track, TrackId};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::time::Duration;
use tokio::task::LocalSet;

/// Each packet is its length and the picture's number, both in 4 bytes, and then the payload; the prelude
/// has the number `u32::MAX`.
struct Numbered;

impl Format for Numbered {
    const NAME: &'static str = "numbered";

    fn prelude(&mut self, _: &TrackSet) -> Packet {
        numbered(u32::MAX, Bytes::new())
    }

    /// The picture parameter set 9 is more than it can stand.
    fn breaks(&self, _: &TrackSet, after: &TrackSet) -> Option<&'static str> {
        let is_other =
            |track: &Track| matches!(&track.codec, Codec::H264(config) if config.pps[0][1] == 9);
        after.tracks.iter().any(is_other).then_some("too much")
    }

    fn packet(&mut self, _: &TrackSet, unit: &AccessUnit) -> Packet {
        numbered((unit.dts / 40) as u32, unit.payload.clone())
    }
}

fn numbered(number: u32, payload: Bytes) -> Packet {
    let mut head = (payload.len() as u32).to_be_bytes().to_vec();
    head.extend(number.to_be_bytes());
    Packet {
        slices: [Bytes::from(head), payload].into_iter().collect(),
    }
}

/// A peer that answers each `?` with an empty packet numbered 7, leaves at `q`, and is told the end by an
/// empty packet numbered 9.
#[derive(Default)]
struct Chatty {
    answers: VecDeque<Output>,
}

impl Chatty {
    fn say(&mut self, number: u32) {
        let packet = numbered(number, Bytes::new());
        self.answers
            .extend(packet.slices.into_iter().map(Output::Send));
    }
}

impl Peer for Chatty {
    fn handle_input(&mut self, bytes: &[u8]) -> Result<(), String> {
        for byte in bytes {
            match byte {
                b'?' => self.say(7),
                b'q' => self.answers.push_back(Output::Leave),
                _ => return Err("what?".into()),
            }
        }
        Ok(())
    }

    fn handle_timeout(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn poll_output(&mut self) -> Output {
        self.answers.pop_front().unwrap_or(Output::Timeout(None))
    }

    fn end(&mut self, _: Ended) {
        self.say(9);
    }
}

fn track(pps: u8) -> Track {
    let sps = Bytes::from_static(&[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50]);
    let config = h264::Config::new(vec![sps], vec![Bytes::copy_from_slice(&[0x68, pps])]);
    Track {
        id: TrackId(0),
        codec: Codec::H264(config.unwrap()),
        timebase: Timebase::MILLIS,
    }
}

/// A stream with a random access point every ten pictures, and the shard that serves it.
struct Scene {
    hub: Hub,
    publisher: Publisher,
    picture: i64,
    payload: Bytes,
    bounds: Bounds,
}

impl Scene {
    fn new(payload: usize, bounds: Bounds) -> Self {
        let hub = Hub::new(Settings {
            bounds,
            ..Settings::default()
        });
        let origin = Origin {
            protocol: "test",
            address: "here".into(),
            agent: None,
        };
        let name = StreamName::new("LiveApp", "cam").unwrap();
        let publisher = hub.publish(&name, &origin).unwrap();
        publisher.set_track(track(1)).unwrap();
        let mut scene = Self {
            hub,
            publisher,
            picture: 0,
            payload: Bytes::from(vec![0xaa; payload]),
            bounds,
        };
        // Enough for a stream without sound to let readers in.
        scene.push(20);
        scene
    }

    fn push(&mut self, pictures: i64) {
        for picture in self.picture..self.picture + pictures {
            let unit = AccessUnit {
                track: TrackId(0),
                // The stream begins at one second.
                dts: picture * 40,
                pts: picture * 40,
                random_access: picture % 10 == 0,
                disposable: false,
                discontinuity: false,
                capture: None,
                payload: self.payload.clone(),
            };
            self.publisher.push(unit).unwrap();
        }
        self.picture += pictures;
    }

    /// A reader that is served from now on, as the far end of its socket.
    async fn join(&self) -> std::net::TcpStream {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        far.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let (socket, address) = listener.accept().await.unwrap();
        let subscriber = Subscriber {
            form: Numbered,
            socket: socket.into_std().unwrap().into(),
            address,
            peer: Chatty::default(),
            viewer: Viewer::new(self.publisher.stream().clone(), "test"),
            sound: None,
            bounds: self.bounds,
        };
        tokio::task::spawn_local(serve(subscriber));
        settle().await;
        far
    }
}

/// Lets the shard do what it has to do.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(30)).await;
}

/// Reads packets until one with this number has come, away from the shard's thread.
async fn read_until(far: &std::net::TcpStream, last: u32) -> Vec<u32> {
    let mut far = far.try_clone().unwrap();
    let read = move || {
        let mut numbers = Vec::new();
        while numbers.last() != Some(&last) {
            let mut head = [0; 8];
            far.read_exact(&mut head).unwrap();
            let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().unwrap());
            let mut payload = vec![0; number(0) as usize];
            far.read_exact(&mut payload).unwrap();
            assert!(payload.iter().all(|byte| *byte == 0xaa));
            numbers.push(number(4));
        }
        numbers
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

/// Numbers as packets have them: the stream begins at one second, 25 pictures in.
fn pictures(range: std::ops::Range<u32>) -> Vec<u32> {
    range.map(|picture| picture + 25).collect()
}

const PRELUDE: u32 = u32::MAX;

#[tokio::test]
async fn everyone_gets_the_prelude_the_gop_and_what_follows() {
    let test = async {
        let mut scene = Scene::new(100, Bounds::default());
        let first = scene.join().await;
        scene.push(5);
        settle().await;
        let second = scene.join().await;
        scene.push(3);
        let expected = [vec![PRELUDE], pictures(10..28)].concat();
        assert_eq!(read_until(&first, 52).await, expected);
        let expected = [vec![PRELUDE], pictures(20..28)].concat();
        assert_eq!(read_until(&second, 52).await, expected);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_skipped_and_harms_no_other() {
    let test = async {
        let bounds = Bounds {
            reader_bytes: 2 << 20,
            ..Bounds::default()
        };
        let mut scene = Scene::new(100_000, bounds);
        let slow = scene.join().await;
        let healthy = scene.join().await;
        let reading = tokio::task::spawn_local(async move { read_until(&healthy, 25 + 319).await });
        for _ in 0..30 {
            scene.push(10);
            settle().await;
        }
        let expected = [vec![PRELUDE], pictures(10..320)].concat();
        assert_eq!(reading.await.unwrap(), expected);
        // What was begun is completed, and after the hole comes a random access point.
        let numbers = read_until(&slow, 25 + 319).await;
        let hole = numbers
            .windows(2)
            .skip(1)
            .find(|pair| pair[1] != pair[0] + 1)
            .expect("a hole");
        assert_eq!((hole[1] - 25) % 10, 0, "{numbers:?}");
        assert!(numbers.len() < 320);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn answers_go_between_packets() {
    let test = async {
        let mut scene = Scene::new(100, Bounds::default());
        let mut far = scene.join().await;
        read_until(&far, 25 + 19).await;
        far.write_all(b"??").unwrap();
        settle().await;
        scene.push(1);
        assert_eq!(read_until(&far, 25 + 20).await, [7, 7, 45]);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn the_end_is_said_and_the_connection_closed() {
    let test = async {
        let scene = Scene::new(100, Bounds::default());
        let mut far = scene.join().await;
        read_until(&far, 25 + 19).await;
        scene.hub.stop(scene.publisher.stream().name());
        assert_eq!(read_until(&far, 9).await, [9]);
        let rest = tokio::task::spawn_blocking(move || far.read(&mut [0; 8]).unwrap());
        assert_eq!(rest.await.unwrap(), 0);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn a_change_is_announced_by_a_prelude_and_one_that_is_not_carried_ends_the_connection() {
    let test = async {
        let mut scene = Scene::new(100, Bounds::default());
        let mut far = scene.join().await;
        read_until(&far, 25 + 19).await;
        scene.publisher.set_track(track(2)).unwrap();
        scene.push(1);
        assert_eq!(read_until(&far, 45).await, [PRELUDE, 45]);
        scene.publisher.set_track(track(9)).unwrap();
        scene.push(1);
        assert_eq!(read_until(&far, 9).await.last(), Some(&9));
        let rest = tokio::task::spawn_blocking(move || far.read(&mut [0; 8]).unwrap());
        assert_eq!(rest.await.unwrap(), 0);
        // Who comes now is not sent away for what was before.
        let far = scene.join().await;
        assert_eq!(read_until(&far, 46).await, [PRELUDE, 45, PRELUDE, 46]);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn a_reader_that_leaves_or_talks_nonsense_is_let_go() {
    let test = async {
        let mut scene = Scene::new(100, Bounds::default());
        for words in [b"q", b"x"] {
            let mut far = scene.join().await;
            read_until(&far, 25 + scene.picture as u32 - 1).await;
            assert_eq!(scene.publisher.stream().viewers().total(), 1);
            far.write_all(words).unwrap();
            let rest = tokio::task::spawn_blocking(move || {
                let rest = far.read(&mut [0; 8]);
                drop(far);
                rest
            });
            assert_eq!(rest.await.unwrap().unwrap_or(0), 0);
            settle().await;
            scene.push(1);
            settle().await;
            assert_eq!(scene.publisher.stream().viewers().total(), 0);
        }
    };
    LocalSet::new().run_until(test).await;
}
