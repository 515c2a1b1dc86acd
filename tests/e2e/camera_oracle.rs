//! The same sessions pulled by the server and by retina, an independent client: as many access units, with the same
//! bytes, at the same times.

use crate::camera_quirks::{Play, nals};
use crate::support::camera::{camera, pull_as};
use crate::support::fake_camera::{FakeCamera, SDP, Script, Sender, Sending, picture};
use crate::support::seconds;
use crate::support::server::Server;
use flv::file::TagKind;
use futures_util::StreamExt;
use retina::client::{
    InitialTimestampPolicy, PlayOptions, Session, SessionOptions, SetupOptions, Transport,
};
use retina::codec::{CodecItem, FrameFormat};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// Milliseconds, and bytes.
type Unit = (i64, Vec<u8>);

/// Pictures and sound.
#[derive(Debug, Default)]
pub(crate) struct Units {
    pub(crate) pictures: Vec<Unit>,
    pub(crate) sound: Vec<Unit>,
}

/// What retina gets until it has so many pictures.
pub(crate) fn retinas(url: &str, transport: &Transport, count: usize) -> Units {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let pulling = async {
        let options = SessionOptions::default();
        let mut session = Session::describe(url.parse().unwrap(), options)
            .await
            .unwrap();
        let kinds: Vec<_> = session
            .streams()
            .iter()
            .map(|stream| stream.media().to_owned())
            .collect();
        for stream in 0..kinds.len() {
            let options = SetupOptions::default()
                .frame_format(FrameFormat::MP4)
                .transport(transport.clone());
            session.setup(stream, options).await.unwrap();
        }
        let options = PlayOptions::default().initial_timestamp(InitialTimestampPolicy::Permissive);
        let mut demuxed = session.play(options).await.unwrap().demuxed().unwrap();
        let mut units = Units::default();
        while units.pictures.len() < count {
            match demuxed.next().await.unwrap().unwrap() {
                CodecItem::VideoFrame(frame) => {
                    let time = frame.timestamp().elapsed_secs() * 1_000.0;
                    units
                        .pictures
                        .push((time.round() as i64, bare(frame.data())));
                }
                CodecItem::AudioFrame(frame) => {
                    let time = frame.timestamp().elapsed_secs() * 1_000.0;
                    units
                        .sound
                        .push((time.round() as i64, frame.data().to_vec()));
                }
                _ => {}
            }
        }
        units
    };
    runtime.block_on(async { tokio::time::timeout(seconds(40), pulling).await.unwrap() })
}

/// NAL units behind their lengths, without parameter sets and delimiters, which the server takes out.
fn bare(unit: &[u8]) -> Vec<u8> {
    let kept = nals(unit).filter(|nal| !matches!(nal.first().map(|first| first & 31), Some(7..=9)));
    kept.flat_map(|nal| [&(nal.len() as u32).to_be_bytes()[..], nal].concat())
        .collect()
}

/// What comes out of the server until there are so many pictures.
fn ours(server: &Server, id: &str, count: usize) -> Units {
    let mut play = Play::new(server, id);
    let mut units = Units::default();
    while units.pictures.len() < count {
        let tag = play.next();
        let time = i64::from(tag.timestamp);
        // In front of pictures stand 5 bytes, in front of AAC two, in front of G.711 one.
        match (tag.kind, &tag.body[..]) {
            (TagKind::Video, [_, 1, offset @ ..]) => {
                let shown = i64::from(u32::from_be_bytes([0, offset[0], offset[1], offset[2]]));
                units.pictures.push((time + shown, tag.body[5..].to_vec()));
            }
            (TagKind::Audio, [first, 1, rest @ ..]) if first >> 4 == 10 => {
                units.sound.push((time, rest.to_vec()));
            }
            (TagKind::Audio, [first, rest @ ..]) if first >> 4 != 10 => {
                units.sound.push((time, rest.to_vec()));
            }
            _ => {}
        }
    }
    units
}

/// Units of one are those of the other, in their order and at times that differ by `offset`, from the first to the last
/// that both have. How many, and the offset.
#[track_caller]
fn agree(ours: &[Unit], theirs: &[Unit], offset: Option<i64>) -> (usize, i64) {
    let places: HashMap<&[u8], usize> = theirs
        .iter()
        .enumerate()
        .map(|(place, unit)| (&unit.1[..], place))
        .collect();
    assert_eq!(
        places.len(),
        theirs.len(),
        "units are told apart by their bytes"
    );
    let first = ours
        .iter()
        .position(|unit| places.contains_key(&unit.1[..]));
    let first = first.expect("they have nothing in common");
    let place = places[&ours[first].1[..]];
    let offset = offset.unwrap_or(ours[first].0 - theirs[place].0);
    let (ours, theirs) = (&ours[first..], &theirs[place..]);
    for (number, (our, their)) in ours.iter().zip(theirs).enumerate() {
        assert!(
            our.1 == their.1,
            "unit {number} of {} and {}",
            ours.len(),
            theirs.len()
        );
        let apart = (our.0 - their.0 - offset).abs();
        assert!(
            apart <= 2,
            "unit {number}: {} and {} ms, apart by {offset}",
            our.0,
            their.0
        );
    }
    (ours.len().min(theirs.len()), offset)
}

#[test]
fn a_session_that_is_made_up() {
    let send: Sending = Box::new(|sender, number| {
        let timestamp = number * 3_600;
        let nal = picture(number);
        // An aggregate, a single NAL unit, fragments.
        match number % 3 {
            0 => {
                let payload = [
                    &[
                        0x78,
                        0,
                        5,
                        6,
                        5,
                        1,
                        number as u8 | 0x10,
                        0x80,
                        0,
                        nal.len() as u8,
                    ],
                    &nal[..],
                ]
                .concat();
                sender.packet(0, timestamp, true, &payload);
            }
            1 => sender.packet(0, timestamp, true, &nal),
            _ => {
                let (indicator, kind) = (nal[0] & 0xe0 | 28, nal[0] & 0x1f);
                sender.packet(
                    0,
                    timestamp,
                    false,
                    &[&[indicator, 0x80 | kind], &nal[1..20]].concat(),
                );
                sender.packet(
                    0,
                    timestamp,
                    true,
                    &[&[indicator, 0x40 | kind], &nal[20..]].concat(),
                );
            }
        }
        // An access unit of 960 samples behind its header (RFC 3640 section 3.3.6).
        let sound = (0..320u32).map(|byte| (number * 7 + byte) as u8);
        let sound: Vec<u8> = [0, 16, (320u16 << 3 >> 8) as u8, (320u16 << 3) as u8]
            .into_iter()
            .chain(sound)
            .collect();
        sender.payload_type[1] = 97;
        sender.packet(1, number * 960, true, &sound);
    });
    // AAC, which comes out as it went in.
    let (pictures, sound) = SDP.split_at(SDP.find("m=audio").unwrap());
    let control = sound.lines().find(|line| line.starts_with("a=control:"));
    let script = Script {
        sdp: format!(
            "{pictures}m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/24000/1\r\n\
             a=fmtp:97 profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=130c\r\n\
             {}\r\n",
            control.unwrap()
        ),
        send,
        ..Script::default()
    };
    compared(script, 60);
}

/// Packets of a recording, each a track and its bytes, sent by their own clocks.
fn recorded(bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut packets = Vec::new();
    let mut rest = bytes;
    while let [b'$', channel, high, low, after @ ..] = rest {
        let (packet, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        packets.push((usize::from(*channel), packet.to_vec()));
        rest = after;
    }
    packets
}

#[test]
fn a_session_that_was_recorded() {
    let Ok(corpus) = std::env::var("MILLSTREAM_CORPUS") else {
        eprintln!("MILLSTREAM_CORPUS is not set: no recorded session is pulled");
        return;
    };
    let bytes = std::fs::read(PathBuf::from(corpus).join("rtsp/retina-bench/bunny.rtsp")).unwrap();
    let packets = recorded(&bytes);
    // Sound is the first track there.
    let description = &SDP[..SDP.find("m=video").unwrap()];
    let script = Script {
        sdp: format!(
            "{description}m=audio 0 RTP/AVP 96\r\na=rtpmap:96 mpeg4-generic/12000/2\r\n\
             a=fmtp:96 profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1490\r\n\
             a=control:track1\r\nm=video 0 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n\
             a=fmtp:97 packetization-mode=1;profile-level-id=42C01E;\
             sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==\r\na=control:track2\r\n"
        ),
        send: Box::new(move |sender: &mut Sender, number| {
            // Some packets each time, as many as pictures of 24 each second need.
            let each = packets.len().div_ceil(125);
            for (channel, packet) in packets.iter().skip(number as usize * each).take(each) {
                match channel % 2 {
                    0 => sender.whole(channel / 2, packet.clone()),
                    _ => sender.control(channel / 2, packet.clone()),
                }
            }
        }),
        ..Script::default()
    };
    compared(script, 90);
}

/// Pulls a script with both, and compares so many pictures.
#[track_caller]
fn compared(script: Script, count: usize) {
    let camera = FakeCamera::start(script);
    let url = camera.url("");
    let theirs = retinas(&url, &Transport::default(), count);
    let server = Server::start();
    pull_as(&server, "cam", &url);
    server.wait_live("cam");
    let ours = ours(&server, "cam", count);
    let (pictures, offset) = agree(&ours.pictures, &theirs.pictures, None);
    let (sound, _) = agree(&ours.sound, &theirs.sound, Some(offset));
    eprintln!("{pictures} pictures, {sound} units of sound, {offset} ms apart");
    assert!(
        pictures >= count / 2 && sound >= count / 3,
        "{pictures} pictures, {sound} units of sound"
    );
}

#[test]
fn a_camera_of_gstreamer() {
    let (_camera, port) = camera(0, &["h264", "aac"]);
    let url = format!("rtsp://127.0.0.1:{port}/cam");
    let server = Server::start();
    pull_as(&server, "cam", &url);
    server.wait_live("cam");
    let (ours, theirs) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| retinas(&url, &Transport::default(), 100));
        // It has begun to watch, too.
        std::thread::sleep(Duration::from_millis(500));
        let ours = ours(&server, "cam", 150);
        (ours, theirs.join().unwrap())
    });
    // To its first client GStreamer now and then sends twice what it made before the client was there.
    let (pictures, offset) = agree(&ours.pictures[10..], &theirs.pictures, None);
    let (sound, _) = agree(&ours.sound[20..], &theirs.sound, None);
    eprintln!("{pictures} pictures, {sound} units of sound, {offset} ms apart");
    assert!(
        pictures >= 50 && sound >= 50,
        "{pictures} pictures, {sound} units of sound"
    );
}
