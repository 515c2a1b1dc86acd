//! Pulls streams over HTTP and HTTPS: one request, and what the answer is, is told by its first bytes. FLV and MPEG
//! transport streams are read as long as the server sends.

mod address;

use super::{BoxFuture, Content, FlvIntake, Protocol, Target};
use crate::config::{Config, ConfigError};
use crate::hub::Origin;
use crate::net::fetch::{self, Response};
use crate::transport::Intake;
use address::Address;
use mpegts::demuxer::ProgramSelection;
use serde::Deserialize;

/// Table `[web]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {}

/// The adapter.
#[derive(Clone, Copy, Debug)]
pub struct Web;

impl Web {
    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let Settings {} = config.section("web")?;
        Ok(Self)
    }
}

impl Protocol for Web {
    fn name(&self) -> &'static str {
        "web"
    }

    fn pulls(&self, scheme: &str) -> bool {
        matches!(scheme, "http" | "https")
    }

    fn check_pull(&self, url: &str) -> Result<(), String> {
        Address::parse(url).map(drop)
    }

    fn pull<'a>(&'a self, url: &'a str, target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(pull(url, target))
    }
}

/// Pulls until the server ends the stream. No message shows the URL: it may hold a password.
async fn pull(url: &str, target: &Target) -> Result<(), String> {
    let address = Address::parse(url)?;
    let context = &target.context;
    let answer = fetch::get(
        &address.at.url,
        &address.at.check,
        &context.policy,
        &context.connector,
    );
    let mut answer = answer.await?;
    target.connected();
    let (content, head) = told(&mut answer).await?;
    let is_published = match content {
        Content::Flv => flv(&address, target, &head, &mut answer).await?,
        Content::Ts => transport_stream(&address, target, &head, &mut answer).await?,
        Content::Playlist => {
            let words = "the server sends a playlist of HLS, whose URL has to end with .m3u8";
            return Err(words.to_owned());
        }
        Content::Mp4 => {
            let name = content.name();
            return Err(format!(
                "the server sends {name}, which cannot be pulled yet"
            ));
        }
    };
    if is_published {
        target.over();
        return Err("the server ended the stream".to_owned());
    }
    Err("the server ended the stream before anything came".to_owned())
}

/// What the answer is, and what has been read of it by then.
async fn told(answer: &mut Response) -> Result<(Content, Vec<u8>), String> {
    let mut head = Vec::new();
    loop {
        let piece = answer.next().await?;
        let is_all = piece.is_none();
        head.extend_from_slice(&piece.unwrap_or_default());
        if let Some(content) = Content::of(&head, is_all) {
            return Ok((content, head));
        }
        if is_all || head.len() >= Content::HEAD {
            let what = "the server sends neither FLV nor MPEG-TS";
            return Err(match answer.content_type.as_str() {
                "" => what.to_owned(),
                name => format!("{what}; it calls it {name}"),
            });
        }
    }
}

/// Whether anything was published.
async fn flv(
    address: &Address,
    target: &Target,
    head: &[u8],
    answer: &mut Response,
) -> Result<bool, String> {
    let mut intake = FlvIntake::new(target, origin("flv", address), flv::file::Reader::new());
    let mut has_complained = false;
    let mut lost = |_: u32, error: flv::Error| {
        if !std::mem::replace(&mut has_complained, true) {
            tracing::warn!(stream = %target.name, %error, "the source sends what cannot be used");
        }
    };
    intake.push(head, &mut lost).await?;
    while let Some(bytes) = answer.next().await? {
        intake.push(&bytes, &mut lost).await?;
    }
    Ok(intake.is_publishing())
}

/// Whether anything was published.
async fn transport_stream(
    address: &Address,
    target: &Target,
    head: &[u8],
    answer: &mut Response,
) -> Result<bool, String> {
    let selection = address.program;
    let selection = selection.map_or(ProgramSelection::First, ProgramSelection::Number);
    let intake = Intake::new(selection, address.at.place.clone());
    let mut intake = intake.keeping_all(target.context.hub.is_offline());
    let origin = origin("mpegts", address);
    let publish = || target.publish(&origin);
    intake.push(head, publish)?;
    while let Some(bytes) = answer.next().await? {
        intake.push(&bytes, publish)?;
        intake.room().await;
    }
    intake.flush(publish)?;
    Ok(intake.publisher().is_some())
}

fn origin(protocol: &'static str, address: &Address) -> Origin {
    Origin {
        protocol,
        address: address.at.place.clone(),
        agent: None,
    }
}
