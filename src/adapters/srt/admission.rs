//! What a caller at the port wants, and whether it gets it.

use super::port::{Call, Port};
use super::server;
use crate::auth::{Action, Caller};
use crate::hub::{Interest, Origin, Pass, Stream, StreamName, Unavailable};
use crate::transport::Packagings;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use srt::{Reject, Request, StreamId};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a player waits for its stream without an answer. Callers give up after 3 s as a rule, so that after this
/// time it is let in, and waits as a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// The stream's pictures and sound are none that MPEG-TS carries (libsrt's access control codes, 1000 above HTTP's).
const NOT_ACCEPTABLE: Reject = Reject(1_406);

/// What a stream id asks for.
#[derive(Debug)]
struct Wish {
    name: StreamName,
    publishes: bool,
    /// By which right.
    pass: Pass,
}

/// Why somebody is refused: in SRT's numbers, and in words.
type Refused = (Reject, String);

impl Port {
    /// Lets a caller in or turns it away.
    pub(super) async fn decide(self: Arc<Self>, call: Call) {
        if let Err((reason, words)) = self.admit(&call).await {
            self.reject(&call, reason);
            let address = call.request.peer;
            tracing::info!(%address, code = reason.0, reason = words, "SRT request refused");
        }
    }

    async fn admit(self: &Arc<Self>, call: &Call) -> Result<(), Refused> {
        if self.closing.is_cancelled() {
            let words = "publishers and players are taken at another address now";
            return Err((Reject::CLOSE, words.to_owned()));
        }
        let request = &call.request;
        let Wish {
            name,
            publishes,
            pass,
        } = self.wish(request).await?;
        let options = self.terms.get().of(&name, publishes);
        // Who does not know the passphrase starts no source, and replaces nobody.
        let judged = self.judge(request.id, options).await.map_err(refused)?;
        let peer = request.peer;
        if publishes {
            let (major, minor, patch) = request.version;
            let origin = Origin {
                protocol: "srt",
                address: peer.to_string(),
                agent: Some(format!("SRT {major}.{minor}.{patch}")),
            };
            let publisher = self.context.hub.publish(&name, &origin);
            let publisher = publisher.map_err(|taken| (Reject::CONFLICT, taken.to_string()))?;
            let publisher = publisher.by(pass);
            let (link, place) = self.accept(call, judged).map_err(refused)?;
            let port = self.clone();
            let start = move || server::publish(port, place, link, publisher);
            self.context.shards.spawn(start).await;
            return Ok(());
        }
        // Asked once: an answer later than that is waited for on the connection.
        let context = self.context.clone();
        let mut opening = Box::pin({
            let name = name.clone();
            async move { context.hub.open(&name, Interest::Watch).await }
        });
        let opened = tokio::time::timeout(PATIENCE, &mut opening).await;
        let opened = opened
            .ok()
            .transpose()
            .map_err(|error| unavailable(&error))?;
        if let Some(opened) = &opened {
            carried(opened.stream())?;
        }
        let (link, place) = self.accept(call, judged).map_err(refused)?;
        let port = self.clone();
        let start = move || async move {
            match opened {
                Some(opened) => server::play(port, place, link, opened, pass).await,
                None => server::play_later(port, place, link, (name, pass), opening).await,
            }
        };
        self.context.shards.spawn(start).await;
        Ok(())
    }

    /// What a caller asks for, if it may.
    async fn wish(&self, request: &Request) -> Result<Wish, Refused> {
        let id = StreamId::parse(&request.stream_id);
        let id = id.map_err(|error| (Reject::BAD_REQUEST, error.to_string()))?;
        let (path, query) = match id.resource.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (id.resource.as_str(), None),
        };
        // Who has the key of a stream needs nothing else to publish it.
        if id.publish != Some(false)
            && let Some(name) = self.context.auth.keys().stream(path)
        {
            let publishes = true;
            let action = Action::Publish(name.app(), name.id());
            let admitted = self.context.auth.admits(action, request.peer.ip());
            admitted.map_err(|denied| (Reject::FORBIDDEN, denied.to_string()))?;
            return Ok(Wish {
                name,
                publishes,
                pass: Pass::default(),
            });
        }
        let name = self.context.applications.resolve(path);
        let name = name.map_err(|error| (Reject::BAD_REQUEST, error.to_string()))?;
        // A bare key is that of an encoder.
        let publishes = id.publish.unwrap_or(true);
        let action = if publishes {
            Action::Publish(name.app(), name.id())
        } else {
            Action::Play(name.app(), name.id())
        };
        let said = login(&id);
        let query = query.or(said.as_deref());
        let pass = self.may(action, request.peer, query).await?;
        Ok(Wish {
            name,
            publishes,
            pass,
        })
    }

    async fn may(
        &self,
        action: Action<'_>,
        address: SocketAddr,
        query: Option<&str>,
    ) -> Result<Pass, Refused> {
        let caller = Caller {
            protocol: "srt",
            address,
            headers: None,
            query,
            proof: None,
        };
        let checked = self.context.auth.check(action, caller).await;
        checked.map_err(|denied| (Reject::FORBIDDEN, denied.to_string()))
    }
}

/// User and password of a stream id, as they stand in a query; a secret alone is one already.
fn login(id: &StreamId) -> Option<String> {
    let secret = id.secret.as_deref()?;
    let Some(user) = id
        .user
        .as_deref()
        .filter(|user| !user.is_empty() && !secret.contains('='))
    else {
        return Some(secret.to_owned());
    };
    let [user, secret] = [user, secret].map(|text| utf8_percent_encode(text, NON_ALPHANUMERIC));
    Some(format!("user={user}&pass={secret}"))
}

fn refused(reason: Reject) -> Refused {
    (reason, reason.to_string())
}

fn unavailable(error: &Unavailable) -> Refused {
    (Reject::NOT_FOUND, error.to_string())
}

/// Whether anything of a stream can be sent.
pub(super) fn carried(stream: &Stream) -> Result<(), Refused> {
    let (carried, refused) = Packagings::carried(&stream.snapshot().tracks);
    if carried.is_empty() {
        let words = format!(
            "nothing of the stream can be carried: {}",
            refused.join(", ")
        );
        return Err((NOT_ACCEPTABLE, words));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_stand_in_a_stream_id() {
        for (text, query) in [
            ("publish:LiveApp/cam", None),
            (
                "publish:LiveApp/cam:joe:a&b c",
                Some("user=joe&pass=a%26b%20c"),
            ),
            (
                "#!::r=LiveApp/cam,m=request,u=joe,s=secret",
                Some("user=joe&pass=secret"),
            ),
            ("#!::r=LiveApp/cam,s=token=x", Some("token=x")),
            ("#!::r=LiveApp/cam,u=joe,s=token=x", Some("token=x")),
            ("publish:LiveApp/cam::secret", Some("secret")),
        ] {
            let id = StreamId::parse(text).unwrap();
            assert_eq!(login(&id).as_deref(), query, "{text}");
        }
    }
}
