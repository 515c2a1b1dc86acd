//! Sessions in which the server offers, as signalling other than WHEP has it: the stream's formats go to the viewer, and
//! its answer makes the session.

use super::track::{self, Track};
use super::{Config, Session};
use crate::ice::Credentials;
use crate::sdp::choose::{Chosen, Purpose, choose};
use crate::sdp::{AudioFormat, Offer, OfferError, VideoFormat};
use smallvec::SmallVec;
use std::fmt::Write;
use std::time::Instant;

/// An offer that was made and not answered yet.
pub struct Proposal {
    config: Config,
    id: u64,
    credentials: Credentials,
    tracks: SmallVec<[Track; 2]>,
}

impl Proposal {
    /// Offers a stream of the formats in `config`. Gives what is to be kept until the answer comes, and the offer.
    ///
    /// # Errors
    /// When there are no random numbers, or no formats.
    pub fn new(config: Config) -> Result<(Self, String), OfferError> {
        // What a viewer would offer who takes just these formats: the answer to that says what is sent.
        let wish = Offer::parse(&wish(config.video, config.audio))?;
        let chosen = choose(&wish, Purpose::Play(config.video, config.audio))?;
        let start = super::Start::draw(&config.certificate)?;
        let tracks = start.tracks(&chosen.tracks);
        let answer = start.describe(&wish, &chosen, &tracks, &config);
        let offer = answer.replace("a=setup:passive", "a=setup:actpass");
        let proposal = Self {
            config,
            id: start.id,
            credentials: start.credentials,
            tracks,
        };
        Ok((proposal, offer))
    }

    /// The session's name in STUN messages, as [`Session::ufrag`] will give it.
    pub fn ufrag(&self) -> &str {
        crate::ice::session_name(&self.credentials.ufrag)
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// An [`OfferError`] that says what of it does not suit.
    pub fn accept(self, answer: &str, now: Instant) -> Result<Session, OfferError> {
        let answer = Offer::parse(answer)?;
        let config = &self.config;
        let chosen = choose(&answer, Purpose::Play(config.video, config.audio))?.waiting()?;
        let mut tracks = self.tracks;
        agree(&mut tracks, &chosen);
        let start = super::Start {
            id: self.id,
            credentials: self.credentials,
            random: [0; 2 * track::RANDOM],
        };
        Ok(Session::with(start, tracks, None, &chosen, config, now))
    }
}

impl std::fmt::Debug for Proposal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proposal")
            .field("ufrag", &self.ufrag())
            .finish_non_exhaustive()
    }
}

/// Leaves of the tracks that were offered those that were taken.
pub(super) fn agree(tracks: &mut SmallVec<[Track; 2]>, chosen: &Chosen) {
    tracks.retain(|track| {
        let mut chosen = chosen.tracks.iter();
        let chosen = chosen.find(|chosen| chosen.kind == track.kind());
        chosen.is_some_and(|chosen| track.agree(chosen))
    });
}

/// Sections that receive just this.
pub(super) fn wish(video: Option<VideoFormat>, audio: Option<AudioFormat>) -> String {
    const TRANSPORT: &str = "a=rtcp-mux\r\na=rtcp-rsize\r\na=recvonly\r\na=ice-ufrag:none\r\n\
        a=ice-pwd:none\r\na=setup:actpass\r\na=fingerprint:sha-256 00\r\n";
    let mut out = "v=0\r\na=group:BUNDLE 0 1\r\n".to_owned();
    if let Some(video) = video {
        let name = video.name();
        let parameters = match video {
            VideoFormat::H264 { profile_level_id } => {
                let [profile, constraints, level] = offered_profile(profile_level_id);
                format!(
                    "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile:02x}{constraints:02x}{level:02x}"
                )
            }
            VideoFormat::Vp9 { profile } => format!("profile-id={profile}"),
            _ => String::new(),
        };
        // Writing to a String does not fail.
        let _ = write!(
            out,
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:0\r\n{TRANSPORT}a=rtpmap:96 {name}/90000\r\n"
        );
        if !parameters.is_empty() {
            let _ = write!(out, "a=fmtp:96 {parameters}\r\n");
        }
        out.push_str(
            "a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 ccm fir\r\n\
            a=rtcp-fb:96 goog-remb\r\n\
            a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n",
        );
    }
    if audio.is_some() {
        let _ = write!(
            out,
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n{TRANSPORT}a=rtpmap:111 opus/48000/2\r\n"
        );
    }
    out
}

/// The profile as browsers name it: they know the usual combinations of constraints alone.
const fn offered_profile([profile, constraints, level]: [u8; 3]) -> [u8; 3] {
    match profile {
        0x42 if constraints & 0x40 != 0 => [0x42, 0xe0, level],
        0x42 => [0x42, 0, level],
        0x4d => [0x4d, 0, level],
        0x64 => [0x64, 0, level],
        _ => [profile, constraints, level],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_those_that_browsers_know() {
        for (stream, offered) in [
            ([0x42, 0xc0, 0x1f], [0x42, 0xe0, 0x1f]),
            ([0x42, 0x00, 0x1f], [0x42, 0x00, 0x1f]),
            ([0x4d, 0x40, 0x28], [0x4d, 0x00, 0x28]),
            ([0x64, 0x08, 0x28], [0x64, 0x00, 0x28]),
            ([0x6e, 0x10, 0x28], [0x6e, 0x10, 0x28]),
        ] {
            assert_eq!(offered_profile(stream), offered);
        }
    }
}
