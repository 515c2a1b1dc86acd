//! Cameras by ONVIF: found, asked for their streams, and moved.
//!
//! As a protocol it pulls `onvif://` URLs: it asks the camera where the stream is, at each attempt anew, and leaves the
//! rest to whoever pulls such URLs. Everything else that a camera can do is [`Camera`]'s, for those above.

mod camera;
mod discover;
mod http;
mod source;

pub use camera::{Camera, CameraError, Snapshot};
pub use discover::{Device, discover};
pub use onvif::{events, imaging, profiles, ptz};
pub use source::{Source, SourceError, camera_url};

use super::{BoxFuture, Protocol, Target, puller};

/// The adapter.
#[derive(Debug)]
pub struct Onvif;

impl Protocol for Onvif {
    fn name(&self) -> &'static str {
        "onvif"
    }

    fn pulls(&self, scheme: &str) -> bool {
        source::SCHEMES.contains(&scheme)
    }

    fn check_pull(&self, url: &str) -> Result<(), String> {
        let parsed = Source::parse(url);
        parsed.map(drop).map_err(|error| error.to_string())
    }

    fn pull<'a>(&'a self, url: &'a str, target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(pull(url, target))
    }
}

/// No message shows the URL: it may hold a password.
async fn pull(url: &str, target: &Target) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let source = Source::parse(url).map_err(|error| words(&error))?;
    let context = &target.context;
    let mut camera = Camera::new(source, context.policy.clone(), context.connector.clone());
    let stream = camera.stream().await.map_err(|error| words(&error))?;
    let found = puller(&context.protocols, &stream);
    // It would come back here without end.
    let found = found.filter(|protocol| protocol.name() != Onvif.name());
    let protocol = found.ok_or("the camera names a stream that cannot be pulled")?;
    protocol.pull(&stream, target).await
}
