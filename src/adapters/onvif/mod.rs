//! Cameras by ONVIF: found, asked for their streams, and moved; and this server as one (`device`).
//!
//! As a protocol it pulls `onvif://` URLs: it asks the camera where the stream is, at each attempt anew, and leaves the
//! rest to whoever pulls such URLs. Everything else that a camera can do is [`Camera`]'s, for those above.

mod camera;
mod device;
mod discover;
mod http;
mod source;

pub use camera::{Camera, CameraError, Snapshot};
pub use discover::{Device, discover};
pub use onvif::{events, imaging, profiles, ptz};
pub use source::{Source, SourceError, camera_url, is_address_of};

use super::{
    BoxFuture, Context, ListenError, Listening, Loudspeaker, Protocol, TalkError, Target, puller,
};
use crate::config::{Config, ConfigError};
use crate::hub::StreamName;
use device::Device as OwnDevice;
use media::Codec;
use std::sync::Arc;

/// The adapter.
#[derive(Debug)]
pub struct Onvif {
    device: OwnDevice,
}

impl Onvif {
    const NAME: &str = "onvif";

    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            device: OwnDevice::new(config)?,
        })
    }
}

impl Protocol for Onvif {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn listen(
        self: Arc<Self>,
        context: Arc<Context>,
    ) -> BoxFuture<'static, Result<Vec<Listening>, ListenError>> {
        Box::pin(async move { self.device.listen(context).await })
    }

    fn adopt(&self, config: &Config) -> Result<Vec<&'static str>, ConfigError> {
        self.device.adopt(config)?;
        Ok(Vec::new())
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

    fn hears<'a>(
        &'a self,
        url: &'a str,
        name: &'a StreamName,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Codec, TalkError>> {
        Box::pin(async move {
            let found = stream_of(url, context).await;
            let (protocol, stream) = found.map_err(TalkError::Failed)?;
            protocol.hears(&stream, name, context).await
        })
    }

    fn loudspeaker<'a>(
        &'a self,
        url: &'a str,
        name: &'a StreamName,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Loudspeaker, TalkError>> {
        Box::pin(async move {
            let found = stream_of(url, context).await;
            let (protocol, stream) = found.map_err(TalkError::Failed)?;
            protocol.loudspeaker(&stream, name, context).await
        })
    }
}

/// No message shows the URL: it may hold a password.
async fn pull(url: &str, target: &Target) -> Result<(), String> {
    let (protocol, stream) = stream_of(url, &target.context).await?;
    protocol.pull(&stream, target).await
}

/// The URL of the camera's stream, and who pulls such.
async fn stream_of(url: &str, context: &Context) -> Result<(Arc<dyn Protocol>, String), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let source = Source::parse(url).map_err(|error| words(&error))?;
    let mut camera = Camera::new(source, context.policy.clone(), context.connector.clone());
    let stream = camera.stream().await.map_err(|error| words(&error))?;
    let found = puller(&context.protocols, &stream);
    // It would come back here without end.
    let found = found.filter(|protocol| protocol.name() != Onvif::NAME);
    let protocol = found.ok_or("the camera names a stream that cannot be pulled")?;
    Ok((protocol, stream))
}
