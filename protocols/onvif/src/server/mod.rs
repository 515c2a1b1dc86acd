//! The device's side: Millstream seen as a camera. Bytes of requests in, bytes of answers out.
//!
//! Read [`Request`] first: it is one SOAP request, says whether anybody may make it, and is answered from a [`Device`],
//! which is what there is to tell at that moment. Who asks proves it by a [`UsernameToken`]; whether that is enough, whoever
//! calls decides. [`discovery`] answers to searches.
//!
//! It is what a recorder needs of Profile S and T: the device service, and the media services of both versions, to be
//! read. Nothing can be set, created or moved by it.

pub mod discovery;

mod device;
mod fault;
mod media1;
mod media2;
mod request;
mod text;
mod token;

pub use fault::Fault;
pub use request::{Answer, MAX_REQUEST, Request};
pub use token::{Nonces, UsernameToken};

use crate::Service;
use crate::device::{Information, Interface};
use crate::discovery::identifier;
use http_auth::Random;
use std::time::SystemTime;

/// Longest token of a profile, in characters (`tt:ReferenceToken`).
pub const MAX_TOKEN: usize = 64;

/// The token of a stream's profile: its name, or where that is too long what is made of it.
pub fn token(name: &str) -> String {
    match name.len() <= MAX_TOKEN {
        true => name.to_owned(),
        false => identifier(Random::default(), name.as_bytes()),
    }
}

/// Most streams that a device shows.
pub const MAX_STREAMS: usize = 128;

/// What there is to tell at one moment, to one who asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Who made it, and which it is.
    pub information: Information,
    /// What it is known by, as `urn:uuid:…`.
    pub reference: String,
    /// What it says of itself in scopes.
    pub scopes: Vec<String>,
    /// The name of the machine.
    pub host: String,
    /// Where it is for who asks: `http://HOST:PORT`.
    pub place: String,
    /// The time.
    pub now: SystemTime,
    /// Whether it answers to searches.
    pub is_discoverable: bool,
    /// The network interfaces.
    pub interfaces: Vec<Interface>,
    /// The ports of HTTP and RTSP.
    pub ports: [Option<u16>; 2],
    /// Its streams, each of another token.
    pub streams: Vec<Stream>,
}

/// A stream, which is a profile with a source and configurations of the same token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stream {
    /// What it is known by; at most [`MAX_TOKEN`] characters.
    pub token: String,
    /// For people.
    pub name: String,
    /// Where it is played, by RTSP.
    pub url: String,
    /// Its pictures.
    pub video: Video,
    /// Its sound, where there is any that ONVIF has a name for.
    pub audio: Option<Audio>,
}

/// Pictures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Video {
    /// How they are encoded.
    pub encoding: VideoEncoding,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Pictures a second.
    pub frame_rate: f64,
    /// Kilobits a second, of the whole stream.
    pub bitrate: u32,
    /// Pictures from one key frame to the next.
    pub gop_length: u32,
    /// `Baseline`, `Main`, `Extended`, `High`, where there is such a thing.
    pub profile: Option<&'static str>,
}

/// How pictures are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VideoEncoding {
    /// H.264.
    #[default]
    H264,
    /// H.265, which version 1 of the media service has no name for.
    H265,
    /// Motion JPEG.
    Jpeg,
}

/// Sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audio {
    /// How it is encoded.
    pub encoding: AudioEncoding,
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u8,
}

/// How sound is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioEncoding {
    /// AAC.
    Aac,
    /// G.711, µ-law.
    Pcmu,
    /// G.711, A-law.
    Pcma,
}

impl Device {
    /// Where one of its services is.
    fn address(&self, service: Service) -> String {
        format!("{}{}", self.place, path(service))
    }

    fn stream(&self, token: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.token == token)
    }

    /// The stream of a token, or all where none is named.
    fn streams_of(&self, token: Option<&str>, fault: Fault) -> Result<Vec<&Stream>, Fault> {
        match token {
            Some(token) => Ok(vec![self.stream(token).ok_or(fault)?]),
            None => Ok(self.streams.iter().collect()),
        }
    }
}

/// The services that there are.
const SERVICES: [Service; 3] = [Service::Device, Service::Media, Service::Media2];

/// The path of a service. That of the device is fixed (ONVIF Core Specification section 5.1.1).
const fn path(service: Service) -> &'static str {
    match service {
        Service::Media => "/onvif/media_service",
        Service::Media2 => "/onvif/media2_service",
        _ => DEVICE_PATH,
    }
}

/// The path of the device service.
pub const DEVICE_PATH: &str = "/onvif/device_service";

#[cfg(test)]
mod tests;
