//! Ant Media's signalling over WebSocket at `/APP/websocket`, for clients that are written for it: who plays is sent an
//! offer, who publishes an answer, and all are told when media begin and end.
//!
//! A connection has several sessions, each with a stream of its own name. They live as those of WHEP and WHIP do; what
//! becomes of them, [`Told`] tells. With the connection its sessions end. What clients say of candidates means nothing
//! here, and rooms, tracks of tracks and data channels are not there.

mod messages;

use super::formats::Formats;
use super::http::{Asked, plain};
use super::router::Home;
use super::told::{Stage, Told};
use super::worker::Message;
use super::{WebRtc, ice_servers, whep, whip};
use crate::adapters::{Context, ServiceRequest};
use crate::auth::{Action, Caller};
use crate::hub::{Interest, Pass, StreamName, Taken as NameTaken, Viewer};
use crate::net::http::{Taken, Takeover};
use crate::net::websocket::{Texts, accept, switching};
use axum::body::Body;
use axum::http::{Response, StatusCode};
use futures_util::future::select_all;
use messages::{Refused, Said};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::coop::consume_budget;
use webrtc::Proposal;

/// Sessions of one connection at a time, those that wait for their stream included.
const MAX_SESSIONS: usize = 64;

/// Who was sent an offer answers within this, or has no session.
const UNANSWERED: Duration = Duration::from_secs(30);

/// Clients ping every 3 s. One that is silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Answers a request for the signalling of an application.
pub(super) fn answer(
    adapter: &Arc<WebRtc>,
    context: &Arc<Context>,
    request: &ServiceRequest,
) -> Response<Body> {
    let accept = match accept(&request.headers) {
        Ok(Some(accept)) => accept,
        Ok(None) => return plain(StatusCode::UPGRADE_REQUIRED, "this is for WebSocket"),
        Err(refused) => return refused.respond(),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().extend(switching(accept));
    let (events, happened) = mpsc::channel(4 * MAX_SESSIONS);
    let connection = Connection {
        adapter: adapter.clone(),
        context: context.clone(),
        request: request.clone(),
        sessions: HashMap::new(),
        waiting: Vec::new(),
        events,
        number: 0,
    };
    let takeover = Takeover::new(|taken: Taken| async move {
        connection.serve(Texts::new(taken), happened).await;
    });
    response.extensions_mut().insert(takeover);
    response
}

type Happened = mpsc::Receiver<(String, u64, Stage)>;

/// One client.
struct Connection {
    adapter: Arc<WebRtc>,
    context: Arc<Context>,
    request: ServiceRequest,
    /// By the ID of their streams.
    sessions: HashMap<String, Session>,
    /// Streams that a client wanted to play when they were not live.
    waiting: Vec<StreamName>,
    events: mpsc::Sender<(String, u64, Stage)>,
    /// Of the newest session.
    number: u64,
}

/// What a client does with a stream.
enum Session {
    /// It was told to begin, and its offer is awaited.
    Publishes(Pass),
    /// It was sent an offer, and its answer is awaited.
    Offered(Box<Offered>),
    /// It has a session, to play or to publish.
    Begun {
        home: Home,
        number: u64,
        publishes: bool,
    },
}

struct Offered {
    since: Instant,
    proposal: Proposal,
    viewer: Viewer,
    formats: Formats,
}

impl Connection {
    async fn serve(mut self, mut texts: Texts, mut happened: Happened) {
        let reason = loop {
            let answered = match self.hear(&mut texts).await {
                Ok(()) => texts.flush().await,
                Err(reason) => Err(reason),
            };
            if let Err(reason) = answered {
                break reason;
            }
            self.sessions.retain(|_, session| !session.is_forgotten());
            tokio::select! {
                ready = texts.readable() => if let Err(error) = ready {
                    break error.to_string();
                },
                Some((stream, number, stage)) = happened.recv() => {
                    if let Some(words) = self.happened(&stream, number, &stage)
                        && let Err(reason) = texts.push(words)
                    {
                        break reason;
                    }
                }
                name = live(&self.context, &self.waiting) => {
                    self.waiting.retain(|waiting| *waiting != name);
                    let words = messages::notification(name.id(), "streaming_started");
                    if let Err(reason) = texts.push(words) {
                        break reason;
                    }
                }
                () = tokio::time::sleep(SILENCE) => break "the client is silent".to_owned(),
            }
        };
        tracing::debug!(peer = %self.request.peer, reason, "WebRTC signalling ended");
        for (_, session) in self.sessions.drain() {
            session.stop().await;
        }
    }

    /// Does what has been said.
    async fn hear(&mut self, texts: &mut Texts) -> Result<(), String> {
        while let Some(text) = texts.pull()? {
            // One that does not stop is not to keep others waiting.
            consume_budget().await;
            let Ok(said) = serde_json::from_str::<Said>(&text) else {
                continue;
            };
            for answer in self.act(&said).await {
                texts.push(answer)?;
            }
            texts.flush().await?;
        }
        Ok(())
    }

    /// Does what a client says, and gives what it is to be told.
    async fn act(&mut self, said: &Said) -> Vec<String> {
        let id = said.stream_id.as_str();
        let done = match said.command.as_str() {
            "ping" => return vec![messages::pong()],
            "getIceServerConfig" => {
                let servers = &self.adapter.settings.get().ice_servers;
                return vec![ice_servers::message(servers).to_string()];
            }
            "getTrackList" => return vec![messages::track_list(id)],
            "play" => self.play(said).await.map(Some),
            "publish" => self.publish(said).await.map(Some),
            "takeConfiguration" => self.describe(id, &said.kind, &said.sdp),
            "stop" => {
                self.waiting.retain(|name| name.id() != id);
                match self.sessions.get(id) {
                    // Its end is told when it has come.
                    Some(Session::Begun { home, .. }) => stop(home).await,
                    _ => drop(self.sessions.remove(id)),
                }
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        match done {
            Ok(answer) => answer.into_iter().collect(),
            Err((reason, words)) => vec![messages::refused(id, reason, &words)],
        }
    }

    /// The stream of an ID that a client may do something with, and by which right.
    async fn name(
        &self,
        said: &Said,
        action: for<'a> fn(&'a str, &'a str) -> Action<'a>,
    ) -> Result<(StreamName, Pass), (Refused, String)> {
        let id = said.stream_id.as_str();
        if id.is_empty() {
            return Err((Refused::NoName, "no stream is named".to_owned()));
        }
        let name = StreamName::new(&self.request.app, id);
        let name = name.map_err(|error| (Refused::InvalidName, error.to_string()))?;
        // The message counts more than the address that all of them share.
        let mut query = said.shown();
        query.push_str(self.request.query.as_deref().unwrap_or_default());
        let caller = Caller {
            protocol: "webrtc",
            address: self.request.peer,
            headers: Some(&self.request.headers),
            query: Some(&query),
            proof: None,
        };
        let allowed = self
            .context
            .auth
            .check(action(name.app(), name.id()), caller)
            .await;
        let pass = allowed.map_err(|denied| (Refused::Unauthorized, denied.to_string()))?;
        if self.sessions.len() + self.waiting.len() >= MAX_SESSIONS {
            return Err((
                Refused::Full,
                "one connection has no more sessions".to_owned(),
            ));
        }
        Ok((name, pass))
    }

    /// Offers a stream.
    async fn play(&mut self, said: &Said) -> Result<String, (Refused, String)> {
        let id = said.stream_id.as_str();
        let (name, pass) = self.name(said, |app, id| Action::Play(app, id)).await?;
        if self.sessions.contains_key(id) {
            return Err((Refused::AlreadyPlaying, "it is being played".to_owned()));
        }
        self.waiting.retain(|waiting| *waiting != name);
        let opened = self.context.hub.open(&name, Interest::Watch).await;
        let Ok(opened) = opened else {
            let words = format!("{name} is not live");
            self.waiting.push(name);
            return Err((Refused::NoStream, words));
        };
        let stream = opened.stream().clone();
        let formats = whep::formats_of(&stream);
        let formats = formats.map_err(|reason| (Refused::NotByWebRtc, reason.to_string()))?;
        let config = self.asked(&name, |asked| webrtc::Config {
            video: formats.video,
            audio: formats.audio,
            ..asked.config()
        })?;
        let proposal = Proposal::new(config);
        let (proposal, offer) =
            proposal.map_err(|error| (Refused::NotByWebRtc, error.to_string()))?;
        let offered = Box::new(Offered {
            since: Instant::now(),
            proposal,
            viewer: Viewer::new(stream, "webrtc").by(pass),
            formats,
        });
        self.sessions
            .insert(id.to_owned(), Session::Offered(offered));
        Ok(messages::description(id, "offer", &offer))
    }

    async fn publish(&mut self, said: &Said) -> Result<String, (Refused, String)> {
        let id = said.stream_id.as_str();
        let (name, pass) = self.name(said, |app, id| Action::Publish(app, id)).await?;
        match self.sessions.get(id) {
            Some(Session::Begun { .. }) => {
                return Err((
                    Refused::AlreadyPublishing,
                    "it is being published".to_owned(),
                ));
            }
            _ => self
                .sessions
                .insert(id.to_owned(), Session::Publishes(pass)),
        };
        Ok(messages::start(name.id()))
    }

    /// Takes a client's offer or answer, whichever is awaited.
    fn describe(
        &mut self,
        id: &str,
        kind: &str,
        sdp: &str,
    ) -> Result<Option<String>, (Refused, String)> {
        let nothing = || (Refused::Description, format!("no {kind} is awaited"));
        self.number += 1;
        let number = self.number;
        let told = Told::new(id.to_owned(), number, self.events.clone());
        let name = StreamName::new(&self.request.app, id);
        let name = name.map_err(|error| (Refused::InvalidName, error.to_string()))?;
        let (home, publishes, answer) = match (self.sessions.remove(id), kind) {
            (Some(Session::Publishes(pass)), "offer") => {
                let made = self.asked(&name, |asked| whip::begin(asked, sdp, pass, Some(told)))?;
                let begun = made.map_err(|refused| (reason(&refused), refused.to_string()))?;
                let answer = messages::description(id, "answer", &begun.answer);
                (begun.home, true, Some(answer))
            }
            (Some(Session::Offered(offered)), "answer") => {
                let session = offered.proposal.accept(sdp, Instant::now());
                let session = session.map_err(|error| (Refused::Description, error.to_string()))?;
                let (viewer, formats) = (offered.viewer, offered.formats);
                let begun = self.asked(&name, |asked| {
                    whep::begin(asked, session, viewer, formats, Some(told))
                })?;
                let full = "there are as many sessions as there may be";
                let (home, _) = begun.ok_or_else(|| (Refused::Full, full.to_owned()))?;
                (home, false, None)
            }
            (Some(session), _) => {
                self.sessions.insert(id.to_owned(), session);
                return Err(nothing());
            }
            (None, _) => return Err(nothing()),
        };
        let begun = Session::Begun {
            home,
            number,
            publishes,
        };
        self.sessions.insert(id.to_owned(), begun);
        Ok(answer)
    }

    /// With what requests of this client are answered with.
    fn asked<T>(
        &self,
        name: &StreamName,
        act: impl FnOnce(&Asked<'_>) -> T,
    ) -> Result<T, (Refused, String)> {
        let off = || (Refused::Full, "WebRTC is switched off".to_owned());
        let running = self.adapter.running.get().ok_or_else(off)?;
        Ok(act(&Asked {
            adapter: &self.adapter,
            running,
            context: &self.context,
            request: &self.request,
            name: name.clone(),
        }))
    }

    /// A session has come further: what its client is told.
    fn happened(&mut self, id: &str, number: u64, stage: &Stage) -> Option<String> {
        let known = self.sessions.get(id);
        let Some(Session::Begun {
            number: current,
            publishes,
            ..
        }) = known
        else {
            return None;
        };
        if *current != number {
            return None;
        }
        let definition = match (stage, *publishes) {
            (Stage::Connected, true) => "publish_started",
            (Stage::Connected, false) => "play_started",
            (Stage::Over, true) => "publish_finished",
            (Stage::Over, false) => "play_finished",
        };
        if *stage == Stage::Over {
            self.sessions.remove(id);
        }
        Some(messages::notification(id, definition))
    }
}

impl Session {
    /// Whether its offer has not been answered, and will not be.
    fn is_forgotten(&self) -> bool {
        matches!(self, Self::Offered(offered) if offered.since.elapsed() > UNANSWERED)
    }

    /// Ends what has begun.
    async fn stop(self) {
        if let Self::Begun { home, .. } = self {
            stop(&home).await;
        }
    }
}

async fn stop(home: &Home) {
    // Where it has ended meanwhile, nothing is left to stop.
    let _ = home.inbox.send(Message::Stop(home.ufrag.clone())).await;
}

/// Completes when one of these is live.
async fn live(context: &Context, waiting: &[StreamName]) -> StreamName {
    if waiting.is_empty() {
        return std::future::pending().await;
    }
    let each = waiting.iter().map(|name| {
        Box::pin(async move {
            while context.hub.wait(name).await.ready().await.is_err() {}
            name.clone()
        })
    });
    select_all(each).await.0
}

/// As clients know it.
const fn reason(refused: &whip::Refused) -> Refused {
    match refused {
        whip::Refused::Offer(_) => Refused::Description,
        whip::Refused::Name(NameTaken::Publishing(_)) => Refused::InUse,
        whip::Refused::Name(NameTaken::Full(_)) | whip::Refused::Sessions => Refused::Full,
    }
}
