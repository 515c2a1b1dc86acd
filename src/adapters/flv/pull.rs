//! Pulls an FLV stream over HTTP.

use crate::adapters::Target;
use crate::hub::{Origin, Publisher};
use crate::net::fetch;
use crate::net::tls::Check;
use flv::demuxer::{Demuxer, Event};
use flv::file::{Reader, TagKind};
use url::Url;

/// Pulls until the server ends the stream. No message shows the URL: it may hold a password.
pub(super) async fn pull(url: &str, target: &Target) -> Result<(), String> {
    let mut url =
        Url::parse(url.trim()).map_err(|error| format!("the URL cannot be read: {error}"))?;
    let check = check(url.fragment().unwrap_or_default())?;
    url.set_fragment(None);
    let context = &target.context;
    let mut response = fetch::get(&url, &check, &context.policy, &context.connector).await?;
    target.connected();
    let place = url.host_str().unwrap_or_default();
    let mut receiver = Receiver {
        target,
        origin: Origin {
            protocol: "flv",
            address: match url.port() {
                Some(port) => format!("{place}:{port}"),
                None => place.to_owned(),
            },
            agent: None,
        },
        demuxer: Demuxer::new(),
        pending: Vec::new(),
        publisher: None,
        has_complained: false,
    };
    let mut reader = Reader::new();
    while let Some(bytes) = response.next().await? {
        reader
            .push(&bytes)
            .map_err(|error| not_flv(&error, &response.content_type))?;
        while let Some(tag) = reader.pull() {
            let pushed = match tag.kind {
                TagKind::Video => receiver.demuxer.push_video(tag.timestamp, tag.body),
                TagKind::Audio => receiver.demuxer.push_audio(tag.timestamp, tag.body),
                TagKind::Script => continue,
            };
            if let Err(error) = pushed {
                receiver.complain(&error);
            }
            receiver.take()?;
        }
    }
    match receiver.publisher {
        Some(_) => Err("the server ended the stream".into()),
        None => Err("the server ended the stream before anything came".into()),
    }
}

fn check(fragment: &str) -> Result<Check, String> {
    let mut check = Check::default();
    for option in fragment.split('&').filter(|option| !option.is_empty()) {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        check = match Check::option(key, value) {
            Some(read) => read.map_err(|error| error.to_string())?,
            None => {
                return Err(format!(
                    "{key:?} is no option; known are tls_verify, tls_fingerprint"
                ));
            }
        };
    }
    Ok(check)
}

fn not_flv(error: &flv::file::ReadError, content_type: &str) -> String {
    match content_type {
        "" | "video/x-flv" | "video/flv" | "application/octet-stream" => error.to_string(),
        other => format!("{error}; the server calls it {other}"),
    }
}

/// Passes on what comes out of the tags.
struct Receiver<'a> {
    target: &'a Target,
    origin: Origin,
    demuxer: Demuxer,
    /// Tracks that came before the first access unit.
    pending: Vec<media::Track>,
    publisher: Option<Publisher>,
    has_complained: bool,
}

impl Receiver<'_> {
    fn take(&mut self) -> Result<(), String> {
        while let Some(event) = self.demuxer.pull() {
            match (event, &self.publisher) {
                (Event::Track(track), None) => {
                    self.pending.retain(|other| other.id != track.id);
                    self.pending.push(track);
                }
                (Event::Track(track), Some(publisher)) => {
                    publisher
                        .set_track(track)
                        .map_err(|error| error.to_string())?;
                }
                (Event::Unit(unit), known) => {
                    if known.is_none() {
                        let publisher = self.target.publish(&self.origin);
                        let publisher = publisher.map_err(|taken| taken.to_string())?;
                        for track in self.pending.drain(..) {
                            publisher
                                .set_track(track)
                                .map_err(|error| error.to_string())?;
                        }
                        self.publisher = Some(publisher);
                    }
                    if let Some(publisher) = &self.publisher {
                        publisher.push(unit).map_err(|error| error.to_string())?;
                    }
                }
            }
        }
        Ok(())
    }

    fn complain(&mut self, error: &flv::Error) {
        if !self.has_complained {
            self.has_complained = true;
            tracing::warn!(stream = %self.target.name, %error, "the source sends what cannot be used");
        }
    }
}
