//! Bodies of the fuzz targets: each takes any bytes and asserts what must hold for all of them.

mod depacketizers;

pub use depacketizers::{
    aac_depacketizer, format, h264_depacketizer, h265_depacketizer, h265_packetizer,
    latm_depacketizer, packetizer, picture_depacketizer, reorder, sound_depacketizer,
};

use crate::payload::{h264, opus, samples};
use crate::rtcp::{self, Arrivals, Bye, Description, FullIntraRequest, Nack, PictureLoss};
use crate::{Header, Packet, Payloads};
use media::Codec;
use media::codec::nal;

/// A packet that is read can be written again, and its extension's elements survive.
pub fn packet(data: &[u8]) {
    let Ok(packet) = Packet::parse(data) else {
        return;
    };
    let elements: Vec<_> = packet.extension.iter().flat_map(|e| e.elements()).collect();
    let mut written = Vec::new();
    if packet.header.write(&elements, &mut written).is_err() {
        return;
    }
    written.extend_from_slice(packet.payload);
    let again = Packet::parse(&written);
    let again = again.map(|again| {
        let elements: Vec<_> = again.extension.iter().flat_map(|e| e.elements()).collect();
        (again.header, elements, again.payload)
    });
    assert_eq!(again, Ok((packet.header, elements, packet.payload)));
}

/// Control packets that are read are read as the same once written.
pub fn rtcp(data: &[u8]) {
    let read: Vec<_> = rtcp::packets(data).map_while(Result::ok).collect();
    let known = |packet: &rtcp::Packet| !matches!(packet, rtcp::Packet::Other { .. });
    let read: Vec<_> = read.into_iter().filter(known).collect();
    let mut written = Vec::new();
    for packet in &read {
        packet.write(&mut written);
    }
    let again: Result<Vec<_>, _> = rtcp::packets(&written).collect();
    let again = again.map(|mut again| {
        again.iter_mut().for_each(settle);
        again
    });
    let mut read = read;
    read.iter_mut().for_each(settle);
    assert_eq!(again, Ok(read));
}

/// Texts that were not UTF-8 grow by their replacement characters and may be cut when written. Times wrap after 12 days.
fn settle(packet: &mut rtcp::Packet) {
    let replaced = |text: &str| text.contains('\u{fffd}');
    match packet {
        rtcp::Packet::Description(Description { names }) => {
            let names = names.iter_mut().filter(|(_, name)| replaced(name));
            names.for_each(|(_, name)| name.clear());
        }
        rtcp::Packet::Arrivals(Arrivals { times, .. }) => {
            let times = times.iter_mut().flatten();
            times.for_each(|time| *time = i64::from(*time as u32));
        }
        rtcp::Packet::Bye(Bye { reason, .. }) if replaced(reason) => reason.clear(),
        _ => {}
    }
}

/// Payloads of H.264 keep to their limit and carry every byte of the NAL units that are sent. The first
/// byte says how long payloads may be.
pub fn h264_packetizer(data: &[u8]) {
    let Some((&limit, unit)) = data.split_first() else {
        return;
    };
    let limit = usize::from(limit) * 8;
    let Ok(payloads) = h264::packetize(unit, None, limit) else {
        return;
    };
    assert!(
        payloads
            .iter()
            .all(|payload| payload.len() <= limit.max(64))
    );
    let nals = nal::units(unit).flatten();
    let sent: Vec<_> = nals
        .filter(|nal| {
            nal.first()
                .is_some_and(|header| !matches!(header & 0x1f, 9 | 12))
        })
        .collect();
    // A NAL unit that looks like an aggregate or a fragment cannot be told from ours.
    let own = |nal: &&[u8]| nal.first().is_some_and(|header| header & 0x1f < 24);
    if sent.iter().all(own) {
        assert_eq!(joined(&payloads), sent);
    }
}

/// What a receiver makes of payloads.
fn joined(payloads: &Payloads) -> Vec<Vec<u8>> {
    let mut nals: Vec<Vec<u8>> = Vec::new();
    for payload in payloads.iter() {
        match payload {
            [header, rest @ ..] if header & 0x1f == h264::STAP_A => {
                let mut rest = rest;
                while let [l0, l1, after @ ..] = rest {
                    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
                    let (nal, after) = after.split_at(length);
                    nals.push(nal.to_vec());
                    rest = after;
                }
            }
            [header, kind, rest @ ..] if header & 0x1f == h264::FU_A => {
                if kind & 0x80 != 0 {
                    nals.push(vec![header & 0xe0 | kind & 0x1f]);
                }
                nals.last_mut().into_iter().for_each(|nal| nal.extend(rest));
            }
            nal => nals.push(nal.to_vec()),
        }
    }
    nals
}

/// Sound is cut into what it was, and durations are bounded.
pub fn audio(data: &[u8]) {
    let payloads = samples::packetize(&Codec::G722 { channels: 1 }, data, 160);
    assert_eq!(payloads.iter().flatten().copied().collect::<Vec<_>>(), data);
    assert!(opus::samples(data).is_none_or(|samples| (1..=5_760).contains(&samples)));
}

/// Valid inputs to start from, each with the name of its target.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let header = Header {
        marker: true,
        payload_type: 102,
        sequence: 65_535,
        timestamp: 90_000,
        ssrc: 0x1234_5678,
    };
    let mut plain = header.bytes().to_vec();
    plain.extend([0x7c, 0x85, 1, 2, 3]);
    let mut extended = Vec::new();
    // Elements that fit, so nothing is refused.
    let _ = header.write(&[(1, &[1, 2, 3]), (4, b"0")], &mut extended);
    let mut two_byte = Vec::new();
    let _ = header.write(&[(20, &[1; 20])], &mut two_byte);

    let block = rtcp::ReportBlock {
        ssrc: 1,
        lost: -1,
        ..rtcp::ReportBlock::default()
    };
    let all = [
        rtcp::Packet::SenderReport(rtcp::SenderReport {
            ssrc: 1,
            blocks: vec![block],
            ..rtcp::SenderReport::default()
        }),
        rtcp::Packet::ReceiverReport(rtcp::ReceiverReport {
            ssrc: 1,
            blocks: vec![block; 2],
        }),
        rtcp::Packet::Description(Description {
            names: vec![(1, "cam".to_owned())],
        }),
        rtcp::Packet::Nack(Nack::new(1, 2, [5, 6, 30])),
        rtcp::Packet::Arrivals(Arrivals {
            first: 65_534,
            times: vec![Some(1_000), Some(900), None, Some(1_300)],
            ..Arrivals::default()
        }),
        rtcp::Packet::PictureLoss(PictureLoss {
            sender: 1,
            media: 2,
        }),
        rtcp::Packet::FullIntraRequest(FullIntraRequest {
            sender: 1,
            requests: vec![(2, 1)],
        }),
        rtcp::Packet::Bye(Bye {
            sources: vec![1],
            reason: "end".to_owned(),
        }),
    ];
    let mut compound = Vec::new();
    for packet in &all {
        packet.write(&mut compound);
    }

    let mut unit = vec![
        8, 0, 0, 0, 4, 0x67, 1, 2, 3, 0, 0, 0, 2, 0x68, 1, 0, 0, 0, 200,
    ];
    unit.extend([0x65; 200]);
    let mut seeds = vec![
        ("packet", plain),
        ("packet", extended),
        ("packet", two_byte),
        ("rtcp", compound),
        ("h264_packetizer", unit),
        ("audio", vec![0xff, 3, 1, 2]),
    ];
    seeds.extend(depacketizers::seeds());
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Instant;

    fn run(name: &str, data: &[u8]) {
        match name {
            "packet" => packet(data),
            "rtcp" => rtcp(data),
            "h264_packetizer" => h264_packetizer(data),
            "h265_packetizer" => h265_packetizer(data),
            "h264_depacketizer" => h264_depacketizer(data),
            "h265_depacketizer" => h265_depacketizer(data),
            "aac_depacketizer" => aac_depacketizer(data),
            "latm_depacketizer" => latm_depacketizer(data),
            "picture_depacketizer" => picture_depacketizer(data),
            "sound_depacketizer" => sound_depacketizer(data),
            "packetizer" => packetizer(data),
            "format" => format(data),
            "reorder" => reorder(Instant::now(), data),
            _ => audio(data),
        }
    }

    #[test]
    fn seeds_pass_whole_and_cut() {
        for (name, seed) in seeds() {
            for end in 0..=seed.len() {
                run(name, &seed[..end]);
            }
        }
    }

    proptest! {
        #[test]
        fn anything_passes(data in prop::collection::vec(any::<u8>(), 0..400)) {
            let names = seeds().into_iter().map(|(name, _)| name);
            for name in names.collect::<std::collections::BTreeSet<_>>() {
                run(name, &data);
            }
        }

        #[test]
        fn damaged_seeds_pass(at in any::<prop::sample::Index>(), value: u8) {
            for (name, mut seed) in seeds() {
                let at = at.index(seed.len());
                seed[at] = value;
                run(name, &seed);
            }
        }
    }
}
