//! Binding requests and their answers (RFC 8489), written apart from the server's.

use crate::context::Context;
use hmac::{Hmac, Mac};
use sha1::Sha1;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Of the controlling side, with a username and, unless there is no password, its proof.
pub(super) fn request(context: &Context, username: &str, password: Option<&str>) -> Vec<u8> {
    let mut message = vec![0, 1, 0, 0];
    message.extend_from_slice(&COOKIE);
    message.extend(context.random.borrow_mut().bytes(12));
    attribute(&mut message, 0x0006, username.as_bytes());
    attribute(&mut message, 0x0024, &0x6e7f_1effu32.to_be_bytes());
    attribute(&mut message, 0x802a, &[0, 0, 0, 0, 0, 0, 0, 1]);
    attribute(&mut message, 0x0025, &[]);
    if let Some(password) = password {
        let proof = proof(&message, password);
        attribute(&mut message, 0x0008, &proof);
    }
    // The length covers the checksum before it is there (section 14.7).
    set_length(&mut message, 8);
    let sum = (crc32(&message) ^ 0x5354_554e).to_be_bytes();
    attribute(&mut message, 0x8028, &sum);
    message
}

/// Whether it is the success of that request, with the proof of its sender and an address.
pub(super) fn is_success(answer: &[u8], request: &[u8], password: &str) -> bool {
    let same = answer.get(4..20) == request.get(4..20);
    let Some(at) = find(answer, 0x0008) else {
        return false;
    };
    let proves = answer.get(at + 4..at + 24) == Some(&proof(&answer[..at], password)[..]);
    answer.starts_with(&[1, 1]) && same && proves && find(answer, 0x0020).is_some()
}

/// The code of an error (section 14.8).
pub(super) fn error(answer: &[u8]) -> Option<u16> {
    let at = find(answer, 0x0009)?;
    let (class, number) = (answer.get(at + 6)?, answer.get(at + 7)?);
    Some(u16::from(class & 7) * 100 + u16::from(*number))
}

/// Where an attribute begins.
fn find(message: &[u8], kind: u16) -> Option<usize> {
    let mut at = 20;
    loop {
        let head = message.get(at..at + 4)?;
        if head[..2] == kind.to_be_bytes() {
            return Some(at);
        }
        at += 4 + usize::from(u16::from_be_bytes([head[2], head[3]])).next_multiple_of(4);
    }
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&(value.len() as u16).to_be_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
    set_length(message, 0);
}

fn set_length(message: &mut [u8], more: usize) {
    let length = ((message.len() - 20 + more) as u16).to_be_bytes();
    message[2..4].copy_from_slice(&length);
}

/// MESSAGE-INTEGRITY of what stands before it (section 14.5).
fn proof(message: &[u8], password: &str) -> Vec<u8> {
    let mut message = message.to_vec();
    set_length(&mut message, 24);
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(password.as_bytes()) else {
        return Vec::new();
    };
    mac.update(&message);
    mac.finalize().into_bytes().to_vec()
}

/// As Ethernet has it (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ 0xedb8_8320
            } else {
                sum >> 1
            };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample request of RFC 5769 section 2.1.
    const SAMPLE: &[u8] = b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x10STUN test client\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\
        \x00\x06\x00\x09\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x20\x20\x20\x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\
        \x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\x80\x28\x00\x04\xe5\x7a\x3b\xcf";

    #[test]
    fn a_known_request_proves_what_it_should() {
        let at = find(SAMPLE, 0x0008).unwrap_or_default();
        assert_eq!(
            proof(&SAMPLE[..at], "VOkJxbRl1RmTxUk/WvJxBt"),
            SAMPLE[at + 4..at + 24]
        );
        let at = find(SAMPLE, 0x8028).unwrap_or_default();
        let sum = (crc32(&SAMPLE[..at]) ^ 0x5354_554e).to_be_bytes();
        assert_eq!(sum, SAMPLE[at + 4..at + 8]);
    }
}
