//! The handshake (section 5.2): three blocks each way before the first chunk.
//!
//! This is the plain handshake of the specification. The undocumented one with digests in C1 and S1 was
//! required by the Flash Player alone; encoders and players that send a digest read a zero version in S1 as
//! "no digests here" and go on, so both sides always send a zero version. Nor is the peer's echo compared:
//! digest clients answer with something else, and a wrong echo gains a peer nothing.

use crate::wire::Input;

const VERSION: u8 = 3;
/// Up to here a first byte is a version; beyond, it is text (section 5.2.2).
const MAX_VERSION: u8 = 31;
/// What TLS begins with, which would be version 22.
const TLS: u8 = 0x16;
/// Length of C1, C2, S1 and S2.
const BLOCK: usize = 1_536;
/// Length of a block behind its two time fields.
const RANDOM: usize = BLOCK - 8;

/// The peer asked for another protocol than RTMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("handshake begins with version {version} instead of {VERSION}: not plain RTMP")]
pub struct HandshakeError {
    /// The first byte received.
    pub version: u8,
}

/// One side of a handshake.
#[derive(Debug)]
pub(crate) struct Handshake {
    role: Role,
    /// The peer's version and first block, as far as received.
    received: Vec<u8>,
    /// Bytes of the peer's second block to come.
    echo_left: usize,
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

impl Handshake {
    /// Starts a handshake; a client's first blocks go to `out`. The random part of the block is made from
    /// `seed`, which has to differ between connections but need not be secret.
    pub(crate) fn new(role: Role, seed: u64, out: &mut Vec<u8>) -> Self {
        if role == Role::Client {
            write_first(out, seed);
        }
        Self {
            role,
            received: Vec::new(),
            echo_left: BLOCK,
            seed,
        }
    }

    /// Whether a peer may begin with this version. A server answers those it does not know with its own, and leaves it
    /// to the client to go on with that.
    const fn takes(&self, version: u8) -> bool {
        match self.role {
            Role::Client => version == VERSION,
            Role::Server => version <= MAX_VERSION && version != TLS,
        }
    }

    /// Takes bytes from the front of `input`, puts answers to `out`, and says whether the handshake is over.
    pub(crate) fn read(
        &mut self,
        input: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> Result<bool, HandshakeError> {
        let missing = (1 + BLOCK).saturating_sub(self.received.len());
        if missing > 0 {
            let (part, rest) = input.split_at(missing.min(input.len()));
            *input = rest;
            self.received.extend_from_slice(part);
            if let Some(&version) = self.received.first()
                && !self.takes(version)
            {
                return Err(HandshakeError { version });
            }
            if part.len() < missing {
                return Ok(false);
            }
            if self.role == Role::Server {
                write_first(out, self.seed);
            }
            write_second(out, &self.received);
        }
        let (part, rest) = input.split_at(self.echo_left.min(input.len()));
        *input = rest;
        self.echo_left -= part.len();
        Ok(self.echo_left == 0)
    }
}

/// C0 and C1, or S0 and S1: version, time 0, zero, random (sections 5.2.2 and 5.2.3).
fn write_first(out: &mut Vec<u8>, seed: u64) {
    out.push(VERSION);
    out.extend_from_slice(&[0; 8]);
    let mut state = seed;
    for _ in 0..RANDOM / 8 {
        // SplitMix64: fast and well spread from any seed.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        out.extend_from_slice(&(word ^ (word >> 31)).to_be_bytes());
    }
}

/// C2 or S2: the time and the random part of the peer's first block (section 5.2.4).
fn write_second(out: &mut Vec<u8>, first: &[u8]) {
    let mut input = Input::new(first);
    let _version = input.u8();
    let time = input.u32().unwrap_or(0);
    let _zero = input.u32();
    out.extend_from_slice(&time.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(input.take(RANDOM).unwrap_or(&[0; RANDOM]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use rml_rtmp::handshake::{Handshake as Peer, HandshakeProcessResult, PeerType};

    #[test]
    fn both_sides_agree_wherever_input_is_cut() {
        for cut in [1, 7, 1_536, 1_537, 3_073] {
            let (mut up, mut down) = (Vec::new(), Vec::new());
            let mut client = Handshake::new(Role::Client, 1, &mut up);
            let mut server = Handshake::new(Role::Server, 2, &mut down);
            let (mut client_done, mut server_done) = (false, false);
            for _ in 0..4 {
                for mut part in std::mem::take(&mut up).chunks(cut) {
                    server_done = server.read(&mut part, &mut down).unwrap();
                }
                for mut part in std::mem::take(&mut down).chunks(cut) {
                    client_done = client.read(&mut part, &mut up).unwrap();
                }
            }
            assert!(client_done && server_done);
            assert!(up.is_empty() && down.is_empty());
        }
    }

    #[test]
    fn blocks_are_echoed() {
        let mut first = Vec::new();
        Handshake::new(Role::Client, 1, &mut first);
        first[1..5].copy_from_slice(&[1, 2, 3, 4]);
        let mut answer = Vec::new();
        let mut server = Handshake::new(Role::Server, 2, &mut answer);
        assert_eq!(server.read(&mut &first[..], &mut answer), Ok(false));
        assert_eq!(answer.len(), 1 + 2 * BLOCK);
        assert_eq!(answer[1 + BLOCK..][..4], [1, 2, 3, 4]);
        assert_eq!(answer[1 + BLOCK + 8..], first[9..]);
    }

    #[test]
    fn bytes_after_the_handshake_are_left() {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        Handshake::new(Role::Client, 1, &mut up);
        up.resize(1 + 2 * BLOCK, 0);
        up.push(0x42);
        let mut server = Handshake::new(Role::Server, 2, &mut down);
        let mut input = &up[..];
        assert_eq!(server.read(&mut input, &mut down), Ok(true));
        assert_eq!(input, [0x42]);
    }

    #[test]
    fn other_protocols_are_refused_at_their_first_byte() {
        for version in [0x16, b'G', 32, 255] {
            let mut out = Vec::new();
            let mut server = Handshake::new(Role::Server, 2, &mut out);
            let result = server.read(&mut &[version][..], &mut out);
            assert_eq!(result, Err(HandshakeError { version }));
            assert!(out.is_empty());
        }
    }

    #[test]
    fn another_version_is_answered_with_ours() {
        for version in [0, 6, 31] {
            let (mut up, mut down) = (Vec::new(), Vec::new());
            let mut client = Handshake::new(Role::Client, 1, &mut up);
            if let Some(first) = up.first_mut() {
                *first = version;
            }
            let mut server = Handshake::new(Role::Server, 2, &mut down);
            assert_eq!(server.read(&mut &up[..], &mut down), Ok(false));
            assert_eq!(down.first(), Some(&VERSION));
            // A server has no choice.
            let refused = client.read(&mut &[version][..], &mut up);
            assert_eq!(refused, Err(HandshakeError { version }));
        }
    }

    /// The independent peer sends digests, as real encoders do.
    #[test]
    fn a_client_with_digests_accepts_the_plain_answer() {
        let mut peer = Peer::new(PeerType::Client);
        let first = peer.generate_outbound_p0_and_p1().unwrap();
        let mut answer = Vec::new();
        let mut server = Handshake::new(Role::Server, 2, &mut answer);
        assert_eq!(server.read(&mut &first[..], &mut answer), Ok(false));
        let HandshakeProcessResult::Completed { response_bytes, .. } =
            peer.process_bytes(&answer).unwrap()
        else {
            panic!("not completed");
        };
        let mut out = Vec::new();
        assert_eq!(server.read(&mut &response_bytes[..], &mut out), Ok(true));
    }
}
