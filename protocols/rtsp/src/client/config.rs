//! What a client's session is told, and what it tells its caller.

use crate::auth::{Credentials, Random};
use crate::carriage::Carriage;
use crate::header::RtpInfo;
use crate::message::{Method, Status};
use bytes::Bytes;
use sdp::Description;
use std::time::Duration;

/// How a session behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The stream's URL, without user and password.
    pub url: String,
    /// Who the client is, if the server asks.
    pub credentials: Option<Credentials>,
    /// What the client calls itself.
    pub user_agent: String,
    /// Time for each answer. Default 10 s.
    pub timeout: Duration,
    /// For proving a password.
    pub random: Random,
    /// Whether the server is to let us send to its loudspeaker, and to refuse if it knows no such thing: DESCRIBE, SETUP and
    /// PLAY say so (ONVIF Streaming Specification section 5.3). Which sections that would be,
    /// [`speakers`](super::speakers) tells.
    pub back_channel: bool,
}

impl Config {
    /// For this URL, with defaults.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            credentials: None,
            user_agent: "Millstream".to_owned(),
            timeout: Duration::from_secs(10),
            random: Random::default(),
            back_channel: false,
        }
    }
}

/// How a track is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// On the connection itself.
    Tcp,
    /// In datagrams to these ports of ours; on the connection if the server refuses.
    Udp {
        /// Port for RTP packets.
        rtp: u16,
        /// Port for RTCP packets.
        rtcp: u16,
    },
    /// In datagrams to a group that the server chooses; on the connection if the server refuses.
    Multicast,
}

/// A track that is to be carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which section of the description, from 0.
    pub section: usize,
    /// How.
    pub wanted: Wanted,
}

/// What happened on the connection. Tracks are counted from 0 in the order in which they were chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What the stream consists of. Choose with [`Session::setup`](super::Session::setup).
    Described(Description),
    /// How a track is carried. Packets may come from here on.
    SetUp {
        /// Which track.
        track: usize,
        /// How it is carried.
        carriage: Carriage,
        /// The source of its RTP packets, where the server tells.
        ssrc: Option<u32>,
    },
    /// The server sends from here on, or takes what is sent to its loudspeaker. For each track there is what the server says of its first packet.
    Playing(Vec<RtpInfo>),
    /// The server takes packets from here on.
    Recording,
    /// The server sends no more until [`Session::resume`](super::Session::resume).
    Paused,
    /// A packet came on the connection.
    Packet {
        /// Which track.
        track: usize,
        /// Whether it is RTCP.
        control: bool,
        /// The packet, in an allocation of its own.
        payload: Bytes,
    },
    /// The stream is elsewhere. The session is over.
    Redirected {
        /// Its URL.
        location: String,
    },
    /// The server refused. The session is over.
    Rejected {
        /// What.
        method: Method,
        /// With which status.
        status: Status,
        /// In words; may be empty.
        reason: String,
    },
    /// The server ended the stream. The session is over.
    Closed,
}
