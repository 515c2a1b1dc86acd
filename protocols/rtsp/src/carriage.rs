//! How the packets of one track get from one end to the other, once that is agreed on.

use std::net::IpAddr;

/// How one track is carried. Ports are those of the peer, but for multicast, where they are the group's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carriage {
    /// On the connection itself.
    Tcp {
        /// Channel of the RTP packets.
        rtp: u8,
        /// Channel of the RTCP packets.
        rtcp: u8,
    },
    /// In datagrams to and from the peer.
    Udp {
        /// Port of the peer's RTP packets; 0 where a server does not say.
        rtp: u16,
        /// Port of the peer's RTCP packets; 0 where a server does not say.
        rtcp: u16,
        /// Where a server says it sends from, if that is not where the connection goes to.
        source: Option<IpAddr>,
    },
    /// In datagrams to a group.
    Multicast {
        /// The group.
        address: IpAddr,
        /// Port of its RTP packets.
        rtp: u16,
        /// Port of its RTCP packets.
        rtcp: u16,
        /// How many routers pass packets on.
        ttl: u8,
    },
}

impl Carriage {
    /// Whether frames of this channel belong to the track, and whether they are RTCP.
    pub(crate) fn takes(self, channel: u8) -> Option<bool> {
        match self {
            Self::Tcp { rtp, .. } if rtp == channel => Some(false),
            Self::Tcp { rtcp, .. } if rtcp == channel => Some(true),
            _ => None,
        }
    }
}
