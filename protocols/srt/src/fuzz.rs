//! Bodies of the fuzz targets: each takes any bytes and asserts what must hold for all of them.

mod pair;
mod port;
mod seeds;

pub use pair::session;
pub use port::listener;
pub use seeds::seeds;

use crate::StreamId;
use crate::handshake::Handshake;
use crate::packet::{Body, Packet, losses};

/// The passphrase of whoever has one.
const SECRET: &str = "a long passphrase";

/// What is read is written and read again; a loss list goes forwards.
pub fn packet(data: &[u8]) {
    let Ok(packet) = Packet::parse(data) else {
        return;
    };
    let mut bytes = Vec::new();
    packet.write(&mut bytes);
    assert_eq!(Packet::parse(&bytes), Ok(packet.clone()));
    match packet.body {
        Body::Nak(list) => assert!(losses(list).all(|(first, last)| last.since(first) >= 0)),
        Body::Handshake(bytes) => handshake(bytes),
        _ => {}
    }
}

/// What is read is written and read again, and a stream id stands for itself.
pub fn handshake(data: &[u8]) {
    let Ok(handshake) = Handshake::parse(data) else {
        return;
    };
    let mut bytes = Vec::new();
    handshake.write(&mut bytes);
    assert_eq!(Handshake::parse(&bytes), Ok(handshake.clone()));
    if let Some(id) = handshake.extensions.stream_id
        && let Ok(read) = StreamId::parse(&id)
    {
        assert!(!read.resource.is_empty() && id.contains(&read.resource));
    }
}

#[cfg(test)]
mod tests {
    use super::pair::Pair;
    use super::*;
    use std::time::Instant;

    fn run(name: &str, data: &[u8]) {
        match name {
            "packet" => packet(data),
            "handshake" => handshake(data),
            "listener" => listener(Instant::now(), data),
            _ => session(Instant::now(), data),
        }
    }

    #[test]
    fn seeds_pass_whole_cut_and_with_a_byte_changed() {
        for (name, seed) in seeds(Instant::now()) {
            run(name, &seed);
            let step = seed.len().div_ceil(8).max(1);
            for at in (0..seed.len()).step_by(step) {
                run(name, &seed[..at]);
                let mut damaged = seed.clone();
                damaged[at] ^= 0x55;
                run(name, &damaged);
            }
        }
    }

    #[test]
    fn seeds_reach_their_ends() {
        let seeds = seeds(Instant::now());
        let of = |wanted| seeds.iter().filter(move |(name, _)| *name == wanted);
        assert!(of("packet").all(|(_, seed)| Packet::parse(seed).is_ok()));
        assert!(of("handshake").all(|(_, seed)| Handshake::parse(seed).is_ok()));
        for mode in 0..6 {
            let mut pair = Pair::new(Instant::now(), mode).unwrap();
            for _ in 0..4 {
                pair.carry_all();
                pair.wait(250);
                pair.rest();
            }
            // More than one packet, of which the first are lost once, and keys that change.
            for round in 0..10 {
                pair.send(0, &[round; 90], 40);
                pair.rest();
                pair.carry(&[9; 2]);
                for _ in 0..6 {
                    pair.wait(100);
                    pair.rest();
                    pair.carry_all();
                }
            }
            assert!(pair.honest && pair.ends[0].sent.is_empty(), "{mode}");
            let [sender, receiver] = pair.ends.map(|end| end.session.stats().unwrap());
            assert!(sender.packets_retrans > 0, "{mode}: {sender:?}");
            assert_eq!(receiver.packets_received_unique, 360, "{mode}");
            let keys = u64::from([2, 3, 5].contains(&mode));
            assert!(sender.packets_sent_km >= 2 * keys, "{mode}");
            assert_eq!(receiver.packets_received_undecrypt, 0, "{mode}");
        }
    }
}
