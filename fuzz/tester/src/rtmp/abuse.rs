//! What was done to servers of RTMP. Each case ends well when nothing worse than the end of its own connection happens.

use super::client::{Client, VIDEO, chunks, head, hello, picture};
use crate::case::{Case, must, should};
use crate::context::{BAD_NAMES, Context, Outcome, ensure};
use crate::wire::all_closed;
use std::time::{Duration, Instant};

pub(super) static CASES: &[Case] = &[
    must(
        "rtmp.abuse.half-open",
        "half-open",
        "connections that stop before they connect are ended, and hold nobody up",
        half_open,
    ),
    must(
        "rtmp.abuse.no-rtmp",
        "nonsense",
        "what is no RTMP is refused at once or in time",
        |context| {
            let address = context.target(|targets| &targets.rtmp)?;
            let nonsense: [&[u8]; 4] = [
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                &[0xff; 4_000],
                &[0; 4_000],
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            ];
            let mut wires = Vec::new();
            for bytes in nonsense {
                let mut wire = context.tcp(address)?;
                wire.offer(bytes);
                wires.push(wire);
            }
            let deadline = Instant::now() + context.patience;
            for (number, wire) in wires.iter_mut().enumerate() {
                ensure!(
                    wire.is_closed_by(deadline),
                    "nonsense {number} is listened to"
                );
            }
            Ok(())
        },
    ),
    must(
        "rtmp.abuse.long-message",
        "oversized length",
        "forty messages of 16 MiB, announced and not sent, take no memory",
        |context| {
            let address = context.target(|targets| &targets.rtmp)?;
            let mut clients = Vec::new();
            for _ in 0..40 {
                let mut client = Client::shake_hands(context, address)?;
                client
                    .wire
                    .offer(&[&head(6, VIDEO, 1, 0, 0xff_ffff)[..], &[0; 128]].concat());
                clients.push(client);
            }
            super::healthy(context)
        },
    ),
    must(
        "rtmp.abuse.long-chunks",
        "oversized length",
        "a chunk size of 2^31 - 1 and a command of 16 MiB end that connection alone",
        |context| {
            let mut client = Client::connected(context)?;
            client.set_chunk_size(0x7fff_ffff)?;
            client.wire.offer(&head(3, 20, 0, 0, 0xff_ffff));
            for _ in 0..256 {
                if !client.wire.offer(&[0; 65_536]) {
                    break;
                }
            }
            super::healthy(context)
        },
    ),
    must(
        "rtmp.abuse.chunk-size-of-zero",
        "oversized length",
        "a chunk size of 0 hangs nothing",
        |context| {
            let mut client = Client::connected(context)?;
            client.message(2, 1, 0, 0, &[0; 4])?;
            client.wire.offer(&chunks(3, 20, 0, 0, &[0; 300], 128));
            super::healthy(context)
        },
    ),
    must(
        "rtmp.abuse.chunk-streams",
        "chunk interleaving",
        "thousands of unfinished messages on as many chunk streams are bounded",
        |context| {
            let mut client = Client::connected(context)?;
            for stream in 0..20_000u16 {
                let number = stream.to_le_bytes();
                let head = head(1, VIDEO, 1, 0, 0xff_ffff);
                let bytes = [&[1, number[0], number[1]], &head[1..], &[0; 128]].concat();
                if !client.wire.offer(&bytes) {
                    break;
                }
            }
            super::healthy(context)
        },
    ),
    must(
        "rtmp.abuse.interleaved-lengths",
        "chunk interleaving",
        "a new length within an unfinished message reads nothing that is not there",
        |context| {
            let mut client = Client::connected(context)?;
            let long = [&head(6, VIDEO, 1, 0, 60_000)[..], &[1; 128]].concat();
            let short = [&head(6, VIDEO, 1, 0, 10)[..], &[2; 10]].concat();
            for bytes in [&long, &short, &long, &short] {
                client.wire.offer(bytes);
            }
            client.wire.offer(&[0xc6; 500]);
            super::healthy(context)
        },
    ),
    must(
        "rtmp.abuse.deep-values",
        "recursion",
        "values within values within values end that connection alone",
        |context| {
            let mut connect = b"\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00".to_vec();
            connect.extend_from_slice(&b"\x03\x00\x01a".repeat(15_000));
            nonsense_command(context, &connect)
        },
    ),
    must(
        "rtmp.abuse.many-values",
        "oversized length",
        "an array that says it has 2^32 - 1 values takes no memory for them",
        |context| {
            let mut connect = b"\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00".to_vec();
            connect.extend_from_slice(&[8, 0xff, 0xff, 0xff, 0xff]);
            connect.extend_from_slice(&b"\x00\x01a\x05".repeat(10_000));
            nonsense_command(context, &connect)
        },
    ),
    must(
        "rtmp.abuse.pinned-buffers",
        "resource exhaustion",
        "pictures of some bytes do not keep the messages of megabytes that they came in (7.1.6)",
        pinned_buffers,
    ),
    must(
        "rtmp.abuse.order",
        "state abuse",
        "commands in any order end that connection alone",
        |context| {
            let address = context.target(|targets| &targets.rtmp)?;
            let name = context.name(address.split_path().1);
            let arguments = || [name.as_str().into(), "live".into()];
            for orders in [
                &["publish", "play", "createStream"][..],
                &["connect", "connect", "deleteStream", "publish"],
                &["connect", "publish", "publish"],
                &[
                    "connect",
                    "createStream",
                    "publish",
                    "play",
                    "publish",
                    "deleteStream",
                    "play",
                ],
                &[
                    "connect",
                    "createStream",
                    "play",
                    "play",
                    "closeStream",
                    "pause",
                    "seek",
                ],
            ] {
                let mut client = Client::shake_hands(context, address)?;
                for order in orders {
                    if *order == "connect" {
                        let _ = client.connect(address);
                    }
                    let _ = client.command(1, order, f64::NAN, &arguments());
                    let _ = client.message(6, VIDEO, u32::MAX, 0, &picture(1));
                }
                let _ = client.receive(Duration::from_millis(100));
            }
            super::healthy(context)
        },
    ),
    must(
        "rtmp.abuse.second-publisher",
        "stolen session",
        "somebody else's connection cannot end or replace what is being published",
        second_publisher,
    ),
    must(
        "rtmp.abuse.slow-reader",
        "slow reader",
        "players that read nothing hold neither the publisher nor other players up",
        slow_reader,
    ),
    should(
        "rtmp.abuse.names",
        "name traversal",
        "nobody publishes under names that lead out of a folder",
        |context| {
            for name in BAD_NAMES.into_iter().chain([&*"x".repeat(5_000)]) {
                let mut client = Client::with_stream(context)?;
                let code = client.publish(name).unwrap_or_default();
                let shown: String = name.chars().take(40).collect();
                ensure!(
                    code != "NetStream.Publish.Start",
                    "{shown:?} may be published"
                );
            }
            Ok(())
        },
    ),
];

fn half_open(context: &Context) -> Outcome {
    let address = context.target(|targets| &targets.rtmp)?;
    let mut wires = Vec::new();
    for _ in 0..10 {
        let silent = context.tcp(address)?;
        let mut half = context.tcp(address)?;
        half.offer(&hello(context)[..700]);
        let mut nearly = context.tcp(address)?;
        nearly.offer(&hello(context));
        let shaken = Client::shake_hands(context, address)?;
        wires.extend([silent, half, nearly, shaken.wire]);
    }
    super::healthy(context)?;
    all_closed(&mut wires, Instant::now() + context.patience)
}

/// A command that is none, before `connect`, where servers trust least.
fn nonsense_command(context: &Context, body: &[u8]) -> Outcome {
    let address = context.target(|targets| &targets.rtmp)?;
    for _ in 0..5 {
        let mut client = Client::shake_hands(context, address)?;
        client.wire.offer(&chunks(3, 20, 0, 0, body, 128));
        let _ = client.receive(Duration::from_millis(100));
    }
    super::healthy(context)
}

/// Aggregates of a small picture and four megabytes that nobody wants: a quarter of a gigabyte in all.
fn pinned_buffers(context: &Context) -> Outcome {
    const AGGREGATE: u8 = 22;
    const DATA: u8 = 18;
    let address = context.target(|targets| &targets.rtmp)?;
    let name = context.name(address.split_path().1);
    let mut publisher = Client::publishing(context, &name)?;
    publisher.send_configurations()?;
    publisher.set_chunk_size(1 << 20)?;
    let part = |kind: u8, time: u32, body: &[u8]| {
        let [_, length @ ..] = (body.len() as u32).to_be_bytes();
        let [high, time @ ..] = time.to_be_bytes();
        let back = (body.len() as u32 + 11).to_be_bytes();
        let head = [&[kind][..], &length, &time, &[high, 0, 0, 0]].concat();
        [&head, body, &back].concat()
    };
    let unwanted = vec![0; 4 << 20];
    for number in 0..64 {
        let small = [0x17, 1, 0, 0, 0, 0, 0, 0, 3, 0x65, 0x88, 0x80];
        let time = number * 40;
        let body = [part(VIDEO, time, &small), part(DATA, time, &unwanted)].concat();
        if publisher.message(6, AGGREGATE, 1, time, &body).is_err() {
            break;
        }
    }
    super::healthy(context)
}

fn second_publisher(context: &Context) -> Outcome {
    let address = context.target(|targets| &targets.rtmp)?;
    let name = context.name(address.split_path().1);
    let mut first = Client::publishing(context, &name)?;
    let mut player = Client::playing_from(context, &name, &mut first)?;
    let mut second = Client::with_stream(context)?;
    let _ = second.publish(&name);
    let _ = second.command(0, "FCUnpublish", 6.0, &[name.as_str().into()]);
    let _ = second.command(0, "deleteStream", 7.0, &[1.0.into()]);
    let _ = second.receive(Duration::from_millis(200));
    drop(second);
    for number in 1..5 {
        first.message(6, VIDEO, 1, 40 * number, &picture(2))?;
    }
    player.wait("the first publisher's picture", |message| {
        let payload = &message.payload;
        payload.len() > 1_000 && payload[payload.len() / 2] == 0x22
    })?;
    Ok(())
}

/// Some megabytes to players of which only one reads.
fn slow_reader(context: &Context) -> Outcome {
    let address = context.target(|targets| &targets.rtmp)?;
    let name = context.name(address.split_path().1);
    let mut publisher = Client::publishing(context, &name)?;
    publisher.send_configurations()?;
    publisher.message(6, VIDEO, 1, 0, &picture(1))?;
    let mut slow = Vec::new();
    for _ in 0..8 {
        slow.push(Client::playing(context, &name)?);
    }
    let mut player = Client::playing(context, &name)?;
    // 20 MB in all: more than sockets take for those who do not read.
    for number in 1..1_100u32 {
        publisher.message(6, VIDEO, 1, number * 20, &picture((number % 16) as u8))?;
        if number % 10 == 0 {
            player.drain()?;
        }
    }
    publisher.message(6, VIDEO, 1, 22_000, &picture(1))?;
    player.wait("a picture beside players that read nothing", |message| {
        message.header.message_type.0 == VIDEO
    })?;
    super::healthy(context)
}
