//! RTMP (Adobe's RTMP 1.0 specification; sections without another name are of it).

mod abuse;
mod client;
mod conformance;

use crate::case::{Protocol, Suite};
use crate::context::{Context, Outcome, ensure};
use crate::media;
use client::{Client, VIDEO, picture};

pub(crate) static SUITE: Suite = Suite {
    protocol: Protocol::Rtmp,
    present: |targets| targets.rtmp.is_some(),
    healthy,
    conformance: conformance::CASES,
    abuse: abuse::CASES,
    sessions: &[publishes, plays],
};

/// Somebody publishes and somebody sees it.
fn healthy(context: &Context) -> Outcome {
    let address = context.target(|targets| &targets.rtmp)?;
    let name = context.name(address.split_path().1);
    let mut publisher = Client::publishing(context, &name)?;
    publisher.send_configurations()?;
    // Some servers let nobody play before there is a picture.
    publisher.message(6, VIDEO, 1, 0, &picture(0))?;
    let mut player = Client::playing(context, &name)?;
    for number in 1..4 {
        publisher.message(6, VIDEO, 1, u32::from(number) * 40, &picture(number))?;
    }
    let seen = player.wait("a picture", |message| {
        message.header.message_type.0 == VIDEO && message.payload.len() > 1_000
    })?;
    ensure!(
        seen.payload.ends_with(&[0x80]),
        "the picture is not the one that was published"
    );
    Ok(())
}

/// A session that publishes, for mutation: it goes on whatever is answered.
fn publishes(context: &Context) -> Outcome {
    let address = context.target(|targets| &targets.rtmp)?;
    let name = context.name(address.split_path().1);
    let mut client = Client::shake_hands(context, address)?;
    client.connect(address)?;
    let _ = client.answer();
    for (number, command) in ["releaseStream", "FCPublish"].into_iter().enumerate() {
        client.command(0, command, 2.0 + number as f64, &[name.as_str().into()])?;
    }
    client.command(0, "createStream", 4.0, &[])?;
    let _ = client.answer();
    client.command(1, "publish", 5.0, &[name.as_str().into(), "live".into()])?;
    let _ = client.answer();
    client.set_chunk_size(4_096)?;
    client.send_metadata()?;
    client.send_configurations()?;
    for number in 0..3 {
        client.message(6, VIDEO, 1, u32::from(number) * 40, &picture(number))?;
        let sound = [&[0xaf, 1], media::SILENCE].concat();
        client.message(4, client::AUDIO, 1, u32::from(number) * 40, &sound)?;
    }
    client.command(0, "FCUnpublish", 6.0, &[name.as_str().into()])?;
    client.command(0, "deleteStream", 7.0, &[1.0.into()])?;
    let _ = client.answer();
    Ok(())
}

/// A session that plays, for mutation.
fn plays(context: &Context) -> Outcome {
    let address = context.target(|targets| &targets.rtmp)?;
    let mut client = Client::shake_hands(context, address)?;
    client.connect(address)?;
    let _ = client.answer();
    client.acknowledge_after(2_500_000)?;
    client.command(0, "createStream", 2.0, &[])?;
    let _ = client.answer();
    client.command(
        1,
        "play",
        3.0,
        &[address.split_path().1.into(), (-2_000.0).into()],
    )?;
    client.user_control(3, &[0, 0, 0, 1, 0, 0, 11, 184])?;
    let _ = client.answer();
    for (command, argument) in [("pause", 1.0), ("receiveAudio", 0.0), ("seek", 1_000.0)] {
        client.command(1, command, 0.0, &[argument.into()])?;
    }
    client.command(0, "deleteStream", 4.0, &[1.0.into()])?;
    let _ = client.answer();
    Ok(())
}
