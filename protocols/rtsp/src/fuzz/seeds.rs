//! Valid inputs to start from: what a camera answers, and what players and encoders ask.

use super::{DESCRIPTION, Step};
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
    vec![
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
    ]
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
