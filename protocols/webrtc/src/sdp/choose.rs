//! What of an offer is taken: at most one section of video and one of audio, on one transport.

use super::codec::{Agreed, received_audio, received_video};
use super::offer::{Direction, Format, Media, Offer, OfferError, Setup};
use super::{AudioFormat, VideoFormat, VoiceFormat};
use media::Kind;

/// Retransmissions as a stream of their own are `rtx` of this clock's format (RFC 4588).
const RTX: &str = "rtx";

/// Feedback that tells when each packet came, and the header extension by which that numbers them.
const TRANSPORT_CC: &str = "transport-cc";
pub(crate) const COUNTER: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// What is taken of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The peer's ICE user name, and its password.
    pub(crate) ufrag: String,
    pub(crate) password: String,
    /// Who begins the DTLS handshake.
    pub(crate) setup: Setup,
    /// SHA-256 of the peer's certificate.
    pub(crate) fingerprint: String,
    /// What is sent or received, in the order of the sections.
    pub(crate) tracks: Vec<ChosenTrack>,
}

/// What an offer is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The peer plays a stream of these formats.
    Play(Option<VideoFormat>, Option<AudioFormat>),
    /// The peer publishes.
    Publish,
    /// The peer talks, in this format; what else it has to send is not wanted.
    Talk(VoiceFormat),
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
    /// Feedback that is answered, or given to who publishes, as in the offer.
    pub(crate) feedback: Vec<&'static str>,
    /// The header extension in which who publishes numbers the packets of all sources.
    pub(crate) counter: Option<u8>,
    pub(crate) agreed: Agreed,
}

/// Decides what of the offer is taken.
pub(crate) fn choose(offer: &Offer, purpose: Purpose) -> Result<Chosen, OfferError> {
    let mut tracks: Vec<ChosenTrack> = Vec::new();
    for (section, media) in offer.media.iter().enumerate() {
        // A bundled section may have port 0 and be wanted all the same (a=bundle-only); alone, it is not.
        if media.port == 0 && !is_bundled(offer, media) {
            continue;
        }
        let track = match (media.kind.as_str(), purpose) {
            ("video", Purpose::Play(video, _)) => {
                video.and_then(|video| choose_video(section, media, video))
            }
            ("audio", Purpose::Play(_, audio)) => {
                audio.and_then(|audio| choose_audio(section, media, audio))
            }
            ("video", Purpose::Publish) => receive_video(section, media),
            ("audio", Purpose::Publish) => receive_audio(section, media, |_| true),
            ("audio", Purpose::Talk(voice)) => {
                receive_audio(section, media, |format| voice.fits(format))
            }
            _ => None,
        };
        let Some(track) = track else { continue };
        let taken = tracks.iter().any(|taken| taken.kind == track.kind);
        let first = tracks
            .first()
            .and_then(|first| offer.media.get(first.section));
        if !taken && first.is_none_or(|first| shares_transport(offer, first, media)) {
            tracks.push(track);
        } else if purpose == Purpose::Publish {
            return Err(OfferError::TooMany(media.kind.clone()));
        }
    }
    if let Purpose::Play(Some(video), _) = purpose {
        // Sound alone is not the stream for who wants to see it.
        let wants = |media: &Media| media.kind == "video" && media.port != 0 && is_open(media);
        let mut kinds = tracks.iter().map(|track| track.kind);
        if offer.media.iter().any(wants) && !kinds.any(|kind| kind == Kind::Video) {
            let offered = formats(offer, |media| media.kind == "video" && is_open(media));
            return Err(OfferError::OtherCodec(video.name(), offered));
        }
    }
    if purpose == Purpose::Publish && !tracks.is_empty() {
        // A part of what is published is not what was meant (RFC 9725 section 4.4.3).
        let wanted = |media: &Media| media.port != 0 || is_bundled(offer, media);
        let sections = offer.media.iter().enumerate();
        let mut sent = sections.filter(|(_, media)| wanted(media) && sends(media));
        if sent.any(|(section, _)| tracks.iter().all(|track| track.section != section)) {
            return Err(OfferError::NotAll(formats(offer, sends)));
        }
    }
    let first = tracks
        .first()
        .and_then(|first| offer.media.get(first.section));
    let Some(first) = first else {
        return Err(match purpose {
            Purpose::Play(..) => OfferError::NothingInCommon(formats(offer, is_open)),
            Purpose::Publish | Purpose::Talk(_) => {
                OfferError::NothingCarried(formats(offer, sends))
            }
        });
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
    let (ufrag, password) = (transport.ufrag.clone(), transport.password.clone());
    let fingerprint = transport.fingerprint.clone();
    Ok(Chosen {
        setup: transport.setup.ok_or(OfferError::Missing("a=setup"))?,
        password: password.ok_or(OfferError::Missing("a=ice-pwd"))?,
        ufrag: ufrag.ok_or(OfferError::Missing("a=ice-ufrag"))?,
        fingerprint: fingerprint.ok_or(OfferError::Missing("a=fingerprint of SHA-256"))?,
        tracks,
    })
}

impl Chosen {
    /// For an end that waits for the DTLS handshake.
    pub(crate) fn waiting(self) -> Result<Self, OfferError> {
        match self.setup {
            Setup::Passive => Err(OfferError::Setup),
            Setup::Active | Setup::Either => Ok(self),
        }
    }
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

/// Whether the author sends in a section.
fn sends(media: &Media) -> bool {
    let sends = matches!(
        media.direction,
        Direction::SendOnly | Direction::SendReceive
    );
    media.is_rtp() && sends
}

fn choose_video(section: usize, media: &Media, video: VideoFormat) -> Option<ChosenTrack> {
    let formats = media.formats.iter().filter(|_| is_open(media));
    let distances = formats.filter_map(|format| Some((video.distance(format)?, format)));
    let (_, format) = distances.min_by_key(|(distance, _)| *distance)?;
    let agreed = video.agree(format);
    let known = ["nack", "nack pli", "ccm fir", "goog-remb"];
    Some(ChosenTrack::new(
        section,
        Kind::Video,
        media,
        format,
        &known,
        agreed,
    ))
}

fn choose_audio(section: usize, media: &Media, audio: AudioFormat) -> Option<ChosenTrack> {
    let mut formats = media.formats.iter().filter(|_| is_open(media));
    let format = formats.find(|format| audio.fits(format))?;
    let agreed = audio.agree();
    Some(ChosenTrack::new(
        section,
        Kind::Audio,
        media,
        format,
        &["nack"],
        agreed,
    ))
}

/// The format in which pictures of who publishes are received: H.264 before all others, since every output carries it;
/// of the others the one that comes first in the offer.
fn receive_video(section: usize, media: &Media) -> Option<ChosenTrack> {
    let formats = media.formats.iter().filter(|_| sends(media));
    let known = formats.filter_map(|format| Some((received_video(format)?, format)));
    let (_, format) = known.min_by_key(|(rank, _)| *rank)?;
    let known = ["nack", "nack pli", "ccm fir", TRANSPORT_CC];
    let agreed = match format.name.eq_ignore_ascii_case("H264") {
        true => Agreed::h264_received(format),
        false => Agreed::mirrored(format),
    };
    let track = ChosenTrack::new(section, Kind::Video, media, format, &known, agreed);
    Some(track.counted(media))
}

fn receive_audio(
    section: usize,
    media: &Media,
    fits: impl Fn(&Format) -> bool,
) -> Option<ChosenTrack> {
    let formats = media
        .formats
        .iter()
        .filter(|format| sends(media) && fits(format));
    let known = formats.filter_map(|format| Some((received_audio(format)?, format)));
    let (_, format) = known.min_by_key(|(rank, _)| *rank)?;
    let agreed = match format.name.eq_ignore_ascii_case("opus") {
        true => Agreed::opus_received(format),
        false => Agreed::mirrored(format),
    };
    let known = ["nack", TRANSPORT_CC];
    let track = ChosenTrack::new(section, Kind::Audio, media, format, &known, agreed);
    Some(track.counted(media))
}

impl ChosenTrack {
    /// In this format of a section, with the feedback of `known` that the offer names.
    fn new(
        section: usize,
        kind: Kind,
        media: &Media,
        format: &Format,
        known: &[&'static str],
        agreed: Agreed,
    ) -> Self {
        let nack = format.gives("nack");
        let rtx = media.formats.iter().find(|rtx| {
            let of = rtx.parameter("apt").and_then(|of| of.parse().ok());
            rtx.name.eq_ignore_ascii_case(RTX) && of == Some(format.payload_type)
        });
        let rtx = rtx.filter(|_| nack && kind == Kind::Video);
        let feedback = known.iter().filter(|kind| format.gives(kind));
        Self {
            section,
            kind,
            payload_type: format.payload_type,
            rtx_payload_type: rtx.map(|rtx| rtx.payload_type),
            nack,
            feedback: feedback.copied().collect(),
            counter: None,
            agreed,
        }
    }

    /// With the number of the header extension that counts packets, or without the feedback that it is for.
    fn counted(mut self, media: &Media) -> Self {
        let mut extensions = media.extensions.iter();
        let counter = extensions.find(|(_, name)| name == COUNTER);
        let counter = counter.filter(|_| self.feedback.contains(&TRANSPORT_CC));
        self.counter = counter.map(|(id, _)| *id);
        if self.counter.is_none() {
            self.feedback.retain(|feedback| *feedback != TRANSPORT_CC);
        }
        self
    }
}

/// What the offer names in these sections, for people.
fn formats(offer: &Offer, which: fn(&Media) -> bool) -> String {
    let mut words: Vec<&str> = Vec::new();
    for media in offer.media.iter().filter(|media| which(media)) {
        for format in &media.formats {
            let name = format.name.as_str();
            if !name.is_empty() && !words.contains(&name) && words.len() < 16 {
                words.push(name);
            }
        }
    }
    if words.is_empty() {
        return "no section in that direction".to_owned();
    }
    words.join(", ")
}
