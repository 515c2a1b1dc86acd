//! Targets that compare with what others read: where both read something, it is the same.

use rml_amf0::Amf0Value;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc_rtcp::{receiver_report, reception_report::ReceptionReport, sender_report};
use rtc_shared::marshal::Unmarshal;
use rtmp::amf0::{self, Value};
use rtp::rtcp::{self, Packet, ReportBlock};

/// Longest input that is compared: the other reader bounds neither depth nor length.
const LONGEST: usize = 4_096;

/// AMF0 as `rml_amf0` reads it.
pub fn amf0(data: &[u8]) {
    // What nests too deep for us is not given to the other one.
    let Ok(ours) = amf0::read_all(data) else {
        return;
    };
    if data.len() > LONGEST || !ours.iter().all(is_common) {
        return;
    }
    let mut rest = data;
    if let Ok(theirs) = rml_amf0::deserialize(&mut rest)
        && rest.is_empty()
    {
        assert_eq!(ours.len(), theirs.len(), "{ours:?} {theirs:?}");
        let same = ours
            .iter()
            .zip(&theirs)
            .all(|(ours, theirs)| are_same(ours, theirs));
        assert!(same, "{ours:?} {theirs:?}");
    }
}

/// Whether both have a form for it.
fn is_common(value: &Value) -> bool {
    match value {
        Value::Number(_) | Value::Boolean(_) | Value::Null | Value::Undefined => true,
        // It stands for bytes that are no text, which the other one refuses.
        Value::String(text) => !text.contains('\u{fffd}'),
        Value::Object(properties) | Value::EcmaArray(properties) => {
            let empty = properties.iter().any(|(name, _)| name.is_empty());
            !empty && properties.iter().all(|(_, value)| is_common(value))
        }
        Value::StrictArray(values) => values.iter().all(is_common),
        Value::Date(_) => false,
    }
}

fn are_same(ours: &Value, theirs: &Amf0Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Amf0Value::Number(theirs)) => ours.to_bits() == theirs.to_bits(),
        // Whatever is not zero is true (AMF 0 section 2.3); to the other one nothing but 1 is.
        (Value::Boolean(ours), Amf0Value::Boolean(theirs)) => *ours || !theirs,
        (Value::String(ours), Amf0Value::Utf8String(theirs)) => ours == theirs,
        (Value::Null, Amf0Value::Null) | (Value::Undefined, Amf0Value::Undefined) => true,
        (Value::StrictArray(ours), Amf0Value::StrictArray(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| are_same(ours, theirs))
        }
        (Value::Object(ours) | Value::EcmaArray(ours), Amf0Value::Object(theirs)) => {
            // Of those with one name, theirs is the last.
            let last = |name: &str| ours.iter().rev().find(|(known, _)| known == name);
            theirs
                .iter()
                .all(|(name, theirs)| last(name).is_some_and(|(_, ours)| are_same(ours, theirs)))
                && ours.iter().all(|(name, _)| theirs.contains_key(name))
        }
        _ => false,
    }
}

/// An RTP packet as `rtc-rtp` reads it.
pub fn rtp(data: &[u8]) {
    let (Ok(ours), Ok(theirs)) = (
        rtp::Packet::parse(data),
        rtc_rtp::Packet::unmarshal(&mut &*data),
    ) else {
        return;
    };
    let their = &theirs.header;
    let header = rtp::Header {
        marker: their.marker,
        payload_type: their.payload_type,
        sequence: their.sequence_number,
        timestamp: their.timestamp,
        ssrc: their.ssrc,
    };
    assert_eq!(ours.header, header);
    let contributors: Vec<u8> = their.csrc.iter().flat_map(|c| c.to_be_bytes()).collect();
    assert_eq!(ours.contributors, contributors);
    // Where elements do not fill their extension, theirs takes what is behind them for the payload, or that for elements.
    if !their.extension {
        assert_eq!(ours.payload, &theirs.payload[..]);
    }
    assert_eq!(ours.extension.is_some(), their.extension);
}

/// A datagram of RTCP as `rtc-rtcp` reads it.
pub fn rtcp(data: &[u8]) {
    // Theirs leaves padding to each kind of packet, and reads it as blocks in some.
    let padded = |datagram: &[u8]| {
        let mut rest = datagram;
        while let [bits, _, l0, l1, ..] = *rest {
            if bits & 0x20 != 0 {
                return true;
            }
            let length = 4 + 4 * usize::from(u16::from_be_bytes([l0, l1]));
            rest = rest.get(length..).unwrap_or_default();
        }
        false
    };
    let ours: Result<Vec<Packet>, _> = rtcp::packets(data).collect();
    let (Ok(ours), Ok(theirs)) = (ours, rtc_rtcp::packet::unmarshal(&mut &*data)) else {
        return;
    };
    if padded(data) {
        return;
    }
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let theirs = theirs.as_any();
        match ours {
            Packet::SenderReport(ours) => {
                let theirs = theirs.downcast_ref::<sender_report::SenderReport>();
                let theirs = theirs.map(|theirs| {
                    let ntp = rtcp::NtpTime(theirs.ntp_time);
                    let info = rtcp::SenderInfo {
                        ntp,
                        rtp: theirs.rtp_time,
                        packets: theirs.packet_count,
                        octets: theirs.octet_count,
                    };
                    (theirs.ssrc, info, blocks(&theirs.reports))
                });
                assert_eq!(Some((ours.ssrc, ours.info, ours.blocks.clone())), theirs);
            }
            Packet::ReceiverReport(ours) => {
                let theirs = theirs.downcast_ref::<receiver_report::ReceiverReport>();
                let theirs = theirs.map(|theirs| (theirs.ssrc, blocks(&theirs.reports)));
                assert_eq!(Some((ours.ssrc, ours.blocks.clone())), theirs);
            }
            Packet::Nack(ours) => {
                let theirs = theirs.downcast_ref::<TransportLayerNack>();
                let theirs = theirs.map(|theirs| {
                    let pairs = theirs.nacks.iter();
                    let lost = pairs
                        .map(|pair| (pair.packet_id, pair.lost_packets))
                        .collect();
                    (theirs.sender_ssrc, theirs.media_ssrc, lost)
                });
                let pairs = ours.lost.iter();
                let lost: Vec<_> = pairs.map(|pair| (pair.first, pair.following)).collect();
                assert_eq!(Some((ours.sender, ours.media, lost)), theirs);
            }
            _ => {}
        }
    }
}

fn blocks(theirs: &[ReceptionReport]) -> Vec<ReportBlock> {
    let blocks = theirs.iter().map(|block| ReportBlock {
        ssrc: block.ssrc,
        fraction_lost: block.fraction_lost,
        // 24 bits, of which the first is a sign, which theirs leaves out.
        lost: (block.total_lost << 8).cast_signed() >> 8,
        highest_sequence: block.last_sequence_number,
        jitter: block.jitter,
        last_report: block.last_sender_report,
        delay: block.delay,
    });
    blocks.collect()
}

/// A session description as `sdp-types` reads it: it is strict, so that what it reads has to be read the same.
pub fn sdp(data: &[u8]) {
    // It panics where a line is none; and we take a capital letter for the small one.
    let is_line = |line: &[u8]| {
        let is_small = line.first().is_some_and(u8::is_ascii_lowercase);
        is_small && line.iter().position(|byte| *byte == b'=') == Some(1)
    };
    if !data
        .trim_ascii_end()
        .split(|byte| *byte == b'\n')
        .all(is_line)
    {
        return;
    }
    let Ok(theirs) = sdp_types::Session::parse(data) else {
        return;
    };
    // What stands around words is nothing to us, and part of them to it.
    let plain = |byte: &u8| byte.is_ascii_graphic() || b" \r\n".contains(byte);
    let odd = |pair: &[u8]| pair == b"  " || pair == b"= " || pair[0] == b'\r' && pair[1] != b'\n';
    let text = data.iter().all(plain) && !data.windows(2).any(odd);
    if !text || theirs.medias.is_empty() || theirs.medias.len() > sdp::MAX_MEDIA {
        return;
    }
    let Ok(ours) = sdp::Description::parse(data) else {
        panic!("{theirs:?} is refused");
    };
    let shown = ours
        .media
        .iter()
        .map(|media| (media.kind.clone(), media.port, media.protocol.clone()));
    let their = theirs.medias.iter().map(|media| {
        let kind = media.media.to_ascii_lowercase();
        (kind, media.port, media.proto.clone())
    });
    assert!(shown.eq(their), "{ours:?} {theirs:?}");
}
