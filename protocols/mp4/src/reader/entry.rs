//! Sample entries: which codec a track is of, with its configuration (ISO/IEC 14496-12 clause 8.5.2 and the bindings
//! of the codecs).

use super::movie::children;
use super::protection::{self, Protection};
use bytes::{Buf, Bytes};
use media::Codec;
use media::codec::{aac, ac3, av1, flac, h264, h265, opus, vp9};

/// Most entries of a track that are looked at.
const MAX_ENTRIES: usize = 16;

/// What a sample entry says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    /// All that a decoder needs. Of NAL units, the bytes of the length in front of each.
    Known(Codec, u8),
    /// The rest is in the samples.
    InSamples(Bare, u8),
    /// As that, in samples that are encrypted.
    Protected(Box<Self>, Protection),
    /// Why it cannot be used.
    Unknown(String),
}

/// A codec whose configuration is not in the sample entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bare {
    H264,
    H265,
    Av1,
    Vp8,
    Vp9,
    MpegAudio,
    Ac3,
}

/// Reads the `stsd` box.
pub(super) fn read(stsd: &Bytes) -> Vec<Entry> {
    let mut list = stsd.clone();
    if list.len() < 8 {
        return Vec::new();
    }
    list.advance(8);
    let entries = children(&list).take(MAX_ENTRIES);
    entries.map(|(kind, body)| entry(&kind, &body)).collect()
}

fn entry(kind: &[u8; 4], body: &Bytes) -> Entry {
    let read = match kind {
        b"avc1" | b"avc2" | b"avc3" | b"avc4" => h264(body),
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => h265(body),
        b"av01" => Ok(av1(body)),
        b"vp09" => Ok(vp9(body)),
        b"vp08" => Ok(Entry::InSamples(Bare::Vp8, 0)),
        b"mp4a" => mp4a(body),
        b".mp3" | b"ms\0\x55" => Ok(Entry::InSamples(Bare::MpegAudio, 0)),
        b"Opus" => sound(body, b"dOps", |content| {
            opus::Config::parse_dops(content).map(Codec::Opus)
        }),
        b"fLaC" => sound(body, b"dfLa", |content| {
            flac::Config::parse_dfla(content).map(Codec::Flac)
        }),
        b"ac-3" => Ok(ac3(body, b"dac3", ac3::Config::parse_dac3)),
        b"ec-3" => Ok(ac3(body, b"dec3", ac3::Config::parse_dec3)),
        b"encv" => protected(body, of_pictures(body, b"sinf")),
        b"enca" => protected(body, of_sound(body, b"sinf")),
        b"enct" => Err("it is encrypted".to_owned()),
        _ => Err(format!("its format {} is not carried", kind.escape_ascii())),
    };
    read.unwrap_or_else(Entry::Unknown)
}

fn protected(body: &Bytes, sinf: Option<Bytes>) -> Result<Entry, String> {
    let sinf = sinf.ok_or("it is encrypted, and does not say how")?;
    let (format, protection) = protection::read(&sinf)?;
    if matches!(&format, b"encv" | b"enca") {
        return Err("it is encrypted twice".to_owned());
    }
    match entry(&format, body) {
        Entry::Unknown(reason) => Err(reason),
        entry => Ok(Entry::Protected(Box::new(entry), protection)),
    }
}

/// What stands behind the fields of a visual sample entry (clause 12.1.3).
fn of_pictures(body: &Bytes, kind: &[u8; 4]) -> Option<Bytes> {
    let rest = body.slice(body.len().min(78)..);
    child(&rest, kind)
}

/// The same of an audio sample entry (clause 12.2.3), of which QuickTime has longer versions, and boxes within `wave`.
fn of_sound(body: &Bytes, kind: &[u8; 4]) -> Option<Bytes> {
    let version = body.get(8..10).unwrap_or_default();
    let fields = match version {
        [0, 1] => 44,
        [0, 2] => 64,
        _ => 28,
    };
    // An ISO file may have a version of its own there.
    let found = |fields: usize| {
        let rest = body.slice(body.len().min(fields)..);
        let wave = child(&rest, b"wave");
        child(&rest, kind).or_else(|| child(&wave?, kind))
    };
    found(fields).or_else(|| found(28))
}

fn child(bytes: &Bytes, kind: &[u8; 4]) -> Option<Bytes> {
    let mut boxes = children(bytes);
    boxes.find(|(found, _)| found == kind).map(|(_, body)| body)
}

fn h264(body: &Bytes) -> Result<Entry, String> {
    let record = of_pictures(body, b"avcC").ok_or("it has no avcC box")?;
    Ok(match h264::Config::parse_avcc(&record) {
        Ok((config, length_size)) => Entry::Known(Codec::H264(config), length_size),
        // Without parameter sets, which come with the pictures then.
        Err(_) => Entry::InSamples(Bare::H264, length_size(&record, 4)),
    })
}

fn h265(body: &Bytes) -> Result<Entry, String> {
    let record = of_pictures(body, b"hvcC").ok_or("it has no hvcC box")?;
    Ok(match h265::Config::parse_hvcc(&record) {
        Ok((config, length_size)) => Entry::Known(Codec::H265(config), length_size),
        Err(_) => Entry::InSamples(Bare::H265, length_size(&record, 21)),
    })
}

/// Bytes of the lengths in front of NAL units, by a record without parameter sets.
fn length_size(record: &[u8], at: usize) -> u8 {
    record.get(at).map_or(4, |byte| (byte & 3) + 1)
}

fn av1(body: &Bytes) -> Entry {
    let record = of_pictures(body, b"av1C");
    match record.map(|record| av1::Config::parse_av1c(&record)) {
        Some(Ok(config)) => Entry::Known(Codec::Av1(config), 0),
        _ => Entry::InSamples(Bare::Av1, 0),
    }
}

fn vp9(body: &Bytes) -> Entry {
    let side = |at: usize| {
        let bytes = body.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u16::from_be_bytes(*bytes))
    };
    let (width, height) = (side(24), side(26));
    let record = of_pictures(body, b"vpcC");
    match record.map(|record| vp9::Config::parse_vpcc(&record, width, height)) {
        Some(Ok(config)) => Entry::Known(Codec::Vp9(config), 0),
        _ => Entry::InSamples(Bare::Vp9, 0),
    }
}

fn sound<E: ToString>(
    body: &Bytes,
    kind: &[u8; 4],
    parse: impl FnOnce(&[u8]) -> Result<Codec, E>,
) -> Result<Entry, String> {
    let content = of_sound(body, kind);
    let content = content.ok_or_else(|| format!("it has no {} box", kind.escape_ascii()))?;
    let codec = parse(&content).map_err(|error| error.to_string())?;
    Ok(Entry::Known(codec, 0))
}

fn ac3(
    body: &Bytes,
    kind: &[u8; 4],
    parse: impl FnOnce(&[u8]) -> Result<ac3::Config, ac3::ConfigError>,
) -> Entry {
    match of_sound(body, kind).map(|content| parse(&content)) {
        Some(Ok(config)) => Entry::Known(Codec::Ac3(config), 0),
        // All is in the frames.
        _ => Entry::InSamples(Bare::Ac3, 0),
    }
}

/// By the object type of its `esds` box (ISO/IEC 14496-1 clause 7.2.6.6).
fn mp4a(body: &Bytes) -> Result<Entry, String> {
    let esds = of_sound(body, b"esds").ok_or("it has no esds box")?;
    let (object_type, specific) = descriptor(&esds).ok_or("its esds box is not whole")?;
    match object_type {
        0x40 | 0x66..=0x68 => {
            let config = aac::Config::parse(&specific).map_err(|error| error.to_string())?;
            Ok(Entry::Known(Codec::Aac(config), 0))
        }
        0x69 | 0x6b => Ok(Entry::InSamples(Bare::MpegAudio, 0)),
        0xa5 | 0xa6 => Ok(Entry::InSamples(Bare::Ac3, 0)),
        other => Err(format!("its object type {other:#04x} is not carried")),
    }
}

/// The object type and the decoder specific information of an `esds` box.
fn descriptor(esds: &Bytes) -> Option<(u8, Bytes)> {
    let mut rest = esds.clone();
    rest.try_get_u32().ok()?;
    let (tag, mut stream) = tagged(&mut rest)?;
    if tag != 3 {
        return None;
    }
    stream.try_get_u16().ok()?;
    let flags = stream.try_get_u8().ok()?;
    let mut skipped = 0;
    if flags & 0x80 != 0 {
        skipped += 2;
    }
    if flags & 0x40 != 0 {
        skipped += 1 + usize::from(*stream.get(skipped)?);
    }
    if flags & 0x20 != 0 {
        skipped += 2;
    }
    stream = stream.slice(stream.len().min(skipped)..);
    let (tag, mut config) = tagged(&mut stream)?;
    if tag != 4 || config.len() < 13 {
        return None;
    }
    let object_type = config.try_get_u8().ok()?;
    config.advance(12);
    while let Some((tag, body)) = tagged(&mut config) {
        if tag == 5 {
            return Some((object_type, body));
        }
    }
    Some((object_type, Bytes::new()))
}

/// A descriptor: its tag and what is in it, as far as it is there.
fn tagged(bytes: &mut Bytes) -> Option<(u8, Bytes)> {
    let tag = bytes.try_get_u8().ok()?;
    let mut length = 0usize;
    for _ in 0..4 {
        let byte = bytes.try_get_u8().ok()?;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    let length = length.min(bytes.len());
    Some((tag, bytes.split_to(length)))
}
