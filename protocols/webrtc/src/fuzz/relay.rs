//! A TURN server that says whatever an input says.

use super::{Step, certificate, path, step, steps, wait};
use crate::stun::{self, Class, attribute};
use crate::turn::{Relay, TurnError};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// What a TURN server says, whatever it says, is taken; what goes out is bounded, and what is wrapped comes out as it
/// was. No address comes of what the server has not signed. Each step is a kind, a length and that many bytes; see
/// `Step`.
pub fn turn(start: Instant, data: &[u8]) {
    let (_, last) = run(start, data);
    assert!(
        !matches!(last, Err(TurnError::Refused(401))),
        "a login is named"
    );
}

/// Every address that there was, and what is left in the end.
pub(super) fn run(
    start: Instant,
    data: &[u8],
) -> (Vec<SocketAddr>, Result<Option<SocketAddr>, TurnError>) {
    let mut now = start;
    let mut relay = Relay::new(certificate().clone(), "joe".into(), "secret".into());
    let mut addresses = Vec::new();
    let mut asked = (0, [0; 12]);
    for step in steps(data) {
        for round in 0.. {
            assert!(round < 100, "it asks without end");
            match relay.poll(now) {
                Some(question) => asked = head(&question),
                // It gives up one question, and the next one is due.
                None if relay.timeout().is_some_and(|due| due <= now) => {}
                None => break,
            }
        }
        let before = relay.address();
        match step {
            // An answer to what was asked last, of which the number is all that cannot be made up.
            Step::Check(bytes) => {
                let mut message = bytes.to_vec();
                if let Some(number) = message.get_mut(8..20) {
                    number.copy_from_slice(&asked.1);
                }
                relay.handle_input(now, &message);
                let after = relay.address();
                assert!(after == before || after.is_err(), "{after:?}");
            }
            // One by who has the password: an error or not, and its attributes.
            Step::Keys(bytes) => {
                let (class, attributes) = match bytes.split_first() {
                    Some((1, attributes)) => (Class::Error, attributes),
                    Some((_, attributes)) => (Class::Success, attributes),
                    None => (Class::Success, bytes),
                };
                let mut message = Vec::new();
                stun::begin(class, asked.0, asked.1, &mut message);
                message.extend(attributes);
                relay.sign(&mut message);
                relay.handle_input(now, &message);
            }
            Step::Input(bytes) => {
                let came = relay.handle_input(now, bytes);
                assert!(came.is_none_or(|(_, packet)| packet.len() < bytes.len()));
            }
            Step::Wait(time) => now += time,
            Step::Media(bytes) => {
                let peer = path().remote;
                let mut wrapped = relay.wrap(peer, bytes);
                if let Some(kind) = wrapped.first_chunk_mut::<2>() {
                    *kind = [0x00, 0x17];
                }
                assert_eq!(relay.handle_input(now, &wrapped), Some((peer, bytes)));
            }
            Step::Close => {
                if let Some(question) = relay.give_back() {
                    head(&question);
                }
            }
            Step::GoodCheck(bytes) => {
                let v4 = bytes.first_chunk::<4>().map(|bytes| IpAddr::from(*bytes));
                let v6 = bytes.first_chunk::<16>().map(|bytes| IpAddr::from(*bytes));
                let address = v6.or(v4).unwrap_or_else(|| path().remote.ip());
                relay.permit(now, address);
            }
            _ => {}
        }
        let has = relay.address().ok().flatten();
        addresses.extend(has.filter(|address| addresses.last() != Some(address)));
    }
    (addresses, relay.address())
}

/// The method and the number of a question, which is a whole message.
fn head(question: &[u8]) -> (u16, [u8; 12]) {
    // A realm and a nonce of any length that is believed.
    assert!(question.len() < 2_048);
    let head = stun::Head::read(question);
    assert!(
        head.is_ok_and(|head| head.class == Class::Request),
        "{question:?}"
    );
    head.map_or((0, [0; 12]), |head| (head.method, head.transaction))
}

/// From the first answer to the last, and what goes wrong between.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let attributes = |list: &[(u16, &[u8])]| {
        let mut out = Vec::new();
        for (kind, value) in list {
            stun::put(*kind, value, &mut out);
        }
        out
    };
    let error = |code: u8, nonce: &[u8]| {
        let realm = (attribute::REALM, &b"here"[..]);
        let code = [0, 0, 4, code];
        let list = [
            (attribute::ERROR_CODE, &code[..]),
            realm,
            (attribute::NONCE, nonce),
        ];
        [&[1][..], &attributes(&list)].concat()
    };
    let lifetime = |seconds: u32| attributes(&[(attribute::LIFETIME, &seconds.to_be_bytes())]);
    let address = stun::address_bytes(SocketAddr::from(([192, 0, 2, 7], 9)), [0; 12]);
    let given = [
        &[0][..],
        &attributes(&[(attribute::XOR_RELAYED_ADDRESS, &address)]),
        &lifetime(600),
    ];
    let given = given.concat();
    let good = |attributes: &[u8]| step(6, &[&[0], attributes].concat());
    let login = step(6, &error(1, b"number"));
    let mut indication = Vec::new();
    stun::begin(Class::Indication, 7, [0; 12], &mut indication);
    stun::put(attribute::XOR_PEER_ADDRESS, &address, &mut indication);
    stun::put(attribute::DATA, b"a packet", &mut indication);
    stun::set_length(&mut indication, 0);
    let mut forged = Vec::new();
    stun::begin(Class::Success, 3, [0; 12], &mut forged);
    stun::put(attribute::XOR_RELAYED_ADDRESS, &address, &mut forged);
    stun::set_length(&mut forged, 0);
    let begin = [login.clone(), step(1, &forged), step(6, &given)].concat();
    // Permissions, one of them refused, a nonce that is too old, and the address once more.
    let mut kept = vec![
        begin.clone(),
        step(2, &[192, 0, 2, 9]),
        step(2, &[0x20; 16]),
        step(2, &[192, 0, 2, 9]),
        good(&[]),
        step(6, &error(3, b"no")),
        step(0, &indication),
        step(3, b"a packet"),
    ];
    kept.extend((0..4).map(|_| wait(60_000)));
    kept.extend([
        good(&[]),
        good(&[]),
        wait(60_000),
        good(&lifetime(10)),
        wait(16_000),
    ]);
    kept.extend([
        step(6, &error(38, b"other")),
        good(&lifetime(100)),
        wait(20_000),
    ]);
    kept.push(step(5, &[]));
    // A server that always wants another nonce, and one that falls silent.
    let waits = |count: usize| (0..count).map(|_| wait(60_000)).collect::<Vec<_>>();
    let stale = (0..6).map(|_| step(6, &error(38, b"other")));
    let stale = [vec![begin.clone()], waits(5), stale.collect()].concat();
    let silent = [vec![begin, step(2, &[])], waits(24)].concat();
    let refused = [step(6, &error(86, b"full")), wait(1_000)];
    let nowhere = [login.clone(), good(&lifetime(600))];
    let wrong = [login.clone(), login];
    vec![
        kept.concat(),
        stale.concat(),
        silent.concat(),
        refused.concat(),
        nowhere.concat(),
        wrong.concat(),
    ]
}
