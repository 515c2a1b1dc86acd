//! What a receiver has to make of a stream.

use super::stream::{PMT_PID, section};
use super::{healthy, received, send};
use crate::case::{Case, must};
use crate::context::{Context, Outcome};

pub(super) static CASES: &[Case] = &[
    must(
        "mpegts.received",
        "2.4.4, 2.4.3.6",
        "a program of H.264 is received",
        healthy,
    ),
    must(
        "mpegts.cut-anywhere",
        "2.4.3.2",
        "packets may begin anywhere in a datagram",
        |context: &Context| -> Outcome {
            let mut left = Vec::new();
            received(context, |udp, stream| {
                left.extend(stream.picture().concat());
                let whole = left.len() / 1_000 * 1_000;
                let rest = left.split_off(whole);
                left.chunks(1_000).for_each(|datagram| udp.send(datagram));
                left = rest;
            })
        },
    ),
    must(
        "mpegts.bad-checksum",
        "2.4.4.11",
        "tables whose checksum is wrong are passed over",
        |context| {
            received(context, |udp, stream| {
                send(udp, &stream.picture());
                let mut bad = section(
                    2,
                    &[0, 1, 0xc3, 0, 0, 0xe1, 0, 0xf0, 0, 0x0f, 0xe1, 1, 0xf0, 0],
                );
                let last = bad.len() - 1;
                bad[last] ^= 1;
                let packet = stream.table(1, PMT_PID, &bad);
                send(udp, &[packet]);
            })
        },
    ),
    must(
        "mpegts.clock-jumps",
        "2.4.3.5, 2.7.2",
        "a stream whose clock jumps goes on",
        |context| {
            let mut count = 0u64;
            received(context, |udp, stream| {
                count += 1;
                if count.is_multiple_of(60) {
                    stream.time = stream.time.wrapping_sub(450_000) & 0x1_ffff_ffff;
                }
                send(udp, &stream.picture());
            })
        },
    ),
    must(
        "mpegts.wraps",
        "2.4.3.5, 2.4.3.7",
        "times wrap at 2^33",
        |context| {
            let mut begun = false;
            received(context, |udp, stream| {
                if !std::mem::replace(&mut begun, true) {
                    stream.time = 0x1_ffff_ffff - 90_000;
                }
                let packets = stream.picture();
                send(udp, &packets);
            })
        },
    ),
    must(
        "mpegts.losses",
        "2.4.3.3",
        "a stream with lost packets goes on",
        |context| {
            let mut count = 0;
            received(context, |udp, stream| {
                let mut packets = stream.picture();
                count += 1;
                if count % 10 == 3 {
                    packets.remove(packets.len() / 2);
                }
                send(udp, &packets);
                // Packets of nothing in between (clause 2.4.3.3).
                let mut null = [0xff; 188];
                null[..4].copy_from_slice(&[0x47, 0x1f, 0xff, 0x10]);
                send(udp, &[null]);
            })
        },
    ),
];
