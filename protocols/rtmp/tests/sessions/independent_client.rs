//! Our server with an independent client.

use crate::support::drain_server;
use bytes::Bytes;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent as PeerEvent,
    ClientSessionResult as PeerResult, PublishRequestType, StreamMetadata,
};
use rml_rtmp::time::RtmpTimestamp;
use rtmp::chunk::{ChunkStreamId, Header, MessageType, packet};
use rtmp::server::{Config, Event, MESSAGE_STREAM, PLAY_CHUNK_SIZE, Refusal, Session};
use std::time::Instant;

struct Wire {
    now: Instant,
    server: Session,
    peer: ClientSession,
    events: Vec<Event>,
    peer_events: Vec<PeerEvent>,
}

impl Wire {
    /// Both ends after the handshake and connect.
    fn connected() -> Self {
        let now = Instant::now();
        let mut server = Session::new(now, Config::default());
        let mut handshake = Handshake::new(PeerType::Client);
        let first = handshake.generate_outbound_p0_and_p1().unwrap();
        server.handle_input(now, &first).unwrap();
        let (answer, _) = drain_server(&mut server);
        let HandshakeProcessResult::Completed { response_bytes, .. } =
            handshake.process_bytes(&answer).unwrap()
        else {
            panic!("handshake not completed");
        };
        server.handle_input(now, &response_bytes).unwrap();

        let (peer, results) = ClientSession::new(ClientSessionConfig::new()).unwrap();
        let mut wire = Self {
            now,
            server,
            peer,
            events: Vec::new(),
            peer_events: Vec::new(),
        };
        wire.send(results);
        let connect = wire.peer.request_connection("LiveApp".to_owned()).unwrap();
        wire.send(vec![connect]);
        let accepted = PeerEvent::ConnectionRequestAccepted;
        assert!(
            wire.peer_events.contains(&accepted),
            "{:?}",
            wire.peer_events
        );
        wire.peer_events.clear();
        wire
    }

    /// Passes on what the peer sends, and the answers, until both are silent.
    fn send(&mut self, mut results: Vec<PeerResult>) {
        while !results.is_empty() {
            for result in results.drain(..) {
                match result {
                    PeerResult::OutboundResponse(packet) => {
                        self.server.handle_input(self.now, &packet.bytes).unwrap();
                    }
                    PeerResult::RaisedEvent(event) => self.peer_events.push(event),
                    PeerResult::UnhandleableMessageReceived(_) => {}
                }
            }
            let (bytes, events) = drain_server(&mut self.server);
            self.events.extend(events);
            results = self.peer.handle_input(&bytes).unwrap();
        }
    }

    fn answer(&mut self) {
        self.send(vec![]);
        let (bytes, events) = drain_server(&mut self.server);
        self.events.extend(events);
        let results = self.peer.handle_input(&bytes).unwrap();
        self.send(results);
    }
}

#[test]
fn it_publishes() {
    let mut wire = Wire::connected();
    let request = wire
        .peer
        .request_publishing("demo".to_owned(), PublishRequestType::Live)
        .unwrap();
    wire.send(vec![request]);
    assert!(matches!(&wire.events[..], [Event::Publish(request, _)]
        if request.key == "demo" && request.connect.app == "LiveApp"));
    wire.events.clear();
    wire.server.accept(wire.now).unwrap();
    wire.answer();
    let accepted = PeerEvent::PublishRequestAccepted;
    assert!(
        wire.peer_events.contains(&accepted),
        "{:?}",
        wire.peer_events
    );

    let mut metadata = StreamMetadata::new();
    metadata.video_width = Some(1_280);
    let mut results = vec![wire.peer.publish_metadata(&metadata).unwrap()];
    let mut expected = Vec::new();
    // Growing and equal lengths, small and equal steps: all header types.
    for (index, timestamp) in [0, 40, 80, 120, 0xff_ffff, 0x100_0010, 0x100_0020]
        .into_iter()
        .enumerate()
    {
        let time = RtmpTimestamp::new(timestamp);
        let payload = Bytes::from(vec![index as u8; 5_000]);
        let video = wire.peer.publish_video_data(payload.clone(), time, true);
        results.push(video.unwrap());
        expected.push(Event::Video { timestamp, payload });
        let payload = Bytes::from(vec![index as u8; 10 + index / 3]);
        let audio = wire.peer.publish_audio_data(payload.clone(), time, true);
        results.push(audio.unwrap());
        expected.push(Event::Audio { timestamp, payload });
    }
    wire.send(results);
    let (data, media) = wire.events.split_first().unwrap();
    assert!(matches!(data, Event::Data { values, .. }
        if values[0].as_str() == Some("onMetaData") && values.len() == 2));
    assert_eq!(media, expected);

    wire.events.clear();
    let results = wire.peer.stop_publishing().unwrap();
    wire.send(results);
    assert_eq!(wire.events, [Event::Stop]);
}

#[test]
fn it_plays() {
    let mut wire = Wire::connected();
    let request = wire.peer.request_playback("demo".to_owned()).unwrap();
    wire.send(vec![request]);
    assert!(matches!(wire.events.last(), Some(Event::Play(request)) if request.key == "demo"));
    wire.server.accept(wire.now).unwrap();
    wire.answer();
    let accepted = PeerEvent::PlaybackRequestAccepted;
    assert!(
        wire.peer_events.contains(&accepted),
        "{:?}",
        wire.peer_events
    );
    wire.peer_events.clear();

    for (timestamp, length) in [(0, 10), (0xff_fffe, 70_000), (0xffff_ffff, 200_000)] {
        let header = Header {
            chunk_stream: ChunkStreamId::VIDEO,
            timestamp,
            message_type: MessageType::VIDEO,
            message_stream: MESSAGE_STREAM,
        };
        let payload = Bytes::from(vec![1; length]);
        let prefix = [0x27, 1, 0, 0, 0];
        let packet = packet(&header, &prefix, &payload, PLAY_CHUNK_SIZE as usize).unwrap();
        let results = wire.peer.handle_input(&packet.slices().concat()).unwrap();
        wire.send(results);
        let received = PeerEvent::VideoDataReceived {
            timestamp: RtmpTimestamp::new(timestamp),
            data: [&prefix[..], &payload].concat().into(),
        };
        assert_eq!(wire.peer_events, [received]);
        wire.peer_events.clear();
    }
}

#[test]
fn it_is_refused() {
    let mut wire = Wire::connected();
    let request = wire.peer.request_playback("none".to_owned()).unwrap();
    wire.send(vec![request]);
    wire.server
        .refuse(wire.now, Refusal::NotFound, "No such stream.")
        .unwrap();
    wire.answer();
    let code = "NetStream.Play.StreamNotFound".to_owned();
    let refused = PeerEvent::UnhandleableOnStatusCode { code };
    assert!(
        wire.peer_events.contains(&refused),
        "{:?}",
        wire.peer_events
    );
}
