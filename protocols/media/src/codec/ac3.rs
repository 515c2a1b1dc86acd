//! AC-3 and E-AC-3 (ETSI TS 102 366): the header of a sync frame (clauses 4.3 and 4.4, annex E), which frames are
//! of one time, and the configuration boxes of MP4 (annex F).

use super::sync_frames::{FrameHeader, Lost, SyncFrames};
use crate::Timebase;
use crate::bits::{BitReader, BitsError};
use bytes::Bytes;

/// Longest sync frame in bytes, one of E-AC-3. AC-3 has up to 3,840: 640 kbit/s at 32 kHz.
pub const MAX_FRAME: usize = 4_096;

/// Longest content of a `dec3` box that is kept, in bytes: eight independent substreams and an extension need 36.
pub const MAX_BOX: usize = 64;

/// What a sync frame belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// AC-3, or the core of E-AC-3 that old decoders play.
    Ac3,
    /// E-AC-3: a programme, 0 to 7.
    Independent(u8),
    /// E-AC-3: more channels, by number 0 to 7, of the programme that came before.
    Dependent(u8),
}

/// What the beginning of a sync frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the frame belongs to.
    pub kind: Kind,
    /// Bit stream identification: up to 8 for AC-3, 11 to 16 for E-AC-3.
    pub bsid: u8,
    /// Samples per second and channel.
    pub sample_rate: Timebase,
    /// Audio coding mode, 0 to 7: which full range channels there are.
    pub acmod: u8,
    /// Whether there is a low frequency effects channel.
    pub lfe: bool,
    /// Bit stream mode: 0 for a complete main service.
    pub bsmod: u8,
    /// Blocks of 256 samples in the frame: 1, 2, 3 or 6.
    pub blocks: u8,
    /// Bytes of the frame, at most [`MAX_FRAME`].
    length: u16,
    /// Sampling frequency code, as the boxes have it.
    fscod: u8,
    /// Half the frame size code of AC-3, an index to [`BITRATES`].
    bit_rate_code: u8,
    /// Where the channels of a dependent substream are, one bit a place, that of the left channel uppermost.
    channel_map: u16,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// They end within it.
    #[error("AC-3 header: {0}")]
    Bits(#[from] BitsError),
    /// They do not begin with 0B77.
    #[error("no AC-3 header: it does not begin with the sync word 0B77")]
    Sync,
    /// An identification that neither AC-3 nor E-AC-3 has.
    #[error("AC-3 header has the unknown bit stream identification {0}")]
    BitStream(u8),
    /// Sampling frequency code 3.
    #[error("AC-3 header has a reserved sampling frequency code")]
    SampleRate,
    /// A frame size code above 37.
    #[error("AC-3 header has the reserved frame size code {0}")]
    FrameSize(u8),
    /// Stream type 3 of E-AC-3.
    #[error("E-AC-3 header has the reserved stream type")]
    StreamType,
    /// A frame size of E-AC-3 that its own header does not fit into.
    #[error("E-AC-3 frame of {0} bytes is shorter than its header")]
    Short(u16),
    /// A dependent frame where none of its programme came before.
    #[error("E-AC-3 frame depends on one that is not there")]
    Orphan,
}

/// Bit rates of AC-3 in kbit/s by half the frame size code (table 4.13).
const BITRATES: [u16; 19] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
];

/// Sampling frequencies by code (table 4.1); half of them by the second code of E-AC-3.
const SAMPLE_RATES: [u32; 3] = [48_000, 44_100, 32_000];

/// Full range channels by audio coding mode (table 4.3).
const CHANNELS: [u8; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

/// Samples per channel in a block.
const BLOCK: u32 = 256;

impl Header {
    /// Reads the header at the beginning of a sync frame.
    ///
    /// # Errors
    /// A [`HeaderError`] that says which field is wrong. It is [`HeaderError::Bits`] only for bytes that can
    /// become a header.
    pub fn parse(frame: &[u8]) -> Result<Self, HeaderError> {
        let sync = &[0x0b, 0x77];
        if !frame.starts_with(sync) && !sync.starts_with(frame) {
            return Err(HeaderError::Sync);
        }
        let mut bits = BitReader::new(frame);
        bits.skip(40)?;
        // The one field that both syntaxes have in one place.
        match bits.bits(5)? as u8 {
            bsid @ 0..=8 => Self::ac3(frame, bsid),
            bsid @ 11..=16 => Self::eac3(frame, bsid),
            bsid => Err(HeaderError::BitStream(bsid)),
        }
    }

    /// Clauses 4.3.1 and 4.3.2.
    fn ac3(frame: &[u8], bsid: u8) -> Result<Self, HeaderError> {
        let mut bits = BitReader::new(frame);
        bits.skip(32)?;
        let fscod = bits.bits(2)? as u8;
        let frame_size = bits.bits(6)? as u8;
        bits.skip(5)?;
        let bsmod = bits.bits(3)? as u8;
        let acmod = bits.bits(3)? as u8;
        // Mix levels of a centre channel and of surround channels, the mode of stereo.
        let centre = acmod & 1 == 1 && acmod != 1;
        let levels = [centre, acmod & 4 != 0, acmod == 2];
        bits.skip(2 * levels.iter().filter(|is_there| **is_there).count())?;
        let lfe = bits.flag()?;
        let (sample_rate, _) = sample_rate(fscod, 3)?;
        let bit_rate_code = frame_size >> 1;
        let kbits = BITRATES
            .get(usize::from(bit_rate_code))
            .ok_or(HeaderError::FrameSize(frame_size))?;
        // Words of 16 bits in 1,536 samples. At 44.1 kHz they do not come out even, and the lowest bit of the
        // code says which frames are a word longer (table 4.13).
        let rate = sample_rate.ticks_per_second();
        let odd = u32::from(frame_size & 1) * u32::from(fscod == 1);
        let words = u32::from(*kbits) * 1_000 * 6 * BLOCK / 16 / rate + odd;
        Ok(Self {
            kind: Kind::Ac3,
            bsid,
            sample_rate,
            acmod,
            lfe,
            bsmod,
            blocks: 6,
            length: (words * 2) as u16,
            fscod,
            bit_rate_code,
            channel_map: 0,
        })
    }

    /// Clauses E.1.2.1 and E.1.2.2.
    fn eac3(frame: &[u8], bsid: u8) -> Result<Self, HeaderError> {
        let mut bits = BitReader::new(frame);
        bits.skip(16)?;
        let stream_type = bits.bits(2)? as u8;
        let substream = bits.bits(3)? as u8;
        let kind = match stream_type {
            // Type 2 was made from AC-3 and depends on nothing either.
            0 | 2 => Kind::Independent(substream),
            1 => Kind::Dependent(substream),
            _ => return Err(HeaderError::StreamType),
        };
        let length = (bits.bits(11)? as u16 + 1) * 2;
        let fscod = bits.bits(2)? as u8;
        let code = bits.bits(2)? as u8;
        let (sample_rate, full) = sample_rate(fscod, code)?;
        let blocks = match code {
            0..=2 if full => code + 1,
            _ => 6,
        };
        let mut header = Self {
            kind,
            bsid,
            sample_rate,
            acmod: bits.bits(3)? as u8,
            lfe: bits.flag()?,
            bsmod: 0,
            blocks,
            length,
            fscod,
            bit_rate_code: 0,
            channel_map: 0,
        };
        let whole = frame.get(..header.length());
        match header.rest(whole.unwrap_or(frame), stream_type) {
            Ok(()) => Ok(header),
            Err(_) if whole.is_some() => Err(HeaderError::Short(length)),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what lies between `bsid` and the bit stream mode (table E.1.2), most of which is for the mixing of
    /// programmes.
    fn rest(&mut self, frame: &[u8], stream_type: u8) -> Result<(), BitsError> {
        let mut bits = BitReader::new(frame);
        bits.skip(45)?;
        // Dialogue level and compression.
        for _ in 0..self.programmes() {
            bits.skip(5)?;
            optional(&mut bits, 8)?;
        }
        if stream_type == 1 && bits.flag()? {
            self.channel_map = bits.bits(16)? as u16;
        }
        if bits.flag()? {
            let (more_than_stereo, surround) = (self.acmod > 2, self.acmod & 4 != 0);
            if more_than_stereo {
                bits.skip(2)?;
            }
            if more_than_stereo && self.acmod & 1 == 1 {
                bits.skip(6)?;
            }
            if surround {
                bits.skip(6)?;
            }
            if self.lfe {
                optional(&mut bits, 5)?;
            }
            if stream_type == 0 {
                self.mixing(&mut bits)?;
            }
        }
        if bits.flag()? {
            self.bsmod = bits.bits(3)? as u8;
        }
        Ok(())
    }

    /// Passes over how this programme is mixed with others.
    fn mixing(&self, bits: &mut BitReader<'_>) -> Result<(), BitsError> {
        for _ in 0..self.programmes() {
            optional(bits, 6)?;
        }
        optional(bits, 6)?;
        match bits.bits(2)? {
            0 => {}
            1 => bits.skip(5)?,
            2 => bits.skip(12)?,
            _ => {
                let bytes = bits.bits(5)? as usize + 2;
                bits.skip(bytes * 8)?;
            }
        }
        if self.acmod < 2 {
            for _ in 0..self.programmes() {
                optional(bits, 14)?;
            }
        }
        if bits.flag()? {
            if self.blocks == 1 {
                bits.skip(5)?;
            } else {
                for _ in 0..self.blocks {
                    optional(bits, 5)?;
                }
            }
        }
        Ok(())
    }

    /// Bytes of the frame, at most [`MAX_FRAME`].
    pub const fn length(&self) -> usize {
        self.length as usize
    }

    /// Samples per channel in the frame: 256 for each block.
    pub const fn samples(&self) -> u32 {
        self.blocks as u32 * BLOCK
    }

    /// Number of channels, that of low frequency effects included.
    pub fn channels(&self) -> u8 {
        channels(self.acmod, self.lfe)
    }

    /// Bits per second, by the length of this frame.
    pub const fn bitrate(&self) -> u32 {
        let bits = self.length as u64 * 8 * self.sample_rate.ticks_per_second() as u64;
        (bits / self.samples() as u64) as u32
    }

    /// Two where two mono channels are programmes of their own.
    const fn programmes(&self) -> u8 {
        if self.acmod == 0 { 2 } else { 1 }
    }

    /// Whether an access unit begins with the frame.
    const fn begins_unit(&self) -> bool {
        matches!(self.kind, Kind::Ac3 | Kind::Independent(0))
    }
}

/// A field of that many bits behind a flag that says whether it is there.
fn optional(bits: &mut BitReader<'_>, count: usize) -> Result<(), BitsError> {
    match bits.flag()? {
        true => bits.skip(count),
        false => Ok(()),
    }
}

/// The sampling frequency of a code, and whether it is a full one: behind code 3 the second code of E-AC-3 is one
/// of half the frequency.
fn sample_rate(fscod: u8, half: u8) -> Result<(Timebase, bool), HeaderError> {
    let full = SAMPLE_RATES.get(usize::from(fscod)).copied();
    let rate = full.or_else(|| SAMPLE_RATES.get(usize::from(half)).map(|rate| rate / 2));
    let timebase = rate
        .and_then(Timebase::new)
        .ok_or(HeaderError::SampleRate)?;
    Ok((timebase, full.is_some()))
}

fn channels(acmod: u8, lfe: bool) -> u8 {
    CHANNELS.get(usize::from(acmod)).copied().unwrap_or(0) + u8::from(lfe)
}

impl FrameHeader for Header {
    type Error = HeaderError;

    fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        Self::parse(bytes)
    }

    fn is_truncated(error: &HeaderError) -> bool {
        matches!(error, HeaderError::Bits(_))
    }

    fn length(&self) -> usize {
        self.length()
    }

    fn is_like(&self, next: &Self) -> bool {
        self.sample_rate == next.sample_rate
    }
}

/// Splits what has sync frames one after the other into access units.
pub const fn units(bytes: &[u8]) -> Units<'_> {
    Units(SyncFrames::new(bytes))
}

/// The access units of a slice, each with the header of its first frame: an AC-3 frame or one of the independent
/// substream 0, and what follows it up to the next of these, the frames of dependent substreams and of further
/// programmes at the same time (clause E.1.3.1.1). Units, what was [`Lost`], and the
/// [`remainder`](Self::remainder) tile the slice.
///
/// A unit that the slice ends behind is taken to be whole: its end shows only in the next, for which nobody
/// should wait, and packets are filled with whole units.
#[derive(Clone, Debug)]
pub struct Units<'a>(SyncFrames<'a, Header>);

/// Frames in a unit: eight programmes of eight dependent substreams each.
const MAX_FRAMES: usize = 8 * 9;

impl<'a> Units<'a> {
    /// What has not been taken. Once the iterator has ended, that is a unit whose end has not come.
    pub fn remainder(&self) -> &'a [u8] {
        self.0.remainder()
    }
}

impl<'a> Iterator for Units<'a> {
    type Item = Result<(Header, &'a [u8]), Lost<HeaderError>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut ahead = self.0.clone();
        let rest = ahead.remainder();
        let (first, frame) = match ahead.next()? {
            Ok(frame) => frame,
            Err(lost) => {
                self.0 = ahead;
                return Some(Err(lost));
            }
        };
        let mut length = frame.len();
        if !first.begins_unit() {
            let (at, reason) = (self.0.position(), HeaderError::Orphan);
            self.0 = ahead;
            return Some(Err(Lost { at, length, reason }));
        }
        for _ in 1..MAX_FRAMES {
            let mut further = ahead.clone();
            match further.next() {
                Some(Ok((header, frame))) if !header.begins_unit() => length += frame.len(),
                Some(_) => break,
                None => match Header::parse(ahead.remainder()) {
                    _ if ahead.remainder().is_empty() => break,
                    Ok(header) if header.begins_unit() => break,
                    // More of the unit, or what may become it.
                    _ => return None,
                },
            }
            ahead = further;
        }
        self.0 = ahead;
        Some(Ok((first, rest.get(..length)?)))
    }
}

/// What a decoder or a container needs to know, with the configuration box of MP4 that says it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether it is E-AC-3.
    pub enhanced: bool,
    /// Samples per second and channel, and so the track's natural timebase.
    pub sample_rate: Timebase,
    /// Channels of the first programme, with those of its dependent substreams and of low frequency effects.
    pub channels: u8,
    /// Content of the `dac3` or `dec3` box.
    specific: Bytes,
}

/// The bit rate in a `dec3` box does not count: frames of one stream differ in length where they would not be whole
/// words, and their rates with them.
impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        (self.enhanced, self.sample_rate, self.channels)
            == (other.enhanced, other.sample_rate, other.channels)
            && self.without_rate() == other.without_rate()
    }
}

impl Eq for Config {}

/// Why a configuration box was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It ended early.
    #[error("AC-3 configuration box: {0}")]
    Bits(#[from] BitsError),
    /// Longer than [`MAX_BOX`].
    #[error("AC-3 configuration box of {0} bytes is longer than 64")]
    TooLong(usize),
    /// An identification that neither AC-3 nor E-AC-3 has.
    #[error("AC-3 configuration box has the unknown bit stream identification {0}")]
    BitStream(u8),
    /// Sampling frequency code 3, which does not say which of the half frequencies it is.
    #[error("AC-3 configuration box has no sampling frequency")]
    SampleRate,
    /// A code that is no bit rate of AC-3.
    #[error("AC-3 configuration box has the reserved bit rate code {0}")]
    Bitrate(u8),
}

/// A programme in a `dec3` box.
struct Programme {
    header: Header,
    dependents: u8,
    /// Channels of the dependents, by the places of table F.6.1, the first in the lowest bit.
    places: u16,
}

impl Config {
    /// That of the stream which this access unit belongs to, whose last frame may be incomplete.
    ///
    /// # Errors
    /// The [`HeaderError`] of the first frame that has one.
    pub fn of(unit: &[u8]) -> Result<Self, HeaderError> {
        let first = Header::parse(unit)?;
        let mut programmes: Vec<Programme> = Vec::with_capacity(1);
        let (mut bitrate, mut rest) = (0u64, unit);
        for _ in 0..MAX_FRAMES {
            if rest.is_empty() {
                break;
            }
            let header = Header::parse(rest)?;
            bitrate += u64::from(header.bitrate());
            if matches!(header.kind, Kind::Dependent(_)) {
                let programme = programmes.last_mut().ok_or(HeaderError::Orphan)?;
                programme.dependents = (programme.dependents + 1).min(8);
                programme.places |= places(header.channel_map);
            } else if programmes.len() < 8 {
                programmes.push(Programme {
                    header,
                    dependents: 0,
                    places: 0,
                });
            }
            rest = rest.get(header.length()..).unwrap_or_default();
        }
        let places = programmes.first().map_or(0, |first| first.places);
        let alone = matches!(&programmes[..], [only] if only.dependents == 0);
        let enhanced = !(first.kind == Kind::Ac3 && alone);
        Ok(Self {
            enhanced,
            sample_rate: first.sample_rate,
            channels: first.channels() + channels_at(places),
            specific: match enhanced {
                true => write_dec3(bitrate, &programmes),
                false => write_dac3(&first),
            },
        })
    }

    /// Reads the content of a `dac3` box (clause F.4).
    ///
    /// # Errors
    /// A [`ConfigError`] that says which field is wrong.
    pub fn parse_dac3(content: &[u8]) -> Result<Self, ConfigError> {
        let mut bits = BitReader::new(content);
        let (fscod, bsid) = (bits.bits(2)? as u8, bits.bits(5)? as u8);
        bits.skip(3)?;
        let (acmod, lfe) = (bits.bits(3)? as u8, bits.flag()?);
        let code = bits.bits(5)? as u8;
        bits.skip(5)?;
        if bsid > 8 {
            return Err(ConfigError::BitStream(bsid));
        }
        if usize::from(code) >= BITRATES.len() {
            return Err(ConfigError::Bitrate(code));
        }
        Ok(Self {
            enhanced: false,
            sample_rate: box_sample_rate(fscod)?,
            channels: channels(acmod, lfe),
            specific: Bytes::copy_from_slice(content.get(..3).unwrap_or_default()),
        })
    }

    /// Reads the content of a `dec3` box (clause F.6). What follows the substreams, as the extension that says
    /// that there are objects, is kept.
    ///
    /// # Errors
    /// A [`ConfigError`] that says which field is wrong.
    pub fn parse_dec3(content: &[u8]) -> Result<Self, ConfigError> {
        if content.len() > MAX_BOX {
            return Err(ConfigError::TooLong(content.len()));
        }
        let mut bits = BitReader::new(content);
        bits.skip(13)?;
        let further = bits.bits(3)?;
        let mut first = None;
        for _ in 0..=further {
            let (fscod, bsid) = (bits.bits(2)? as u8, bits.bits(5)? as u8);
            // Reserved, `asvc`, and the bit stream mode.
            bits.skip(5)?;
            let (acmod, lfe) = (bits.bits(3)? as u8, bits.flag()?);
            bits.skip(3)?;
            let places = match bits.bits(4)? {
                0 => {
                    bits.skip(1)?;
                    0
                }
                _ => bits.bits(9)? as u16,
            };
            if bsid > 16 {
                return Err(ConfigError::BitStream(bsid));
            }
            let sample_rate = box_sample_rate(fscod)?;
            let channels = channels(acmod, lfe) + channels_at(places);
            first = first.or(Some((sample_rate, channels)));
        }
        let (sample_rate, channels) = first.ok_or_else(|| bits.invalid())?;
        Ok(Self {
            enhanced: true,
            sample_rate,
            channels,
            specific: Bytes::copy_from_slice(content),
        })
    }

    /// The content of the `dac3` box; `None` for E-AC-3.
    pub fn dac3(&self) -> Option<Bytes> {
        (!self.enhanced).then(|| self.specific.clone())
    }

    /// The content of the `dec3` box; `None` for AC-3.
    pub fn dec3(&self) -> Option<Bytes> {
        self.enhanced.then(|| self.specific.clone())
    }

    /// What the box says but for the rate, which is the first 13 bits of that of E-AC-3.
    fn without_rate(&self) -> (u8, &[u8]) {
        match &self.specific[..] {
            [_, second, rest @ ..] if self.enhanced => (second & 7, rest),
            all => (0, all),
        }
    }

    /// The usual name, as shown to people.
    pub const fn name(&self) -> &'static str {
        if self.enhanced { "E-AC-3" } else { "AC-3" }
    }

    /// The `codecs` parameter of RFC 6381.
    pub fn rfc6381(&self) -> String {
        let name = if self.enhanced { "ec-3" } else { "ac-3" };
        name.to_owned()
    }
}

/// Clause F.4.
fn write_dac3(header: &Header) -> Bytes {
    let fields = u32::from(header.fscod) << 22
        | u32::from(header.bsid) << 17
        | u32::from(header.bsmod) << 14
        | u32::from(header.acmod) << 11
        | u32::from(header.lfe) << 10
        | u32::from(header.bit_rate_code) << 5;
    let [_, content @ ..] = fields.to_be_bytes();
    Bytes::copy_from_slice(&content)
}

/// Clause F.6. `bitrate` is that of all substreams, in bits per second.
fn write_dec3(bitrate: u64, programmes: &[Programme]) -> Bytes {
    let kbits = (bitrate / 1_000).min(0x1fff) as u16;
    let further = programmes.len().saturating_sub(1) as u16;
    let mut content = (kbits << 3 | further).to_be_bytes().to_vec();
    for programme in programmes {
        let header = &programme.header;
        content.extend([
            header.fscod << 6 | header.bsid << 1,
            header.bsmod << 4 | header.acmod << 1 | u8::from(header.lfe),
        ]);
        match programme.dependents {
            0 => content.push(0),
            count => content.extend((u16::from(count) << 9 | programme.places).to_be_bytes()),
        }
    }
    content.into()
}

/// The places of table F.6.1 that a channel map (table E.1.4) has, which are those that no independent substream
/// can have: its bits 5 to 12 and 14, counted from the uppermost.
const fn places(channel_map: u16) -> u16 {
    let reversed = channel_map.reverse_bits();
    reversed >> 5 & 0xff | reversed >> 6 & 0x100
}

/// Channels at such places: five of them are pairs.
const fn channels_at(places: u16) -> u8 {
    const PAIRS: u16 = 0b0_0111_0011;
    (places.count_ones() + (places & PAIRS).count_ones()) as u8
}

fn box_sample_rate(fscod: u8) -> Result<Timebase, ConfigError> {
    let (rate, _) = sample_rate(fscod, 3).map_err(|_| ConfigError::SampleRate)?;
    Ok(rate)
}

#[cfg(test)]
mod tests;
