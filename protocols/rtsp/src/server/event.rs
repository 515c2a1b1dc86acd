//! What a server's session is told, and what it tells its caller.

use crate::auth::Random;
use crate::carriage::Carriage;
use bytes::Bytes;
use sdp::Description;
use std::net::IpAddr;
use std::time::Duration;

/// How a session behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the server calls itself.
    pub server: String,
    /// What users and passwords are for, as clients show it.
    pub realm: String,
    /// For identifiers and challenges.
    pub random: Random,
    /// The server's ports for RTP and RTCP packets in datagrams; without, clients have to take the connection.
    pub udp: Option<(u16, u16)>,
    /// The connection is encrypted: passwords may go over it as they are.
    pub is_secure: bool,
    /// What comes goes through HTTP, as base64: see [`tunnel`](crate::tunnel).
    pub is_tunnel: bool,
    /// Time from the start to the first request. Default 10 s.
    pub first_timeout: Duration,
    /// Time without a sign of the client after which it is given up, unless it plays over the connection, where
    /// what it does not take shows. Default 60 s.
    pub session_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: "Millstream".to_owned(),
            realm: "Millstream".to_owned(),
            random: Random::default(),
            udp: None,
            is_secure: false,
            is_tunnel: false,
            first_timeout: Duration::from_secs(10),
            session_timeout: Duration::from_secs(60),
        }
    }
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The stream's URL as sent, without what names a track.
    pub url: String,
    /// The URL's path, from its slash on, as sent.
    pub path: String,
    /// The URL's query, as sent.
    pub query: Option<String>,
    /// Who the client says it is; [`Session::verify`](super::Session::verify) checks the password.
    pub user: Option<String>,
}

/// A stream that may be played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// What it consists of. What its sections have for `a=control` is replaced.
    pub media: Vec<sdp::Media>,
    /// Who made it.
    pub origin: sdp::Origin,
    /// Its name.
    pub name: String,
    /// For each section the source of its RTP packets, where it is known.
    pub ssrcs: Vec<u32>,
    /// For each section the group it is sent to, for clients that ask for multicast.
    pub groups: Vec<Group>,
}

/// A group that a track is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its address.
    pub address: IpAddr,
    /// The port of RTP packets.
    pub rtp: u16,
    /// The port of RTCP packets.
    pub rtcp: u16,
    /// How many routers may pass packets on.
    pub ttl: u8,
}

/// A track that has been set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track {
    /// Which section of the description, from 0.
    pub section: usize,
    /// How it is carried; in datagrams, to and from these ports of the client.
    pub carriage: Carriage,
}

/// With which packet a track begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The first sequence number.
    pub sequence: u16,
    /// The first RTP time.
    pub time: u32,
}

/// What happened on the connection. Those that say so are to be answered; nothing more is read before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The client wants to play a stream. Answer with [`Session::offer`](super::Session::offer),
    /// [`Session::challenge`](super::Session::challenge) or [`Session::refuse`](super::Session::refuse).
    Describe(Access),
    /// The client wants to record a stream that consists of this. Answer with
    /// [`Session::accept`](super::Session::accept), [`Session::challenge`](super::Session::challenge) or
    /// [`Session::refuse`](super::Session::refuse).
    Announce(Access, Description),
    /// The client wants packets of these tracks. Answer with [`Session::start`](super::Session::start) or
    /// [`Session::refuse`](super::Session::refuse).
    Play(Vec<Track>),
    /// The client is about to send packets of these tracks. Answer with
    /// [`Session::accept`](super::Session::accept) or [`Session::refuse`](super::Session::refuse).
    Record(Vec<Track>),
    /// The client sends or wants no more packets for now; it may ask to play or record again.
    Pause,
    /// A packet came on the connection.
    Packet {
        /// Of which section.
        section: usize,
        /// Whether it is RTCP.
        control: bool,
        /// The packet, in an allocation of its own.
        payload: Bytes,
    },
    /// The client ended its session in order. It may begin another.
    Teardown,
}
