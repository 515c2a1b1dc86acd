//! STUN as far as ICE uses it: Binding requests and their answers (RFC 8489, RFC 8445 section 7), and what messages of
//! TURN are made of.

use crate::ice::session_name;
use bytes::BufMut;
use rtc_crypto::{CryptoError, HmacAlgorithm, RTCCrypto};
use std::net::{IpAddr, SocketAddr};

/// In every message since RFC 3489.
const MAGIC_COOKIE: u32 = 0x2112_a442;

pub(crate) const HEADER: usize = 20;

/// MESSAGE-INTEGRITY: the attribute's header, and an HMAC-SHA1.
const INTEGRITY: usize = 4 + 20;

/// FINGERPRINT: the attribute's header, and a CRC-32.
const FINGERPRINT: usize = 4 + 4;

/// Attribute types.
pub(crate) mod attribute {
    pub(crate) const USERNAME: u16 = 0x0006;
    pub(crate) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(crate) const ERROR_CODE: u16 = 0x0009;
    pub(crate) const LIFETIME: u16 = 0x000d;
    pub(crate) const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub(crate) const DATA: u16 = 0x0013;
    pub(crate) const REALM: u16 = 0x0014;
    pub(crate) const NONCE: u16 = 0x0015;
    pub(crate) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub(crate) const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub(crate) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(crate) const PRIORITY: u16 = 0x0024;
    pub(crate) const USE_CANDIDATE: u16 = 0x0025;
    pub(crate) const FINGERPRINT: u16 = 0x8028;
    pub(crate) const ICE_CONTROLLED: u16 = 0x8029;
    pub(crate) const ICE_CONTROLLING: u16 = 0x802a;
}

/// How every message begins (section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) class: Class,
    pub(crate) method: u16,
    pub(crate) transaction: [u8; 12],
}

impl Head {
    /// Of a whole message.
    ///
    /// # Errors
    /// Where it is none.
    pub(crate) fn read(message: &[u8]) -> Result<Self, StunError> {
        let length_error = StunError::Length(message.len());
        let (head, _) = message.split_first_chunk::<HEADER>().ok_or(length_error)?;
        let [t0, t1, l0, l1, c0, c1, c2, c3, transaction @ ..] = *head;
        let kind = u16::from_be_bytes([t0, t1]);
        if kind & 0xc000 != 0 || u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE {
            return Err(StunError::NotStun);
        }
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if HEADER + length != message.len() || length % 4 != 0 {
            return Err(length_error);
        }
        Ok(Self {
            class: match kind & 0x0110 {
                0x0000 => Class::Request,
                0x0010 => Class::Indication,
                0x0100 => Class::Success,
                _ => Class::Error,
            },
            // The method's bits stand around those of the class.
            method: kind & 0x000f | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2,
            transaction,
        })
    }
}

/// Begins a message; [`set_length`] ends it.
pub(crate) fn begin(class: Class, method: u16, transaction: [u8; 12], out: &mut Vec<u8>) {
    let class = match class {
        Class::Request => 0x0000,
        Class::Indication => 0x0010,
        Class::Success => 0x0100,
        Class::Error => 0x0110,
    };
    out.put_u16(class | method & 0x000f | (method & 0x0070) << 1 | (method & 0x0f80) << 2);
    out.put_u16(0);
    out.put_u32(MAGIC_COOKIE);
    out.put_slice(&transaction);
}

/// Where each attribute of a message begins, its type and its value; up to the first that does not fit.
pub(crate) fn attributes(message: &[u8]) -> impl Iterator<Item = (usize, u16, &[u8])> {
    let mut at = HEADER;
    std::iter::from_fn(move || {
        let (head, rest) = message.get(at..)?.split_first_chunk::<4>()?;
        let [k0, k1, l0, l1] = *head;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let found = (at, u16::from_be_bytes([k0, k1]), rest.get(..length)?);
        at += 4 + length.next_multiple_of(4);
        Some(found)
    })
}

/// The number of an error, of which the hundreds stand in a byte of their own (section 14.8).
pub(crate) fn error_code(value: &[u8]) -> Option<u16> {
    let [_, _, class, number] = value.first_chunk::<4>()?;
    Some(u16::from(class & 7) * 100 + u16::from(*number))
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Asks for an answer.
    Request,
    /// Wants none.
    Indication,
    /// A good answer.
    Success,
    /// A bad one.
    Error,
}

/// Which end chooses the pair, as an end sees itself (RFC 8445 section 7.1.1), with the number by which a conflict is
/// settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It chooses.
    Controlling(u64),
    /// The other does.
    Controlled(u64),
}

/// A received Binding message, borrowed from its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    /// Request, indication or answer.
    pub class: Class,
    /// Ties an answer to its request.
    pub transaction: [u8; 12],
    /// `ufrag of the receiver:ufrag of the sender`; empty if there is none.
    pub username: &'a str,
    /// The sender's priority for the candidate it used.
    pub priority: Option<u32>,
    /// The sender wants to use this pair.
    pub use_candidate: bool,
    /// What the sender takes itself for.
    pub role: Option<Role>,
    /// What the receiver of the request saw as its source.
    pub mapped: Option<SocketAddr>,
    /// Of a bad answer: what is wrong, such as 487 where both ends want to choose.
    pub error: Option<u16>,
    /// The whole message.
    message: &'a [u8],
    /// Where MESSAGE-INTEGRITY begins.
    integrity: Option<usize>,
}

/// Why a datagram is no Binding message for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StunError {
    /// The lengths in it do not fit the datagram.
    #[error("STUN message of {0} bytes has lengths that do not fit")]
    Length(usize),
    /// The first bits or the cookie are of another protocol.
    #[error("not a STUN message")]
    NotStun,
    /// Another method than Binding.
    #[error("STUN method {0}, not Binding")]
    Method(u16),
    /// FINGERPRINT is missing or wrong.
    #[error("STUN message without a good FINGERPRINT")]
    Fingerprint,
    /// USERNAME is not text.
    #[error("STUN USERNAME is not UTF-8")]
    Username,
}

impl<'a> Binding<'a> {
    /// Reads a message and checks its FINGERPRINT; whether it is who it says, [`Self::is_from`] tells.
    ///
    /// # Errors
    /// A [`StunError`] that says what is wrong with it.
    pub fn parse(message: &'a [u8]) -> Result<Self, StunError> {
        let length_error = StunError::Length(message.len());
        let head = Head::read(message)?;
        if head.method != 1 {
            return Err(StunError::Method(head.method));
        }
        let mut binding = Self {
            class: head.class,
            transaction: head.transaction,
            username: "",
            priority: None,
            use_candidate: false,
            role: None,
            mapped: None,
            error: None,
            message,
            integrity: None,
        };
        let mut fingerprint = None;
        let mut at = HEADER;
        while let Some(rest) = message.get(at..).filter(|rest| !rest.is_empty()) {
            let (head, rest) = rest.split_first_chunk::<4>().ok_or(length_error)?;
            let [k0, k1, l0, l1] = *head;
            let kind = u16::from_be_bytes([k0, k1]);
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            let value = rest.get(..length).ok_or(length_error)?;
            if kind == attribute::FINGERPRINT {
                fingerprint = value
                    .first_chunk()
                    .map(|crc| (at, u32::from_be_bytes(*crc)));
                break;
            }
            // Nothing but the fingerprint counts behind the integrity (section 14.5).
            if binding.integrity.is_none() {
                binding.take(kind, value, at)?;
            }
            at += 4 + length.next_multiple_of(4);
        }
        let (at, crc) = fingerprint.ok_or(StunError::Fingerprint)?;
        let covered = message.get(..at).unwrap_or_default();
        if at + FINGERPRINT != message.len() || crc != fingerprint_of(covered) {
            return Err(StunError::Fingerprint);
        }
        Ok(binding)
    }

    fn take(&mut self, kind: u16, value: &'a [u8], at: usize) -> Result<(), StunError> {
        match kind {
            attribute::USERNAME => {
                self.username = std::str::from_utf8(value).map_err(|_| StunError::Username)?;
            }
            attribute::PRIORITY => {
                self.priority = value.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
            }
            attribute::USE_CANDIDATE => self.use_candidate = true,
            attribute::ICE_CONTROLLING => {
                let number = value.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
                self.role = number.map(Role::Controlling);
            }
            attribute::ICE_CONTROLLED => {
                let number = value.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
                self.role = number.map(Role::Controlled);
            }
            attribute::ERROR_CODE => self.error = error_code(value),
            attribute::XOR_MAPPED_ADDRESS => self.mapped = read_address(value, self.transaction),
            attribute::MESSAGE_INTEGRITY if value.len() == 20 => self.integrity = Some(at),
            _ => {}
        }
        Ok(())
    }

    /// The part of the username that names the receiver.
    pub fn receiver(&self) -> &'a str {
        self.username
            .split_once(':')
            .map_or("", |(receiver, _)| receiver)
    }

    /// The name of the receiver's session, which stays when ICE begins anew.
    pub fn session(&self) -> &'a str {
        session_name(self.receiver())
    }

    /// Whether its sender knows the password.
    pub fn is_from(&self, crypto: &dyn RTCCrypto, password: &str) -> bool {
        let Some(at) = self.integrity else {
            return false;
        };
        let expected = self.message.get(at + 4..at + INTEGRITY);
        let actual = integrity_of(
            crypto,
            password.as_bytes(),
            self.message.get(..at).unwrap_or_default(),
        );
        match (expected, actual) {
            (Some(expected), Ok(actual)) => rtc_crypto::constant_time_eq(expected, &actual),
            _ => false,
        }
    }
}

/// What a Binding message that is sent says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A check of a pair.
    Request {
        /// `ufrag of the receiver:own ufrag`.
        username: &'a str,
        /// The priority of the candidate it is sent from.
        priority: u32,
        /// Asks to use this pair.
        use_candidate: bool,
        /// What its sender takes itself for.
        role: Role,
    },
    /// The answer to a check from this address.
    Success(SocketAddr),
    /// The answer to a check of who takes himself for what we are.
    RoleConflict,
}

/// Writes a message with MESSAGE-INTEGRITY by this password, and FINGERPRINT.
///
/// # Errors
/// When the HMAC cannot be computed.
pub fn write(
    crypto: &dyn RTCCrypto,
    message: &Message<'_>,
    transaction: [u8; 12],
    password: &str,
) -> Result<Vec<u8>, CryptoError> {
    let mut out = Vec::with_capacity(128);
    let class = match message {
        Message::Request { .. } => Class::Request,
        Message::Success(_) => Class::Success,
        Message::RoleConflict => Class::Error,
    };
    begin(class, 1, transaction, &mut out);
    match message {
        Message::Request {
            username,
            priority,
            use_candidate,
            role,
        } => {
            put(attribute::USERNAME, username.as_bytes(), &mut out);
            put(attribute::PRIORITY, &priority.to_be_bytes(), &mut out);
            let (kind, number) = match role {
                Role::Controlling(number) => (attribute::ICE_CONTROLLING, number),
                Role::Controlled(number) => (attribute::ICE_CONTROLLED, number),
            };
            put(kind, &number.to_be_bytes(), &mut out);
            if *use_candidate {
                put(attribute::USE_CANDIDATE, &[], &mut out);
            }
        }
        Message::Success(address) => {
            let value = address_bytes(*address, transaction);
            put(attribute::XOR_MAPPED_ADDRESS, &value, &mut out);
        }
        Message::RoleConflict => put(attribute::ERROR_CODE, &[0, 0, 4, 87], &mut out),
    }
    let integrity = integrity_of(crypto, password.as_bytes(), &out)?;
    put(attribute::MESSAGE_INTEGRITY, &integrity, &mut out);
    set_length(&mut out, FINGERPRINT);
    let fingerprint = fingerprint_of(&out);
    put(attribute::FINGERPRINT, &fingerprint.to_be_bytes(), &mut out);
    Ok(out)
}

/// A question to a STUN server: where it sees us.
pub fn question(transaction: [u8; 12]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER);
    begin(Class::Request, 1, transaction, &mut out);
    out
}

/// Where a STUN server sees us, by its answer to the question of this number. Such servers add neither integrity nor
/// fingerprint.
pub fn seen_at(answer: &[u8], transaction: [u8; 12]) -> Option<SocketAddr> {
    let head = Head::read(answer).ok()?;
    let is_ours = head.class == Class::Success && head.method == 1;
    if !is_ours || head.transaction != transaction {
        return None;
    }
    let mut all = attributes(answer);
    let (.., value) = all.find(|(_, kind, _)| *kind == attribute::XOR_MAPPED_ADDRESS)?;
    read_address(value, transaction)
}

/// Appends an attribute, filled up to 4 bytes.
pub(crate) fn put(kind: u16, value: &[u8], out: &mut Vec<u8>) {
    out.put_u16(kind);
    out.put_u16(value.len() as u16);
    out.put_slice(value);
    out.put_bytes(0, value.len().wrapping_neg() & 3);
}

/// Sets the length in the header to what is there and `more` bytes.
pub(crate) fn set_length(message: &mut [u8], more: usize) {
    let length = (message.len() + more).saturating_sub(HEADER) as u16;
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// The HMAC over what stands before MESSAGE-INTEGRITY, with the length as if that ended the message
/// (section 14.5).
pub(crate) fn integrity_of(
    crypto: &dyn RTCCrypto,
    key: &[u8],
    before: &[u8],
) -> Result<[u8; 20], CryptoError> {
    let length = (before.len() + INTEGRITY).saturating_sub(HEADER) as u16;
    let mut mac = crypto.new_hmac(HmacAlgorithm::Sha1, key)?;
    let mut out = [0; 20];
    let parts = [
        before.get(..2).unwrap_or_default(),
        &length.to_be_bytes(),
        before.get(4..).unwrap_or_default(),
    ];
    mac.sign(&parts, &mut out)?;
    Ok(out)
}

/// The FINGERPRINT of a message that goes on with it (section 14.7).
fn fingerprint_of(before: &[u8]) -> u32 {
    let mut crc = !0;
    for byte in before {
        let index = (crc ^ u32::from(*byte)) as u8;
        crc = CRC_TABLE[index as usize] ^ crc >> 8;
    }
    !crc ^ 0x5354_554e
}

/// CRC-32 of ITU V.42, a byte at a time.
const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ (0xedb8_8320 * (crc & 1));
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// What addresses are XORed with: the cookie and the transaction (section 14.2).
fn mask(transaction: [u8; 12]) -> [u8; 16] {
    let mut mask = [0; 16];
    let bytes = MAGIC_COOKIE.to_be_bytes().into_iter().chain(transaction);
    for (mask, byte) in mask.iter_mut().zip(bytes) {
        *mask = byte;
    }
    mask
}

pub(crate) fn address_bytes(address: SocketAddr, transaction: [u8; 12]) -> Vec<u8> {
    let mut out = Vec::with_capacity(20);
    let ip = address.ip().to_canonical();
    out.put_slice(&[0, if ip.is_ipv4() { 1 } else { 2 }]);
    out.put_u16(address.port() ^ (MAGIC_COOKIE >> 16) as u16);
    match ip {
        IpAddr::V4(ip) => xor_into(&ip.octets(), transaction, &mut out),
        IpAddr::V6(ip) => xor_into(&ip.octets(), transaction, &mut out),
    }
    out
}

fn xor_into(octets: &[u8], transaction: [u8; 12], out: &mut Vec<u8>) {
    out.extend(octets.iter().zip(mask(transaction)).map(|(a, b)| a ^ b));
}

pub(crate) fn read_address(value: &[u8], transaction: [u8; 12]) -> Option<SocketAddr> {
    let (head, octets) = value.split_first_chunk::<4>()?;
    let [_, family, p0, p1] = *head;
    let port = u16::from_be_bytes([p0, p1]) ^ (MAGIC_COOKIE >> 16) as u16;
    let mut plain = Vec::with_capacity(16);
    xor_into(octets, transaction, &mut plain);
    let ip: IpAddr = match family {
        1 => <[u8; 4]>::try_from(plain).ok()?.into(),
        2 => <[u8; 16]>::try_from(plain).ok()?.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample request of RFC 5769 section 2.1.
    const SAMPLE: &str = "000100582112a442b7e7a701bc34d686fa87dfae\
        802200105354554e207465737420636c69656e74002400046e0001ff\
        80290008932ff9b151263b36000600096576746a3a683676592020200008\
        00149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
    const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

    fn sample() -> Vec<u8> {
        let digits: Vec<_> = SAMPLE.bytes().collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|pair| byte(pair).unwrap()).collect()
    }

    #[test]
    fn the_sample_of_rfc_5769() {
        let provider = rtc_crypto::default_provider().unwrap();
        let sample = sample();
        let request = Binding::parse(&sample).unwrap();
        assert_eq!(request.class, Class::Request);
        assert_eq!(
            (request.username, request.receiver()),
            ("evtj:h6vY", "evtj")
        );
        assert_eq!(
            (request.priority, request.use_candidate),
            (Some(0x6e00_01ff), false)
        );
        assert!(request.is_from(provider.crypto(), PASSWORD));
        assert!(!request.is_from(provider.crypto(), "another"));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let provider = rtc_crypto::default_provider().unwrap();
        let sample = sample();
        for bit in 0..sample.len() * 8 {
            let mut damaged = sample.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let good = Binding::parse(&damaged)
                .is_ok_and(|request| request.is_from(provider.crypto(), PASSWORD));
            assert!(!good, "bit {bit}");
        }
    }

    #[test]
    fn requests_and_answers_there_and_back() {
        let provider = rtc_crypto::default_provider().unwrap();
        let crypto = provider.crypto();
        let request = Message::Request {
            username: "a:bcd",
            priority: 7,
            use_candidate: true,
            role: Role::Controlled(77),
        };
        let bytes = write(crypto, &request, [9; 12], "pass").unwrap();
        let read = Binding::parse(&bytes).unwrap();
        assert!(read.is_from(crypto, "pass") && read.use_candidate);
        assert_eq!(
            (read.username, read.priority, read.transaction),
            ("a:bcd", Some(7), [9; 12])
        );
        assert_eq!(read.role, Some(Role::Controlled(77)));
        let bytes = write(crypto, &Message::RoleConflict, [9; 12], "pass").unwrap();
        let read = Binding::parse(&bytes).unwrap();
        assert_eq!((read.class, read.error), (Class::Error, Some(487)));
        for address in ["192.0.2.1:32853", "[2001:db8::1]:5"] {
            let address = address.parse().unwrap();
            let bytes = write(crypto, &Message::Success(address), [3; 12], "pass").unwrap();
            let read = Binding::parse(&bytes).unwrap();
            assert_eq!((read.class, read.mapped), (Class::Success, Some(address)));
            assert!(read.is_from(crypto, "pass"));
        }
    }

    #[test]
    fn a_server_tells_where_it_sees_us() {
        assert_eq!(question([7; 12])[..8], [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
        let address = "192.0.2.1:32853".parse().unwrap();
        let mut answer = question([7; 12]);
        answer[0] = 1;
        put(0x8022, b"names", &mut answer);
        let value = address_bytes(address, [7; 12]);
        put(attribute::XOR_MAPPED_ADDRESS, &value, &mut answer);
        set_length(&mut answer, 0);
        assert_eq!(seen_at(&answer, [7; 12]), Some(address));
        assert_eq!(seen_at(&answer, [8; 12]), None);
        for end in 0..answer.len() {
            assert_eq!(seen_at(&answer[..end], [7; 12]), None);
        }
    }

    #[test]
    fn addresses_that_came_over_both_families_are_told_as_ipv4() {
        let mapped = "[::ffff:192.0.2.1]:9".parse().unwrap();
        let plain = "192.0.2.1:9".parse().unwrap();
        let bytes = address_bytes(mapped, [1; 12]);
        assert_eq!(read_address(&bytes, [1; 12]), Some(plain));
    }
}
