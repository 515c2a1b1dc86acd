//! What a temporal unit is, known from its frame headers (section 5.9.2).

use super::sequence::FrameSyntax;
use super::{Obu, ObuError, SequenceHeader, obu_type, obus};
use crate::bits::{BitReader, BitsError};
use crate::codec::Start;

/// What a temporal unit's frame headers say of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// It contains a frame, or shows one that was decoded before.
    pub has_frame: bool,
    /// Its first frame is a key frame that is shown at once, and the sequence header stands before it, so that a
    /// decoder can start here.
    pub key: bool,
    /// No other picture refers to it: all its frames are shown and replace no reference frame. False where that
    /// is not known.
    pub disposable: bool,
    /// Its first frame was decoded before and is only shown. A key frame among these is no place to start: it is
    /// not in this temporal unit.
    pub shows_existing: bool,
}

impl Picture {
    /// Looks at the OBU and frame headers of a temporal unit. What is disposable is only known when the sequence
    /// header is in the unit, see [`inspect_with`](Self::inspect_with).
    ///
    /// # Errors
    /// When an OBU reaches past the end.
    pub fn inspect(payload: &[u8]) -> Result<Self, ObuError> {
        Self::look(payload, None)
    }

    /// Likewise, with the sequence header that holds unless there is another in the unit.
    ///
    /// # Errors
    /// When an OBU reaches past the end.
    pub fn inspect_with(payload: &[u8], sequence: &SequenceHeader) -> Result<Self, ObuError> {
        Self::look(payload, Some(sequence.frames))
    }

    fn look(payload: &[u8], mut syntax: Option<FrameSyntax>) -> Result<Self, ObuError> {
        let mut picture = Self::default();
        let mut has_sequence = false;
        for obu in obus(payload) {
            let obu = obu?;
            match obu.kind {
                obu_type::SEQUENCE_HEADER => {
                    let header = SequenceHeader::parse(obu.payload);
                    has_sequence = header.is_ok();
                    syntax = header.ok().map(|header| header.frames);
                }
                obu_type::FRAME | obu_type::FRAME_HEADER => {
                    // One that is cut off says nothing of itself.
                    let frame = Frame::parse(&obu, syntax).unwrap_or_default();
                    if !picture.has_frame {
                        picture = Self {
                            has_frame: true,
                            key: frame.shown_key && has_sequence,
                            disposable: true,
                            shows_existing: frame.shows_existing,
                        };
                    }
                    picture.disposable &= frame.disposable;
                }
                _ => {}
            }
        }
        Ok(picture)
    }

    /// How a decoder can start here, if it can.
    pub fn start(&self) -> Option<Start> {
        self.key.then_some(Start::Clean)
    }

    /// The first sequence header of a temporal unit, the whole OBU. What cannot be read has none.
    pub fn sequence_header(payload: &[u8]) -> Option<&[u8]> {
        obus(payload)
            .map_while(Result::ok)
            .find(|obu| obu.kind == obu_type::SEQUENCE_HEADER)
            .map(|obu| obu.whole)
    }
}

/// What is used of one frame header.
#[derive(Default)]
struct Frame {
    shows_existing: bool,
    shown_key: bool,
    disposable: bool,
}

/// `frame_type`, section 6.8.2.
const KEY_FRAME: u32 = 0;
const INTER_FRAME: u32 = 1;
const SWITCH_FRAME: u32 = 3;

impl Frame {
    /// Reads a header as far as it is used, and as the sequence header, where it is known, allows.
    fn parse(obu: &Obu<'_>, syntax: Option<FrameSyntax>) -> Result<Self, BitsError> {
        let bits = &mut BitReader::new(obu.payload);
        if syntax.is_some_and(|syntax| syntax.reduced) {
            // A still picture, which is a key frame by definition.
            return Ok(Self {
                shown_key: true,
                ..Self::default()
            });
        }
        if bits.flag()? {
            // It may be a key frame, which then replaces all reference frames.
            return Ok(Self {
                shows_existing: true,
                ..Self::default()
            });
        }
        let kind = bits.bits(2)?;
        let shown = bits.flag()?;
        let mut frame = Self {
            shown_key: kind == KEY_FRAME && shown,
            ..Self::default()
        };
        // Key and switch frames replace all. With a decoder model, there is more in between than is worth reading.
        let Some(syntax) = syntax.filter(|syntax| !syntax.decoder_model) else {
            return Ok(frame);
        };
        if shown && !matches!(kind, KEY_FRAME | SWITCH_FRAME) {
            frame.disposable = refreshed(bits, kind, &syntax)? == 0;
        }
        Ok(frame)
    }
}

/// `refresh_frame_flags` of a frame that is shown and neither key nor switch frame, read on from
/// `error_resilient_mode`.
fn refreshed(bits: &mut BitReader<'_>, kind: u32, syntax: &FrameSyntax) -> Result<u32, BitsError> {
    let error_resilient = bits.flag()?;
    bits.flag()?; // disable_cdf_update
    let screen_content = match syntax.screen_content {
        Some(forced) => forced,
        None => bits.flag()?,
    };
    if screen_content && syntax.choose_integer_mv {
        bits.flag()?; // force_integer_mv
    }
    bits.bits(syntax.frame_id_bits)?; // current_frame_id
    bits.flag()?; // frame_size_override_flag
    bits.bits(syntax.order_hint_bits)?; // order_hint
    if kind == INTER_FRAME && !error_resilient {
        bits.bits(3)?; // primary_ref_frame
    }
    bits.bits(8)
}
