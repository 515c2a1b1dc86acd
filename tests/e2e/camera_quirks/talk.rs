//! URLs, sessions, transports, heads of answers, and other places.

use super::{Case, Expect, answers, case, described, run};
use crate::support::fake_camera::{framed, picture};

#[test]
fn urls_of_descriptions_and_tracks() {
    let mut cases = vec![
        case("without faults", Expect::Plays, |_| {}),
        base("no base", None),
        base("an empty base", Some("")),
        base("a path", Some("/live/")),
        base("a last part", Some("live/")),
        base("no scheme (retina)", Some("{address}/live/")),
        base("no slash at the end", Some("rtsp://{address}/live")),
        base(
            "another host, behind a router",
            Some("rtsp://10.9.8.7:554/live/"),
        ),
        base("everything", Some("*")),
        base("capitals", Some("RTSP://{address}/live/")),
        base("quotes", Some("\"rtsp://{address}/live/\"")),
        described(
            "absolute controls",
            Expect::Plays,
            "a=control:track1",
            "a=control:rtsp://{address}/live/track1",
        ),
        described(
            "slashes in front of controls",
            Expect::Plays,
            "a=control:track1",
            "a=control:/track1",
        ),
        described(
            "two controls",
            Expect::Plays,
            "a=control:track1",
            "a=control:\r\na=control:track1",
        ),
        described(
            "a blank behind the colon",
            Expect::Plays,
            "a=control:track1",
            "a=control: track1",
        ),
    ];
    let mut more = described(
        "a query in a control",
        Expect::Plays,
        "track1",
        "track1?unicast=true",
    );
    more.script.tracks = vec!["/live/track1?unicast=true", "/live/track2"];
    cases.push(more);
    let mut more = described(
        "a control that is a query",
        Expect::Plays,
        "control:track1",
        "control:?ctype=video",
    );
    more.script.tracks = vec!["/live?ctype=video", "/live/track2"];
    cases.push(more);
    let mut more = described(
        "no control of the only track",
        Expect::Pictures,
        "a=control:track1\r\nm=audio 0 RTP/AVP 8\r\na=control:track2\r\n",
        "",
    );
    more.script.tracks = vec!["/live/"];
    cases.push(more);
    let mut more = described(
        "an absolute control of the whole",
        Expect::Plays,
        "a=control:*",
        "a=control:rtsp://{address}/all",
    );
    more.script.whole = "/all";
    cases.push(more);
    cases.push(case(
        "a query in the URL (Dahua, Vivotek)",
        Expect::Plays,
        |script| {
            script.path = "/cam/realmonitor?channel=1&subtype=0";
            script.whole = "/cam/realmonitor?channel=1&subtype=0/";
            script.tracks = vec![
                "/cam/realmonitor?channel=1&subtype=0/track1",
                "/cam/realmonitor?channel=1&subtype=0/track2",
            ];
        },
    ));
    cases.push(case(
        "a location in place of the base",
        Expect::Plays,
        |script| {
            answers(script, "DESCRIBE", |request, reply| {
                reply.remove("Content-Base");
                reply.set(
                    "Content-Location",
                    &format!("rtsp://{}/live/", request.address),
                );
            });
        },
    ));
    // PTZOptics, and servers in front of files: PLAY of the base is refused for its slash.
    cases.push(case(
        "no slash behind the URL that is played",
        Expect::Plays,
        |script| script.whole = "/live",
    ));
    cases.push(case(
        "that, refused as a bad request",
        Expect::Plays,
        |script| {
            script.whole = "/live";
            answers(script, "PLAY", |_, reply| {
                if reply.status.starts_with("404") {
                    reply.refuse("400 Bad Request");
                }
            });
        },
    ));
    run(cases);
}

/// A camera that writes this as the base of its description.
fn base(name: &'static str, value: Option<&'static str>) -> Case {
    case(name, Expect::Plays, |script| {
        if value.is_none_or(|value| !value.trim_end_matches('"').ends_with('/')) {
            script.whole = "/live";
        }
        answers(script, "DESCRIBE", move |request, reply| {
            reply.remove("Content-Base");
            if let Some(value) = value {
                reply.set(
                    "Content-Base",
                    &value.replace("{address}", &request.address.to_string()),
                );
            }
        });
    })
}

/// A camera that writes this into its answer to SETUP; `{first}` and `{second}` are the channels asked for.
fn transport(name: &'static str, value: Option<&'static str>) -> Case {
    case(name, Expect::Plays, |script| {
        answers(script, "SETUP", move |request, reply| {
            reply.remove("Transport");
            if let Some(value) = value {
                let first = 2 * request.track();
                let value = value.replace("{first}", &first.to_string());
                reply.set(
                    "Transport",
                    &value.replace("{second}", &(first + 1).to_string()),
                );
            }
        });
    })
}

#[test]
fn sessions_and_transports() {
    let mut cases = vec![
        transport("no transport", None),
        transport("no channels", Some("RTP/AVP/TCP;unicast")),
        transport(
            "one channel",
            Some("RTP/AVP/TCP;unicast;interleaved={first}"),
        ),
        transport(
            "no word of TCP",
            Some("RTP/AVP;unicast;interleaved={first}-{second}"),
        ),
        transport(
            "a wrong source",
            Some("RTP/AVP/TCP;unicast;interleaved={first}-{second};ssrc=00000000"),
        ),
        transport(
            "blanks",
            Some("RTP/AVP/TCP; unicast; interleaved = {first}-{second}; mode=\"PLAY\""),
        ),
        transport(
            "other channels (Streaming Server)",
            Some("RTP/AVP/TCP;unicast;interleaved=1{first}-1{second}"),
        ),
        case("a session with blanks", Expect::Plays, |script| {
            answers(script, "SETUP", |_, reply| {
                reply.set("Session", "  12345678 ; timeout = 60 ");
            });
        }),
        case("a session without a timeout", Expect::Plays, |script| {
            answers(script, "SETUP", |_, reply| reply.set("Session", "12345678"));
        }),
        case(
            "the same channels for both tracks, and others used",
            Expect::Plays,
            |script| {
                answers(script, "SETUP", |_, reply| {
                    reply.set("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1");
                });
                script.send = Box::new(|sender, number| {
                    sender.packet(0, number * 3_600, true, &picture(number));
                    let sound = sender.made(1, number * 320, false, &[0xd5; 320]);
                    sender.raw(framed(2, &sound));
                });
            },
        ),
        case(
            "the same channel for both tracks",
            Expect::Plays,
            |script| {
                answers(script, "SETUP", |_, reply| {
                    reply.set("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1");
                });
            },
        ),
        case("other channels than were told", Expect::Plays, |script| {
            answers(script, "SETUP", |_, reply| {
                let value = reply
                    .headers
                    .iter()
                    .find(|(name, _)| name == "Transport")
                    .unwrap()
                    .1
                    .clone();
                reply.set(
                    "Transport",
                    &value.replace("=0-1", "=8-9").replace("=2-3", "=10-11"),
                );
            });
            script.send = Box::new(|sender, number| {
                let frame = sender.made(0, number * 3_600, true, &picture(number));
                sender.raw(framed(0, &frame));
                let sound = sender.made(1, number * 320, false, &[0xd5; 320]);
                sender.raw(framed(2, &sound));
            });
        }),
        case("454 to PLAY", Expect::Fails("454"), |script| {
            answers(script, "PLAY", |_, reply| {
                reply.refuse("454 Session Not Found");
            });
        }),
        case(
            "453 to SETUP",
            Expect::Fails("453: Not Enough Bandwidth"),
            |script| {
                answers(script, "SETUP", |_, reply| {
                    reply.refuse("453 Not Enough Bandwidth");
                });
            },
        ),
        case(
            "406 to DESCRIBE",
            Expect::Fails("406: Not Acceptable"),
            |script| {
                answers(script, "DESCRIBE", |_, reply| {
                    reply.refuse("406 Not Acceptable");
                });
            },
        ),
        case(
            "404 to DESCRIBE",
            Expect::Fails("has no such stream"),
            |script| {
                answers(script, "DESCRIBE", |_, reply| {
                    reply.refuse("404 Stream Not Found");
                });
            },
        ),
        case(
            "503 without a word",
            Expect::Fails("answers with 503"),
            |script| {
                answers(script, "DESCRIBE", |_, reply| reply.refuse("503"));
            },
        ),
        case("459 to PLAY", Expect::Plays, |script| {
            answers(script, "PLAY", |request, reply| {
                if request.url.contains("track") {
                    reply.status = "200 OK".to_owned();
                    reply.set("CSeq", request.header("CSeq"));
                } else {
                    reply.refuse("459 Aggregate Operation Not Allowed");
                }
            });
        }),
        case("no TCP", Expect::Plays, |script| {
            answers(script, "SETUP", |request, reply| {
                if request.header("Transport").contains("TCP") {
                    reply.refuse("461 Unsupported Transport");
                }
            });
        }),
    ];
    let mut udp = case("no UDP", Expect::Plays, |script| {
        answers(script, "SETUP", |request, reply| {
            if !request.header("Transport").contains("TCP") {
                reply.refuse("461 Unsupported Transport");
            }
        });
    });
    udp.options = "#transport=udp";
    cases.push(udp);
    let mut udp = case("UDP", Expect::Plays, |_| {});
    udp.options = "#transport=udp";
    cases.push(udp);
    let mut udp = case("UDP, of which nothing comes", Expect::Plays, |script| {
        // What it sends goes on the connection, where nobody looks for it at first.
        script.send = Box::new(|sender, number| {
            let bytes = sender.made(0, number * 3_600, true, &picture(number));
            sender.raw(framed(0, &bytes));
            let bytes = sender.made(1, number * 320, false, &[0xd5; 320]);
            sender.raw(framed(2, &bytes));
        });
    });
    udp.options = "#transport=udp";
    cases.push(udp);
    run(cases);
}

/// Changes heads, and leaves bodies alone.
fn heads(bytes: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    [change(head).as_bytes(), &bytes[end..]].concat()
}

#[test]
fn heads_of_answers() {
    let cases = vec![
        case("small letters", Expect::Plays, |script| {
            script.wire = |bytes| {
                heads(&bytes, |head| {
                    let (first, rest) = head.split_once('\n').unwrap();
                    let line = |line: &str| match line.split_once(':') {
                        Some((name, value)) => format!("{}:{value}", name.to_lowercase()),
                        None => line.to_owned(),
                    };
                    let lines: Vec<_> = rest.split('\n').map(line).collect();
                    format!("{first}\n{}", lines.join("\n"))
                })
            };
        }),
        case("bare line feeds", Expect::Plays, |script| {
            script.wire = |bytes| heads(&bytes, |head| head.replace('\r', ""));
        }),
        case("no blank behind colons", Expect::Plays, |script| {
            script.wire = |bytes| heads(&bytes, |head| head.replace(": ", ":"));
        }),
        case("blanks in front of colons", Expect::Plays, |script| {
            script.wire = |bytes| heads(&bytes, |head| head.replace(": ", " :  "));
        }),
        case("no reason", Expect::Plays, |script| {
            script.wire = |bytes| heads(&bytes, |head| head.replace(" 200 OK\r", " 200 \r"));
        }),
        case("no reason, and no blank", Expect::Plays, |script| {
            script.wire = |bytes| heads(&bytes, |head| head.replace(" 200 OK\r", " 200\r"));
        }),
        case("no number", Expect::Plays, |script| {
            script.answer = Box::new(|_, reply| reply.remove("CSeq"));
        }),
        case("a number of its own", Expect::Plays, |script| {
            script.answer = Box::new(|_, reply| reply.set("CSeq", "0"));
        }),
        case("header lines that are none", Expect::Plays, |script| {
            script.wire = |bytes| {
                heads(&bytes, |head| {
                    head.replace("CSeq", "nothing\r\n: x\r\nCSeq")
                })
            };
        }),
        case("a length that is too large", Expect::Plays, |script| {
            answers(script, "DESCRIBE", |_, reply| {
                let length = (reply.body.len() + 9).to_string();
                reply.set("Content-Length", &length);
            });
        }),
        case("a length that is too small", Expect::Plays, |script| {
            answers(script, "DESCRIBE", |_, reply| {
                let length = (reply.body.len() - 2).to_string();
                reply.set("Content-Length", &length);
            });
        }),
        case("a length twice", Expect::Plays, |script| {
            answers(script, "DESCRIBE", |_, reply| {
                let length = reply.body.len().to_string();
                reply
                    .headers
                    .push(("Content-Length".to_owned(), length.clone()));
                reply.headers.push(("Content-length".to_owned(), length));
            });
        }),
        case("a length below zero (gortsplib)", Expect::Plays, |script| {
            answers(script, "DESCRIBE", |_, reply| {
                reply.set("Content-Length", "-1");
            });
        }),
        case(
            "an enormous length",
            Expect::Fails("longer than"),
            |script| {
                answers(script, "DESCRIBE", |_, reply| {
                    reply.set("Content-Length", "4000000000");
                });
            },
        ),
        case("a web server", Expect::Fails("not RTSP"), |script| {
            script.answer = Box::new(|_, reply| {
                reply.raw = Some(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".to_vec());
                reply.close = true;
            });
        }),
        case(
            "no description",
            Expect::Fails("no media section"),
            |script| script.sdp = "<html/>".to_owned(),
        ),
        case(
            "an empty description",
            Expect::Fails("no media section"),
            |script| script.sdp = String::new(),
        ),
        case(
            "silence from the beginning",
            Expect::Fails("does not answer within 3 s"),
            |script| {
                script.answer = Box::new(|_, reply| reply.silent = true);
            },
        ),
        case(
            "silence to SETUP",
            Expect::Fails("stopped answering"),
            |script| {
                answers(script, "SETUP", |_, reply| reply.silent = true);
            },
        ),
        case(
            "goodbye instead of an answer",
            Expect::Fails("ended the stream"),
            |script| {
                answers(script, "DESCRIBE", |_, reply| {
                    reply.raw = Some(Vec::new());
                    reply.close = true;
                });
            },
        ),
        case("OPTIONS are not known", Expect::Plays, |script| {
            answers(script, "OPTIONS", |_, reply| {
                reply.refuse("501 Not Implemented");
            });
        }),
        case("OPTIONS are a bad request", Expect::Plays, |script| {
            answers(script, "OPTIONS", |_, reply| {
                reply.refuse("400 Bad Request");
            });
        }),
        case("nothing is said of methods", Expect::Plays, |script| {
            answers(script, "OPTIONS", |_, reply| reply.remove("Public"));
        }),
        case("a provisional answer first", Expect::Plays, |script| {
            answers(script, "DESCRIBE", |request, reply| {
                let trying = format!(
                    "RTSP/1.0 100 Continue\r\nCSeq: {}\r\n\r\n",
                    request.header("CSeq")
                );
                reply.before = trying.into();
            });
        }),
    ];
    run(cases);
}

#[test]
fn redirects() {
    let elsewhere = |name, expect, status: &'static str, location: &'static str| {
        case(name, expect, move |script| {
            answers(script, "DESCRIBE", move |request, reply| {
                if request.connection == 1 {
                    reply.refuse(status);
                    reply.set(
                        "Location",
                        &location.replace("{address}", &request.address.to_string()),
                    );
                }
            });
        })
    };
    let forever = |name, location: &'static str| {
        case(
            name,
            Expect::Fails("sends from one place to another"),
            move |script| {
                script.answer = Box::new(move |request, reply| {
                    reply.refuse("302 Found");
                    reply.set(
                        "Location",
                        &location.replace("{address}", &request.address.to_string()),
                    );
                });
            },
        )
    };
    run(vec![
        elsewhere(
            "moved",
            Expect::Plays,
            "302 Moved Temporarily",
            "rtsp://{address}/live",
        ),
        elsewhere(
            "moved for ever",
            Expect::Plays,
            "301 Moved",
            " rtsp://{address}/live ",
        ),
        elsewhere("a path alone", Expect::Plays, "302 Moved", "/live"),
        elsewhere(
            "to a cloud's secrets",
            Expect::Fails("169.254.169.254"),
            "302 Moved",
            "rtsp://169.254.169.254/live",
        ),
        elsewhere(
            "to the web",
            Expect::Fails("\"http\" is not rtsp or rtsps"),
            "302 Moved",
            "http://{address}/live",
        ),
        elsewhere("to nowhere", Expect::Fails("302"), "302 Moved", ""),
        forever("in a circle", "rtsp://{address}/live"),
    ]);
}
