//! Valid inputs to start from: what a camera answers, and what players and encoders ask.

use super::{DESCRIPTION, Step};
use crate::auth::{Guard, Random};
use crate::frame_header;
use crate::tunnel::{Half, Opening, encode};
use std::time::Duration;

/// Valid inputs to start from, each with the name of its target.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let answer = |cseq: u32, fields: &str, body: &str| {
        let length = body.len();
        format!(
            "RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: 5;timeout=60\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let request = |line: &str, fields: &str, body: &str| {
        let length = body.len();
        format!("{line} RTSP/1.0\r\nCSeq: 1\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
    };
    let url = "rtsp://h/LiveApp/s";
    let frame = [&frame_header(0, 4)[..], &[0x80, 0, 0, 1]].concat();

    let options = answer(1, "Public: OPTIONS, GET_PARAMETER\r\n", "");
    let challenge = "RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\n\
        WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256\r\n\r\n";
    let described = answer(
        3,
        "Content-Type: application/sdp\r\nContent-Base: /s/\r\n",
        DESCRIPTION,
    );
    let speaker = answer(
        2,
        "Content-Type: application/sdp\r\nContent-Base: /s/\r\n",
        &format!("{DESCRIPTION}m=audio 0 RTP/AVP 0\r\na=control:trackID=2\r\na=sendonly\r\n"),
    );
    let unsupported = "RTSP/1.0 551 Option not supported\r\nCSeq: 2\r\n\
        Unsupported: www.onvif.org/ver20/backchannel\r\n\r\n";
    let udp = "Transport: RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;ssrc=1\r\n";
    let tcp = |channel: u8| {
        format!(
            "Transport: RTP/AVP/TCP;interleaved={channel}-{}\r\n",
            channel + 1
        )
    };
    let playing = answer(
        6,
        "RTP-Info: url=trackID=0;seq=1;rtptime=2\r\nRange: npt=now-\r\n",
        "",
    );
    let refused = "RTSP/1.0 461 Unsupported Transport\r\nCSeq: 4\r\n\r\n";

    let describe = request(&format!("DESCRIBE {url}"), "", "");
    let setup = |track: u8, transport: &str| {
        request(
            &format!("SETUP {url}/trackID={track}"),
            &format!("Transport: {transport}\r\n"),
            "",
        )
    };
    let play = request(&format!("PLAY {url}"), "Range: npt=0.000-\r\n", "");
    let announce = request(
        &format!("ANNOUNCE {url}"),
        "Content-Type: application/sdp\r\n",
        DESCRIPTION,
    );
    let record = request(&format!("RECORD {url}"), "", "");
    let teardown = request(&format!("TEARDOWN {url}"), "", "");
    let get = request(&format!("GET_PARAMETER {url}"), "", "");
    let basic = request(
        &format!("DESCRIBE {url}?t=x"),
        "Authorization: Basic am9lOnNlY3JldA==\r\n",
        "",
    );

    let wait = || Step::Wait(Duration::from_secs(40));
    let messages = [
        &[40][..],
        options.as_bytes(),
        &frame,
        b"?garbage\r\n",
        setup(
            0,
            "RTP/AVP;multicast;ttl=3;mode=record,RTP/AVP/TCP;interleaved=0-1",
        )
        .as_bytes(),
        challenge.as_bytes(),
        playing.as_bytes(),
    ]
    .concat();
    let http = Opening {
        half: Half::Post,
        path: "/s".to_owned(),
        cookie: "c".to_owned(),
    };
    let tunnelled = [http.request("h"), encode(b"OPTIONS").into_bytes()].concat();
    let client = |first: u8, steps: &[Step<'_>]| [&[first][..], &script(steps)].concat();
    let mut seeds = vec![
        ("message", messages),
        (
            "message",
            [&[255][..], described.as_bytes(), get.as_bytes()].concat(),
        ),
        ("message", [&[255][..], &tunnelled].concat()),
        (
            "server_session",
            script(&[
                input(&describe),
                Step::Command(4),
                input(&basic),
                Step::Command(5),
                input(&setup(0, "RTP/AVP/TCP;interleaved=0-1")),
                input(&setup(1, "RTP/AVP;client_port=5000")),
                input(&play),
                Step::Command(2),
                Step::Input(&[b'$', 1, 0, 4, 0x80, 201, 0, 0]),
                wait(),
                input(&get),
                input(&teardown),
            ]),
        ),
        (
            "server_session",
            script(&[
                input(&announce),
                Step::Command(0),
                input(&setup(0, "RTP/AVP/TCP;interleaved=0-1;mode=record")),
                input(&record),
                Step::Command(0),
                Step::Input(&[b'$', 0, 0, 4, 0x80, 96, 0, 0]),
                wait(),
                wait(),
            ]),
        ),
        (
            "server_session",
            script(&[
                input(&setup(1, "RTP/AVP;multicast")),
                Step::Command(1),
                input(&play),
                Step::Command(3),
            ]),
        ),
        (
            "client_session",
            client(
                0,
                &[
                    input(&options),
                    input(challenge),
                    input(&described),
                    Step::Command(0),
                    input(&answer(4, &tcp(0), "")),
                    input(&answer(5, &tcp(2), "")),
                    input(&playing),
                    Step::Input(&[b'$', 0, 0, 4, 0x80, 96, 0, 0]),
                    wait(),
                    Step::Command(1),
                    Step::Command(3),
                ],
            ),
        ),
        (
            "client_session",
            client(
                2,
                &[
                    input(&options),
                    input(challenge),
                    input(&described),
                    Step::Command(0),
                    input(refused),
                    input(&answer(5, &tcp(0), "")),
                ],
            ),
        ),
        (
            "client_session",
            client(
                3,
                &[
                    input(&options),
                    input(&answer(2, "", "")),
                    input(&answer(3, udp, "")),
                    input(&answer(4, udp, "")),
                    input(&answer(5, "", "")),
                ],
            ),
        ),
        (
            "client_session",
            client(
                6,
                &[
                    input(&options),
                    input(&speaker),
                    Step::Command(0),
                    input(&answer(3, &tcp(0), "")),
                    input(&answer(4, "", "")),
                    Step::Input(&[b'$', 1, 0, 4, 0x80, 201, 0, 0]),
                    wait(),
                    Step::Command(3),
                ],
            ),
        ),
        (
            "client_session",
            client(
                8,
                &[
                    input(&options),
                    input(&speaker),
                    Step::Command(0),
                    input("RTSP/1.0 461 Unsupported Transport\r\nCSeq: 3\r\n\r\n"),
                    input(&answer(4, &tcp(0), "")),
                    input(&answer(5, "", "")),
                ],
            ),
        ),
        (
            "client_session",
            client(6, &[input(&options), input(unsupported)]),
        ),
    ];
    seeds.extend(messages_and_tunnels());
    seeds.extend(askers());
    seeds.extend(cameras());
    seeds.extend(pairs());
    seeds
}

/// What a reader is given: whatever fields there are, what is wrong in the ways that occur, and tunnels.
fn messages_and_tunnels() -> Vec<(&'static str, Vec<u8>)> {
    let fields = "RTSP/1.0 200 OK\r\nRange: clock=19961108T142300Z-19961108T143520Z\r\n\
        Range: smpte-25=10:07:00-10:07:33:05.01\r\nRange: npt=1:00:00.5-2:00;time=x\r\nRange: npt=-20\r\n\
        Range: npt=x-\r\nRange: bytes=0-\r\n\
        RTP-Info: url=rtsp://h/a?x=1,2;seq=1;rtptime=2, url=b;seq=70000,;seq=1\r\n\
        Transport: RTP/AVP/UDP;unicast;destination=192.0.2.1;source=2001:db8::1;client_port=5000;server_port=6000-6001;\
        ssrc=1234ABCD,RTP/AVP;multicast;port=7000-7001;ttl=16;mode=\"PLAY\",RTP/SAVP;x,RTP/AVP/TCP;mode=RECORD;y=z\r\n\
        Public: OPTIONS,\r\n PLAY\r\n\tPAUSE\r\nno field\r\nSession: 5 ; Timeout = 30\r\n: empty\r\n\r\n";
    let wrong = "\r\nOPTIONS * RTSP/1.0\nCSeq:1\n\n\u{ff}PLAY it again\r\n\r\ndescribe /a b rtsp/1.1\r\nCSeq: x\r\n\r\n\
        RTSP/1.0 404\r\nContent-Length: -1\r\n\r\nFLUSH x RTSP/1.0\r\n\r\nRTSP/1.0 OK\r\n\r\n\
        OPTIONS x RTSP/2.0\r\n\r\n";
    let statuses = [
        301, 302, 400, 401, 403, 404, 415, 451, 454, 455, 457, 459, 460, 461, 500, 501, 503, 551,
    ];
    let statuses: String = statuses
        .iter()
        .map(|code| {
            let reason = crate::message::Status(*code).reason();
            format!("RTSP/1.0 {code} {reason}\r\nCSeq: {code}\r\n\r\n")
        })
        .collect();
    let frame = |channel, length: u8| {
        let mut bytes = frame_header(channel, u16::from(length)).to_vec();
        bytes.resize(4 + usize::from(length), 0x80);
        bytes
    };
    // Frames in the middle of a head, and behind a body that is shorter than announced.
    let within = [
        &b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n"[..],
        &frame(0, 12),
        &frame(1, 8),
        b"Content-Type: application/sdp\r\nContent-Length: 300\r\n\r\nv=0\r\n",
        &frame(1, 10),
        b"RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nRTSP/1.0 404 No\r\n\r\n",
        b"\xffRTSP/1.0 200 OK\r\n$\0\0\x02no",
        &frame(0, 4),
        b"RTSP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nx\r\n",
    ]
    .concat();
    let many = ["OPTIONS * RTSP/1.0\r\n", &"A: b\r\n".repeat(130), "\r\n"].concat();
    let long = "ANNOUNCE * RTSP/1.0\r\nContent-Length: 200000\r\n\r\n";
    let opening = |half| Opening {
        half,
        path: "/s?x=1".to_owned(),
        cookie: "tD9hKgAAfB8ABCftAAAAAw".to_owned(),
    };
    let said = encode(b"OPTIONS * RTSP/1.0\r\n\r\n");
    let post = [opening(Half::Post).request("h"), said.into_bytes()].concat();
    let texts = [fields, wrong, &statuses, &many, long];
    let mut inputs: Vec<(u8, Vec<u8>)> = texts.map(|text| (63, text.as_bytes().to_vec())).into();
    inputs.extend([
        (2, within.clone()),
        (250, within),
        (9, opening(Half::Get).request("cam:554")),
        (9, post),
        (
            9,
            b"POST /s HTTP/1.1\r\nX-SessionCookie: a\r\n\r\n T1BU\r\nSU9OUw==T1B?".to_vec(),
        ),
        (9, b"GET /s HTTP/1.0\nAccept: */*\n\n".to_vec()),
        (9, b"GET /s RTSP/1.0\r\n\r\n".to_vec()),
        (9, [crate::tunnel::ACCEPTED, &b"UlRT\nUA=="[..]].concat()),
        (9, crate::tunnel::REFUSED.to_vec()),
        (9, b"HTTP/1.1 OK\r\n\r\n".to_vec()),
    ]);
    let inputs = inputs.into_iter();
    inputs
        .map(|(cut, bytes)| ("message", [&[cut][..], &bytes].concat()))
        .collect()
}

/// What players and encoders ask of our server, in order and out of it.
fn askers() -> Vec<(&'static str, Vec<u8>)> {
    let id = Guard::new("Millstream", Random::default()).identifier("1");
    let ask = |line: &str, fields: &str, body: &str| {
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        format!("{line} RTSP/1.0\r\nCSeq: 7\r\n{fields}{length}\r\n{body}").into_bytes()
    };
    let plain = |method: &str, path: &str| ask(&format!("{method} rtsp://h/a/s{path}"), "", "");
    let setup = |path: &str, transport: &str| {
        let transport = format!("Transport: {transport}\r\n");
        ask(&format!("SETUP rtsp://h/a/s{path}"), &transport, "")
    };
    let known = |method: &str, body: &str| {
        let session = format!("Session: {id}\r\n");
        ask(&format!("{method} rtsp://h/a/s/"), &session, body)
    };
    let announce = |kind: &str, body: &str| ask("ANNOUNCE rtsp://h/a/s", kind, body);
    let sdp = "Content-Type: application/sdp\r\n";
    let unnamed = "v=0\r\nm=video 0 RTP/AVP 96\r\nm=audio 0 RTP/AVP 8\r\n";
    let absolute = "v=0\r\nm=audio 0 RTP/AVP 8\r\na=control:rtsp://h/a/s/x?y\r\n";
    let bytes = |parts: &[&[u8]]| parts.concat();
    let rtp = [&frame_header(0, 4)[..], &[0x80, 96, 0, 1]].concat();
    let rtcp = [&frame_header(3, 4)[..], &[0x80, 200, 0, 0]].concat();

    let odd = bytes(&[
        &plain("OPTIONS", ""),
        &ask("DESCRIBE rtsp://h/a/s", "Require: x\r\n", ""),
        &plain("FLUSH", ""),
        &plain("REDIRECT", ""),
        &plain("PLAY", ""),
        &plain("RECORD", ""),
        &plain("PAUSE", ""),
        &plain("TEARDOWN", ""),
        &ask("SETUP rtsp://h/a/s", "Session: other\r\n", ""),
        &ask("SET_PARAMETER *", "", "x: 1\r\n"),
        b"RTSP/1.0 200 OK\r\n\r\n",
        &announce("Content-Type: text/plain\r\n", "x"),
        &announce(sdp, "no description"),
        &plain("DESCRIBE", "?t=x"),
    ]);
    let setups = bytes(&[
        &setup("", "RTP/AVP;multicast"),
        &setup("/trackID=9", "RTP/AVP;multicast"),
        &setup("/trackID=0", "RTP/AVP/TCP;mode=record"),
        &setup("/trackID=0", "RAW/RAW/UDP;unicast,RTP/AVP;client_port=0"),
        &setup("/trackID=0", "RTP/AVP;multicast"),
        &setup("/trackID=1", "RTP/AVP;unicast;client_port=5000-5001"),
        &announce(sdp, unnamed),
        &ask("PLAY rtsp://h/a/s", "Range: bytes=1-\r\n", ""),
        &plain("PLAY", "/trackID=1"),
        &plain("TEARDOWN", "/trackID=1"),
        &known("PLAY", ""),
    ]);
    let playing = bytes(&[
        &known("PLAY", ""),
        &setup("/trackID=0", "RTP/AVP;multicast"),
        &known("GET_PARAMETER", ""),
        &known("GET_PARAMETER", "position\r\n"),
        &known("PAUSE", ""),
        &known("PAUSE", ""),
        &known("PLAY", ""),
    ]);
    let other = [setup("/trackID=0", "RTP/AVP/TCP"), plain("DESCRIBE", "")].concat();
    let on_connection = bytes(&[
        &setup("/trackID=0", "RTP/AVP/TCP;unicast;interleaved=0-1"),
        &setup("/trackID=0", "RTP/AVP/TCP;unicast;interleaved=200-201"),
        &setup("/trackID=1", "RTP/AVP/TCP;unicast;interleaved=2-3"),
        // A frame in the middle of a head, and frames of nobody and with nothing.
        b"PLAY rtsp://h/a/s RTSP/1.0\r\nCSeq: 1\r\n",
        &rtcp,
        b"User-Agent: x\r\n\r\n",
    ]);
    let record = bytes(&[
        &setup("/1", "RTP/AVP/TCP;interleaved=0-1;mode=record"),
        &setup("/2", "RTP/AVP/TCP;interleaved=3-2;mode=record"),
        &setup("/3", "RTP/AVP/TCP;mode=record"),
        &plain("PLAY", ""),
        &known("RECORD", ""),
    ]);
    let recording = bytes(&[
        &rtp,
        &[
            b'$', 2, 0, 4, 0x80, 200, 0, 0, b'$', 0, 0, 0, b'$', 9, 0, 1, 0,
        ],
        &known("RECORD", ""),
        &known("PAUSE", ""),
        &known("RECORD", ""),
    ]);
    let server = |steps: &[Step<'_>]| ("server_session", script(steps));
    let wait = |seconds| Step::Wait(Duration::from_secs(seconds));
    vec![
        server(&[
            Step::Input(&odd),
            Step::Command(3),
            Step::Input(&plain("DESCRIBE", "")),
            Step::Command(6),
            Step::Input(&plain("DESCRIBE", "/trackID=0")),
            Step::Command(1),
            Step::Input(&setups),
            Step::Command(2),
            Step::Input(&playing),
            Step::Command(7),
            wait(59),
            Step::Command(8),
            wait(59),
            Step::Input(&known("TEARDOWN", "")),
            wait(60),
        ]),
        server(&[
            Step::Input(&other),
            Step::Command(1),
            Step::Command(3),
            Step::Input(&setup("/trackID=1", "RTP/AVP/TCP;interleaved=2-3")),
            Step::Input(&plain("TEARDOWN", "")),
            Step::Input(&plain("DESCRIBE", "")),
            Step::Command(1),
            Step::Input(&ask("SETUP rtsp://h/b/t/trackID=0", "", "")),
            Step::Command(1),
            Step::Input(&on_connection),
            Step::Command(2),
            wait(100),
        ]),
        server(&[
            Step::Input(&announce(sdp, unnamed)),
            Step::Command(4),
            Step::Input(&announce(sdp, absolute)),
            Step::Command(3),
            Step::Input(&announce("", unnamed)),
            Step::Command(0),
            Step::Input(&record),
            Step::Command(0),
            Step::Input(&recording),
            Step::Command(3),
            Step::Input(&known("TEARDOWN", "")),
            Step::Input(&announce(sdp, absolute)),
            Step::Command(0),
            Step::Input(&setup("/x?y", "RTP/AVP;client_port=5000-5001;mode=receive")),
            wait(61),
        ]),
        server(&[input("GET / HTTP/1.1\r\nHost: h\r\n\r\n")]),
        server(&[input("OPTIONS * RTSP/2.0\r\n\r\n")]),
        server(&[wait(9), wait(2)]),
    ]
}

/// What servers answer our client where it is not what the book says, or where it ends.
fn cameras() -> Vec<(&'static str, Vec<u8>)> {
    let say = |status: &str, fields: &str, body: &str| {
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        format!("RTSP/1.0 {status}\r\n{fields}{length}\r\n{body}").into_bytes()
    };
    let yes = |fields: &str| say("200 OK", fields, "");
    let describe = |base: &str, body: &str| {
        let fields = format!("Content-Type: application/sdp\r\n{base}");
        say("200 OK", &fields, body)
    };
    let carried = |transport: &str| {
        yes(&format!(
            "Session: 5;timeout=20\r\nTransport: {transport}\r\n"
        ))
    };
    let frame =
        |channel: u8, format: u8| [&frame_header(channel, 4)[..], &[0x80, format, 0, 1]].concat();
    let options = yes("Public: OPTIONS, GET_PARAMETER\r\nServer: H264DVR 1.0\r\n");
    let basic = say(
        "401 Unauthorized",
        "WWW-Authenticate: Basic realm=\"r\"\r\n",
        "",
    );
    let wait = |seconds| Step::Wait(Duration::from_secs(seconds));
    let client =
        |first: u8, steps: &[Step<'_>]| ("client_session", [&[first][..], &script(steps)].concat());
    let setup = Step::Command(0);
    // Up to the tracks, on the connection.
    let begun = [
        say("100 Continue", "", ""),
        options.clone(),
        describe("Content-Base: rtsp://h/s/\r\n", DESCRIPTION),
    ]
    .concat();
    let groups = DESCRIPTION.replace(
        "m=audio 0 RTP/AVP 8\r\n",
        "m=audio 5008 RTP/AVP 8\r\nc=IN IP4 239.0.0.9/4\r\n",
    );
    let one = "v=0\r\nm=audio 0 RTP/AVP 8\r\na=control:rtsp://h/s/\r\n";
    let mut seeds = vec![
        // Each track has to be asked for alone, and channels are not those that were told.
        client(
            0,
            &[
                Step::Input(&begun),
                setup,
                Step::Input(&carried("RTP/AVP/TCP;interleaved=0-1")),
                Step::Input(&carried("RTP/AVP/TCP;interleaved=0-1")),
                Step::Input(&say("459 Aggregate Operation Not Allowed", "", "")),
                Step::Input(&yes("RTP-Info: url=rtsp://h/s/trackID=1;seq=1\r\n")),
                Step::Input(&yes("")),
                Step::Input(&[frame(0, 96), frame(0, 8), frame(1, 72), frame(3, 72)].concat()),
                // A sign of life that is not taken, and one when the session is gone.
                wait(10),
                Step::Input(&say("405 Method Not Allowed", "", "")),
                wait(10),
                Step::Input(&yes("CSeq: 99\r\n")),
                wait(10),
                wait(90),
                Step::Input(&say("454 Session Not Found", "", "")),
            ],
        ),
        client(
            0,
            &[
                Step::Input(&begun),
                setup,
                Step::Input(&carried("RTP/AVP/TCP;interleaved=4-5")),
                Step::Input(&carried("RTP/AVP;interleaved=6-7;ssrc=1")),
                // Not with the slash at its end.
                Step::Input(&say("404 Not Found", "", "")),
                Step::Input(&yes("")),
                Step::Input(&[frame(2, 8), frame(5, 200), frame(9, 0)].concat()),
                Step::Command(1),
                Step::Input(&yes("")),
                wait(10),
                Step::Input(&yes("")),
                Step::Command(2),
                Step::Input(&yes("")),
                input("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\nPLAY * RTSP/1.0\r\nCSeq: 2\r\n\r\n"),
                // A sign of life with a body that is not all there.
                wait(10),
                input("RTSP/1.0 200 OK\r\nContent-Length: 99\r\n\r\nx\r\n"),
                Step::Input(&frame(2, 8)),
                wait(2),
                input("TEARDOWN * RTSP/1.0\r\nCSeq: 3\r\n\r\n"),
            ],
        ),
        // A session that is gone when it is to be kept alive.
        client(
            0,
            &[
                Step::Input(&[options.clone(), describe("", one)].concat()),
                setup,
                Step::Input(&carried("RTP/AVP/TCP")),
                Step::Input(&yes("RTP-Info: url=x;seq=3;rtptime=4\r\n")),
                wait(10),
                Step::Input(&say("454 Session Not Found", "", "")),
            ],
        ),
        // Groups, in the answer and in the description.
        client(
            4,
            &[
                Step::Input(&[options.clone(), describe("", &groups)].concat()),
                setup,
                Step::Input(&carried(
                    "RTP/AVP;multicast;destination=239.0.0.7;server_port=7000-7001;ttl=2",
                )),
                Step::Input(&carried("RTP/AVP;multicast")),
                Step::Input(&yes("")),
            ],
        ),
        client(
            4,
            &[
                Step::Input(&begun),
                setup,
                Step::Input(&carried(
                    "RTP/AVP;multicast;destination=239.0.0.6;port=7000-7001",
                )),
                Step::Input(&carried(
                    "RTP/AVP/UDP;destination=239.0.0.7;client_port=7002",
                )),
            ],
        ),
        // Not what was asked for.
        client(
            2,
            &[
                Step::Input(&begun),
                setup,
                Step::Input(&carried("RTP/AVP/TCP;interleaved=0-1")),
            ],
        ),
        client(
            2,
            &[
                Step::Input(&begun),
                setup,
                Step::Input(&carried("RTP/AVP;server_port=6000;source=0.0.0.0")),
                Step::Input(&carried("RTP/AVP;server_port=6002-6003;source=192.0.2.7")),
                Step::Input(&yes("")),
                wait(112),
            ],
        ),
        // Elsewhere.
        client(
            0,
            &[
                Step::Input(&options),
                Step::Input(&say("302 Found", "Location: rtsp://answer/\r\n", "")),
            ],
        ),
        client(
            0,
            &[
                Step::Input(&begun),
                input("REDIRECT * RTSP/1.0\r\nLocation: rtsp://asked/x\r\n\r\n"),
            ],
        ),
        // Who is not let in, or is on another connection.
        client(
            0,
            &[
                Step::Input(&basic),
                Step::Command(4),
                Step::Input(&options),
                Step::Input(&basic),
                Step::Input(&say("401 Unauthorized", "", "")),
            ],
        ),
        client(0, &[Step::Input(&options), wait(9), wait(1)]),
        client(
            0,
            &[
                Step::Input(&options),
                // Without an end of the description.
                input(
                    "RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nm=audio 0 RTP/AVP 8\r\n",
                ),
                wait(2),
                Step::Command(3),
            ],
        ),
        // To record: announced, set up, begun each alone.
        client(
            1,
            &[
                Step::Input(&options),
                Step::Input(&basic),
                Step::Input(&yes("")),
                Step::Input(&carried("RTP/AVP/TCP;interleaved=0-1;mode=record")),
                Step::Input(&carried("RTP/AVP/TCP;interleaved=2-3;mode=record")),
                Step::Input(&say("459 No", "", "")),
                Step::Input(&yes("")),
                Step::Input(&frame(1, 201)),
                Step::Command(3),
            ],
        ),
    ];
    // Where tracks are, however that is written.
    for base in [
        "*",
        "\"rtsp://h/x/\"",
        "//h/x/",
        "/x",
        "192.0.2.1:554/x",
        "x/y",
    ] {
        let answer = describe(&format!("Content-Location: {base}\r\n"), DESCRIPTION);
        let whole = [options.clone(), answer].concat();
        let transport = carried("RTP/AVP/TCP");
        seeds.push(client(
            0,
            &[Step::Input(&whole), setup, Step::Input(&transport)],
        ));
    }
    seeds
}

/// Our own ends, in all their ways.
fn pairs() -> Vec<(&'static str, Vec<u8>)> {
    let wait = |seconds| Step::Wait(Duration::from_secs(seconds));
    let usual = [
        Step::Command(3),
        Step::Command(4),
        Step::Command(5),
        Step::Command(6),
        wait(100),
        Step::Command(0),
        wait(70),
        Step::Command(1),
        Step::Command(2),
    ];
    let mut seeds = Vec::new();
    // Each transport, played and recorded, with the rest in turn.
    for way in 0..16 {
        let mode = way | (way & 2) << 3 | ((way ^ way >> 3) & 1) << 5 | (way & 4) << 4;
        seeds.push(("pair", [&[mode, way][..], &script(&usual)].concat()));
    }
    let pair = |mode: u8, steps: &[Step<'_>]| ("pair", [&[mode, 1][..], &script(steps)].concat());
    seeds.extend([
        pair(0x88, &[Step::Command(2)]),
        pair(0x42, &usual),
        pair(0x43, &usual),
        // Refused; asked for a password that is not needed; with a nonce that is too old, and never answered.
        pair(0x01, &[Step::Command(9)]),
        pair(
            0x00,
            &[Step::Command(8), Step::Command(12), Step::Command(9)],
        ),
        pair(0x08, &[Step::Command(10), Step::Command(11), wait(11)]),
        pair(0x40, &[Step::Command(8), Step::Command(13), wait(70)]),
        // Changed on the way: a number, a status, the proof of a password, the tunnel's code.
        pair(0x00, &[Step::Input(&[0, 30, 1, b'9']), wait(20)]),
        pair(0x00, &[Step::Input(b"\0\x09\x03302"), wait(20)]),
        pair(
            0x09,
            &[
                Step::Input(&[0, 0, 0]),
                Step::Input(&[0, 0, 0]),
                Step::Input(&[1, 0, 1, b'x']),
            ],
        ),
        pair(0x20, &[Step::Input(b"\0\x05\x01?"), wait(20)]),
        pair(
            0x40,
            &[
                Step::Command(3),
                Step::Input(b"\0\0\x02$\x07"),
                Step::Command(3),
                Step::Command(4),
            ],
        ),
    ]);
    seeds
}

fn input(text: &str) -> Step<'_> {
    Step::Input(text.as_bytes())
}

/// The input that [`steps`] reads as `steps`.
fn script(steps: &[Step<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for step in steps {
        match step {
            Step::Input(bytes) => {
                for part in bytes.chunks(0x80) {
                    out.push((part.len() - 1) as u8);
                    out.extend_from_slice(part);
                }
            }
            Step::Command(command) => out.push(0x80 + command),
            Step::Wait(time) => out.push(0x8f + time.as_secs() as u8),
        }
    }
    out
}
