//! Streams in datagrams to groups: an address for each stream while somebody asks for it, and one sender for all who
//! play it, which is one member among those of `datagrams`.

use super::datagrams::{self, Destination, Parts, Ticket};
use crate::hub::StreamName;
use crate::net::shard::Shards;
use rtsp::server::Group;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio_util::sync::DropGuard;

/// Most tracks of a stream that are sent.
const MAX_TRACKS: usize = 32;

/// The last port that the first track of a stream may have: each takes two.
pub(super) const MAX_PORT: u16 = u16::MAX - (2 * MAX_TRACKS as u16 - 1);

/// Groups that streams are sent to, such as `239.192.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: Ipv4Addr,
    bits: u32,
}

impl Range {
    /// How many addresses there are.
    const fn len(self) -> u32 {
        1 << (32 - self.bits)
    }

    fn at(self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first.to_bits() | (number % self.len()))
    }
}

impl FromStr for Range {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('/').and_then(|(first, bits)| {
            let range = Self {
                first: first.parse().ok()?,
                bits: bits.parse().ok()?,
            };
            Some(range)
        });
        let good = |range: &Self| {
            (8..=32).contains(&range.bits)
                && range.first.is_multicast()
                && range.first.to_bits().is_multiple_of(range.len())
        };
        parsed
            .filter(good)
            .ok_or("a range of groups is such as 239.192.0.0/16, with 8 to 32 bits")
    }
}

/// The groups of a server.
#[derive(Debug)]
pub(super) struct Multicast {
    range: Range,
    port: u16,
    ttl: u8,
    seed: RandomState,
    streams: Mutex<HashMap<StreamName, Weak<Lease>>>,
}

/// The group of a stream, for as long as somebody holds this.
#[derive(Debug)]
pub(super) struct Lease {
    address: Ipv4Addr,
    port: u16,
    ttl: u8,
    /// Who sends, by the address of ours that it sends from: that decides on which network.
    senders: Mutex<HashMap<IpAddr, Weak<Sender>>>,
}

/// Sends a stream to its group, for as long as somebody holds this.
#[derive(Debug)]
pub(super) struct Sender {
    ticket: Arc<Ticket>,
    _left: DropGuard,
}

impl Multicast {
    /// Groups of this range, with tracks at this port and those behind it, which as many routers pass on.
    pub(super) fn new(range: Range, port: u16, ttl: u8) -> Self {
        Self {
            range,
            port,
            ttl,
            seed: RandomState::new(),
            streams: Mutex::default(),
        }
    }

    /// The group of a stream; none when all are taken.
    pub(super) fn lease(&self, stream: &StreamName) -> Option<Arc<Lease>> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = streams.get(stream).and_then(Weak::upgrade) {
            return Some(known);
        }
        streams.retain(|_, lease| lease.strong_count() > 0);
        let taken: Vec<_> = streams.values().filter_map(Weak::upgrade).collect();
        let free = |address: &Ipv4Addr| taken.iter().all(|lease| lease.address != *address);
        let first = self.seed.hash_one(stream) as u32;
        // Among so many there is a free one, if there is one at all.
        let tries = u32::try_from(taken.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let mut numbers = (0..tries.min(self.range.len())).map(|step| first.wrapping_add(step));
        let address = numbers.find_map(|number| Some(self.range.at(number)).filter(free))?;
        let lease = Arc::new(Lease {
            address,
            port: self.port,
            ttl: self.ttl,
            senders: Mutex::default(),
        });
        streams.insert(stream.clone(), Arc::downgrade(&lease));
        Some(lease)
    }
}

impl Lease {
    /// Where so many tracks go.
    pub(super) fn groups(&self, tracks: usize) -> impl Iterator<Item = Group> {
        let ports = (self.port..u16::MAX).step_by(2).take(tracks);
        ports.map(|rtp| Group {
            address: self.address.into(),
            rtp,
            rtcp: rtp + 1,
            ttl: self.ttl,
        })
    }

    /// Who sends from this address of ours, begun if it is nobody.
    pub(super) async fn join(&self, parts: Parts, source: IpAddr, shards: &Shards) -> Arc<Sender> {
        let (sender, is_new) = self.sender(source);
        if is_new {
            let ticket = sender.ticket.clone();
            // Where it begins is of no use to those who come later.
            drop(ticket.begin());
            shards.spawn(move || datagrams::serve(parts, ticket)).await;
        }
        sender
    }

    fn sender(&self, source: IpAddr) -> (Arc<Sender>, bool) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let known = senders.get(&source).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|sender| !sender.ticket.over.is_cancelled()) {
            return (known, false);
        }
        senders.retain(|_, sender| sender.strong_count() > 0);
        // Also for tracks that are added while it sends.
        let groups = self.groups(MAX_TRACKS).enumerate();
        let destinations = groups.map(|(section, group)| Destination {
            section,
            rtp: SocketAddr::new(group.address, group.rtp),
            rtcp: SocketAddr::new(group.address, group.rtcp),
        });
        let ticket = Arc::new(Ticket::new(destinations.collect(), source));
        let sender = Arc::new(Sender {
            _left: ticket.left.clone().drop_guard(),
            ticket,
        });
        senders.insert(source, Arc::downgrade(&sender));
        (sender, true)
    }
}

impl Sender {
    /// Until nothing more is sent.
    pub(super) async fn over(&self) {
        self.ticket.over.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Result<Range, &'static str> {
        text.parse()
    }

    #[test]
    fn ranges() {
        assert_eq!(range("239.192.0.0/16").unwrap().len(), 1 << 16);
        assert_eq!(range("239.0.0.7/32").unwrap().len(), 1);
        for text in [
            "",
            "239.0.0.0",
            "239.0.0.1/24",
            "10.0.0.0/8",
            "224.0.0.0/4",
            "239.0.0.0/33",
        ] {
            assert!(range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_stream_has_a_group_of_its_own_while_it_is_wanted() {
        let multicast = Multicast::new(range("239.1.2.0/30").unwrap(), 8_002, 1);
        let name = |id: &str| StreamName::new("LiveApp", id).unwrap();
        let ids = ["a", "b", "c", "d"];
        let mut leases: Vec<_> = ids
            .iter()
            .map(|id| multicast.lease(&name(id)).unwrap())
            .collect();
        let mut addresses: Vec<_> = leases.iter().map(|lease| lease.address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), 4);
        assert!(multicast.lease(&name("e")).is_none());
        let again = multicast.lease(&name("b")).unwrap();
        assert_eq!(again.address, leases[1].address);
        let free = leases.remove(0).address;
        assert_eq!(multicast.lease(&name("e")).unwrap().address, free);
        let ports: Vec<_> = again
            .groups(2)
            .map(|group| (group.rtp, group.rtcp))
            .collect();
        assert_eq!(ports, [(8_002, 8_003), (8_004, 8_005)]);
    }
}
