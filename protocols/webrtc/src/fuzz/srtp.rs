//! Packets that are protected and opened again, against a plain model of what a receiver may know.

use super::certificate;
use super::peer::{material, near, profile};
use crate::srtp::{From, Inbound, OpenError, Outbound};
use std::collections::{HashMap, HashSet};

/// Sources that a receiver tells apart, and how far behind the highest index it remembers.
const MAX_SOURCES: usize = 16;
const MEDIA: u64 = 1_024;
const CONTROL: u64 = 64;

/// Most datagrams that are on their way.
const MAX_ON_WAY: usize = 64;

/// What a receiver knows of one source.
struct Source {
    highest: u64,
    seen: HashSet<u64>,
    size: u64,
}

impl Source {
    fn new(index: u64, size: u64) -> Self {
        Self {
            highest: index,
            seen: HashSet::from([index]),
            size,
        }
    }

    fn take(&mut self, index: u64) {
        self.seen.insert(index);
        self.highest = self.highest.max(index);
    }

    /// Whether an index is new, as far as is remembered.
    fn is_fresh(&self, index: u64) -> bool {
        index + self.size > self.highest && !self.seen.contains(&index)
    }
}

/// A datagram on its way.
struct Sent {
    is_control: bool,
    ssrc: u32,
    index: u64,
    plain: Vec<u8>,
    datagram: Vec<u8>,
}

struct Ways {
    out: Outbound,
    inbound: Inbound,
    /// Opens what the other end sends.
    other: Inbound,
    /// Of the next packet of each source.
    next: HashMap<u32, u64>,
    controls: u64,
    known: [HashMap<u32, Source>; 2],
    on_way: Vec<Sent>,
    opened: usize,
}

/// What is protected is opened as the same, once and in whatever order, as long as a receiver can tell its index;
/// nothing else is, and what is not leaves no trace. The first byte is the profile; each step is a kind, a number and,
/// for what is sent, a length and that many bytes.
pub fn srtp(data: &[u8]) {
    run(data);
}

/// How many packets were opened.
pub(super) fn run(data: &[u8]) -> usize {
    let (head, mut rest) = data.split_at(data.len().min(1));
    let Some(mut ways) = Ways::new(head) else {
        return 0;
    };
    while let Some(([kind, number], after)) = rest.split_first_chunk::<2>() {
        rest = after;
        match kind % 6 {
            0 | 1 => {
                let (length, after) = rest.split_at(rest.len().min(1));
                let length = length.first().map_or(0, |length| usize::from(*length));
                let (bytes, after) = after.split_at(after.len().min(length));
                rest = after;
                match kind % 6 {
                    0 => ways.send_media(*number, bytes),
                    _ => ways.send_control(*number, bytes),
                }
            }
            // As it is, or once more.
            2 => ways.deliver(*number, false),
            3 => ways.deliver(*number, true),
            4 => {
                let (place, after) = rest.split_at(rest.len().min(2));
                rest = after;
                ways.damage(*number, place);
            }
            _ => {
                let (length, after) = rest.split_at(rest.len().min(usize::from(*number)));
                rest = after;
                assert!(ways.inbound.rtp(length).is_err());
                assert!(ways.inbound.rtcp(length).is_err());
            }
        }
    }
    while !ways.on_way.is_empty() {
        ways.deliver(0, false);
    }
    ways.opened
}

impl Ways {
    fn new(head: &[u8]) -> Option<Self> {
        let (crypto, material) = (certificate().crypto(), material(profile(head)));
        let inbound = |from| Inbound::new(crypto, &material, from).ok();
        Some(Self {
            out: Outbound::new(crypto, &material, From::DtlsClient).ok()?,
            inbound: inbound(From::DtlsClient)?,
            other: inbound(From::DtlsServer)?,
            next: HashMap::new(),
            controls: 0,
            known: [HashMap::new(), HashMap::new()],
            on_way: Vec::new(),
            opened: 0,
        })
    }

    /// A packet of one of 32 sources, with as many left out before it as the upper bits of the number say.
    fn send_media(&mut self, number: u8, bytes: &[u8]) {
        let ssrc = u32::from(number & 31);
        // The last of these is further than a receiver can follow.
        let step = [1, 2, 60, 1_000, 20_000, 32_767, 32_768, 40_000];
        let step = step.get(usize::from(number >> 5)).copied().unwrap_or(1);
        // Where the first number of a source may wrap soon, or not.
        let first = u64::from(number).wrapping_mul(2_621) & 0xffff;
        let index = self.next.get(&ssrc).map_or(first, |next| next + step - 1);
        self.next.insert(ssrc, index + 1);
        let mut plain = vec![0; 12];
        let length = bytes.len().min(12);
        for (to, from) in plain.iter_mut().zip(bytes) {
            *to = *from;
        }
        plain.extend(bytes.get(length..).unwrap_or_default());
        for (at, from) in [
            (2, (index as u16).to_be_bytes().to_vec()),
            (8, ssrc.to_be_bytes().to_vec()),
        ] {
            for (to, from) in plain.iter_mut().skip(at).zip(from) {
                *to = from;
            }
        }
        let Some(datagram) = self.out.packet(plain.clone(), index) else {
            return;
        };
        self.put(Sent {
            is_control: false,
            ssrc,
            index,
            plain,
            datagram,
        });
    }

    fn send_control(&mut self, number: u8, bytes: &[u8]) {
        let ssrc = u32::from(number & 31);
        let mut plain = vec![0x80, 201, 0, 1];
        plain.extend(ssrc.to_be_bytes());
        plain.extend(bytes);
        // As if so many had been lost.
        for _ in 0..number >> 5 {
            let lost = self.out.rtcp(plain.clone());
            assert!(lost.is_ok());
            self.controls += 1;
        }
        let index = self.controls;
        self.controls += 1;
        let Ok(datagram) = self.out.rtcp(plain.clone()) else {
            return;
        };
        self.put(Sent {
            is_control: true,
            ssrc,
            index,
            plain,
            datagram,
        });
    }

    fn put(&mut self, sent: Sent) {
        if sent.is_control {
            assert!(
                self.other.rtcp(&sent.datagram).is_err(),
                "by the other end's keys"
            );
        } else {
            assert!(
                self.other.rtp(&sent.datagram).is_err(),
                "by the other end's keys"
            );
        }
        if self.on_way.len() >= MAX_ON_WAY {
            self.deliver(0, false);
        }
        self.on_way.push(sent);
    }

    /// One of those that are on their way arrives, and stays on it if it is to come again.
    fn deliver(&mut self, number: u8, again: bool) {
        let Some(place) = usize::from(number).checked_rem(self.on_way.len()) else {
            return;
        };
        let expected = self.on_way.get(place).map(|sent| self.expected(sent));
        let Some((sent, expected)) = self.on_way.get(place).zip(expected) else {
            return;
        };
        let opened = match sent.is_control {
            true => self.inbound.rtcp(&sent.datagram),
            false => self.inbound.rtp(&sent.datagram),
        };
        // What has a header that is longer than the packet is none, even if it is authentic.
        if !sent.is_control && !is_whole(&sent.plain) {
            assert!(opened.is_err());
        } else {
            assert_eq!(opened, expected.map(|()| sent.plain.clone()));
        }
        if opened.is_ok() {
            self.opened += 1;
            let size = if sent.is_control { CONTROL } else { MEDIA };
            let known = self.known.get_mut(usize::from(sent.is_control));
            let source = known.map(|known| known.entry(sent.ssrc));
            source.map(|source| {
                source
                    .and_modify(|source| source.take(sent.index))
                    .or_insert_with(|| Source::new(sent.index, size))
            });
        }
        if !again {
            self.on_way.remove(place);
        }
    }

    /// What a receiver makes of it.
    fn expected(&self, sent: &Sent) -> Result<(), OpenError> {
        let known = self.known.get(usize::from(sent.is_control));
        let source = known.and_then(|known| known.get(&sent.ssrc));
        let sources = known.map_or(0, HashMap::len);
        let taken = match source {
            // The whole index is in the packet.
            _ if sent.is_control => sent.index,
            Some(source) => near(source.highest, sent.index as u16),
            None => sent.index & 0xffff,
        };
        let is_fresh = match source {
            Some(source) => source.is_fresh(taken),
            None => sources < MAX_SOURCES,
        };
        match (is_fresh, taken == sent.index) {
            (false, _) => Err(OpenError::Replayed),
            (true, false) => Err(OpenError::NotAuthentic),
            (true, true) => Ok(()),
        }
    }

    /// What is not as it was sent is refused, and what was sent is not taken for it.
    fn damage(&mut self, number: u8, place: &[u8]) {
        let Some(at) = usize::from(number).checked_rem(self.on_way.len()) else {
            return;
        };
        let Some(sent) = self.on_way.get(at) else {
            return;
        };
        let mut damaged = sent.datagram.clone();
        let place = place
            .iter()
            .fold(0, |sum, byte| sum * 256 + usize::from(*byte));
        let bits = damaged.len() * 8;
        // A bit is another, the end is missing, or there is more.
        match (place / 2).checked_rem(bits) {
            _ if place % 16 == 1 => damaged.truncate(place / 16 % (bits / 8)),
            _ if place % 16 == 3 => damaged.push(0),
            Some(bit) => {
                if let Some(byte) = damaged.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            None => return,
        }
        let opened = match sent.is_control {
            true => self.inbound.rtcp(&damaged),
            false => self.inbound.rtp(&damaged),
        };
        assert!(opened.is_err(), "{place}");
    }
}

/// Whether what stays readable is there.
fn is_whole(packet: &[u8]) -> bool {
    let bits = packet.first().copied().unwrap_or(0);
    let fixed = 12 + 4 * usize::from(bits & 15);
    if bits & 0x10 == 0 {
        return packet.len() >= fixed;
    }
    let length = packet.get(fixed + 2..).and_then(|rest| rest.first_chunk());
    length.is_some_and(|length| {
        packet.len() >= fixed + 4 + 4 * usize::from(u16::from_be_bytes(*length))
    })
}

/// Packets of several sources whose numbers wrap, some of them in another order, twice, damaged.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let media = |number: u8, bytes: &[u8]| [&[0, number, bytes.len() as u8], bytes].concat();
    let control = |number: u8, bytes: &[u8]| [&[1, number, bytes.len() as u8], bytes].concat();
    let plain = [0x80, 96, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x65, 1, 2, 3];
    let long = [
        0x91, 96, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 0xbe, 0xde, 0, 1, 0x10, 7, 0, 0, 9, 9,
    ];
    let seed = |profile: u8| {
        let mut steps = vec![vec![profile]];
        // Source 25 begins with 65,525.
        for number in 0..40 {
            steps.push(media(25, &plain));
            steps.push(media(number % 3, &long));
            steps.push(control(number % 2, b"a report"));
            steps.push(vec![4, number, 1, number * 2]);
        }
        steps.extend([vec![3, 50], vec![2, 50], vec![3, 7], vec![3, 7], vec![2, 3]]);
        steps.extend([
            vec![4, 2, 0, 1],
            vec![4, 2, 0, 3],
            vec![5, 20],
            vec![0x80; 20],
        ]);
        // Leaps of each length, and of the largest there is no way back.
        for leap in 0..8 {
            steps.push(media(leap << 5 | 25, &plain));
            steps.push(control(leap << 5, b""));
            steps.extend([vec![3, 60], vec![2, 0]]);
        }
        for source in 0..32 {
            steps.push(media(source, &plain));
            steps.push(control(source, b"hello"));
        }
        // A header that is longer than its packet.
        steps.push(media(25, &[0x9f; 16]));
        steps.concat()
    };
    vec![seed(0), seed(1)]
}
