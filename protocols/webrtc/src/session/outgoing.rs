//! What waits to be fetched by `poll_output`.

use super::{Event, Output, Transmit};
use crate::ice::Path;
use crate::srtp::Profile;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Most datagrams in one [`Transmit`], as kernels take them.
const MAX_SEGMENTS: usize = 64;

/// Most bytes in one [`Transmit`].
const MAX_BYTES: usize = 60_000;

/// Events and datagrams in order, events first.
#[derive(Default)]
pub(super) struct Outgoing {
    events: VecDeque<Event>,
    transmits: VecDeque<Transmit>,
    /// Once it is known.
    pub(super) profile: Option<Profile>,
    /// Where packets are written. It is given back once all is fetched: thousands of viewers would each keep
    /// room for a random access point, where one that is shared stays in the processor's cache.
    pub(super) buffer: BytesMut,
}

/// Packets of one access unit, gathered into as few transmits as their sizes allow.
pub(super) struct Batch {
    path: Path,
    /// The size of every packet but the last.
    segment: usize,
    last: usize,
    count: usize,
}

impl Outgoing {
    pub(super) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// A single datagram.
    pub(super) fn push(&mut self, path: Path, contents: Bytes) {
        self.transmits.push_back(Transmit {
            path,
            contents,
            segment_size: None,
        });
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        let event = self.events.pop_front().map(Output::Event);
        let next = event.or_else(|| self.transmits.pop_front().map(Output::Transmit));
        if next.is_none() {
            self.buffer = BytesMut::new();
        }
        next
    }
}

impl Batch {
    pub(super) const fn new(path: Path) -> Self {
        Self {
            path,
            segment: 0,
            last: 0,
            count: 0,
        }
    }

    /// Makes room for a packet of this size, which the caller appends to the buffer.
    pub(super) fn add(&mut self, size: usize, out: &mut Outgoing) {
        let fits = self.count < MAX_SEGMENTS
            && out.buffer.len() + size <= MAX_BYTES
            && self.last == self.segment
            && size <= self.segment;
        if self.count > 0 && !fits {
            self.finish(out);
        }
        if self.count == 0 {
            self.segment = size;
        }
        self.last = size;
        self.count += 1;
    }

    /// Hands over what was gathered.
    pub(super) fn finish(&mut self, out: &mut Outgoing) {
        if self.count > 0 && !out.buffer.is_empty() {
            out.transmits.push_back(Transmit {
                path: self.path,
                contents: out.buffer.split().freeze(),
                segment_size: (self.count > 1).then_some(self.segment),
            });
        }
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ice::Transport;
    use bytes::BufMut;

    #[test]
    fn equal_packets_and_a_shorter_last_one_go_together() {
        let address = ([127, 0, 0, 1], 9).into();
        let mut out = Outgoing::default();
        let mut batch = Batch::new(Path {
            transport: Transport::Udp,
            local: address,
            remote: address,
        });
        for size in [10, 10, 4, 4, 4, 20] {
            batch.add(size, &mut out);
            out.buffer.put_bytes(1, size);
        }
        batch.finish(&mut out);
        let sizes: Vec<Vec<usize>> = out
            .transmits
            .iter()
            .map(|transmit| transmit.datagrams().map(<[u8]>::len).collect())
            .collect();
        assert_eq!(sizes, [vec![10, 10, 4], vec![4, 4], vec![20]]);
    }
}
