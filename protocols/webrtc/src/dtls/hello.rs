//! What a client offers in its first message, read before the handshake begins.
//!
//! A ClientHello may come in fragments, over several datagrams and in any order (RFC 6347 section 4.2.3);
//! those with keys for quantum-safe exchanges do. The datagrams are kept and given to the handshake
//! afterwards.

/// Longest ClientHello that is read.
const MAX_HELLO: usize = 8 * 1_024;

/// Most datagrams that are kept for it.
const MAX_DATAGRAMS: usize = 12;

pub(super) const RECORD_HEADER: usize = 13;
pub(super) const MESSAGE_HEADER: usize = 12;

pub(super) const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// The extension with the SRTP protection profiles (RFC 5764 section 4.1.1).
const USE_SRTP: u16 = 14;

/// The first message of a client, as far as it came.
#[derive(Debug, Default)]
pub(super) struct Hello {
    datagrams: Vec<Vec<u8>>,
    /// The body, and which of its bytes came.
    body: Vec<u8>,
    came: Vec<bool>,
}

/// Whether all of it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gathered {
    /// Not yet.
    Not,
    /// Yes, and these SRTP protection profiles are offered in it.
    Offered(Vec<u16>),
}

impl Hello {
    /// Takes a datagram. Those that are not part of a ClientHello are not kept, since there is nothing yet
    /// to which they could belong.
    pub(super) fn push(&mut self, datagram: &[u8]) -> Gathered {
        let mut rest = datagram;
        let mut part = false;
        while let Some((body, after)) = record(rest) {
            part |= self.record(body).is_some();
            rest = after;
        }
        if part && self.datagrams.len() < MAX_DATAGRAMS {
            self.datagrams.push(datagram.to_vec());
        }
        if self.came.is_empty() || self.came.contains(&false) {
            return Gathered::Not;
        }
        Gathered::Offered(profiles(&self.body).unwrap_or_default())
    }

    /// The datagrams in which it came.
    pub(super) fn into_datagrams(self) -> Vec<Vec<u8>> {
        self.datagrams
    }

    /// Takes the first message of a record of handshake messages, if it is a part of a ClientHello.
    fn record(&mut self, record: &[u8]) -> Option<()> {
        let (head, rest) = record.split_first_chunk::<MESSAGE_HEADER>()?;
        let [kind, l0, l1, l2, _, _, o0, o1, o2, f0, f1, f2] = *head;
        let length = number([l0, l1, l2]);
        let offset = number([o0, o1, o2]);
        let fragment = rest.get(..number([f0, f1, f2]))?;
        let fits = (1..=MAX_HELLO).contains(&length);
        if kind != CLIENT_HELLO || !fits || offset + fragment.len() > length {
            return None;
        }
        if self.body.len() != length {
            // The first part, or that of another message: only one is gathered at a time.
            self.body = vec![0; length];
            self.came = vec![false; length];
        }
        let range = offset..offset + fragment.len();
        self.body.get_mut(range.clone())?.copy_from_slice(fragment);
        self.came.get_mut(range)?.fill(true);
        Some(())
    }
}

/// The body of the first record, if it carries handshake messages in the clear, or nothing in place of it;
/// and what follows.
fn record(datagram: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = datagram.split_first_chunk::<RECORD_HEADER>()?;
    let [kind, _, _, e0, e1, _, _, _, _, _, _, l0, l1] = *head;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let (body, after) = rest.split_at_checked(length)?;
    let plain_handshake = kind == HANDSHAKE && [e0, e1] == [0, 0];
    Some((if plain_handshake { body } else { &[] }, after))
}

/// How many handshake messages, or fragments of them, are in the readable records of a datagram; `None` when
/// its records do not fill it.
pub(super) fn fragments(datagram: &[u8]) -> Option<usize> {
    let mut rest = datagram;
    let mut count = 0;
    while !rest.is_empty() {
        let (mut body, after) = record(rest)?;
        while let Some((head, tail)) = body.split_first_chunk::<MESSAGE_HEADER>() {
            let [_, l0, l1, l2, ..] = *head;
            count += 1;
            body = tail.get(number([l0, l1, l2])..).unwrap_or_default();
        }
        rest = after;
    }
    Some(count)
}

pub(super) const fn number([high, middle, low]: [u8; 3]) -> usize {
    (high as usize) << 16 | (middle as usize) << 8 | low as usize
}

/// The SRTP protection profiles in a ClientHello.
fn profiles(body: &[u8]) -> Option<Vec<u16>> {
    // Version, random, session id, cookie, cipher suites, compression methods.
    let rest = body.get(2 + 32..)?;
    let (_, rest) = short(rest)?;
    let (_, rest) = short(rest)?;
    let (_, rest) = long(rest)?;
    let (_, rest) = short(rest)?;
    let (mut extensions, _) = long(rest)?;
    while let Some((kind, rest)) = extensions.split_first_chunk::<2>() {
        let (value, after) = long(rest)?;
        if u16::from_be_bytes(*kind) == USE_SRTP {
            let (list, _) = long(value)?;
            let pairs = list.chunks_exact(2).filter_map(<[u8]>::first_chunk);
            return Some(pairs.map(|pair| u16::from_be_bytes(*pair)).collect());
        }
        extensions = after;
    }
    None
}

/// A field behind a length of 1 byte, and what follows it.
fn short(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// A field behind a length of 2 bytes, and what follows it.
fn long(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(profiles: &[u8]) -> Vec<u8> {
        let mut body = vec![0xfe, 0xfd];
        body.extend([7; 32]);
        body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
        let mut extensions = vec![0, 23, 0, 0, 0, 14, 0, profiles.len() as u8 + 3];
        extensions.extend([0, profiles.len() as u8]);
        extensions.extend(profiles);
        extensions.push(0);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        body
    }

    fn fragment(body: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
        let three = |number: usize| (number as u32).to_be_bytes()[1..].to_vec();
        let part = &body[range.clone()];
        let mut message = vec![1];
        message.extend(three(body.len()));
        message.extend([0, 0]);
        message.extend(three(range.start));
        message.extend(three(part.len()));
        message.extend(part);
        let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
        record.extend((message.len() as u16).to_be_bytes());
        record.extend(message);
        record
    }

    #[test]
    fn a_hello_in_one_datagram() {
        let body = body(&[0, 1, 0, 7]);
        let mut hello = Hello::default();
        let datagram = fragment(&body, 0..body.len());
        assert_eq!(hello.push(&datagram), Gathered::Offered(vec![1, 7]));
        assert_eq!(hello.into_datagrams(), [datagram]);
    }

    #[test]
    fn a_hello_in_fragments() {
        let body = body(&[0, 7]);
        let mut hello = Hello::default();
        let parts = [40..body.len(), 0..20, 10..40];
        let datagrams = parts.map(|range| fragment(&body, range));
        assert_eq!(hello.push(&datagrams[0]), Gathered::Not);
        assert_eq!(hello.push(b"something else"), Gathered::Not);
        assert_eq!(hello.push(&datagrams[1]), Gathered::Not);
        assert_eq!(hello.push(&datagrams[2]), Gathered::Offered(vec![7]));
        assert_eq!(hello.into_datagrams(), datagrams);
    }

    #[test]
    fn a_hello_without_profiles() {
        let mut body = body(&[]);
        body.truncate(40);
        let mut hello = Hello::default();
        let datagram = fragment(&body, 0..body.len());
        assert_eq!(hello.push(&datagram), Gathered::Offered(vec![]));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let body = body(&[0, 7]);
        let mut hello = Hello::default();
        for _ in 0..100 {
            assert_eq!(hello.push(&fragment(&body, 0..1)), Gathered::Not);
        }
        assert_eq!(hello.into_datagrams().len(), MAX_DATAGRAMS);
    }
}
