//! Our client with an independent server.

use crate::support::{connect, drain_client};
use bytes::Bytes;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ServerSession, ServerSessionConfig, ServerSessionEvent as PeerEvent,
    ServerSessionResult as PeerResult,
};
use rml_rtmp::time::RtmpTimestamp;
use rtmp::PublishKind;
use rtmp::chunk::MessageType;
use rtmp::client::{Config, Event, Session};
use std::time::Instant;

struct Wire {
    now: Instant,
    client: Session,
    peer: ServerSession,
    events: Vec<Event>,
    peer_events: Vec<PeerEvent>,
    /// The message stream that the peer plays on.
    playing: Option<u32>,
}

impl Wire {
    /// Runs a client that has been told what to do against a server that grants everything.
    fn new(start: impl FnOnce(&mut Session, Instant)) -> Self {
        let now = Instant::now();
        let mut client = Session::new(now, Config::default(), connect());
        start(&mut client, now);

        let mut handshake = Handshake::new(PeerType::Server);
        let mut down = handshake.generate_outbound_p0_and_p1().unwrap();
        let (mut up, _) = drain_client(&mut client);
        let remaining = loop {
            match handshake.process_bytes(&up).unwrap() {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    down.extend(response_bytes);
                }
                HandshakeProcessResult::Completed {
                    response_bytes,
                    remaining_bytes,
                } => {
                    down.extend(response_bytes);
                    client.handle_input(now, &down).unwrap();
                    break remaining_bytes;
                }
            }
            client
                .handle_input(now, &std::mem::take(&mut down))
                .unwrap();
            (up, _) = drain_client(&mut client);
        };
        let (peer, results) = ServerSession::new(ServerSessionConfig::new()).unwrap();
        let mut wire = Self {
            now,
            client,
            peer,
            events: Vec::new(),
            peer_events: Vec::new(),
            playing: None,
        };
        wire.take(results);
        wire.send(&remaining);
        wire
    }

    /// Passes on what the client sends, and the answers, until both are silent.
    fn send(&mut self, bytes: &[u8]) {
        let mut up = bytes.to_vec();
        loop {
            if !up.is_empty() {
                let results = self.peer.handle_input(&up).unwrap();
                self.take(results);
            }
            let (bytes, events) = drain_client(&mut self.client);
            self.events.extend(events);
            if bytes.is_empty() {
                return;
            }
            up = bytes;
        }
    }

    fn take(&mut self, results: Vec<PeerResult>) {
        for result in results {
            match result {
                PeerResult::OutboundResponse(packet) => {
                    self.client.handle_input(self.now, &packet.bytes).unwrap();
                }
                PeerResult::RaisedEvent(event) => {
                    let request = match &event {
                        PeerEvent::ConnectionRequested { request_id, .. }
                        | PeerEvent::PublishStreamRequested { request_id, .. }
                        | PeerEvent::ReleaseStreamRequested { request_id, .. } => Some(*request_id),
                        PeerEvent::PlayStreamRequested {
                            request_id,
                            stream_id,
                            ..
                        } => {
                            self.playing = Some(*stream_id);
                            Some(*request_id)
                        }
                        _ => None,
                    };
                    self.peer_events.push(event);
                    if let Some(request) = request {
                        let results = self.peer.accept_request(request).unwrap_or_default();
                        self.take(results);
                    }
                }
                PeerResult::UnhandleableMessageReceived(_) => {}
            }
        }
    }
}

#[test]
fn it_takes_what_we_publish() {
    let mut wire = Wire::new(|client, now| {
        client.publish(now, "demo", PublishKind::Live).unwrap();
    });
    assert_eq!(wire.events, [Event::Connected, Event::Publishing]);
    let requested = |event: &PeerEvent| {
        matches!(event, PeerEvent::PublishStreamRequested { app_name, stream_key, .. }
            if app_name == "LiveApp" && stream_key == "demo")
    };
    assert!(wire.peer_events.iter().any(requested));
    wire.peer_events.clear();

    let values = vec![
        "onMetaData".into(),
        rtmp::amf0::Value::object([("width", 1_280.0.into())]),
    ];
    wire.client.set_data_frame(values).unwrap();
    wire.send(&[]);
    assert!(
        matches!(&wire.peer_events[..], [PeerEvent::StreamMetadataChanged { metadata, .. }]
            if metadata.video_width == Some(1_280)),
        "{:?}",
        wire.peer_events
    );
    for (timestamp, length) in [(0, 10), (0xff_ffff, 70_000), (u32::MAX, 200_000)] {
        wire.peer_events.clear();
        let payload = Bytes::from(vec![1; length]);
        let prefix = [0x27, 1, 0, 0, 0];
        let packet = wire
            .client
            .packet(MessageType::VIDEO, timestamp, &prefix, &payload)
            .unwrap();
        wire.send(&packet.slices().concat());
        assert!(
            matches!(&wire.peer_events[..], [PeerEvent::VideoDataReceived { data, timestamp: time, .. }]
                if *data == [&prefix[..], &payload].concat() && time.value == timestamp)
        );
    }

    wire.peer_events.clear();
    wire.client.stop();
    wire.send(&[]);
    assert!(matches!(
        &wire.peer_events[..],
        [.., PeerEvent::PublishStreamFinished { .. }]
    ));
}

#[test]
fn it_sends_what_we_play() {
    let mut wire = Wire::new(|client, now| client.play(now, "demo").unwrap());
    assert_eq!(wire.events[..2], [Event::Connected, Event::Playing]);
    let stream = wire.playing.unwrap();
    for timestamp in [0, 40, 80, 0xff_ffff, 0x100_0010, u32::MAX] {
        wire.events.clear();
        let payload = Bytes::from(vec![5; 9_000]);
        let time = RtmpTimestamp::new(timestamp);
        let packet = wire
            .peer
            .send_video_data(stream, payload.clone(), time, false)
            .unwrap();
        wire.client.handle_input(wire.now, &packet.bytes).unwrap();
        wire.send(&[]);
        assert_eq!(wire.events, [Event::Video { timestamp, payload }]);
    }
    let packet = wire.peer.finish_playing(stream).unwrap();
    wire.events.clear();
    wire.client.handle_input(wire.now, &packet.bytes).unwrap();
    wire.send(&[]);
    assert!(matches!(wire.events[..], [Event::Closed { .. }]));
}
