//! Signs of life, and the ends of sessions.

use super::{Case, Expect, answers, case, run};
use crate::support::fake_camera::{FakeCamera, PPS, SPS, Script, picture};
use crate::support::{seconds, wait_for};
use std::time::Duration;

#[test]
fn signs_of_life_and_endings() {
    /// The camera hears the method with its session again and again, and nobody hangs up.
    fn kept_alive(camera: &FakeCamera, method: &str) {
        let signs = || {
            let asked = camera.asked().into_iter();
            let behind = asked.skip_while(|request| request.method != "PLAY").skip(1);
            behind
                .filter(|request| {
                    request.method == method && request.header("Session") == "12345678"
                })
                .count()
        };
        wait_for("signs of life", seconds(10), || {
            (signs() >= 3).then_some(())
        });
        assert!(camera.asked().iter().all(|request| request.connection == 1));
    }
    let short = |name, check, change: fn(&mut Script)| {
        let mut case = case(name, Expect::Plays, |script| {
            script.patience = Some(Duration::from_millis(1_800));
            change(script);
        });
        let answer = std::mem::replace(&mut case.script.answer, Box::new(|_, _| {}));
        case.script.answer = Box::new(move |request, reply| {
            if request.method == "SETUP" {
                reply.set("Session", "12345678;timeout=2");
            }
            answer(request, reply);
        });
        case.check = check;
        case
    };
    let lives = |name, check, change: fn(&mut Script)| Case {
        check,
        ..case(name, Expect::Lives, change)
    };
    run(vec![
        short(
            "GET_PARAMETER is known",
            |camera, _, _| kept_alive(camera, "GET_PARAMETER"),
            |_| {},
        ),
        short(
            "GET_PARAMETER is not known",
            |camera, _, _| kept_alive(camera, "OPTIONS"),
            |script| {
                answers(script, "OPTIONS", |_, reply| {
                    reply.set("Public", "OPTIONS, DESCRIBE, SETUP, PLAY");
                });
            },
        ),
        short(
            "GET_PARAMETER is known and refused",
            |camera, _, _| kept_alive(camera, "OPTIONS"),
            |script| {
                answers(script, "GET_PARAMETER", |_, reply| {
                    reply.refuse("405 Method Not Allowed");
                });
            },
        ),
        short(
            "GET_PARAMETER is never answered",
            |camera, _, _| kept_alive(camera, "GET_PARAMETER"),
            |script| {
                answers(script, "GET_PARAMETER", |_, reply| reply.silent = true);
            },
        ),
        lives(
            "it hangs up without a word",
            |camera, server, id| {
                wait_for("it is connected again", seconds(15), || {
                    let again = camera
                        .asked()
                        .iter()
                        .any(|request| request.connection == 2 && request.method == "PLAY");
                    let live = server.broadcast(id).unwrap()["status"] == "broadcasting";
                    (again && live).then_some(())
                });
                server.wait_log(seconds(5), &[id, "ended the stream"]);
            },
            |script| {
                script.send = Box::new(|sender, number| {
                    sender.packet(0, number * 3_600, true, &picture(number));
                    if number == 30 {
                        sender.close();
                    }
                });
            },
        ),
        lives(
            "it falls silent",
            |camera, server, id| {
                server.wait_log(seconds(20), &[id, "sent nothing for 6 s"]);
                wait_for(
                    "the session is ended in words, and another begun",
                    seconds(15),
                    || {
                        let asked = camera.asked();
                        let ended = asked
                            .iter()
                            .any(|request| request.connection == 1 && request.method == "TEARDOWN");
                        (ended && asked.iter().any(|request| request.connection == 2)).then_some(())
                    },
                );
            },
            |script| {
                script.send = Box::new(|sender, number| {
                    if number < 30 {
                        sender.packet(0, number * 3_600, true, &picture(number));
                    }
                });
            },
        ),
        lives(
            "it is over",
            |_, server, id| {
                server.wait_log(seconds(10), &[id, "ended the stream"]);
            },
            |script| {
                script.send = Box::new(|sender, number| {
                    sender.packet(0, number * 3_600, true, &picture(number));
                    if number == 20 {
                        sender.raw(b"TEARDOWN * RTSP/1.0\r\nCSeq: 5\r\n\r\n".to_vec());
                    }
                });
            },
        ),
        lives(
            "it is elsewhere from now on",
            |camera, server, id| {
                wait_for("it is asked there", seconds(15), || {
                    camera
                        .asked()
                        .iter()
                        .any(|request| request.connection == 2 && request.method == "PLAY")
                        .then_some(())
                });
                server.wait_log(seconds(5), &[id, "redirected"]);
            },
            |script| {
                script.send = Box::new(|sender, number| {
                    sender.packet(0, number * 3_600, true, &picture(number));
                    if number == 20 {
                        sender.raw(
                            b"REDIRECT * RTSP/1.0\r\nCSeq: 5\r\nLocation: /live\r\n\r\n".to_vec(),
                        );
                    }
                });
            },
        ),
        lives(
            "other parameter sets",
            |_, server, id| {
                wait_for("pictures of another size", seconds(10), || {
                    let broadcast = server.broadcast(id).unwrap();
                    (broadcast["width"] == 240).then_some(())
                });
            },
            |script| {
                script.send = Box::new(|sender, number| {
                    let sps = if number < 20 { SPS } else { OTHER_SPS };
                    if number.is_multiple_of(10) {
                        sender.packet(0, number * 3_600, false, sps);
                        sender.packet(0, number * 3_600, false, PPS);
                    }
                    sender.packet(0, number * 3_600, true, &picture(number));
                });
            },
        ),
        lives(
            "it says what it is",
            |_, server, id| {
                assert_eq!(
                    server.broadcast(id).unwrap()["userAgent"],
                    "Hipcam RealServer/V1.0"
                );
            },
            |script| {
                script.answer = Box::new(|_, reply| reply.set("Server", " Hipcam RealServer/V1.0"));
            },
        ),
    ]);
}

/// Of pictures of another size.
const OTHER_SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x03, 0xc5, 0x68, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00,
    0x0c, 0x03, 0xc5, 0x8b, 0x92,
];
