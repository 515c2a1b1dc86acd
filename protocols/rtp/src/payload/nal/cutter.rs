//! From NAL units to payloads: neighbouring small ones share a payload, a large one is cut into fragments of
//! one size, only the last of which may be shorter, so that they can be sent as segments of one large
//! datagram.

use crate::Payloads;
use crate::payload::Writer;

/// Smallest limit of a payload that is kept to; smaller ones count as this.
const MIN_PAYLOAD: usize = 64;

/// How a codec's payloads look.
pub(in crate::payload) trait Framing {
    /// The header of a NAL unit, and so of an aggregate.
    type Header: AsRef<[u8]> + Copy;

    /// What stands in front of a fragment.
    type Fragment: AsRef<[u8]>;

    /// The header of an aggregate of these NAL units.
    fn aggregate(run: &[&[u8]]) -> Self::Header;

    /// Takes the header off a NAL unit; none where the unit is not worth sending.
    fn split(nal: &[u8]) -> Option<(Self::Header, &[u8])>;

    /// What stands in front of a fragment of a NAL unit with this header.
    fn fragment(header: Self::Header, first: bool, last: bool) -> Self::Fragment;
}

/// Collects the payloads of one access unit.
pub(in crate::payload) struct Cutter<'a, F: Framing> {
    writer: Writer,
    /// NAL units that will share a payload.
    run: Vec<&'a [u8]>,
    /// The size of that payload, without its header.
    run_len: usize,
    max_payload: usize,
    framing: std::marker::PhantomData<F>,
}

impl<'a, F: Framing> Cutter<'a, F> {
    /// For an access unit of `bytes` bytes and payloads of at most `max_payload`.
    pub(in crate::payload) fn new(bytes: usize, max_payload: usize) -> Self {
        let max_payload = max_payload.max(MIN_PAYLOAD);
        Self {
            writer: Writer::with_capacity(bytes + bytes / 64 + 256, bytes / max_payload + 4),
            run: Vec::new(),
            run_len: 0,
            max_payload,
            framing: std::marker::PhantomData,
        }
    }

    /// Appends a NAL unit.
    pub(in crate::payload) fn put(&mut self, nal: &'a [u8]) {
        let Some((header, body)) = F::split(nal) else {
            return;
        };
        if nal.len() > self.max_payload {
            self.flush();
            self.fragments(header, body);
            return;
        }
        if header.as_ref().len() + self.run_len + 2 + nal.len() > self.max_payload {
            self.flush();
        }
        self.run.push(nal);
        self.run_len += 2 + nal.len();
    }

    /// All payloads.
    pub(in crate::payload) fn finish(mut self) -> Payloads {
        self.flush();
        self.writer.finish()
    }

    /// Writes the NAL units that were waiting for company.
    fn flush(&mut self) {
        match self.run.as_slice() {
            [] => {}
            [alone] => self.writer.put(&[alone]),
            run => {
                let header = F::aggregate(run);
                // No longer than a payload; a limit above 65,535 is of no use for the field of 16 bits.
                let lengths: Vec<_> = run
                    .iter()
                    .map(|nal| (nal.len() as u16).to_be_bytes())
                    .collect();
                let mut parts: Vec<&[u8]> = Vec::with_capacity(1 + 2 * run.len());
                parts.push(header.as_ref());
                for (length, nal) in lengths.iter().zip(run) {
                    parts.push(length);
                    parts.push(nal);
                }
                self.writer.put(&parts);
            }
        }
        self.run.clear();
        self.run_len = 0;
    }

    fn fragments(&mut self, header: F::Header, body: &[u8]) {
        // Two or three bytes, where 64 are allowed.
        let room = self.max_payload - F::fragment(header, true, true).as_ref().len();
        let count = body.len().div_ceil(room).max(1);
        let size = body.len().div_ceil(count).max(1);
        let last = body.len().div_ceil(size).saturating_sub(1);
        for (index, part) in body.chunks(size).enumerate() {
            let front = F::fragment(header, index == 0, index == last);
            self.writer.put(&[front.as_ref(), part]);
        }
    }
}
