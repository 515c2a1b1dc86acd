//! GStreamer's payloaders and depayloaders against ours: what it cuts, we put together, and what we cut, it does. Its
//! tools have to be there.
//!
//! Packets lie in files, each behind a length of two bytes (RFC 4571), beside the encoder's bytes.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use media::Codec;
use media::codec::{annex_b, g726};
use rtp::payload::{self, Damaged, Depacketizer, Description, Event, Format, Input, Unit};
use rtp::{Header, Packet, Reorder};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const VIDEO: &str =
    "videotestsrc num-buffers=40 pattern=ball ! video/x-raw,width=320,height=240,framerate=25/1";
const SOUND: &str = "audiotestsrc num-buffers=40 wave=ticks";

/// One format: what is encoded, how GStreamer cuts it and puts it together, and how it describes it.
struct Case {
    name: &'static str,
    source: String,
    pay: &'static str,
    depay: &'static str,
    caps: &'static str,
    format: Format<'static>,
}

const fn format(encoding: &'static str, clock_rate: u32, channels: u8) -> Format<'static> {
    Format {
        encoding,
        clock_rate,
        channels,
        parameters: "",
    }
}

fn cases() -> Vec<Case> {
    let sound = |rate: u32, channels: u8, encoder: &str| {
        format!(
            "{SOUND} ! audioresample ! audio/x-raw,rate={rate},channels={channels} ! audioconvert ! {encoder}"
        )
    };
    vec![
        Case {
            name: "h264",
            source: format!("{VIDEO} ! x264enc bframes=2 key-int-max=10 ! {H264}"),
            pay: "rtph264pay config-interval=-1",
            depay: "rtph264depay ! h264parse ! video/x-h264,stream-format=byte-stream",
            caps: "media=video,clock-rate=90000,encoding-name=H264,packetization-mode=(string)1",
            format: format("H264", 90_000, 1),
        },
        Case {
            name: "h265",
            source: format!("{VIDEO} ! x265enc key-int-max=10 ! {H265}"),
            pay: "rtph265pay config-interval=-1",
            depay: "rtph265depay ! h265parse ! video/x-h265,stream-format=byte-stream",
            caps: "media=video,clock-rate=90000,encoding-name=H265",
            format: format("H265", 90_000, 1),
        },
        Case {
            name: "aac",
            source: sound(
                48_000,
                2,
                "avenc_aac bitrate=512000 ! audio/mpeg,stream-format=raw",
            ),
            pay: "rtpmp4gpay",
            depay: "rtpmp4gdepay",
            caps: "media=audio,clock-rate=48000,encoding-name=MPEG4-GENERIC,encoding-params=(string)2,\
                   streamtype=(string)5,profile-level-id=(string)2,mode=(string)AAC-hbr,config=(string)1190,\
                   sizelength=(string)13,indexlength=(string)3,indexdeltalength=(string)3",
            format: Format {
                parameters: "mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1190",
                ..format("MPEG4-GENERIC", 48_000, 2)
            },
        },
        Case {
            name: "opus",
            source: sound(48_000, 2, "opusenc"),
            pay: "rtpopuspay",
            depay: "rtpopusdepay",
            caps: "media=audio,clock-rate=48000,encoding-name=OPUS",
            format: format("OPUS", 48_000, 2),
        },
        Case {
            name: "vp8",
            source: format!("{VIDEO} ! vp8enc deadline=1 keyframe-max-dist=10"),
            pay: "rtpvp8pay picture-id-mode=15-bit",
            depay: "rtpvp8depay",
            caps: "media=video,clock-rate=90000,encoding-name=VP8",
            format: format("VP8", 90_000, 1),
        },
        Case {
            name: "vp9",
            source: format!("{VIDEO} ! vp9enc deadline=1 cpu-used=8 keyframe-max-dist=10"),
            pay: "rtpvp9pay picture-id-mode=7-bit",
            depay: "rtpvp9depay",
            caps: "media=video,clock-rate=90000,encoding-name=VP9",
            format: format("VP9", 90_000, 1),
        },
        Case {
            name: "jpeg",
            source: format!("{VIDEO},format=I420 ! jpegenc"),
            pay: "rtpjpegpay",
            depay: "rtpjpegdepay",
            caps: "media=video,clock-rate=90000,encoding-name=JPEG",
            format: format("JPEG", 90_000, 1),
        },
        Case {
            name: "mp3",
            source: sound(44_100, 2, "lamemp3enc"),
            pay: "rtpmpapay",
            depay: "rtpmpadepay",
            caps: "media=audio,clock-rate=90000,encoding-name=MPA",
            format: format("MPA", 90_000, 1),
        },
        Case {
            name: "ac3",
            source: sound(48_000, 2, "avenc_ac3 bitrate=448000 ! ac3parse"),
            pay: "rtpac3pay",
            depay: "rtpac3depay",
            caps: "media=audio,clock-rate=48000,encoding-name=AC3",
            format: format("AC3", 48_000, 2),
        },
        Case {
            name: "g722",
            source: sound(16_000, 1, "avenc_g722"),
            pay: "rtpg722pay",
            depay: "rtpg722depay",
            caps: "media=audio,clock-rate=8000,encoding-name=G722",
            format: format("G722", 8_000, 1),
        },
        Case {
            name: "l16",
            source: sound(44_100, 2, "audio/x-raw,format=S16BE"),
            pay: "rtpL16pay",
            depay: "rtpL16depay",
            caps: "media=audio,clock-rate=44100,encoding-name=L16,encoding-params=(string)2,channels=2",
            format: format("L16", 44_100, 2),
        },
        Case {
            name: "pcma",
            source: sound(8_000, 1, "alawenc"),
            pay: "rtppcmapay",
            depay: "rtppcmadepay",
            caps: "media=audio,clock-rate=8000,encoding-name=PCMA",
            format: format("PCMA", 8_000, 1),
        },
        Case {
            name: "g726",
            source: sound(8_000, 1, "avenc_g726 bitrate=32000"),
            pay: "rtpg726pay force-aal2=false",
            depay: "rtpg726depay force-aal2=false",
            caps: "media=audio,clock-rate=8000,encoding-name=G726-32",
            format: format("G726-32", 8_000, 1),
        },
        Case {
            name: "g726 of ATM",
            source: sound(8_000, 1, "avenc_g726 bitrate=32000"),
            pay: "rtpg726pay force-aal2=true",
            depay: "rtpg726depay force-aal2=false",
            caps: "media=audio,clock-rate=8000,encoding-name=G726-32",
            format: format("AAL2-G726-32", 8_000, 1),
        },
        Case {
            name: "klv",
            source: KLV.to_owned(),
            pay: "rtpklvpay",
            depay: "rtpklvdepay",
            caps: "media=application,clock-rate=90000,encoding-name=SMPTE336M",
            format: format("SMPTE336M", 90_000, 1),
        },
    ]
}

const H264: &str = "video/x-h264,stream-format=byte-stream,alignment=au";
const H265: &str = "video/x-h265,stream-format=byte-stream,alignment=au";

/// One triplet of 3,000 bytes, from a file that the test writes.
const KLV: &str = "filesrc location=KLV blocksize=3020 ! meta/x-klv,parsed=true";

fn gst(pipeline: &str) {
    let mut words = vec!["-q"];
    words.extend(pipeline.split_whitespace());
    let output = Command::new("gst-launch-1.0")
        .args(words)
        .output()
        .unwrap_or_else(|error| panic!("gst-launch-1.0 is needed for this test: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{pipeline}: {said}");
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let place = std::env::temp_dir().join(format!(
            "millstream-rtp-{}-{}",
            name.replace(' ', "-"),
            std::process::id()
        ));
        std::fs::create_dir_all(&place).unwrap();
        let mut klv = vec![0x06, 0x0e, 0x2b, 0x34];
        klv.extend([1; 12]);
        klv.extend([0x82, 0x0b, 0xb8]);
        klv.resize(3_019, 7);
        std::fs::write(place.join("klv"), klv).unwrap();
        Self(place)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Packets behind their lengths.
fn read(path: &str) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(Path::new(path)).unwrap();
    let mut rest = &bytes[..];
    let mut packets = Vec::new();
    while let [high, low, after @ ..] = rest {
        let (packet, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        packets.push(packet.to_vec());
        rest = after;
    }
    packets
}

fn depacketized(case: &Case, packets: &[Vec<u8>]) -> (Vec<Codec>, Vec<Unit>) {
    let mut depacketizer = Depacketizer::new(&case.format, Damaged::Drop).unwrap();
    let mut reorder = Reorder::in_order();
    let (mut codecs, mut units) = (Vec::new(), Vec::new());
    for packet in packets {
        let header = Packet::parse(packet).unwrap().header;
        reorder.push(Instant::now(), &header, packet);
        while let Some(arrival) = reorder.pull() {
            let packet = Packet::parse(arrival.packet).unwrap();
            depacketizer
                .push(&Input::new(&packet, arrival.lost > 0))
                .unwrap();
        }
        while let Some(event) = depacketizer.pull() {
            match event {
                Event::Codec(codec) => codecs.push(codec),
                Event::Unit(unit) => units.push(unit),
            }
        }
    }
    depacketizer.flush();
    (codecs, units)
}

/// What must come through: everything, but of JPEG, whose headers are made anew, the coded samples, and of H.264 and
/// H.265 no parameter sets and delimiters, which belong to the configuration or to nothing.
fn essence(case: &Case, bytes: &[u8]) -> Vec<u8> {
    let is_left_out = |nal: &[u8]| match (case.name, nal.first()) {
        ("h264", Some(first)) => (7..=9).contains(&(first & 31)),
        (_, Some(first)) => (32..=35).contains(&(first >> 1 & 63)),
        (_, None) => true,
    };
    if matches!(case.name, "h264" | "h265") {
        let nals = annex_b::units(bytes).filter(|nal| !is_left_out(nal));
        return nals.flat_map(|nal| [&[0, 0, 0, 1], nal].concat()).collect();
    }
    if case.name != "jpeg" {
        return bytes.to_vec();
    }
    let mut essence = Vec::new();
    let mut rest = bytes;
    let at = |bytes: &[u8], marker: u8| bytes.windows(2).position(|pair| pair == [0xff, marker]);
    while let Some(start) = at(rest, 0xda) {
        let samples = &rest[start + 14..];
        let end = at(samples, 0xd9).unwrap();
        essence.extend_from_slice(&samples[..end]);
        rest = &samples[end..];
    }
    assert!(!essence.is_empty());
    essence
}

/// The units of H.264 and H.265 have lengths in front of their NAL units.
fn between_start_codes(case: &Case, unit: &[u8]) -> Vec<u8> {
    if !matches!(case.name, "h264" | "h265") {
        return unit.to_vec();
    }
    let (mut out, mut rest) = (Vec::new(), unit);
    while let Some((length, after)) = rest.split_first_chunk() {
        let (nal, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        out.extend([0, 0, 0, 1]);
        out.extend_from_slice(nal);
        rest = after;
    }
    out
}

#[test]
fn everything_comes_through_both_ways() {
    for case in cases() {
        let folder = Folder::new(case.name);
        let [raw, packets, ours, theirs] =
            ["raw", "packets", "ours", "theirs"].map(|name| folder.path(name));
        let source = case.source.replace("KLV", &folder.path("klv"));
        gst(&format!(
            "{source} ! tee name=t t. ! queue ! filesink location={raw} \
             t. ! queue ! {} mtu=1000 ! rtpstreampay ! filesink location={packets}",
            case.pay
        ));
        let (codecs, units) = depacketized(&case, &read(&packets));
        let raw = essence(&case, &std::fs::read(raw).unwrap());
        let mut joined: Vec<u8> = units
            .iter()
            .flat_map(|unit| between_start_codes(&case, &unit.payload))
            .collect();
        if let Codec::G726(bits) = codecs[0] {
            // Its encoder packs as in ATM.
            joined = g726::repack(&joined, bits, g726::Packing::LowFirst);
        }
        assert!(
            !units.is_empty() && essence(&case, &joined) == raw,
            "{}",
            case.name
        );
        assert_eq!(codecs.len(), 1, "{}: {codecs:?}", case.name);
        assert!(units[0].random_access && units.iter().all(|unit| !unit.after_loss));
        // The same units, cut by us.
        let description = Description::of(&codecs[0]).unwrap();
        assert_eq!(
            (
                description.encoding.to_ascii_uppercase(),
                description.clock_rate
            ),
            (
                case.format.encoding.trim_start_matches("AAL2-").to_owned(),
                case.format.clock_rate
            )
        );
        let (mut file, mut sequence) = (Vec::new(), 0u16);
        for unit in &units {
            let payloads = payload::packetize(&codecs[0], &unit.payload, 700).unwrap();
            for (index, payload) in payloads.iter().enumerate() {
                let header = Header {
                    marker: index + 1 == payloads.len(),
                    payload_type: 96,
                    sequence,
                    timestamp: unit.timestamp.wrapping_add(payloads.offset(index)),
                    ssrc: 1,
                };
                sequence = sequence.wrapping_add(1);
                file.extend(((12 + payload.len()) as u16).to_be_bytes());
                file.extend(header.bytes());
                file.extend_from_slice(payload);
            }
        }
        std::fs::write(&ours, file).unwrap();
        gst(&format!(
            "filesrc location={ours} ! application/x-rtp-stream,payload=96,{} ! rtpstreamdepay ! {} ! \
             filesink location={theirs}",
            case.caps, case.depay
        ));
        let theirs = essence(&case, &std::fs::read(theirs).unwrap());
        assert!(
            theirs == raw,
            "{}: {} of {} bytes",
            case.name,
            theirs.len(),
            raw.len()
        );
    }
}

/// GStreamer turns samples of 3 and 5 bits into an order that is neither; ffmpeg has an encoder for each.
#[test]
fn samples_of_g726_are_in_the_order_of_ffmpeg() {
    let encoded = |codec: &str, kbits: &str| {
        let arguments = [
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "sine=sample_rate=8000:duration=1",
        ];
        let output = Command::new("ffmpeg")
            .args(arguments)
            .args(["-c:a", codec, "-b:a", kbits, "-f", codec, "pipe:1"])
            .output()
            .unwrap_or_else(|error| panic!("ffmpeg is needed for this test: {error}"));
        assert!(output.status.success());
        output.stdout
    };
    for bits in (2..=5).filter_map(g726::Bits::new) {
        let name = format!("AAL2-{}", bits.name());
        let kbits = format!("{}k", bits.get() * 8);
        let (atm, rtp) = (encoded("g726", &kbits), encoded("g726le", &kbits));
        let format = Format {
            encoding: &name,
            ..format("", 8_000, 1)
        };
        let mut depacketizer = Depacketizer::new(&format, Damaged::Drop).unwrap();
        let input = Input {
            timestamp: 0,
            marker: false,
            lost: false,
            payload: &atm,
        };
        depacketizer.push(&input).unwrap();
        assert_eq!(depacketizer.pull(), Some(Event::Codec(Codec::G726(bits))));
        let unit = depacketizer.pull();
        assert!(
            matches!(unit, Some(Event::Unit(unit)) if unit.payload == rtp),
            "{name}"
        );
    }
}
