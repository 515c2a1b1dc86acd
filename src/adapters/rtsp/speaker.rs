//! A camera's loudspeaker: which sound it takes, and what is said as RTP packets of that.

use super::cutter::Outgoing;
use media::{AccessUnit, Codec, Timebase};
use rtp::Header;
use rtp::payload::{Damaged, Depacketizer, Event, Format, packetize};
use rtp::rtcp::{self, NtpTime, SenderInfo, SenderReport};
use sdp::Description;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant, SystemTime};

/// Time from one sender report to the next (RFC 3550 section 6.2).
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Our canonical name (RFC 3550 section 6.5.1).
const NAME: &str = "millstream";

/// Samples per second of telephones, which G.711 is made of.
const TELEPHONE: u32 = 8_000;

/// Samples per second of the AAC that can be made.
const RATES: RangeInclusive<u32> = 8_000..=48_000;

/// What a camera plays, and where in what is said to it one is.
pub(super) struct Speaker {
    /// The section of its description.
    pub(super) section: usize,
    /// The sound.
    pub(super) codec: Codec,
    payload_type: u8,
    clock: Timebase,
    /// Whether the last packet of an access unit has the marker; else the first one of all does.
    marks_ends: bool,
    ssrc: u32,
    /// The RTP time of time 0.
    origin: u32,
    sequence: u16,
    packets: u32,
    octets: u32,
    /// Where the next unit begins if nothing is left out.
    expected: Option<i64>,
    report_at: Option<Instant>,
}

/// Finds what a camera plays: G.711 before AAC, since browsers send it.
///
/// # Errors
/// What it takes instead, in words; none where it takes nothing.
pub(super) fn find(description: &Description) -> Result<Speaker, Option<String>> {
    let (mut found, mut others): (Option<Speaker>, Vec<&str>) = (None, Vec::new());
    for section in rtsp::client::speakers(description) {
        let formats = description.media.get(section).map(|media| &media.formats);
        for format in formats.into_iter().flatten() {
            let Some(codec) = carried(format) else {
                others.push(&format.name);
                continue;
            };
            let Some(clock) = Timebase::new(format.clock_rate) else {
                continue;
            };
            let is_telephone = |codec: &Codec| matches!(codec, Codec::G711 { .. });
            let is_better = found
                .as_ref()
                .is_none_or(|found| is_telephone(&codec) && !is_telephone(&found.codec));
            if is_better {
                found = Some(Speaker::new(section, format.payload_type, clock, codec));
            }
        }
    }
    let takes = (!others.is_empty()).then(|| others.join(", "));
    found.ok_or(takes)
}

/// The sound that a format stands for, if it can be made.
fn carried(format: &sdp::Format) -> Option<Codec> {
    let channels = format.channels.map_or(1, std::num::NonZero::get);
    let described = Format {
        encoding: &format.name,
        clock_rate: format.clock_rate,
        channels,
        parameters: &format.parameters,
    };
    let parameter = |name: &str| {
        let pairs = format.parameters.split(';');
        let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        let found = pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    };
    let name = format.name.to_ascii_uppercase();
    match name.as_str() {
        "PCMU" | "PCMA" if format.clock_rate != TELEPHONE || channels != 1 => return None,
        // What is written is AAC-hbr (RFC 3640 section 3.3.6).
        "MPEG4-GENERIC" if parameter("sizelength") != Some("13") => return None,
        "MPEG4-GENERIC" if parameter("indexlength") != Some("3") => return None,
        "PCMU" | "PCMA" | "MPEG4-GENERIC" => {}
        _ => return None,
    }
    let mut reader = Depacketizer::new(&described, Damaged::Drop).ok()?;
    let codec = std::iter::from_fn(|| reader.pull()).find_map(|event| match event {
        Event::Codec(codec) => Some(codec),
        Event::Unit(_) => None,
    })?;
    match &codec {
        Codec::Aac(config) => {
            let is_made = config.object_type == 2
                && config.frame_length == 1_024
                && matches!(config.channels, 1 | 2)
                && config.sample_rate.ticks_per_second() == format.clock_rate
                && RATES.contains(&format.clock_rate);
            is_made.then_some(codec)
        }
        _ => Some(codec),
    }
}

impl Speaker {
    fn new(section: usize, payload_type: u8, clock: Timebase, codec: Codec) -> Self {
        Self {
            section,
            payload_type,
            clock,
            marks_ends: matches!(codec, Codec::Aac(_)),
            codec,
            ssrc: rand::random(),
            origin: rand::random(),
            sequence: rand::random(),
            packets: 0,
            octets: 0,
            expected: None,
            report_at: None,
        }
    }

    /// Cuts an access unit, whose times are on the clock of the codec, into packets of the first track that is set up; a
    /// sender report that is due comes before it.
    pub(super) fn cut(
        &mut self,
        now: Instant,
        unit: &AccessUnit,
        max_payload: usize,
        mut put: impl FnMut(Outgoing<'_>),
    ) {
        let Ok(payloads) = packetize(&self.codec, &unit.payload, max_payload) else {
            return;
        };
        let time = self.origin.wrapping_add(unit.pts as u32);
        if self.report_at.is_none_or(|at| at <= now) {
            self.report_at = now.checked_add(REPORT_INTERVAL);
            put(Outgoing {
                section: 0,
                control: true,
                head: &[],
                body: &self.report(time),
            });
        }
        let last = payloads.len().saturating_sub(1);
        for (index, payload) in payloads.iter().enumerate() {
            let header = Header {
                marker: match self.marks_ends {
                    true => index == last,
                    // The first after silence (RFC 3551 section 4.1).
                    false => index == 0 && self.expected != Some(unit.pts),
                },
                payload_type: self.payload_type,
                sequence: self.sequence,
                timestamp: time.wrapping_add(payloads.offset(index)),
                ssrc: self.ssrc,
            };
            self.sequence = self.sequence.wrapping_add(1);
            self.packets = self.packets.wrapping_add(1);
            self.octets = self.octets.wrapping_add(payload.len() as u32);
            put(Outgoing {
                section: 0,
                control: false,
                head: &header.bytes(),
                body: payload,
            });
        }
        // A byte of G.711 is a sample.
        self.expected = Some(unit.pts.saturating_add(unit.payload.len() as i64));
    }

    /// How long what is from one access unit to another later one takes.
    pub(super) fn between(&self, first: &AccessUnit, last: &AccessUnit) -> Duration {
        self.clock
            .duration(last.pts.saturating_sub(first.pts).max(0))
    }

    fn report(&self, time: u32) -> Vec<u8> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let report = SenderReport {
            ssrc: self.ssrc,
            info: SenderInfo {
                ntp: NtpTime::from_unix(since.unwrap_or_default()),
                rtp: time,
                packets: self.packets,
                octets: self.octets,
            },
            blocks: Vec::new(),
        };
        let description = rtcp::Description {
            names: vec![(self.ssrc, NAME.to_owned())],
        };
        let mut out = Vec::new();
        rtcp::Packet::SenderReport(report).write(&mut out);
        rtcp::Packet::Description(description).write(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use media::TrackId;

    const AAC: &str = "a=rtpmap:97 MPEG4-GENERIC/16000\r\na=fmtp:97 streamtype=5;profile-level-id=1;\
        mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1408\r\n";

    fn found(sections: &str) -> Result<Speaker, Option<String>> {
        let text = format!("v=0\r\nm=video 0 RTP/AVP 26\r\na=recvonly\r\n{sections}");
        find(&Description::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn g711_is_preferred_and_aac_taken() {
        let section = |formats: &str, more: &str| {
            format!("m=audio 0 RTP/AVP {formats}\r\na=sendonly\r\n{more}")
        };
        let aac = section("97", AAC);
        let speaker = found(&aac).ok().unwrap();
        let Codec::Aac(config) = &speaker.codec else {
            panic!("{:?}", speaker.codec);
        };
        assert_eq!(config.sample_rate.ticks_per_second(), 16_000);
        let both = aac + &section("8", "");
        let speaker = found(&both).ok().unwrap();
        assert_eq!((speaker.section, speaker.payload_type), (2, 8));
        let speaker = found(&section("97 0", AAC)).ok().unwrap();
        assert_eq!((speaker.section, speaker.payload_type), (1, 0));
        assert_eq!(found("").err(), Some(None));
        let others = section(
            "98 99",
            "a=rtpmap:98 G726-32/8000\r\na=rtpmap:99 PCMU/16000\r\n",
        );
        assert_eq!(found(&others).err(), Some(Some("G726-32, PCMU".to_owned())));
        let low = AAC.replace("sizelength=13", "sizelength=6");
        assert!(found(&section("97", &low)).is_err());
    }

    #[test]
    fn what_is_said_is_numbered_and_reported() {
        let mut speaker = found("m=audio 0 RTP/AVP 0\r\na=sendonly\r\n").ok().unwrap();
        let unit = |pts| AccessUnit {
            track: TrackId(0),
            dts: pts,
            pts,
            random_access: true,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: Bytes::from_static(&[0xff; 160]),
        };
        let now = Instant::now();
        let mut sent: Vec<(bool, Vec<u8>)> = Vec::new();
        for (number, pts) in [(0, 0), (1, 160), (300, 48_000)] {
            let at = now + Duration::from_millis(20 * number);
            speaker.cut(at, &unit(pts), 1_400, |packet| {
                sent.push((packet.control, [packet.head, packet.body].concat()));
            });
        }
        let control: Vec<_> = sent.iter().map(|(control, _)| *control).collect();
        assert_eq!(control, [true, false, false, true, false]);
        let packets: Vec<_> = sent.iter().filter(|(control, _)| !control).collect();
        let headers: Vec<_> = packets
            .iter()
            .map(|(_, packet)| rtp::Packet::parse(packet).unwrap().header)
            .collect();
        assert_eq!(
            headers
                .iter()
                .map(|header| header.marker)
                .collect::<Vec<_>>(),
            [true, false, true]
        );
        let [first, second, third] = headers[..] else {
            panic!("{headers:?}");
        };
        assert_eq!(second.sequence, first.sequence.wrapping_add(1));
        assert_eq!(second.timestamp.wrapping_sub(first.timestamp), 160);
        assert_eq!(third.timestamp.wrapping_sub(first.timestamp), 48_000);
        assert_eq!(
            speaker.between(&unit(0), &unit(160)),
            Duration::from_millis(20)
        );
    }
}
