//! What cameras do that no standard says: one server pulls many cameras at once, each of which has one fault. Either its
//! pictures come through, every one of them and in time, or the broadcast says in words what is wrong.
//!
//! Faults are those that users of RTSP clients have met; the cases say whose.

mod descriptions;
mod life;
mod login;
mod loss;
mod media;
mod talk;

use crate::support::fake_camera::{FakeCamera, Reply, Request, SDP, Script, number_of};
use crate::support::server::Server;
use crate::support::{seconds, wait_for};
use flv::file::{Reader, Tag, TagKind};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// What becomes of a camera.
#[derive(Clone, Copy)]
enum Expect {
    /// Pictures and sound.
    Plays,
    /// Pictures alone.
    Pictures,
    /// Pictures and sound, with one step in time that may be another.
    Seam,
    /// Something that the case checks itself, once it is live.
    Lives,
    /// The broadcast says these words.
    Fails(&'static str),
}

struct Case {
    name: &'static str,
    script: Script,
    /// In front of the host, and behind the path.
    login: &'static str,
    options: &'static str,
    expect: Expect,
    /// What else must be so when it has played for a moment.
    check: fn(&FakeCamera, &Server, &str),
}

/// A camera that is as this function makes it.
fn case(name: &'static str, expect: Expect, change: impl FnOnce(&mut Script)) -> Case {
    let mut script = Script::default();
    change(&mut script);
    Case {
        name,
        script,
        login: "",
        options: "",
        expect,
        check: |_, _, _| {},
    }
}

/// Changes the answers to one method.
fn answers(
    script: &mut Script,
    method: &'static str,
    change: impl Fn(&Request, &mut Reply) + Send + Sync + 'static,
) {
    script.answer = Box::new(move |request, reply| {
        if request.method == method {
            change(request, reply);
        }
    });
}

/// A camera with another description.
fn described(name: &'static str, expect: Expect, from: &str, to: &str) -> Case {
    assert!(SDP.contains(from), "{name}");
    case(name, expect, |script| script.sdp = SDP.replace(from, to))
}

/// Runs all cases at once on one server, and says which failed.
#[track_caller]
fn run(cases: Vec<Case>) {
    let server = Server::with(&["--set", "rtsp.timeout=3s", "--set", "sources.silence=6s"]);
    let failed: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = cases
            .into_iter()
            .enumerate()
            .map(|(number, case)| {
                let (server, name) = (&server, case.name);
                let thread = scope.spawn(move || {
                    catch_unwind(AssertUnwindSafe(|| try_one(server, number, case)))
                });
                (name, thread)
            })
            .collect();
        let failed = threads.into_iter().filter_map(|(name, thread)| {
            let problem = thread.join().unwrap().err()?;
            let words = problem.downcast_ref::<String>().cloned();
            let words = words.or_else(|| {
                problem
                    .downcast_ref::<&str>()
                    .map(|words| (*words).to_owned())
            });
            Some(format!("{name}: {}", words.unwrap_or_default()))
        });
        failed.collect()
    });
    assert!(
        failed.is_empty(),
        "{} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

fn try_one(server: &Server, number: usize, case: Case) {
    let camera = FakeCamera::start(case.script);
    let id = format!("cam{number}");
    let url = format!("{}{}", camera.url(case.login), case.options);
    let body =
        format!(r#"{{"type":"streamSource","name":"{id}","streamId":"{id}","streamUrl":"{url}"}}"#);
    let created = server.rest("POST", "/create?autoStart=true", &body).json();
    assert_eq!(created["success"], true, "{created}");
    let said = || {
        let broadcast = server.broadcast(&id).unwrap();
        let error = broadcast["lastError"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        (broadcast["status"] == "broadcasting", error)
    };
    let begun = Instant::now();
    let told = || {
        let requests = camera.asked().into_iter();
        let requests: Vec<_> = requests
            .map(|request| format!("{} {}", request.method, request.url))
            .collect();
        format!("{:?}; asked {requests:?}", said())
    };
    match case.expect {
        Expect::Fails(words) => loop {
            let (live, error) = said();
            if error.contains(words) && !live {
                break;
            }
            assert!(
                begun.elapsed() < seconds(20),
                "does not say {words:?}: {}",
                told()
            );
            std::thread::sleep(Duration::from_millis(100));
        },
        Expect::Plays | Expect::Pictures | Expect::Seam | Expect::Lives => {
            while !said().0 {
                assert!(begun.elapsed() < seconds(20), "is not live: {}", told());
                std::thread::sleep(Duration::from_millis(100));
            }
            if !matches!(case.expect, Expect::Lives) {
                watch(server, &id, case.expect);
            }
        }
    }
    (case.check)(&camera, server, &id);
    server.rest("DELETE", &format!("/{id}"), "");
    if camera
        .asked()
        .iter()
        .any(|request| request.method == "PLAY")
        && !matches!(case.expect, Expect::Fails(_) | Expect::Lives)
    {
        wait_for("the camera is told", seconds(5), || {
            camera
                .asked()
                .iter()
                .any(|request| request.method == "TEARDOWN")
                .then_some(())
        });
    }
}

/// Pictures come one after the other, none left out, 40 ms apart.
fn watch(server: &Server, id: &str, expect: Expect) {
    let with_sound = !matches!(expect, Expect::Pictures);
    let (enough, mut seams) = if matches!(expect, Expect::Seam) {
        (45, 1)
    } else {
        (15, 0)
    };
    let (mut before, mut pictures, mut sound) = (None, 0, 0);
    let begun = Instant::now();
    let mut play = Play::new(server, id);
    while pictures < enough || with_sound && sound < 5 {
        assert!(
            begun.elapsed() < seconds(15),
            "{pictures} pictures, {sound} times sound"
        );
        let tag = play.next();
        match tag.kind {
            TagKind::Audio => sound += 1,
            TagKind::Video if tag.body.get(1) == Some(&1) => {
                let numbers: Vec<_> = nals(&tag.body[5..]).filter_map(number_of).collect();
                let begins = tag.body[0] >> 4 == 1;
                assert!(
                    before.is_some() || begins,
                    "it begins in the middle of a group"
                );
                let [number] = numbers[..] else {
                    panic!("picture {:02x?}", &tag.body[..]);
                };
                if let Some((last, time)) = before {
                    let step = tag.timestamp.wrapping_sub(time);
                    assert_eq!(number, last + 1, "behind picture {last}");
                    let even = (39..=41).contains(&step);
                    assert!(
                        even || seams > 0 && step < 1_000,
                        "picture {number} comes {step} ms behind the one before"
                    );
                    seams -= i32::from(!even);
                }
                before = Some((number, tag.timestamp));
                pictures += 1;
            }
            _ => {}
        }
    }
    assert!(with_sound || sound == 0, "sound from nowhere");
}

/// NAL units behind their lengths.
pub(crate) fn nals(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk()?;
        let (nal, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        rest = after;
        Some(nal)
    })
}

/// That many pictures of the stream, of one NAL unit each.
fn pictures_of(server: &Server, id: &str, count: usize) -> Vec<Vec<u8>> {
    let mut play = Play::new(server, id);
    let tags = std::iter::from_fn(|| Some(play.next()));
    let pictures = tags.filter(|tag| tag.kind == TagKind::Video && tag.body.get(1) == Some(&1));
    pictures
        .take(count)
        .map(|tag| nals(&tag.body[5..]).flatten().copied().collect())
        .collect()
}

/// A player over HTTP.
pub(crate) struct Play {
    socket: TcpStream,
    reader: Reader,
}

impl Play {
    pub(crate) fn new(server: &Server, id: &str) -> Self {
        let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
        socket.set_read_timeout(Some(seconds(10))).unwrap();
        let head = format!("GET /LiveApp/streams/{id}.flv HTTP/1.1\r\nHost: localhost\r\n\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(
            head.starts_with(b"HTTP/1.1 200 "),
            "{}",
            String::from_utf8_lossy(&head)
        );
        Self {
            socket,
            reader: Reader::new(),
        }
    }

    pub(crate) fn next(&mut self) -> Tag {
        loop {
            if let Some(tag) = self.reader.pull() {
                return tag;
            }
            let mut piece = [0; 4_096];
            let count = self.socket.read(&mut piece).unwrap();
            assert!(count > 0, "the player was closed");
            self.reader.push(&piece[..count]).unwrap();
        }
    }
}
