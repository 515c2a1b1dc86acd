//! What of an offer is taken: at most one section of video and one of audio, on one transport.

use super::codec::Agreed;
use super::offer::{Direction, Media, Offer, OfferError, Setup};
use super::{AudioFormat, VideoFormat};
use media::Kind;

/// Retransmissions as a stream of their own are `rtx` of this clock's format (RFC 4588).
const RTX: &str = "rtx";

/// What is taken of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The peer's ICE user name.
    pub(crate) ufrag: String,
    /// SHA-256 of the peer's certificate.
    pub(crate) fingerprint: String,
    /// What is sent, in the order of the sections.
    pub(crate) tracks: Vec<ChosenTrack>,
}

/// A section in which something is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChosenTrack {
    /// Which section, from 0.
    pub(crate) section: usize,
    /// Video or audio.
    pub(crate) kind: Kind,
    /// The number of the payload format.
    pub(crate) payload_type: u8,
    /// The same of retransmissions as a stream of their own.
    pub(crate) rtx_payload_type: Option<u8>,
    /// Whether the peer says what it misses.
    pub(crate) nack: bool,
    /// Feedback that is answered, as in the offer.
    pub(crate) feedback: Vec<&'static str>,
    pub(crate) agreed: Agreed,
}

/// Decides what of the offer is taken for a stream of these formats.
pub(crate) fn choose(
    offer: &Offer,
    video: Option<VideoFormat>,
    audio: Option<AudioFormat>,
) -> Result<Chosen, OfferError> {
    let mut tracks: Vec<ChosenTrack> = Vec::new();
    for (section, media) in offer.media.iter().enumerate() {
        // A bundled section may have port 0 and be wanted all the same (a=bundle-only); alone, it is not.
        if media.port == 0 && !is_bundled(offer, media) {
            continue;
        }
        let track = match media.kind.as_str() {
            "video" => video.and_then(|video| choose_video(section, media, video)),
            "audio" => audio.and_then(|audio| choose_audio(section, media, audio)),
            _ => None,
        };
        let Some(track) = track else { continue };
        let taken = tracks.iter().any(|taken| taken.kind == track.kind);
        let first = tracks
            .first()
            .and_then(|first| offer.media.get(first.section));
        if !taken && first.is_none_or(|first| shares_transport(offer, first, media)) {
            tracks.push(track);
        }
    }
    let first = tracks
        .first()
        .and_then(|first| offer.media.get(first.section));
    let Some(first) = first else {
        return Err(OfferError::NothingInCommon(wanted(offer)));
    };
    // In a bundle the transport is described by its first section (RFC 9143 section 7.1).
    let tag = offer.bundle.first().filter(|_| is_bundled(offer, first));
    let transport = tag.and_then(|tag| {
        let mut media = offer.media.iter();
        media.find(|media| media.mid.as_ref() == Some(tag))
    });
    let transport = transport.unwrap_or(first);
    if !first.rtcp_mux {
        return Err(OfferError::Missing("a=rtcp-mux"));
    }
    match transport.setup {
        Some(Setup::Active | Setup::Either) => {}
        Some(Setup::Passive) => return Err(OfferError::Setup),
        None => return Err(OfferError::Missing("a=setup")),
    }
    if !transport.has_password {
        return Err(OfferError::Missing("a=ice-pwd"));
    }
    let ufrag = transport.ufrag.clone();
    let fingerprint = transport.fingerprint.clone();
    Ok(Chosen {
        ufrag: ufrag.ok_or(OfferError::Missing("a=ice-ufrag"))?,
        fingerprint: fingerprint.ok_or(OfferError::Missing("a=fingerprint of SHA-256"))?,
        tracks,
    })
}

fn is_bundled(offer: &Offer, media: &Media) -> bool {
    let mid = media.mid.as_ref();
    mid.is_some_and(|mid| offer.bundle.contains(mid))
}

fn shares_transport(offer: &Offer, one: &Media, other: &Media) -> bool {
    is_bundled(offer, one) && is_bundled(offer, other)
}

/// Whether something can be sent in a section.
fn is_open(media: &Media) -> bool {
    let receives = matches!(
        media.direction,
        Direction::ReceiveOnly | Direction::SendReceive
    );
    media.is_rtp() && receives
}

fn choose_video(section: usize, media: &Media, video: VideoFormat) -> Option<ChosenTrack> {
    let formats = media.formats.iter().filter(|_| is_open(media));
    let distances = formats.filter_map(|format| Some((video.distance(format)?, format)));
    let (_, format) = distances.min_by_key(|(distance, _)| *distance)?;
    let nack = format.gives("nack");
    let rtx = media.formats.iter().find(|rtx| {
        let of = rtx.parameter("apt").and_then(|of| of.parse().ok());
        rtx.name.eq_ignore_ascii_case(RTX) && of == Some(format.payload_type)
    });
    let known = ["nack", "nack pli", "ccm fir"];
    Some(ChosenTrack {
        section,
        kind: Kind::Video,
        payload_type: format.payload_type,
        rtx_payload_type: rtx.filter(|_| nack).map(|rtx| rtx.payload_type),
        nack,
        feedback: known
            .into_iter()
            .filter(|kind| format.gives(kind))
            .collect(),
        agreed: video.agree(format),
    })
}

fn choose_audio(section: usize, media: &Media, audio: AudioFormat) -> Option<ChosenTrack> {
    let mut formats = media.formats.iter().filter(|_| is_open(media));
    let format = formats.find(|format| audio.fits(format))?;
    let nack = format.gives("nack");
    Some(ChosenTrack {
        section,
        kind: Kind::Audio,
        payload_type: format.payload_type,
        rtx_payload_type: None,
        nack,
        feedback: if nack { vec!["nack"] } else { Vec::new() },
        agreed: audio.agree(),
    })
}

/// What the offer asks for, for people.
fn wanted(offer: &Offer) -> String {
    let mut words: Vec<&str> = Vec::new();
    for media in offer.media.iter().filter(|media| is_open(media)) {
        for format in &media.formats {
            let name = format.name.as_str();
            if !name.is_empty() && !words.contains(&name) && words.len() < 16 {
                words.push(name);
            }
        }
    }
    if words.is_empty() {
        return "no section that receives".to_owned();
    }
    words.join(", ")
}
