//! Who may publish and play, by every way to say who one is.

use super::*;
use crate::auth::{Origin, Proof, StreamToken, Subscriber};
use crate::hub::{Hub, Settings, StreamName, Viewer};
use axum::http::HeaderValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const INSIDE: &str = "10.0.0.1:1";
const OUTSIDE: &str = "192.0.2.1:1";

#[derive(Debug)]
struct Knows(&'static str);

impl Proof for Knows {
    fn proves(&self, user: &str, password: &str) -> bool {
        self.0 == format!("{user}:{password}")
    }
}

/// What somebody says, in one of the ways of the protocols.
#[derive(Clone, Debug)]
enum Says {
    Nothing,
    Query(String),
    Header(String),
    Proves(&'static str),
}

fn login(text: &str) -> Login {
    Login::try_from(text.to_owned()).unwrap()
}

async fn said(auth: &Auth, action: Action<'_>, from: &str, says: &Says) -> Result<(), Denied> {
    let mut headers = HeaderMap::new();
    let (mut query, mut proof) = (None, None);
    match says {
        Says::Nothing => {}
        Says::Query(text) => query = Some(text.as_str()),
        Says::Header(text) => {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(text).unwrap());
        }
        Says::Proves(login) => proof = Some(Knows(login)),
    }
    let caller = Caller {
        protocol: "rtsp",
        address: from.parse().unwrap(),
        headers: Some(&headers),
        query,
        proof: proof.as_ref().map(|proof| proof as &dyn Proof),
    };
    auth.check(action, caller).await.map(drop)
}

fn with_rules(settings: Value) -> Auth {
    let auth = Auth::default();
    auth.set_rules("LiveApp", rules::Rules::read(settings).unwrap());
    auth
}

#[tokio::test]
async fn logins_by_right_and_by_the_way_they_are_said() {
    let open = Auth::default();
    let closed = Auth::default().with_logins(vec![login("joe:a:b")], vec![login("jim:c")]);
    let query = |text: &str| Says::Query(text.to_owned());
    let header = |text: &str| Says::Header(text.to_owned());
    for (says, publishes, plays) in [
        (Says::Nothing, false, false),
        (query("x=1&user=joe&pass=a%3Ab"), true, false),
        (query("user=joe&pass=a"), false, false),
        (query("user=joe"), false, false),
        (query("pass=c"), false, false),
        (query("user=jim&pass=c"), false, true),
        (query("user=&pass="), false, false),
        (header("Basic amltOmM="), false, true),
        (header("basic amltOmM="), false, true),
        (header("Basic amltOmM"), false, false),
        (header("Basic am9lOmE6Yg=="), true, false),
        (header("Bearer jim:c"), false, true),
        (header("Bearer joe:a:b"), true, false),
        (header("Bearer jim"), false, false),
        (header("Digest jim:c"), false, false),
        (Says::Proves("joe:a:b"), true, false),
        (Says::Proves("jim:c"), false, true),
        (Says::Proves("jim:d"), false, false),
    ] {
        for (action, may) in [
            (Action::Publish("a", "s"), publishes),
            (Action::Play("a", "s"), plays),
        ] {
            let expected = if may { Ok(()) } else { Err(Denied::Login) };
            assert_eq!(said(&open, action, OUTSIDE, &says).await, Ok(()));
            let answer = said(&closed, action, OUTSIDE, &says).await;
            assert_eq!(answer, expected, "{action:?} {says:?}");
        }
    }
}

/// Every right by every kind of token, given as a query and as a header.
#[tokio::test]
async fn the_matrix_of_tokens() {
    let auth = with_rules(json!({
        "publishJwtControlEnabled": true, "playJwtControlEnabled": true, "jwtStreamSecretKey": KEY,
    }));
    let once = with_rules(json!({
        "publishTokenControlEnabled": true, "playTokenControlEnabled": true,
    }));
    let rules = auth.rules("LiveApp");
    let later = rules::now() + 600;
    let signed = |id, kind, expires| rules.sign(id, kind, expires).unwrap();
    let mut tokens = BTreeMap::new();
    for kind in ["publish", "play"] {
        for stream in ["LiveApp/cam", "LiveApp/door"] {
            for (age, expires) in [("good", later), ("expired", rules::now())] {
                let token = StreamToken {
                    stream: stream.to_owned(),
                    kind: kind.to_owned(),
                    expires,
                    room: None,
                };
                let now = rules::now() - 10;
                let made = once.stream_tokens().create(token, now).await.unwrap();
                tokens.insert((kind, stream, age), made);
            }
        }
    }
    let one_time = |kind, stream, age| tokens[&(kind, stream, age)].clone();
    let none = "eyJhbGciOiJub25lIn0.eyJzdHJlYW1JZCI6ImNhbSIsInR5cGUiOiJwbGF5In0.";
    for (kind, other) in [("publish", "play"), ("play", "publish")] {
        let action = match kind {
            "publish" => Action::Publish("LiveApp", "cam"),
            _ => Action::Play("LiveApp", "cam"),
        };
        let good_jwt = signed("cam", kind, later);
        let good_once = one_time(kind, "LiveApp/cam", "good");
        for (auth, token, expected) in [
            (&auth, "", Err(Denied::StreamJwt)),
            (&auth, "wrong", Err(Denied::StreamJwt)),
            (&auth, none, Err(Denied::StreamJwt)),
            (&auth, &good_once, Err(Denied::StreamJwt)),
            (&auth, &signed("cam", other, later), Err(Denied::StreamJwt)),
            (&auth, &signed("door", kind, later), Err(Denied::StreamJwt)),
            (
                &auth,
                &signed("cam", kind, rules::now()),
                Err(Denied::StreamJwt),
            ),
            (&auth, &good_jwt, Ok(())),
            (&once, "", Err(Denied::StreamToken)),
            (&once, "wrong", Err(Denied::StreamToken)),
            (&once, &good_jwt, Err(Denied::StreamToken)),
            (
                &once,
                &one_time(other, "LiveApp/cam", "good"),
                Err(Denied::StreamToken),
            ),
            (
                &once,
                &one_time(kind, "LiveApp/door", "good"),
                Err(Denied::StreamToken),
            ),
            (
                &once,
                &one_time(kind, "LiveApp/cam", "expired"),
                Err(Denied::StreamToken),
            ),
            (&once, &good_once, Ok(())),
        ] {
            let mut ways = vec![Says::Query(format!("a=b&token={token}"))];
            if !token.is_empty() {
                ways.push(Says::Header(format!("Bearer {token}")));
                ways.push(Says::Header(token.to_owned()));
            }
            for says in ways {
                let answer = said(auth, action, OUTSIDE, &says).await;
                assert_eq!(answer, expected, "{kind} {says:?}");
            }
        }
        // A one-time token has been used from there.
        let says = Says::Query(format!("token={good_once}"));
        let answer = said(&once, action, INSIDE, &says).await;
        assert_eq!(answer, Err(Denied::StreamToken));
    }
    // Another application asks for nothing.
    let other = said(&auth, Action::Play("live", "cam"), OUTSIDE, &Says::Nothing).await;
    assert_eq!(other, Ok(()));
}

#[tokio::test]
async fn codes_that_change_with_time() {
    let auth = with_rules(json!({
        "enableTimeTokenForPlay": true, "enableTimeTokenForPublish": true,
        "timeTokenSecretForPlay": "of players",
    }));
    for (id, kind) in [("viewer", "play"), ("author", "publish")] {
        let subscriber = Subscriber {
            stream: "LiveApp/cam".to_owned(),
            id: id.to_owned(),
            name: None,
            kind: kind.to_owned(),
            secret: Some("GEZDGNBVGY3TQOJQ".to_owned()),
            period: Some(10_000),
            blocked: String::new(),
            blocked_until: 0,
        };
        auth.subscribers().put(subscriber).await.unwrap();
    }
    let cam = StreamName::new("LiveApp", "cam").unwrap();
    let of_app = auth.rules("LiveApp").time_tokens();
    let code = |id, kind| {
        let subscribers = auth.subscribers();
        subscribers.code(&cam, id, (kind, &of_app), rules::now())
    };
    let (own, derived) = (
        code("viewer", "play").unwrap(),
        code("guest", "play").unwrap(),
    );
    for (id, code, publishes, plays) in [
        ("viewer", own.as_str(), false, true),
        ("author", &own, true, true),
        ("guest", &derived, false, true),
        ("viewer", "000000", false, false),
        ("", &own, false, false),
        ("viewer", "", false, false),
    ] {
        let query = format!("subscriberId={id}&subscriberCode={code}");
        for (action, may) in [
            (Action::Publish("LiveApp", "cam"), publishes),
            (Action::Play("LiveApp", "cam"), plays),
        ] {
            let expected = if may { Ok(()) } else { Err(Denied::Code) };
            // Each from another place, so that nobody is slowed.
            let from = format!("10.{}.{}.1:1", id.len(), code.len());
            let answer = said(&auth, action, &from, &Says::Query(query.clone())).await;
            assert_eq!(answer, expected, "{action:?} {query}");
        }
    }
}

#[tokio::test]
async fn networks_by_right_application_and_stream() {
    let networks = |texts: &[&str]| -> Vec<Cidr> {
        let parsed = texts.iter().map(|text| text.parse().unwrap());
        parsed.collect()
    };
    let auth = Auth::default();
    auth.known.set(config::Auth {
        publish_networks: networks(&["10.0.0.0/8"]),
        players: vec![login("jim:c")],
        rights: BTreeMap::from([
            (
                "live".to_owned(),
                Rights {
                    publish_networks: Some(Vec::new()),
                    play_networks: Some(networks(&["10.0.0.0/8"])),
                    players: Some(Vec::new()),
                    ..Rights::default()
                },
            ),
            (
                "live/door".to_owned(),
                Rights {
                    play_networks: Some(networks(&["192.0.2.0/24"])),
                    publishers: Some(vec![login("joe:a")]),
                    ..Rights::default()
                },
            ),
        ]),
        ..config::Auth::default()
    });
    auth.set_rules(
        "LiveApp",
        rules::Rules::read(json!({ "allowedPlayerCIDR": "10.0.0.0/8, 127.0.0.1" })).unwrap(),
    );
    let jim = Says::Query("user=jim&pass=c".to_owned());
    let joe = Says::Query("user=joe&pass=a".to_owned());
    let nobody = Says::Nothing;
    let (network, login) = (Err(Denied::Network), Err(Denied::Login));
    let publish = |app, id| Action::Publish(app, id);
    let play = |app, id| Action::Play(app, id);
    for (action, says, inside, outside) in [
        (publish("LiveApp", "cam"), &nobody, Ok(()), network),
        // Where somebody is counts whoever they are.
        (publish("LiveApp", "cam"), &jim, Ok(()), network),
        (play("LiveApp", "cam"), &nobody, login, network),
        (play("LiveApp", "cam"), &jim, Ok(()), network),
        (publish("live", "cam"), &nobody, Ok(()), Ok(())),
        (play("live", "cam"), &nobody, Ok(()), network),
        (play("live", "door"), &nobody, network, Ok(())),
        (publish("live", "door"), &nobody, login, login),
        (publish("live", "door"), &joe, Ok(()), Ok(())),
        (publish("live", "door2"), &nobody, Ok(()), Ok(())),
    ] {
        for (from, expected) in [(INSIDE, inside), (OUTSIDE, outside)] {
            let answer = said(&auth, action, from, says).await;
            assert_eq!(answer, expected, "{action:?} {from} {says:?}");
        }
        let mapped = auth.admits(action, "::ffff:10.0.0.1".parse().unwrap());
        assert_eq!(mapped.is_ok(), inside != network, "{action:?}");
    }
}

#[tokio::test]
async fn who_cannot_be_asked_about_is_not_let_in() {
    let auth = Auth::default().with_logins(Vec::new(), vec![login("jim:c")]);
    let mut known = (*auth.known.get()).clone();
    known.webhook.url = Some("http://127.0.0.1:1/".into());
    known.webhook.actions = vec![AskedAction::Play];
    auth.known.set(known);
    let (publish, play) = (Action::Publish("a", "s"), Action::Play("a", "s"));
    assert!(auth.asks_for_password(play) && !auth.asks_for_password(publish));
    let nobody = said(&auth, play, OUTSIDE, &Says::Nothing).await;
    assert_eq!(nobody, Err(Denied::Unanswered));
    // About a login of the configuration nobody is asked, and about publishing neither.
    let jim = Says::Query("user=jim&pass=c".to_owned());
    assert_eq!(said(&auth, play, OUTSIDE, &jim).await, Ok(()));
    assert_eq!(said(&auth, publish, OUTSIDE, &Says::Nothing).await, Ok(()));
}

#[test]
fn what_somebody_says_becomes_the_question() {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_static("vlc"));
    headers.insert(
        header::AUTHORIZATION,
        HeaderValue::from_static("Bearer a.b.c"),
    );
    let caller = Caller {
        protocol: "hls",
        address: "[::ffff:192.0.2.7]:9".parse().unwrap(),
        headers: Some(&headers),
        query: Some("user=joe&pass=a%20b&_HLS_msn=7&x=1"),
        proof: None,
    };
    let given = Given::of(caller);
    let asked = Asked::new(Action::Play("LiveApp", "cam"), caller, &given);
    let question = serde_json::to_value(asked.question()).unwrap();
    let expected = json!({
        "user": "joe", "password": "a b", "token": "a.b.c", "ip": "192.0.2.7", "action": "read",
        "path": "LiveApp/cam", "protocol": "hls", "query": "user=joe&pass=a%20b&x=1", "userAgent": "vlc",
    });
    assert_eq!(question, expected);
    // A login in the header is no token besides.
    let basic = HeaderValue::from_static("Basic amltOmM=");
    let basic = HeaderMap::from_iter([(header::AUTHORIZATION, basic)]);
    let caller = Caller {
        headers: Some(&basic),
        query: None,
        ..caller
    };
    let given = Given::of(caller);
    assert_eq!(given.login, Some(("jim".to_owned(), "c".to_owned())));
    assert_eq!(given.token, None);
}

#[test]
fn a_value_in_a_query() {
    for (query, token) in [
        ("token=a.b-c_d", Some("a.b-c_d")),
        ("x=1&token=a%2Bb&y", Some("a+b")),
        ("tokens=a&token", None),
        ("", None),
    ] {
        let expected = token.map(|token| token.as_bytes().to_vec());
        assert_eq!(value(query, "token"), expected, "{query}");
    }
}

/// Somebody who is let in, and stays.
async fn enters(auth: &Auth, query: Option<&str>, cookie: Option<&str>) -> Viewer {
    let mut headers = HeaderMap::new();
    headers.extend(cookie.map(|cookie| (header::COOKIE, HeaderValue::from_str(cookie).unwrap())));
    let caller = Caller {
        protocol: "hls",
        address: OUTSIDE.parse().unwrap(),
        headers: Some(&headers),
        query,
        proof: None,
    };
    let pass = auth.check(Action::Play("LiveApp", "cam"), caller).await;
    let hub = Hub::new(Settings::default());
    let name = StreamName::new("LiveApp", "cam").unwrap();
    let origin = crate::hub::tests::origin();
    let publisher = hub.publish(&name, &origin).unwrap();
    Viewer::new(publisher.stream().clone(), "hls").by(pass.unwrap())
}

fn subscriber(id: &str) -> Subscriber {
    Subscriber {
        stream: "LiveApp/cam".to_owned(),
        id: id.to_owned(),
        name: None,
        kind: "play".to_owned(),
        secret: None,
        period: None,
        blocked: String::new(),
        blocked_until: 0,
    }
}

#[tokio::test]
async fn who_is_blocked_or_forgotten_has_to_go_and_no_other() {
    let auth = Auth::default();
    for id in ["one", "two"] {
        auth.subscribers().put(subscriber(id)).await.unwrap();
    }
    let of = |id| auth.connections_of("LiveApp/cam", id);
    let [one, two, guest] = ["subscriberId=one", "subscriberId=two", "subscriberId=guest"];
    let (one, two) = (
        enters(&auth, Some(one), None).await,
        enters(&auth, Some(two), None).await,
    );
    // Who made a name up is let in where no code is asked for, but nothing is kept of that.
    let guest = enters(&auth, Some(guest), None).await;
    assert_eq!((of("one"), of("two"), of("guest")), (1, 1, 0));
    let block = |id, blocked: &str| Subscriber {
        blocked: blocked.to_owned(),
        blocked_until: (rules::now() + 600) * 1_000,
        ..subscriber(id)
    };
    // From publishing: who plays stays.
    auth.subscribers()
        .put(block("one", "publish"))
        .await
        .unwrap();
    auth.review_subscribers("LiveApp/cam");
    assert!(!one.is_withdrawn());
    for id in ["one", "guest"] {
        auth.subscribers()
            .put(block(id, "publish_play"))
            .await
            .unwrap();
    }
    auth.review_subscribers("LiveApp/cam");
    assert!(one.is_withdrawn() && guest.is_withdrawn() && !two.is_withdrawn());
    let says = Says::Query("subscriberId=one".to_owned());
    let again = said(&auth, Action::Play("LiveApp", "cam"), OUTSIDE, &says).await;
    assert_eq!(again, Err(Denied::Code));
    let name = StreamName::new("LiveApp", "cam").unwrap();
    auth.subscribers().forget(&name, Some("two")).await.unwrap();
    auth.review_subscribers("LiveApp/cam");
    assert!(two.is_withdrawn());
    drop((one, two, guest));
    let events = auth.connection_events(&name, None, (0, 9));
    let events: Vec<_> = events
        .iter()
        .map(|(id, event)| (&**id, event.has_come))
        .collect();
    let expected = [("one", true), ("two", true), ("one", false), ("two", false)];
    assert_eq!(events, expected);
    assert_eq!(of("one"), 0);
}

#[tokio::test]
async fn tokens_that_are_forgotten_and_sessions_that_end_take_theirs_along() {
    let auth = with_rules(json!({ "playTokenControlEnabled": true }));
    let name = StreamName::new("LiveApp", "cam").unwrap();
    let token = StreamToken {
        stream: name.to_string(),
        kind: "play".to_owned(),
        expires: rules::now() + 600,
        room: None,
    };
    let token = auth
        .stream_tokens()
        .create(token, rules::now())
        .await
        .unwrap();
    let by_token = enters(&auth, Some(&format!("token={token}")), None).await;
    let made = auth
        .accounts()
        .create("joe", "correct horse".into(), Role::Viewer)
        .await;
    made.unwrap();
    let from = Origin {
        address: OUTSIDE.parse().unwrap(),
        secure: false,
    };
    let nobody = HeaderMap::new();
    let signed_in = auth
        .sign_in("joe", "correct horse".into(), from, &nobody)
        .await;
    let cookie = signed_in.unwrap().cookie.unwrap();
    let cookie = cookie
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let by_session = enters(&auth, None, Some(&cookie)).await;
    auth.stream_tokens().forget(&name).await.unwrap();
    auth.tokens_forgotten(&name);
    assert!(by_token.is_withdrawn() && !by_session.is_withdrawn());
    auth.delete_account("joe").await.unwrap();
    assert!(by_session.is_withdrawn());
}
