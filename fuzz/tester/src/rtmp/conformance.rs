//! What the specification demands of a server.

use super::client::{AUDIO, Client, DATA, VIDEO, chunks, head, hello, picture};
use crate::case::{Case, must, should};
use crate::context::{Context, Outcome, ensure};
use crate::media;

pub(super) static CASES: &[Case] = &[
    must("rtmp.handshake", "5.2.2", "S0 has version 3", |context| {
        let answer = shaken(context, 3)?;
        ensure!(answer.first() == Some(&3), "S0 is {:?}", answer.first());
        Ok(())
    }),
    must(
        "rtmp.handshake-echo",
        "5.2.4",
        "S2 echoes the random bytes of C1",
        |context| {
            let address = context.target(|targets| &targets.rtmp)?;
            let mut wire = context.tcp(address)?;
            let hello = hello(context);
            wire.send(&hello)?;
            let answer = wire.take(1 + 2 * 1_536, "S0, S1 and S2")?;
            ensure!(
                answer[1 + 1_536 + 8..] == hello[9..],
                "S2 holds other bytes"
            );
            Ok(())
        },
    ),
    should(
        "rtmp.handshake-version",
        "5.2.2",
        "a version that is not known is answered with 3",
        |context| {
            let answer = shaken(context, 31)?;
            ensure!(answer.first() == Some(&3), "S0 is {:?}", answer.first());
            Ok(())
        },
    ),
    must(
        "rtmp.connect",
        "7.2.1.1",
        "connect is answered with _result of its transaction",
        |context| Client::connected(context).map(|_| ()),
    ),
    must(
        "rtmp.create-stream",
        "7.2.1.3",
        "createStream gives a number",
        |context| {
            let mut client = Client::connected(context)?;
            client.command(0, "createStream", 9.0, &[])?;
            let values = client.result("createStream", 9.0)?;
            let number = values.get(3).and_then(rtmp::amf0::Value::as_number);
            ensure!(
                number.is_some_and(|number| number >= 1.0),
                "the number is {number:?}"
            );
            Ok(())
        },
    ),
    must(
        "rtmp.ping",
        "7.1.7",
        "a ping request gets its response",
        |context| {
            let mut client = Client::connected(context)?;
            client.user_control(6, &[1, 2, 3, 4])?;
            client.wait("the response to a ping", |message| {
                message.header.message_type.0 == 4 && message.payload[..] == [0, 7, 1, 2, 3, 4]
            })?;
            Ok(())
        },
    ),
    must(
        "rtmp.publish-and-play",
        "7.2.2.1, 7.2.2.6",
        "what is published is played, byte for byte",
        |context| {
            carries(context, |client, body| {
                client.message(6, VIDEO, 1, 40, body)
            })
        },
    ),
    must(
        "rtmp.chunk-size-of-one",
        "5.4.1",
        "chunks may be of one byte",
        |context| {
            carries(context, |client, body| {
                client.set_chunk_size(1)?;
                client.message(6, VIDEO, 1, 40, body)
            })
        },
    ),
    must(
        "rtmp.interleaving",
        "5.3",
        "chunks of other messages may stand between those of one",
        |context| {
            carries(context, |client, body| {
                let size = client.chunk_size;
                client.set_chunk_size(1_000)?;
                let video = chunks(6, VIDEO, 1, 40, body, 1_000);
                let sound = [&[0xaf, 1], media::SILENCE].concat();
                let mut bytes = Vec::new();
                // The header is of 12 bytes; each chunk behind it has a header of one.
                let (first, rest) = video.split_at(1_012);
                bytes.extend_from_slice(first);
                for (number, chunk) in rest.chunks(1_001).enumerate() {
                    bytes.extend(chunks(4, AUDIO, 1, 20 + number as u32, &sound, 1_000));
                    bytes.extend_from_slice(chunk);
                }
                client.wire.send(&bytes)?;
                client.set_chunk_size(size as u32)
            })
        },
    ),
    must(
        "rtmp.long-chunk-stream",
        "5.3.1.1",
        "chunk stream numbers may take three bytes",
        |context| {
            carries(context, |client, body| {
                let chunks = chunks(0, VIDEO, 1, 40, body, client.chunk_size);
                let mut bytes = vec![1, 0x10, 0x01];
                bytes.extend_from_slice(&chunks[1..]);
                client.wire.send(&bytes)
            })
        },
    ),
    must(
        "rtmp.extended-time",
        "5.3.1.3",
        "a time of 2^24 and more is of 32 bits, also in chunks of type 3",
        |context| {
            carries(context, |client, body| {
                client.set_chunk_size(1_000)?;
                client.message(6, VIDEO, 1, 0x0123_4567, body)
            })
        },
    ),
    must(
        "rtmp.short-headers",
        "5.3.1.2",
        "headers of types 1, 2 and 3 take what is missing from the one before",
        |context| {
            carries(context, |client, body| {
                let length = (body.len() as u32).to_be_bytes();
                let mut bytes = [&head(6, VIDEO, 1, 0, body.len()), body].concat();
                bytes.extend_from_slice(&[0x46, 0, 0, 40, length[1], length[2], length[3], VIDEO]);
                bytes.extend_from_slice(body);
                bytes.extend_from_slice(&[0x86, 0, 0, 40]);
                bytes.extend_from_slice(body);
                bytes.push(0xc6);
                bytes.extend_from_slice(body);
                client.wire.send(&bytes)
            })
        },
    ),
    must(
        "rtmp.abort",
        "5.4.2",
        "an aborted message is left out and the next one is whole",
        |context| {
            carries(context, |client, body| {
                client.set_chunk_size(1_000)?;
                let half = chunks(6, VIDEO, 1, 20, &picture(9), 1_000);
                client.wire.send(&half[..1_012])?;
                client.message(2, 2, 0, 0, &6u32.to_be_bytes())?;
                client.message(6, VIDEO, 1, 40, body)
            })
        },
    ),
    must(
        "rtmp.cut-anywhere",
        "5.3",
        "chunks may come in any pieces",
        |context| {
            carries(context, |client, body| {
                let bytes = chunks(6, VIDEO, 1, 40, body, client.chunk_size);
                bytes
                    .chunks(1_237)
                    .try_for_each(|piece| client.wire.send(piece))?;
                let next = chunks(6, VIDEO, 1, 80, body, client.chunk_size);
                next[..40]
                    .iter()
                    .try_for_each(|byte| client.wire.send(&[*byte]))?;
                client.wire.send(&next[40..])
            })
        },
    ),
    should(
        "rtmp.acknowledgement",
        "5.4.3",
        "bytes are acknowledged once the window is full",
        |context| {
            let address = context.target(|targets| &targets.rtmp)?;
            let name = context.name(address.split_path().1);
            let mut client = Client::publishing(context, &name)?;
            client.acknowledge_after(20_000)?;
            client.send_configurations()?;
            for number in 0..8 {
                client.message(6, VIDEO, 1, u32::from(number) * 40, &picture(number))?;
            }
            client.wait("an acknowledgement", |message| {
                message.header.message_type.0 == 3
            })?;
            Ok(())
        },
    ),
    must(
        "rtmp.unknown-command",
        "7.2.1.2",
        "a command that is not known ends nothing",
        |context| {
            let mut client = Client::connected(context)?;
            client.command(0, "notACommand", 5.0, &["x".into()])?;
            client.command(0, "createStream", 6.0, &[])?;
            client.result("createStream", 6.0).map(|_| ())
        },
    ),
    must(
        "rtmp.unknown-message",
        "6.1",
        "messages of types that are not known are passed over",
        |context| {
            carries(context, |client, body| {
                client.message(5, 77, 1, 0, b"what is this")?;
                client.message(5, DATA, 1, 0, b"")?;
                client.message(6, VIDEO, 1, 40, body)
            })
        },
    ),
    should(
        "rtmp.play-nothing",
        "7.2.2.1",
        "what does not exist is refused, or waited for, and nothing else",
        |context| {
            let address = context.target(|targets| &targets.rtmp)?;
            let mut client = Client::with_stream(context)?;
            client.command(
                1,
                "play",
                3.0,
                &[context.name(address.split_path().1).as_str().into()],
            )?;
            let code = client.status("play")?;
            ensure!(
                code.starts_with("NetStream.Play."),
                "play was answered with {code}"
            );
            Ok(())
        },
    ),
];

/// What a handshake with that version is answered.
fn shaken(context: &Context, version: u8) -> Outcome<Vec<u8>> {
    let address = context.target(|targets| &targets.rtmp)?;
    let mut wire = context.tcp(address)?;
    let mut hello = hello(context);
    hello[0] = version;
    wire.send(&hello)?;
    wire.take(1, "S0")
}

/// Publishes a picture in some way, and sees that it is what is played.
fn carries(context: &Context, send: impl Fn(&mut Client, &[u8]) -> Outcome) -> Outcome {
    let address = context.target(|targets| &targets.rtmp)?;
    let name = context.name(address.split_path().1);
    let mut publisher = Client::publishing(context, &name)?;
    let mut player = Client::playing_from(context, &name, &mut publisher)?;
    let body = picture(5);
    send(&mut publisher, &body)?;
    // Some servers give a picture on when the next one has come.
    publisher.set_chunk_size(60_000)?;
    for number in 0..3 {
        publisher.message(6, VIDEO, 1, 0x0123_4567 + 40 * number, &picture(6))?;
    }
    // Neither the one before nor those behind.
    let picture = player.wait("the picture", |message| {
        let middle = message.payload.get(message.payload.len() / 2);
        let is_picture = message.header.message_type.0 == VIDEO && message.payload.len() > 1_000;
        is_picture && !matches!(middle, Some(0x21 | 0x26))
    })?;
    // The first five bytes may be said in another way.
    ensure!(
        picture.payload[5..] == body[5..],
        "the picture came changed"
    );
    Ok(())
}
