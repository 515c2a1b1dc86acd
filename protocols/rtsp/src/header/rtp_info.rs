//! `RTP-Info` (RFC 2326 section 12.33): with which packet each track begins.

use super::parameters;
use std::fmt;

/// Most tracks that are looked at.
const MAX_TRACKS: usize = 32;

/// With which packet a track begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtpInfo {
    /// The track's URL, or its last part.
    pub url: String,
    /// The first sequence number.
    pub sequence: Option<u16>,
    /// The RTP time that belongs to the start of what is played.
    pub time: Option<u32>,
}

impl RtpInfo {
    /// Reads a list. Numbers that cannot be read are left out.
    pub(crate) fn parse_list(value: &str) -> Vec<Self> {
        let mut list: Vec<Self> = Vec::new();
        // URLs may have commas and semicolons in them; what begins a track is its name.
        for track in split_at_urls(value).take(MAX_TRACKS) {
            let mut info = Self::default();
            for (name, value) in parameters(track.trim_end_matches([',', ' '])) {
                match name.to_ascii_lowercase().as_str() {
                    "url" => info.url = value.to_owned(),
                    "seq" => info.sequence = value.parse().ok(),
                    "rtptime" => info.time = value.parse().ok(),
                    _ => {}
                }
            }
            if !info.url.is_empty() {
                list.push(info);
            }
        }
        list
    }

    /// Writes a list.
    pub(crate) fn write_list(list: &[Self]) -> String {
        let list: Vec<_> = list.iter().map(Self::to_string).collect();
        list.join(",")
    }
}

impl fmt::Display for RtpInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "url={}", self.url)?;
        if let Some(sequence) = self.sequence {
            write!(f, ";seq={sequence}")?;
        }
        if let Some(time) = self.time {
            write!(f, ";rtptime={time}")?;
        }
        Ok(())
    }
}

fn split_at_urls(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value.trim();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let begins = |at: usize| {
            let word = rest.get(at..at + 4);
            word.is_some_and(|word| word.eq_ignore_ascii_case("url="))
                && rest
                    .get(..at)
                    .is_some_and(|before| before.trim_end().ends_with(','))
        };
        let next = (1..rest.len()).find(|at| begins(*at)).unwrap_or(rest.len());
        let (track, after) = rest.split_at_checked(next)?;
        rest = after;
        Some(track)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(url: &str, sequence: Option<u16>, time: Option<u32>) -> RtpInfo {
        RtpInfo {
            url: url.to_owned(),
            sequence,
            time,
        }
    }

    #[test]
    fn there_and_back() {
        let list = [
            info("rtsp://h/s/trackID=0", Some(65_535), Some(u32::MAX)),
            info("trackID=1", Some(0), None),
        ];
        let text = "url=rtsp://h/s/trackID=0;seq=65535;rtptime=4294967295,url=trackID=1;seq=0";
        assert_eq!(RtpInfo::write_list(&list), text);
        assert_eq!(RtpInfo::parse_list(text), list);
    }

    #[test]
    fn as_cameras_write_it() {
        let cases = [
            (
                "url=a;seq=1;rtptime=2, url=b;seq=3;rtptime=4",
                vec![info("a", Some(1), Some(2)), info("b", Some(3), Some(4))],
            ),
            (
                "URL=\"a?x=1,2\";Seq=1 ; rtptime = 5",
                vec![info("a?x=1,2", Some(1), Some(5))],
            ),
            ("url=a?x=1,2;seq=1", vec![info("a?x=1,2", Some(1), None)]),
            ("url=a;seq=70000;rtptime=-1", vec![info("a", None, None)]),
            ("seq=1", vec![]),
            (",,", vec![]),
            ("", vec![]),
        ];
        for (text, list) in cases {
            assert_eq!(RtpInfo::parse_list(text), list, "{text}");
        }
        let many = "url=a,".repeat(100);
        assert_eq!(RtpInfo::parse_list(&many).len(), MAX_TRACKS);
    }
}
