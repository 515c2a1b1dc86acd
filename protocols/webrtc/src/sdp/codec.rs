//! What a stream has to offer, and how well a payload format of an offer fits it.

use super::offer::Format;

/// The pictures of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoFormat {
    /// H.264, in packetization mode 1.
    H264 {
        /// Profile, constraints and level, as in the sequence parameter set.
        profile_level_id: [u8; 3],
    },
    /// H.265.
    H265,
    /// AV1.
    Av1,
    /// VP9 of a profile.
    Vp9 {
        /// 0 to 3; what is offered without one is 0.
        profile: u8,
    },
    /// VP8.
    Vp8,
}

/// The sound of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioFormat {
    /// Opus.
    Opus {
        /// Whether there are two channels.
        stereo: bool,
    },
}

/// How who talks is to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceFormat {
    /// G.711 of North America and Japan, 8,000 samples per second.
    Pcmu,
    /// G.711 of the rest of the world.
    Pcma,
    /// Opus.
    Opus,
}

impl VoiceFormat {
    /// Whether the format is this one.
    pub(crate) fn fits(self, format: &Format) -> bool {
        let (name, clock_rate) = match self {
            Self::Pcmu => ("PCMU", 8_000),
            Self::Pcma => ("PCMA", 8_000),
            Self::Opus => ("opus", 48_000),
        };
        format.name.eq_ignore_ascii_case(name) && format.clock_rate == clock_rate
    }
}

/// What is put into the answer for the format that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The encoding, as in `rtpmap`.
    pub(crate) map: String,
    /// The parameters; there may be none.
    pub(crate) parameters: String,
    /// Ticks per second.
    pub(crate) clock_rate: u32,
}

impl VideoFormat {
    /// Its name in session descriptions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 { .. } => "H264",
            Self::H265 => "H265",
            Self::Av1 => "AV1",
            Self::Vp9 { .. } => "VP9",
            Self::Vp8 => "VP8",
        }
    }

    /// How well the format fits: the smaller, the better; `None` when it does not.
    pub(crate) fn distance(self, format: &Format) -> Option<u32> {
        if !format.name.eq_ignore_ascii_case(self.name()) {
            return None;
        }
        match self {
            Self::H264 { profile_level_id } => distance(profile_level_id, format),
            Self::Vp9 { profile } => {
                let offered = format.parameter("profile-id").unwrap_or("0");
                (offered.parse() == Ok(profile)).then_some(0)
            }
            Self::H265 | Self::Av1 | Self::Vp8 => Some(0),
        }
    }

    /// What is agreed on, for a format of the offer.
    pub(crate) fn agree(self, format: &Format) -> Agreed {
        match self {
            Self::H264 { profile_level_id } => agree(profile_level_id, format),
            _ => Agreed::mirrored(format),
        }
    }
}

/// How well a format fits H.264.
fn distance(profile_level_id: [u8; 3], format: &Format) -> Option<u32> {
    if format.parameter("packetization-mode") != Some("1") {
        return None;
    }
    // Without the parameter it is the baseline profile (RFC 6184 section 8.1).
    let offered = format.parameter("profile-level-id").and_then(read_profile);
    let offered = offered.unwrap_or([0x42, 0, 0x0a]);
    // Decoders take more than they offer, so that another profile is worth a try; a decoder of the same
    // profile, or failing that of one that includes it, is the better one.
    let (own, other) = (Profile::of(profile_level_id), Profile::of(offered));
    Some(match (own, other) {
        _ if own == other => 0,
        _ if other > own => 1 + (other as u32 - own as u32),
        _ => 10 + (own as u32 - other as u32),
    })
}

/// What is agreed on for H.264.
fn agree(profile_level_id: [u8; 3], format: &Format) -> Agreed {
    let offered = format.parameter("profile-level-id").and_then(read_profile);
    let [profile, constraints, level] = offered.unwrap_or([0x42, 0, 0x0a]);
    // The profile has to be that of the offer, the level may be the stream's own where the offer allows
    // that they differ (RFC 6184 section 8.2.2).
    let asymmetric = format.parameter("level-asymmetry-allowed") == Some("1");
    let level = if asymmetric {
        level.max(profile_level_id[2])
    } else {
        level
    };
    let asymmetry = if asymmetric {
        "level-asymmetry-allowed=1;"
    } else {
        ""
    };
    Agreed {
        map: "H264/90000".to_owned(),
        parameters: format!(
            "{asymmetry}packetization-mode=1;profile-level-id={profile:02x}{constraints:02x}{level:02x}"
        ),
        clock_rate: 90_000,
    }
}

impl AudioFormat {
    /// Whether the format fits.
    pub(crate) fn fits(self, format: &Format) -> bool {
        let Self::Opus { .. } = self;
        format.name.eq_ignore_ascii_case("opus") && format.clock_rate == 48_000
    }

    /// What is agreed on.
    pub(crate) fn agree(self) -> Agreed {
        let Self::Opus { stereo } = self;
        // Says what is sent, and that stereo is not to be mixed down (RFC 7587 section 7.1).
        let parameters = if stereo {
            "sprop-stereo=1;stereo=1"
        } else {
            "sprop-stereo=0"
        };
        Agreed {
            map: "opus/48000/2".to_owned(),
            parameters: parameters.to_owned(),
            clock_rate: 48_000,
        }
    }
}

impl Agreed {
    /// As who publishes offers it.
    pub(crate) fn mirrored(format: &Format) -> Self {
        let Format {
            name, clock_rate, ..
        } = format;
        Self {
            map: match format.channels {
                0 | 1 => format!("{name}/{clock_rate}"),
                channels => format!("{name}/{clock_rate}/{channels}"),
            },
            parameters: format.parameters.clone(),
            clock_rate: *clock_rate,
        }
    }

    /// Opus of who publishes, of which stereo is wanted, that browsers send to none but who asks for it (RFC 7587
    /// section 7.1).
    pub(crate) fn opus_received(format: &Format) -> Self {
        Self {
            parameters: "minptime=10;useinbandfec=1;stereo=1".to_owned(),
            ..Self::mirrored(format)
        }
    }

    /// H.264 of who publishes: of any level where the offer lets levels differ, so that no size is too large.
    pub(crate) fn h264_received(format: &Format) -> Self {
        let mirrored = Self::mirrored(format);
        let asymmetric = format.parameter("level-asymmetry-allowed") == Some("1");
        let offered = format.parameter("profile-level-id").and_then(read_profile);
        let Some([profile, constraints, _]) = offered.filter(|_| asymmetric) else {
            return mirrored;
        };
        let mode = format.parameter("packetization-mode");
        let mode = if mode == Some("1") { 1 } else { 0 };
        Self {
            parameters: format!(
                "level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={profile:02x}{constraints:02x}34"
            ),
            ..mirrored
        }
    }
}

/// How wanted a format of pictures is from who publishes: the smaller, the better; `None` when it is not carried.
pub(crate) fn received_video(format: &Format) -> Option<u8> {
    match format.name.to_ascii_uppercase().as_str() {
        "H264" => match format.parameter("packetization-mode") {
            Some("1") => Some(0),
            None | Some("0") => Some(1),
            Some(_) => None,
        },
        "H265" | "AV1" | "VP9" | "VP8" => Some(2),
        _ => None,
    }
}

/// The same of a format of sound.
pub(crate) fn received_audio(format: &Format) -> Option<u8> {
    match format.name.to_ascii_uppercase().as_str() {
        "OPUS" if format.clock_rate == 48_000 => Some(0),
        "G722" | "PCMA" | "PCMU" if format.clock_rate == 8_000 => Some(1),
        _ => None,
    }
}

/// Profiles in an order in which each decodes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    High,
    Higher,
}

impl Profile {
    const fn of([profile, constraints, _]: [u8; 3]) -> Self {
        match profile {
            0x42 if constraints & 0x40 != 0 => Self::ConstrainedBaseline,
            0x42 => Self::Baseline,
            // Main with the constraint of baseline.
            0x4d if constraints & 0x80 != 0 => Self::ConstrainedBaseline,
            0x4d => Self::Main,
            0x64 => Self::High,
            _ => Self::Higher,
        }
    }
}

fn read_profile(text: &str) -> Option<[u8; 3]> {
    let number = u32::from_str_radix(text, 16)
        .ok()
        .filter(|_| text.len() == 6)?;
    let [_, id @ ..] = number.to_be_bytes();
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(name: &str, parameters: &str) -> Format {
        Format {
            name: name.to_owned(),
            clock_rate: 48_000,
            parameters: parameters.to_owned(),
            ..Format::default()
        }
    }

    fn h264(id: &str) -> Format {
        format(
            "H264",
            &format!("packetization-mode=1;profile-level-id={id}"),
        )
    }

    #[test]
    fn the_nearest_profile_wins() {
        let order = |stream: [u8; 3], ids: &[&str]| {
            let stream = VideoFormat::H264 {
                profile_level_id: stream,
            };
            let distances: Vec<_> = ids.iter().map(|id| stream.distance(&h264(id))).collect();
            assert!(distances.is_sorted(), "{ids:?}: {distances:?}");
            assert!(distances.iter().all(Option::is_some));
        };
        order(
            [0x42, 0xc0, 0x1f],
            &["42e01f", "42001f", "4d001f", "64001f"],
        );
        order(
            [0x64, 0, 0x28],
            &["640c1f", "f4001f", "4d001f", "42001f", "42e01f"],
        );
        order([0x4d, 0x40, 0x28], &["4d001f", "64001f", "42e01f"]);
    }

    #[test]
    fn other_formats_do_not_fit() {
        let stream = VideoFormat::H264 {
            profile_level_id: [0x42, 0xc0, 0x1f],
        };
        for other in [
            format("VP8", ""),
            format("H264", "packetization-mode=0;profile-level-id=42e01f"),
            format("H264", "profile-level-id=42e01f"),
        ] {
            assert_eq!(stream.distance(&other), None);
        }
        let vp9 = VideoFormat::Vp9 { profile: 2 };
        assert_eq!(vp9.distance(&format("VP9", "profile-id=0")), None);
        assert_eq!(vp9.distance(&format("VP9", "")), None);
        assert_eq!(vp9.distance(&format("vp9", "profile-id=2")), Some(0));
        assert_eq!(
            VideoFormat::Av1.distance(&format("AV1", "profile=0")),
            Some(0)
        );
        let opus = AudioFormat::Opus { stereo: true };
        assert!(opus.fits(&format("OPUS", "")));
        assert!(!opus.fits(&format("red", "")));
    }

    #[test]
    fn levels_differ_only_where_that_is_allowed() {
        let stream = VideoFormat::H264 {
            profile_level_id: [0x64, 0, 0x28],
        };
        let agreed = stream.agree(&h264("42e01f"));
        assert_eq!(
            agreed.parameters,
            "packetization-mode=1;profile-level-id=42e01f"
        );
        let either = format(
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f",
        );
        assert_eq!(
            stream.agree(&either).parameters,
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640028"
        );
    }
}
