//! Datagrams on their way to the socket: those of one size leave together.

use crate::net::udp::{Batch, Socket};
use std::net::{IpAddr, SocketAddr};

/// Bytes that are gathered for one system call: less than the longest datagram.
const BATCH: usize = 60 << 10;

/// What one connection sends.
#[derive(Debug)]
pub(super) struct Outbox {
    /// The address of this machine that the peer knows.
    source: IpAddr,
    destination: SocketAddr,
    /// The datagrams of one batch, and one behind it at most that does not belong to it.
    pub(super) bytes: Vec<u8>,
    /// Where the batch ends.
    end: usize,
    /// The size of each of its datagrams but the last, which may be shorter.
    segment: usize,
    /// How much of it has been sent.
    sent: usize,
}

impl Outbox {
    pub(super) const fn new(source: IpAddr, destination: SocketAddr) -> Self {
        Self {
            source,
            destination,
            bytes: Vec::new(),
            end: 0,
            segment: 0,
            sent: 0,
        }
    }

    /// A datagram has been appended to the bytes, of which there were `before`. Whether the batch has to leave
    /// before there may be another.
    pub(super) fn appended(&mut self, before: usize) -> bool {
        let length = self.bytes.len().saturating_sub(before);
        if before == 0 {
            (self.segment, self.end) = (length, length);
            return false;
        }
        if length > self.segment {
            return true;
        }
        self.end = self.bytes.len();
        length < self.segment || self.end >= BATCH
    }

    /// Sends the batch. False when the socket is full.
    pub(super) fn flush(&mut self, socket: &Socket) -> bool {
        let batch = Batch {
            source: self.source,
            destination: self.destination,
            contents: self.bytes.get(..self.end).unwrap_or_default(),
            segment_size: Some(self.segment),
        };
        self.sent = socket.send(&batch, self.sent);
        if self.sent < self.end {
            return false;
        }
        self.bytes.drain(..self.end);
        // What is left is the first of the next batch.
        self.sent = 0;
        (self.segment, self.end) = (self.bytes.len(), self.bytes.len());
        true
    }

    /// Sends all there is. False when the socket is full.
    pub(super) fn flush_all(&mut self, socket: &Socket) -> bool {
        while !self.bytes.is_empty() {
            if !self.flush(socket) {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::inflow::Inflow;
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::time::Duration;

    #[tokio::test]
    async fn datagrams_arrive_as_they_were_whatever_their_sizes() {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (near, far) = (Socket::bind(local).unwrap(), Socket::bind(local).unwrap());
        let mut outbox = Outbox::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), far.address());
        let sizes: Vec<usize> = [44, 44, 1_332, 1_332, 700, 44, 1_332, 16]
            .into_iter()
            .chain(std::iter::repeat_n(1_332, 100))
            .collect();
        for size in &sizes {
            let before = outbox.bytes.len();
            outbox.bytes.resize(before + size, 1);
            if outbox.appended(before) {
                assert!(outbox.flush(&near));
            }
        }
        assert!(outbox.flush_all(&near));
        let (mut inflow, mut got) = (Inflow::new(Arc::new(far), Duration::ZERO), Vec::new());
        while got.len() < sizes.len() {
            let received = inflow.receive().await.unwrap();
            got.extend(
                received
                    .flat_map(|arrivals| arrivals.iter())
                    .map(<[u8]>::len),
            );
        }
        assert_eq!(got, sizes);
    }
}
