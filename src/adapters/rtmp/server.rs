//! One connection from its first byte: a publisher stays here, a player moves to a shard.

use super::Settings;
use super::player::{CLOSING, Form, Player};
use crate::adapters::Context;
use crate::auth::{Action, Caller, KEYED_APP};
use crate::hub::{Interest, Origin, Pass, Publisher, StreamName, Viewer};
use crate::net::fanout::{self, Subscriber};
use crate::net::listen;
use crate::net::places::{Place, Places};
use crate::net::socket::Socket;
use bytes::Bytes;
use rtmp::Output;
use rtmp::server::{Config, Event, Refusal, Request, Session};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

/// Bytes read at a time. One video access unit of a usual stream fits.
const READ_BUFFER: usize = 32 << 10;

/// A peer that takes nothing of our answers for so long is closed.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A client has this long for the handshake of TLS.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves connections for ever, a bounded number at a time.
pub(super) async fn serve(
    listener: Arc<TcpListener>,
    places: Places,
    tls: Option<TlsAcceptor>,
    settings: Settings,
    context: Arc<Context>,
) {
    loop {
        let (socket, address) = listen::accept(&listener).await;
        let Some(place) = places.take(settings.max_connections) else {
            tracing::warn!(%address, limit = settings.max_connections, "RTMP connection refused: too many");
            continue;
        };
        let (tls, settings, context) = (tls.clone(), settings.clone(), context.clone());
        tokio::spawn(async move {
            let socket = match &tls {
                None => socket.into(),
                Some(tls) => match timeout(TLS_TIMEOUT, tls.accept(socket)).await {
                    Ok(Ok(stream)) => stream.into(),
                    Ok(Err(error)) => {
                        tracing::debug!(%address, %error, "no TLS with a client of RTMPS");
                        return;
                    }
                    Err(_) => return,
                },
            };
            let session = Session::new(
                Instant::now().into_std(),
                Config {
                    seed: rand::random(),
                    ..Config::default()
                },
            );
            let connection = Connection {
                socket,
                address,
                session,
                input: vec![0; READ_BUFFER].into(),
                settings,
                context,
            };
            if let Err(closed) = connection.run(place).await {
                tracing::info!(%address, reason = %closed.0, "RTMP connection closed");
            }
        });
    }
}

/// Why a connection is over, in words.
struct Closed(String);

impl<E: std::error::Error> From<E> for Closed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

struct Connection {
    socket: Socket,
    address: SocketAddr,
    session: Session,
    input: Box<[u8]>,
    settings: Settings,
    context: Arc<Context>,
}

impl Connection {
    /// Until the client has gone or has become a player.
    async fn run(mut self, place: Place) -> Result<(), Closed> {
        loop {
            match self.next_event(None).await? {
                Event::Publish(request, _) => self.publish(&request).await?,
                Event::Play(request) => {
                    if let Some(viewer) = self.playable(&request).await? {
                        return self.play(viewer, &request, place).await;
                    }
                }
                // Whatever else comes before a request means nothing.
                _ => {}
            }
        }
    }

    /// Lets the client publish until it stops, or refuses it.
    async fn publish(&mut self, request: &Request) -> Result<(), Closed> {
        let publisher = match self.become_publisher(request).await {
            Ok(publisher) => publisher,
            Err((refusal, words)) => return self.refuse(refusal, &words),
        };
        self.session.accept(now())?;
        let name = publisher.stream().name().clone();
        tracing::info!(stream = %name, address = %self.address, "publishing by RTMP");
        let mut demuxer = flv::demuxer::Demuxer::new();
        let mut complaints = Complaints::default();
        loop {
            let deadline = Instant::now() + self.settings.publisher_timeout;
            let event = tokio::select! {
                event = self.next_event(Some(deadline)) => event?,
                () = publisher.kicked() => {
                    if self.context.hub.is_closing() {
                        self.session.request_reconnect(None, CLOSING);
                    }
                    self.session.end(now());
                    // The name is free at once.
                    drop(publisher);
                    self.send_output().await?;
                    // It goes on sending until it has read that.
                    self.socket.leave().await;
                    return Err(Closed("the stream was stopped, or taken over by another publisher".into()));
                }
            };
            let pushed = match event {
                Event::Video { timestamp, payload } => demuxer.push_video(timestamp, payload),
                Event::Audio { timestamp, payload } => demuxer.push_audio(timestamp, payload),
                Event::Stop => {
                    tracing::info!(stream = %name, address = %self.address, "RTMP publisher finished");
                    publisher.finish();
                    return Ok(());
                }
                _ => continue,
            };
            if let Err(error) = pushed {
                complaints.hear(&name, self.address, &error);
            }
            while let Some(event) = demuxer.pull() {
                match event {
                    flv::demuxer::Event::Track(track) => publisher.set_track(track)?,
                    flv::demuxer::Event::Unit(unit) => publisher.push(unit)?,
                }
            }
        }
    }

    async fn become_publisher(&self, request: &Request) -> Result<Publisher, (Refusal, String)> {
        let (name, pass) = match self.keyed(request) {
            // The key is all the proof that it takes.
            Some(name) => {
                let action = Action::Publish(name.app(), name.id());
                let admitted = self.context.auth.admits(action, self.address.ip());
                admitted.map_err(|denied| (Refusal::Denied, denied.to_string()))?;
                (name, Pass::default())
            }
            None => {
                let named = self.name(request);
                let (name, query) = named.map_err(|words| (Refusal::BadName, words))?;
                let action = Action::Publish(name.app(), name.id());
                let pass = self.may(action, query.as_deref()).await;
                let pass = pass.map_err(|words| (Refusal::Denied, words))?;
                (name, pass)
            }
        };
        let origin = Origin {
            protocol: "rtmp",
            address: self.address.to_string(),
            agent: request.connect.flash_ver.clone(),
        };
        let publisher = self.context.hub.publish(&name, &origin);
        publisher
            .map(|publisher| publisher.by(pass))
            .map_err(|taken| (Refusal::BadName, taken.to_string()))
    }

    /// A viewer of the stream that the client may play now; otherwise it has been refused.
    async fn playable(&mut self, request: &Request) -> Result<Option<Viewer>, Closed> {
        let found = match self.name(request) {
            Ok((name, query)) => {
                let action = Action::Play(name.app(), name.id());
                match self.may(action, query.as_deref()).await {
                    Ok(pass) => self.viewer(&name, pass).await?,
                    Err(words) => Err((Refusal::Denied, words)),
                }
            }
            Err(words) => Err((Refusal::NotFound, words)),
        };
        match found {
            Ok(viewer) => Ok(Some(viewer)),
            Err((refusal, words)) => self.refuse(refusal, &words).map(|()| None),
        }
    }

    /// Waits for the stream, unless the client closes the connection meanwhile.
    async fn viewer(
        &mut self,
        name: &StreamName,
        pass: Pass,
    ) -> Result<Result<Viewer, (Refusal, String)>, Closed> {
        let context = self.context.clone();
        let mut opening = std::pin::pin!(context.hub.open(name, Interest::Watch));
        let opened = loop {
            tokio::select! {
                opened = &mut opening => break opened,
                // What it says before it has its answer is kept by the session.
                event = self.next_event(None) => drop(event?),
            }
        };
        Ok(match opened {
            Ok(opened) => Ok(Viewer::new(opened.stream().clone(), "rtmp").by(pass)),
            Err(unavailable) => Err((Refusal::NotFound, unavailable.to_string())),
        })
    }

    /// Hands the connection over to a shard.
    async fn play(mut self, viewer: Viewer, request: &Request, place: Place) -> Result<(), Closed> {
        // The answer goes out there, in front of the first packet, and what the client has said meanwhile is heard there.
        self.session.accept(now())?;
        let Self {
            socket,
            address,
            session,
            context,
            ..
        } = self;
        tracing::info!(stream = %viewer.stream().name(), %address, "playing by RTMP");
        let bounds = context.bounds();
        let socket = socket.detach()?;
        let tracks = viewer.stream().snapshot().tracks;
        let form = Form::of(&request.connect, &tracks);
        let sound = form.sound().map(|sound| (context.bridges.clone(), sound));
        let hub = context.hub.clone();
        let start = move || async move {
            fanout::serve(Subscriber {
                form,
                socket,
                address,
                peer: Player::new(session, hub),
                viewer,
                sound,
                bounds,
            })
            .await;
            drop(place);
        };
        context.shards.spawn(start).await;
        Ok(())
    }

    fn refuse(&mut self, refusal: Refusal, words: &str) -> Result<(), Closed> {
        tracing::info!(address = %self.address, ?refusal, reason = words, "RTMP request refused");
        Ok(self.session.refuse(now(), refusal, words)?)
    }

    async fn may(&self, action: Action<'_>, query: Option<&str>) -> Result<Pass, String> {
        let caller = Caller {
            protocol: "rtmp",
            address: self.address,
            headers: None,
            query,
            proof: None,
        };
        self.context
            .auth
            .check(action, caller)
            .await
            .map_err(|denied| denied.to_string())
    }

    /// The stream whose secret key was given in the place of its name.
    fn keyed(&self, request: &Request) -> Option<StreamName> {
        let (path, _) = path_and_query(&request.connect.app, &request.key);
        let (app, key) = path.split_once('/')?;
        let keys = self.context.auth.keys();
        (app == KEYED_APP).then(|| keys.stream(key)).flatten()
    }

    /// The stream's name and the query behind it.
    fn name(&self, request: &Request) -> Result<(StreamName, Option<String>), String> {
        let (path, query) = path_and_query(&request.connect.app, &request.key);
        let name = self
            .context
            .applications
            .resolve(&path)
            .map_err(|error| error.to_string())?;
        Ok((name, query))
    }

    /// The next thing the client does, answering it meanwhile. Safe to cancel.
    async fn next_event(&mut self, deadline: Option<Instant>) -> Result<Event, Closed> {
        loop {
            let timeout = match self.session.poll_output() {
                Output::Transmit(bytes) => {
                    send(&self.socket, bytes).await?;
                    continue;
                }
                Output::Event(event) => return Ok(event),
                Output::Timeout(timeout) => timeout.map(Instant::from_std),
            };
            let read = self.socket.read(&mut self.input);
            let due = [timeout, deadline].into_iter().flatten().min();
            let read = match due {
                Some(due) => tokio::time::timeout_at(due, read).await,
                None => Ok(read.await),
            };
            match read {
                Ok(Ok(0)) => return Err(Closed("the client closed it".into())),
                Ok(count) => {
                    let input = self.input.get(..count?).unwrap_or_default();
                    self.session.handle_input(now(), input)?;
                }
                Err(_) => {
                    self.session.handle_timeout(now())?;
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                        return Err(Closed("the publisher sent nothing for too long".into()));
                    }
                }
            }
        }
    }

    async fn send_output(&mut self) -> Result<(), Closed> {
        while let Output::Transmit(bytes) = self.session.poll_output() {
            send(&self.socket, bytes).await?;
        }
        Ok(())
    }
}

async fn send(socket: &Socket, bytes: Bytes) -> Result<(), Closed> {
    let sent = timeout(WRITE_TIMEOUT, socket.write_all(&bytes)).await;
    Ok(sent.map_err(|_| Closed("the client does not read our answers".into()))??)
}

/// Path and query of a stream, from an application and a stream key as clients divide them. Either may carry
/// the query; ffmpeg divides a URL at its last slash, even one in the query.
fn path_and_query(app: &str, key: &str) -> (String, Option<String>) {
    let split = |text: &str| match text.split_once('?') {
        Some((path, query)) => (path.trim_matches('/').to_owned(), Some(query.to_owned())),
        None => (text.trim_matches('/').to_owned(), None),
    };
    match split(app) {
        (path, Some(query)) if path.contains('/') => (path, Some(format!("{query}/{key}"))),
        (app, app_query) => {
            let (key, query) = split(key);
            let path = [app, key]
                .iter()
                .filter(|part| !part.is_empty())
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join("/");
            (path, query.or(app_query))
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Says once for each kind of fault that a publisher sends what cannot be used, not for each message.
#[derive(Default)]
struct Complaints {
    heard: Vec<std::mem::Discriminant<flv::Error>>,
}

impl Complaints {
    fn hear(&mut self, stream: &StreamName, address: SocketAddr, error: &flv::Error) {
        let kind = std::mem::discriminant(error);
        if !self.heard.contains(&kind) {
            self.heard.push(kind);
            tracing::warn!(%stream, %address, %error, "the publisher sends what cannot be used");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_divide_their_urls_in_many_ways() {
        let cases = [
            (("LiveApp", "demo"), "LiveApp/demo", None),
            (("LiveApp/", "/demo?t=1"), "LiveApp/demo", Some("t=1")),
            (("LiveApp?t=1", "demo"), "LiveApp/demo", Some("t=1")),
            (("LiveApp/demo?t=a", "b"), "LiveApp/demo", Some("t=a/b")),
            (("LiveApp/demo", ""), "LiveApp/demo", None),
            (("", "demo"), "demo", None),
            (("a/b", "c"), "a/b/c", None),
        ];
        for ((app, key), path, query) in cases {
            assert_eq!(
                path_and_query(app, key),
                (path.to_owned(), query.map(str::to_owned)),
                "{app} {key}"
            );
        }
    }
}
