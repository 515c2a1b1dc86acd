//! Signed tokens, checked with what the application's settings say: its shared keys, or a set of keys of somebody else.

use super::jwt::{Algorithm, Claims, Token};
use super::rules::{Rest, Rules, now};
use super::{Action, Auth, Denied};
use std::net::IpAddr;

impl Auth {
    /// What an application makes of a caller of its REST API.
    pub(super) async fn rest(
        &self,
        rules: &Rules,
        address: IpAddr,
        token: Option<&[u8]>,
    ) -> Result<Rest, Denied> {
        if !rules.admits_calls(address) {
            return Err(Denied::Network);
        }
        let Some(key) = rules.rest_key() else {
            return Ok(Rest::AsElsewhere);
        };
        let claims = self.claims(rules, key, token).await;
        Ok(claims.map_or(Rest::NotByPlace, |_| Rest::Signed))
    }

    /// Whether this is a signed token for that.
    pub(super) async fn is_signed(
        &self,
        rules: &Rules,
        action: Action<'_>,
        token: Option<&[u8]>,
    ) -> bool {
        let (_, id, kind) = action.parts();
        let claims = self.claims(rules, rules.stream_key(), token).await;
        claims.is_some_and(|claims| {
            claims.stream_id.as_deref() == Some(id) && claims.kind.as_deref() == Some(kind)
        })
    }

    /// What a token says that is good now.
    async fn claims(&self, rules: &Rules, key: &[u8], token: Option<&[u8]>) -> Option<Claims> {
        let token = Token::parse(token?)?;
        let now = now();
        let claims = match token.algorithm {
            Algorithm::Hs256 => token.by_key(key, now)?,
            Algorithm::Rs256 | Algorithm::Es256 => {
                let url = rules.key_set()?;
                let sets = &self.key_sets;
                let keys = sets.for_token(url, &token, self.outward.as_ref()).await?;
                token.by_set(&keys, now)?
            }
        };
        rules.accepts(&claims).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::super::jwks::tests::Signer;
    use super::super::jwt;
    use super::*;
    use crate::auth::Outward;
    use crate::config::Network;
    use crate::net::policy::Policy;
    use crate::net::tls::Connector;
    use serde_json::{Value, json};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn rules(settings: Value) -> Rules {
        Rules::read(settings).unwrap()
    }

    #[tokio::test]
    async fn who_may_call_the_rest_api_of_an_application() {
        let auth = Auth::default();
        let here = at("192.0.2.1");
        let none = Rules::default();
        assert_eq!(auth.rest(&none, here, None).await, Ok(Rest::AsElsewhere));
        let filtered = rules(json!({"remoteAllowedCIDR": "127.0.0.1,10.0.0.0/8"}));
        assert_eq!(auth.rest(&filtered, here, None).await, Err(Denied::Network));
        let inside = auth.rest(&filtered, at("10.1.1.1"), None).await;
        assert_eq!(inside, Ok(Rest::AsElsewhere));
        let off = rules(json!({"remoteAllowedCIDR": "127.0.0.1", "ipFilterEnabled": false}));
        assert_eq!(auth.rest(&off, here, None).await, Ok(Rest::AsElsewhere));
        let signed = rules(json!({"jwtControlEnabled": true, "jwtSecretKey": KEY}));
        let token = jwt::sign("any", "any", now() + 60, KEY.as_bytes());
        let old = jwt::sign("any", "any", now() - 60, KEY.as_bytes());
        let other = jwt::sign("any", "any", now() + 60, &[7; 32]);
        for (token, expected) in [
            (Some(token.as_str()), Rest::Signed),
            (Some(&old), Rest::NotByPlace),
            (Some(&other), Rest::NotByPlace),
            (Some(""), Rest::NotByPlace),
            (Some("x.y.z"), Rest::NotByPlace),
            (None, Rest::NotByPlace),
        ] {
            let rest = auth.rest(&signed, here, token.map(str::as_bytes)).await;
            assert_eq!(rest, Ok(expected), "{token:?}");
        }
    }

    #[tokio::test]
    async fn a_signed_token_is_for_one_use_of_one_stream() {
        let rules = rules(json!({
            "publishJwtControlEnabled": true, "playJwtControlEnabled": false, "jwtStreamSecretKey": KEY,
        }));
        let publish = Action::Publish("LiveApp", "cam");
        assert!(rules.asks_for_jwt(publish) && !rules.asks_for_jwt(Action::Play("LiveApp", "cam")));
        let auth = Auth::default();
        for (id, kind, good) in [
            ("cam", "publish", true),
            ("cam", "play", false),
            ("door", "publish", false),
        ] {
            let token = rules.sign(id, kind, now() + 60).unwrap();
            let is_signed = auth.is_signed(&rules, publish, Some(token.as_bytes()));
            assert_eq!(is_signed.await, good, "{id} {kind}");
        }
        assert!(!auth.is_signed(&rules, publish, None).await);
        let none = Rules::default().sign("cam", "publish", now() + 60);
        assert_eq!(none, None);
    }

    /// Gives these keys to whoever asks, and counts them.
    async fn publisher(keys: String) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = socket.read(&mut [0; 4_096]).await.unwrap();
                let length = keys.len();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{keys}");
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        (format!("http://127.0.0.1:{port}/keys?secret=x"), count)
    }

    fn asking() -> Auth {
        Auth {
            outward: Some(Outward {
                policy: Policy::new(Network::default()),
                connector: Connector::new(None).unwrap(),
            }),
            ..Auth::default()
        }
    }

    #[tokio::test]
    async fn keys_are_fetched_once_and_again_for_one_that_is_unknown_but_not_each_time() {
        let signer = Signer::new();
        let (url, count) = publisher(signer.keys().to_string()).await;
        let auth = asking();
        let rules = rules(json!({
            "playJwtControlEnabled": true, "jwtStreamSecretKey": KEY, "jwksURL": url,
            "jwtIssuer": "https://id.example", "jwtAudience": "streams",
        }));
        let play = Action::Play("LiveApp", "cam");
        let claims = json!({
            "streamId": "cam", "type": "play", "exp": now() + 600,
            "iss": "https://id.example", "aud": ["others", "streams"],
        });
        let with = |name: &str, value: Value| {
            let mut claims = claims.clone();
            claims[name] = value;
            claims
        };
        let (rs, es) = (
            json!({"alg": "RS256", "kid": "r"}),
            json!({"alg": "ES256", "kid": "e"}),
        );
        for (header, claims, good) in [
            (&rs, claims.clone(), true),
            (&es, claims.clone(), true),
            (&es, with("aud", json!("streams")), true),
            (&es, with("aud", json!("others")), false),
            (&es, with("aud", Value::Null), false),
            (&es, with("iss", json!("https://evil.example")), false),
            (&es, with("iss", Value::Null), false),
            (&es, with("exp", json!(now() - 1)), false),
            (&es, with("streamId", json!("door")), false),
            (&es, with("type", json!("publish")), false),
            (
                &json!({"alg": "ES256", "kid": "new"}),
                claims.clone(),
                false,
            ),
            (&json!({"alg": "RS256", "kid": "e"}), claims.clone(), false),
        ] {
            let token = signer.sign(header, &claims);
            let is_signed = auth.is_signed(&rules, play, Some(token.as_bytes())).await;
            assert_eq!(is_signed, good, "{header} {claims}");
        }
        // The unknown keys came within a minute of the first fetch.
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn what_cannot_be_fetched_opens_nothing() {
        let signer = Signer::new();
        let long = format!(
            r#"{{"keys":[{}],"x":"{}"}}"#,
            signer.keys()["keys"][1],
            "x".repeat(300 << 10)
        );
        let claims = json!({ "exp": now() + 600 });
        let token = signer.sign(&json!({"alg": "ES256", "kid": "e"}), &claims);
        for answer in [long, String::new(), "<html>".to_owned()] {
            let (url, count) = publisher(answer).await;
            let rules = rules(json!({ "jwtControlEnabled": true, "jwksURL": url }));
            let auth = asking();
            for _ in 0..3 {
                let rest = auth.rest(&rules, at("192.0.2.1"), Some(token.as_bytes()));
                assert_eq!(rest.await, Ok(Rest::NotByPlace));
            }
            assert_eq!(count.load(Ordering::SeqCst), 1);
        }
        // Without one that may be fetched, nothing is.
        let rules = rules(json!({ "jwtControlEnabled": true, "jwtSecretKey": KEY }));
        let rest = asking();
        let rest = rest.rest(&rules, at("192.0.2.1"), Some(token.as_bytes()));
        assert_eq!(rest.await, Ok(Rest::NotByPlace));
    }
}
