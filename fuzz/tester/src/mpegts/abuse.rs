//! What was done to receivers of transport streams: each time, a good stream has to be received afterwards.

use super::stream::{PMT_PID, Stream, VIDEO_PID, section};
use super::{healthy, send};
use crate::case::{Case, must};
use crate::context::{Context, Outcome};
use crate::wire::Udp;

pub(super) static CASES: &[Case] = &[
    must(
        "mpegts.abuse.nonsense",
        "nonsense",
        "datagrams that hold no packets are passed over",
        |context| {
            then_healthy(context, |udp, _| {
                for length in (0..1_400).step_by(13) {
                    udp.send(&context.random.borrow_mut().bytes(length));
                    udp.send(&vec![0x47; length]);
                }
            })
        },
    ),
    must(
        "mpegts.abuse.sections",
        "oversized length",
        "sections whose lengths lie, and maps of hundreds of tracks, are bounded",
        |context| {
            then_healthy(context, |udp, stream| {
                for length in [0u16, 1, 4, 0x3fd, 0xfff] {
                    let [high, low] = length.to_be_bytes();
                    for table in [0, 2, 0xfc] {
                        let lying = [&[table, 0xb0 | high, low][..], &[0xff; 170]].concat();
                        let packet = stream.table(1, PMT_PID, &lying);
                        send(udp, &[packet]);
                        let packet = stream.table(0, 0, &lying);
                        send(udp, &[packet]);
                    }
                }
                let tracks: Vec<u8> = (0..33u8)
                    .flat_map(|track| [0x1b, 0xe2, track, 0xf0, 0])
                    .collect();
                let map = section(
                    2,
                    &[&[0, 1, 0xc5, 0, 0, 0xe1, 0, 0xf0, 0][..], &tracks].concat(),
                );
                for _ in 0..20 {
                    let packet = stream.table(1, PMT_PID, &map);
                    send(udp, &[packet]);
                }
            })
        },
    ),
    must(
        "mpegts.abuse.endless-picture",
        "oversized length",
        "a PES packet that never ends is bounded",
        |context| {
            then_healthy(context, |udp, stream| {
                send(udp, &stream.tables());
                for (number, packet) in stream
                    .pes(&vec![0x11; 12 << 20], true)
                    .chunks(7)
                    .enumerate()
                {
                    udp.send(&packet.concat());
                    if number % 64 == 0 {
                        // The receiver's buffer is not what is tested.
                        std::thread::sleep(std::time::Duration::from_millis(2));
                    }
                }
            })
        },
    ),
    must(
        "mpegts.abuse.fields",
        "oversized length",
        "adaptation fields and PES headers longer than their packet are passed over",
        |context| {
            then_healthy(context, |udp, stream| {
                for length in [0, 1, 182, 183, 184, 255] {
                    let mut packet = [0xff; 188];
                    let [high, low] = VIDEO_PID.to_be_bytes();
                    packet[..6].copy_from_slice(&[0x47, 0x40 | high, low, 0x30, length, 0x10]);
                    send(udp, &[packet]);
                    let mut packet = stream.pes(&[9, 0xf0], true)[0];
                    packet[12..21].copy_from_slice(&[0, 0, 1, 0xe0, 0, length, 0x80, 0xc0, length]);
                    send(udp, &[packet]);
                }
            })
        },
    ),
];

fn then_healthy(context: &Context, abuse: impl Fn(&Udp, &mut Stream)) -> Outcome {
    let udp = context.udp(context.target(|targets| &targets.udp)?)?;
    abuse(&udp, &mut Stream::default());
    healthy(context)
}
