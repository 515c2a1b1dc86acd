//! Packets one after the other, as many datagrams are sent with one system call: as long as they are of one size.

use smallvec::SmallVec;

/// Packets in runs: those of a run have one size, but for the last, which may be shorter.
#[derive(Debug, Default)]
pub(super) struct Packets {
    bytes: Vec<u8>,
    /// Where a run ends, and its size.
    runs: SmallVec<[(usize, usize); 3]>,
    /// A shorter packet ended the last run.
    closed: bool,
}

impl Packets {
    /// With room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// Appends a packet, given in two parts.
    pub(super) fn push(&mut self, head: &[u8], body: &[u8]) {
        self.bytes.extend_from_slice(head);
        self.bytes.extend_from_slice(body);
        let (length, end) = (head.len() + body.len(), self.bytes.len());
        let open = self.runs.last_mut().filter(|_| !self.closed);
        match open.filter(|(_, size)| length <= *size) {
            Some((last, size)) => {
                *last = end;
                self.closed = length < *size;
            }
            None => {
                self.runs.push((end, length));
                self.closed = false;
            }
        }
    }

    /// Bytes of all packets.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The runs in order: their bytes, and the size of each packet but the last.
    pub(super) fn runs(&self) -> impl Iterator<Item = (&[u8], usize)> {
        let starts = [0].into_iter().chain(self.runs.iter().map(|(end, _)| *end));
        let runs = starts.zip(&self.runs);
        runs.map(|(start, (end, size))| (self.bytes.get(start..*end).unwrap_or_default(), *size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_with_a_shorter_packet_or_before_a_longer_one() {
        let mut packets = Packets::with_capacity(100);
        for length in [10, 10, 4, 10, 12, 12, 3, 3] {
            packets.push(&[length], &vec![0; usize::from(length) - 1]);
        }
        let runs: Vec<_> = packets
            .runs()
            .map(|(bytes, size)| (bytes.len(), size))
            .collect();
        assert_eq!(runs, [(24, 10), (10, 10), (27, 12), (3, 3)]);
        let first: Vec<_> = packets.runs().map(|(bytes, _)| bytes[0]).collect();
        assert_eq!(first, [10, 10, 12, 3]);
        assert_eq!(packets.len(), 64);
    }
}
