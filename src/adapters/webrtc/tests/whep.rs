//! Requests and their answers.

use super::*;
use crate::adapters::webrtc::WebRtc;
use crate::adapters::{Context, Muxers, Protocol, ServiceRequest};
use crate::auth::Auth;
use crate::config::{Network, Overrides, Segments, load};
use crate::hub::{Applications, Unavailable};
use crate::net::policy::Policy;
use crate::net::shard::Shards;
use crate::net::tls::Connector;
use axum::body::Body;
use axum::http::{HeaderName, Response, StatusCode, header};

/// A server of two sessions at most, over that hub.
fn server(hub: &Hub) -> (Arc<WebRtc>, Arc<Context>) {
    let context = Arc::new(Context {
        hub: hub.clone(),
        auth: Auth::new(Vec::new()),
        applications: Applications::standard(),
        shards: Shards::start(2).unwrap(),
        policy: Policy::new(Network::default()),
        certificate: crate::net::tls::tests::certificate(),
        proofs: crate::net::acme::Proofs::default(),
        connector: Connector::new(None).unwrap(),
        bridges: Bridges::new(Handle::current(), hub.clone()),
        muxers: Muxers::new(&Segments::default()),
        protocols: Vec::new(),
    });
    let overrides = Overrides {
        set: vec![
            "webrtc.listen=127.0.0.1:0".to_owned(),
            "webrtc.max_sessions=2".to_owned(),
        ],
        ..Overrides::default()
    };
    let config = load(None, &overrides, &["webrtc"]).unwrap();
    let adapter = Arc::new(WebRtc::new(&config).unwrap());
    adapter.open(context.clone()).unwrap();
    (adapter, context)
}

struct Client {
    adapter: Arc<WebRtc>,
    context: Arc<Context>,
}

impl Client {
    fn of(hub: &Hub) -> Self {
        let (adapter, context) = server(hub);
        Self { adapter, context }
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Response<Body>, Unavailable> {
        let headers = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        let request = ServiceRequest {
            method: method.parse().unwrap(),
            app: "LiveApp".to_owned(),
            service: "whep",
            path: path.to_owned(),
            query: None,
            headers: headers.collect(),
            peer: ([127, 0, 0, 1], 1).into(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        self.adapter.clone().serve(&self.context, request).await
    }

    async fn status(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> u16 {
        let answer = self.ask(method, path, headers, body).await;
        answer.unwrap().status().as_u16()
    }

    /// The status of an offer for a stream.
    async fn offer(&self, path: &str) -> Result<u16, Unavailable> {
        let answer = self.ask("POST", path, SDP, OFFER).await;
        answer.map(|answer| answer.status().as_u16())
    }
}

const SDP: &[(&str, &str)] = &[("content-type", "application/sdp; charset=utf-8")];
const FRAGMENT: (&str, &str) = ("content-type", "application/trickle-ice-sdpfrag");

/// A peer that begins ICE anew.
const RESTART: &str = "a=group:BUNDLE 0 1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n\
    a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n";

#[tokio::test]
async fn a_session_is_made_told_of_and_deleted() {
    let (hub, publisher) = publisher(&[pictures(), sound(2)]);
    publisher.push(picture(0, 0, true)).unwrap();
    let client = Client::of(&hub);
    let made = client.ask("POST", "cam", SDP, OFFER).await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let header = |name: HeaderName| made.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header(header::CONTENT_TYPE), "application/sdp");
    let location = header(header::LOCATION);
    let path = location.strip_prefix("/LiveApp/whep/").unwrap();
    let tag = header(header::ETAG);
    let candidate = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
    let tag = ("if-match", tag.as_str());
    for (method, headers, body, status) in [
        ("GET", &[][..], "", 204),
        ("HEAD", &[], "", 204),
        ("PUT", &[], "", 405),
        ("PATCH", &[FRAGMENT, tag], candidate, 204),
        ("PATCH", &[FRAGMENT], candidate, 204),
        (
            "PATCH",
            &[FRAGMENT, ("if-match", "\"x\", \"y\"")],
            candidate,
            412,
        ),
        ("PATCH", &[FRAGMENT, ("if-match", "*")], candidate, 422),
        ("PATCH", &[FRAGMENT, ("if-match", "*")], RESTART, 200),
        ("PATCH", &[FRAGMENT, tag], candidate, 412),
        ("PATCH", &[FRAGMENT, tag], "candidate", 400),
        ("PATCH", SDP, "v=0", 415),
        ("PATCH", &[], "", 415),
        // An entity tag says nothing here.
        ("DELETE", &[("if-match", "\"x\"")], "", 200),
    ] {
        let answer = client.status(method, path, headers, body).await;
        assert_eq!(answer, status, "{method} {headers:?} {body:?}");
    }
    for method in ["GET", "PATCH", "DELETE"] {
        let answer = client.status(method, path, &[FRAGMENT], "").await;
        assert_eq!(answer, 404, "{method}");
    }
    // The shard has it now.
    let begun = Instant::now();
    while publisher.stream().viewers().total() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_has_a_status() {
    let (hub, publisher) = publisher(&[pictures(), sound(2)]);
    publisher.push(picture(0, 0, true)).unwrap();
    let client = Client::of(&hub);
    let long = format!("{OFFER}{}", "a=x\r\n".repeat(40_000));
    let foreign = OFFER.replace("H264/90000", "H266/90000");
    let foreign = foreign.replace("opus/48000", "other/48000");
    for (method, path, headers, body, status) in [
        ("POST", "cam", SDP, "", 400),
        ("POST", "cam", SDP, "v=0", 400),
        ("POST", "cam", SDP, &long, 413),
        ("POST", "cam", SDP, &foreign, 406),
        ("POST", "cam", &[], OFFER, 415),
        ("POST", "cam", &[FRAGMENT], OFFER, 415),
        ("POST", "a..b", SDP, OFFER, 404),
        ("PUT", "cam", SDP, OFFER, 405),
        ("GET", "cam", &[], "", 200),
        ("HEAD", "cam", &[], "", 200),
    ] {
        let answer = client.status(method, path, headers, body).await;
        assert_eq!(answer, status, "{method} {path} {headers:?}");
    }
    let nobody = client.offer("nobody").await;
    assert!(matches!(nobody, Err(Unavailable::NotLive(name)) if name.id() == "nobody"));
    assert_eq!(
        publisher.stream().viewers().total(),
        0,
        "nothing is left of them"
    );
}

#[tokio::test]
async fn there_are_no_more_sessions_than_may_be() {
    let (hub, publisher) = publisher(&[pictures(), sound(2)]);
    publisher.push(picture(0, 0, true)).unwrap();
    let client = Client::of(&hub);
    assert_eq!(client.offer("cam").await, Ok(201));
    assert_eq!(client.offer("cam").await, Ok(201));
    let refused = client.ask("POST", "cam", SDP, OFFER).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(publisher.stream().viewers().total(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_does_not_become_ready_is_waited_for() {
    let (hub, publisher) = publisher(&[pictures()]);
    let client = Client::of(&hub);
    let starting = client.offer("cam").await;
    assert!(matches!(starting, Err(Unavailable::Starting(_))));
    // One that ends meanwhile is not live.
    let (answer, ()) = tokio::join!(client.offer("cam"), async { publisher.finish() });
    assert!(answer.is_err());
}

#[tokio::test]
async fn what_browsers_cannot_play_so_is_left_to_other_players() {
    let (hub, publisher) = publisher(&[pictures(), g722()]);
    publisher.push(picture(0, 0, true)).unwrap();
    assert_eq!(Client::of(&hub).offer("cam").await, Ok(406));
}
