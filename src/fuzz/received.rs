//! What comes by RTP of a sender that describes itself.

use crate::transport::rtp::{Event, Incoming, Receiver};
use bytes::Bytes;
use media::{Timebase, TrackId};
use rtp::Header;
use rtp::rtcp::{self, NtpTime, SenderInfo, SenderReport};
use sdp::Description;
use std::time::{Duration, Instant};

/// Ends the description.
const END: u8 = 0;

/// Input: a description, up to a byte of 0; then packets, each behind its section (bits 0 to 5 of the first byte; bit 6:
/// put in order when it comes late, bit 7: a control packet), by how much later it comes (in ms) and its length (2 bytes).
///
/// Tracks come before their units, all of it is bounded by what came, and the reports are such that can be read.
pub fn received(start: Instant, data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == END);
    let (description, mut rest) = (parts.next(), parts.next().unwrap_or_default());
    let Ok(description) = Description::parse(description.unwrap_or_default()) else {
        return;
    };
    let in_order = rest.first().is_some_and(|first| first & 0x40 == 0);
    let sections = description.media.iter().enumerate();
    let incoming = sections.filter_map(|(section, media)| Incoming::new(section, media).ok());
    let incoming = incoming.map(|incoming| match in_order {
        true => incoming.in_order(),
        false => incoming,
    });
    let mut receiver = Receiver::new(incoming.collect());
    let mut tracks: Vec<(TrackId, Timebase)> = Vec::new();
    let (mut came, mut gave) = (0, 0);
    let mut now = start;
    while let Some(([how, later, high, low], behind)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (packet, behind) = behind.split_at_checked(length).unwrap_or((behind, &[]));
        rest = behind;
        now += Duration::from_millis((*later).into());
        let section = usize::from(how & 0x3f);
        let packet = Bytes::copy_from_slice(packet);
        came += 1 + packet.len();
        receiver.packet(now, section, how & 0x80 != 0, packet);
        while let Some(event) = receiver.pull() {
            match event {
                Event::Track(track) => {
                    tracks.retain(|(known, _)| *known != track.id);
                    tracks.push((track.id, track.timebase));
                }
                Event::Unit(unit) => {
                    let track = tracks.iter().find(|(known, _)| *known == unit.track);
                    assert!(track.is_some(), "a unit before its track");
                    gave += unit.payload.len();
                }
            }
        }
        while let Some(due) = receiver.timeout().filter(|due| *due <= now) {
            receiver.handle_timeout(now);
            while let Some((section, report)) = receiver.report(now) {
                assert!(section < description.media.len());
                assert!(rtcp::packets(&report).all(|packet| packet.is_ok()));
            }
            let next = receiver.timeout();
            assert!(next.is_none_or(|next| next > due), "a timeout that stays");
        }
    }
    // Headers of pictures and parameter sets are put in front of what came.
    assert!(gave <= 64 * came, "{gave} bytes of {came}");
    let (lost, damaged) = receiver.losses();
    assert!(lost <= came as u64 * 65_536 && damaged <= came as u64);
}

/// Senders of each format, each with some packets of it.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    type Section<'a> = ([&'static str; 2], &'a str, &'a [&'a [u8]]);
    let sections: [Section<'_>; 5] = [
        (
            ["h264", "h264_datagrams"],
            "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n\
             a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LACtp5,aM48gA==\n",
            &[&[0x65, 0x88, 0x80], &[0x41, 0x9a, 1], &[0x41, 0x9b, 2]],
        ),
        (
            ["g711", "g711_datagrams"],
            "m=audio 0 RTP/AVP 8\n",
            &[&[0xd5; 40], &[0xd5; 40], &[0x55; 40]],
        ),
        (
            ["aac", "aac_datagrams"],
            "m=audio 0 RTP/AVP 96\na=rtpmap:96 MPEG4-GENERIC/48000/2\na=fmtp:96 streamtype=5;\
             profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1190\n",
            &[&[0, 16, 0, 32, 0x21, 0x10, 4, 0]],
        ),
        (
            ["jpeg", "jpeg_datagrams"],
            "m=video 0 RTP/AVP 26\n",
            &[&[0, 0, 0, 0, 1, 50, 4, 4, 1, 2, 3, 4]],
        ),
        (
            ["unknown_first", "unknown_first_datagrams"],
            "m=video 0 RTP/AVP 96 97\na=rtpmap:96 X-SECRET/90000\na=rtpmap:97 H265/90000\n",
            &[&[0x40, 1, 0x0c, 1], &[0x26, 1, 0xaf]],
        ),
    ];
    let mut seeds = Vec::new();
    for (names, description, payloads) in sections {
        for (name, in_order) in names.into_iter().zip([true, false]) {
            let mut input = format!("v=0\n{description}").into_bytes();
            input.push(END);
            let mut put = |how: u8, packet: &[u8]| {
                input.extend([how | if in_order { 0 } else { 0x40 }, 40]);
                input.extend((packet.len() as u16).to_be_bytes());
                input.extend_from_slice(packet);
            };
            let mut payload_type = description
                .split_ascii_whitespace()
                .filter_map(|word| word.parse().ok());
            let payload_type: u8 = payload_type.nth(1).unwrap_or(96);
            for (number, payload) in payloads.iter().cycle().take(6).enumerate() {
                let header = Header {
                    marker: true,
                    payload_type,
                    sequence: number as u16,
                    timestamp: number as u32 * 3_600,
                    ssrc: 7,
                };
                put(0, &[&header.bytes()[..], payload].concat());
            }
            let report = SenderReport {
                ssrc: 7,
                info: SenderInfo {
                    ntp: NtpTime::from_unix(Duration::from_secs(1_700_000_000)),
                    rtp: 3_600,
                    ..SenderInfo::default()
                },
                blocks: Vec::new(),
            };
            let mut bytes = Vec::new();
            rtcp::Packet::SenderReport(report).write(&mut bytes);
            put(0x80, &bytes);
            seeds.push((name, input));
        }
    }
    seeds
}
