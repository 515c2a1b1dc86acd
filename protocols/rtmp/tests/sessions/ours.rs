//! Our client with our server.

use crate::support::{Pair, drain_server};
use bytes::Bytes;
use rtmp::amf0::Value;
use rtmp::chunk::{ChunkStreamId, Header, MessageType, packet};
use rtmp::message::Message;
use rtmp::server::{MESSAGE_STREAM, PLAY_CHUNK_SIZE, Refusal};
use rtmp::{Output, PublishKind, client, server};
use std::time::Duration;

fn publishing(seed: u32) -> Pair {
    let mut pair = Pair::new(seed);
    let key = "/demo?token=a/b/";
    pair.client
        .publish(pair.now, key, PublishKind::Append)
        .unwrap();
    pair.run();
    assert_eq!(pair.client_events, [client::Event::Connected]);
    let [server::Event::Publish(request, PublishKind::Append)] = &pair.server_events[..] else {
        panic!("{:?}", pair.server_events);
    };
    assert_eq!(request.key, "demo?token=a/b/");
    assert_eq!(request.message_stream, MESSAGE_STREAM);
    assert_eq!(request.connect.app, "LiveApp");
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    assert_eq!(text(&request.connect.tc_url), "rtmp://localhost/LiveApp");
    assert_eq!(text(&request.connect.page_url), "http://localhost/page");
    assert_eq!(request.connect.swf_url, None);

    pair.server.accept(pair.now).unwrap();
    pair.run();
    assert_eq!(pair.client_events[1..], [client::Event::Publishing]);
    pair.server_events.clear();
    pair.client_events.clear();
    pair
}

fn playing(seed: u32) -> Pair {
    let mut pair = Pair::new(seed);
    pair.client.play(pair.now, "demo").unwrap();
    pair.run();
    assert!(matches!(
        &pair.server_events[..],
        [server::Event::BufferLength(3_000), server::Event::Play(request)] if request.key == "demo"
    ));
    pair.server.accept(pair.now).unwrap();
    pair.run();
    let expected = [client::Event::Connected, client::Event::Playing];
    assert_eq!(pair.client_events[..2], expected);
    pair.server_events.clear();
    pair.client_events.clear();
    pair
}

#[test]
fn media_are_published() {
    for seed in 0..20 {
        let mut pair = publishing(seed);
        let values = vec!["onMetaData".into(), 1.0.into()];
        pair.client.set_data_frame(values.clone()).unwrap();
        pair.run();
        let mut expected = vec![server::Event::Data {
            timestamp: 0,
            values,
        }];
        for (index, timestamp) in [0, 40, 0xff_ffff, u32::MAX, 3].into_iter().enumerate() {
            let body = Bytes::from(vec![index as u8; 40_000 * index + 1]);
            for (message_type, prefix) in [
                (MessageType::VIDEO, &[0x27, 1, 0, 0, 0][..]),
                (MessageType::AUDIO, &[0xaf, 1]),
            ] {
                let packet = pair
                    .client
                    .packet(message_type, timestamp, prefix, &body)
                    .unwrap();
                let payload = [prefix, &body].concat().into();
                expected.push(match message_type {
                    MessageType::VIDEO => server::Event::Video { timestamp, payload },
                    _ => server::Event::Audio { timestamp, payload },
                });
                for slice in packet.slices() {
                    pair.send_up(slice);
                }
            }
        }
        pair.run();
        assert_eq!(pair.server_events, expected);
        assert_eq!(pair.server.held_bytes(), 0);

        pair.client.stop();
        pair.server_events.clear();
        pair.run();
        assert_eq!(pair.server_events, [server::Event::Stop]);
    }
}

#[test]
fn one_packet_serves_all_players() {
    let header = Header {
        chunk_stream: ChunkStreamId::VIDEO,
        timestamp: 0x0123_4567,
        message_type: MessageType::VIDEO,
        message_stream: MESSAGE_STREAM,
    };
    let payload = Bytes::from(vec![7; 200_000]);
    let packet = packet(
        &header,
        &[0x17, 1, 0, 0, 0],
        &payload,
        PLAY_CHUNK_SIZE as usize,
    )
    .unwrap();
    for seed in 0..5 {
        let mut pair = playing(seed);
        for _ in 0..3 {
            for slice in packet.slices() {
                pair.send_down(slice);
            }
        }
        pair.run();
        let event = client::Event::Video {
            timestamp: 0x0123_4567,
            payload: [&[0x17, 1, 0, 0, 0], &payload[..]].concat().into(),
        };
        assert_eq!(pair.client_events, vec![event; 3]);

        pair.server.end(pair.now);
        pair.client_events.clear();
        pair.run();
        assert!(matches!(
            pair.client_events[..],
            [client::Event::Closed { .. }]
        ));
    }
}

/// One message of 8 MiB may have thousands of data messages, whose values take many times their bytes.
#[test]
fn of_thousands_of_data_messages_at_once_a_few_are_kept() {
    let (_, nothing) = Message::Data(vec![Value::Null; 100]).write();
    let tag = |kind: MessageType, body: &[u8]| {
        let [_, high, middle, low] = u32::try_from(body.len()).unwrap().to_be_bytes();
        let head = [kind.0, high, middle, low, 0, 0, 0, 0, 0, 0, 0];
        let size = u32::try_from(head.len() + body.len()).unwrap();
        [&head[..], body, &size.to_be_bytes()].concat()
    };
    let data = tag(MessageType::DATA, &nothing).repeat(4_000);
    let body = Bytes::from([data, tag(MessageType::VIDEO, b"v")].concat());
    let header = Header {
        chunk_stream: ChunkStreamId::VIDEO,
        timestamp: 7,
        message_type: MessageType::AGGREGATE,
        message_stream: MESSAGE_STREAM,
    };
    let many = |size| packet(&header, &[], &body, size).unwrap();
    let is_data = |event: &client::Event| matches!(event, client::Event::Data { .. });
    let mut pair = playing(2);
    // Once all events have been taken, as many are heard as before.
    for _ in 0..2 {
        for slice in many(PLAY_CHUNK_SIZE as usize).slices() {
            pair.send_down(slice);
        }
        pair.run();
        let (data, media): (Vec<_>, Vec<_>) = pair.client_events.drain(..).partition(is_data);
        assert_eq!(data.len(), 16);
        assert!(matches!(media[..], [client::Event::Video { .. }]));
    }
    let is_data = |event: &server::Event| matches!(event, server::Event::Data { .. });
    let mut pair = publishing(2);
    for slice in many(client::Config::default().chunk_size as usize).slices() {
        pair.send_up(slice);
    }
    pair.run();
    let (data, media): (Vec<_>, Vec<_>) = pair.server_events.drain(..).partition(is_data);
    assert_eq!(data.len(), 16);
    assert!(matches!(media[..], [server::Event::Video { .. }]));
}

/// Enhanced RTMP v2, "Reconnect Request".
#[test]
fn a_client_is_asked_to_connect_once_more_and_goes_on_meanwhile() {
    for tc_url in [None, Some("rtmp://elsewhere/LiveApp")] {
        let mut pair = publishing(3);
        assert!(pair.server.request_reconnect(tc_url, "moving"));
        pair.run();
        let asked = client::Event::Reconnect {
            tc_url: tc_url.map(str::to_owned),
            description: "moving".to_owned(),
        };
        assert_eq!(pair.client_events, [asked]);
        let body = Bytes::from_static(&[0]);
        let packet = pair.client.packet(MessageType::AUDIO, 5, &[0xaf], &body);
        for slice in packet.unwrap().slices() {
            pair.send_up(slice);
        }
        pair.run();
        assert!(matches!(
            pair.server_events[..],
            [server::Event::Audio { .. }]
        ));
    }
}

#[test]
fn refusals_reach_the_client_in_words() {
    let cases = [
        (true, Refusal::BadName, "NetStream.Publish.BadName"),
        (true, Refusal::Denied, "NetStream.Publish.Denied"),
        (false, Refusal::Denied, "NetStream.Play.Failed"),
        (false, Refusal::NotFound, "NetStream.Play.StreamNotFound"),
    ];
    for (publish, refusal, expected) in cases {
        let mut pair = Pair::new(1);
        if publish {
            pair.client
                .publish(pair.now, "demo", PublishKind::Live)
                .unwrap();
        } else {
            pair.client.play(pair.now, "demo").unwrap();
        }
        pair.run();
        pair.server
            .refuse(pair.now, refusal, "Not this one.")
            .unwrap();
        pair.run();
        let rejected = client::Event::Rejected {
            code: expected.to_owned(),
            description: "Not this one.".to_owned(),
        };
        assert_eq!(pair.client_events.last(), Some(&rejected));
        assert_eq!(pair.client.play(pair.now, "demo"), Err(client::Busy));
    }
}

/// Encoders that do not wait for the answer to publish lose nothing.
#[test]
fn input_waits_for_the_answer_to_a_request() {
    let mut pair = Pair::new(4);
    pair.client
        .publish(pair.now, "demo", PublishKind::Live)
        .unwrap();
    pair.run();
    let packet = pair
        .client
        .packet(MessageType::AUDIO, 5, &[0xaf], &Bytes::from_static(&[0]))
        .unwrap();
    for slice in packet.slices() {
        pair.send_up(slice);
    }
    pair.run();
    assert_eq!(pair.server_events.len(), 1);
    assert_eq!(pair.server.held_bytes(), packet.len());

    pair.server.accept(pair.now).unwrap();
    let (_, events) = drain_server(&mut pair.server);
    let audio = server::Event::Audio {
        timestamp: 5,
        payload: Bytes::from_static(&[0xaf, 0]),
    };
    assert_eq!(events, [audio]);
}

#[test]
fn received_bytes_are_acknowledged() {
    let mut pair = publishing(5);
    let body = Bytes::from(vec![1; 1_000_000]);
    let mut acknowledged = 0;
    for _ in 0..6 {
        let packet = pair
            .client
            .packet(MessageType::VIDEO, 0, &[0x27], &body)
            .unwrap();
        for slice in packet.slices() {
            pair.send_up(slice);
        }
        let (down, _) = drain_server(&mut pair.server);
        acknowledged += usize::from(!down.is_empty());
        pair.send_down(&down);
    }
    assert_eq!(acknowledged, 2);
}

#[test]
fn a_silent_player_is_pinged_and_then_given_up() {
    let mut pair = playing(6);
    let deadline = |pair: &mut Pair| match pair.server.poll_output() {
        Output::Timeout(Some(deadline)) => deadline - pair.now,
        other => panic!("{other:?}"),
    };
    assert_eq!(deadline(&mut pair), Duration::from_secs(20));
    pair.now += Duration::from_secs(20);
    pair.server.handle_timeout(pair.now).unwrap();
    // The client's answer counts as a sign of life.
    pair.run();
    assert_eq!(deadline(&mut pair), Duration::from_secs(20));

    pair.now += Duration::from_secs(20);
    pair.server.handle_timeout(pair.now).unwrap();
    let (ping, _) = drain_server(&mut pair.server);
    assert!(!ping.is_empty());
    assert_eq!(deadline(&mut pair), Duration::from_secs(40));
    pair.now += Duration::from_secs(40);
    let error = pair.server.handle_timeout(pair.now).unwrap_err();
    let text = "timed out waiting for any sign of life from the player";
    assert_eq!(error.to_string(), text);
}
