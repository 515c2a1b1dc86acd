//! The initialization section: `ftyp` and `moov`, all that a player has to have before the first fragment.
//!
//! It has no samples and no durations; those are in the fragments. Read [`write()`].

use crate::track_number;
use bytes::{Bytes, BytesMut};
use media::codec::{aac, ac3, av1, flac, g711, h264, h265, mpeg_audio, opus, vp9};
use media::{Codec, Data, Kind, Timebase, Track};
use mp4_atom::{
    Ac3, Ac3SpecificBox, Atom, Audio, Av01, Av1c, Avc1, Avcc, Dfla, Dinf, Dops, Dref, Eac3,
    Ec3SpecificBox, Encode, Flac, FourCC, Ftyp, Hdlr, Hvc1, Hvcc, Mdhd, MetaData, Mp4a, Mvex, Mvhd,
    Opus, Pasp, Smhd, Stbl, Stco, Stsc, Stsd, Stsz, Stts, Tkhd, Trex, Uri, Urim, Url, Visual, Vmhd,
    Vp09, VpcC, esds,
};

/// Why there is no initialization section for these tracks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There are none.
    #[error("an MP4 file needs at least one track")]
    NoTracks,
    /// Two of them have the same [`TrackId`](media::TrackId).
    #[error("two tracks have the number {0}")]
    SameNumber(u32),
    /// There is no sample entry for the codec that players know.
    #[error("track {track}: {codec} cannot be carried in MP4")]
    Codec {
        /// Number of the track within the file.
        track: u32,
        /// The codec's name.
        codec: &'static str,
    },
    /// A box cannot hold what the track's configuration says.
    #[error("track {track}: {reason}")]
    Box {
        /// Number of the track within the file.
        track: u32,
        /// What does not fit.
        reason: String,
    },
}

/// Writes the section for fragments of these tracks. A track's number is its [`TrackId`](media::TrackId)
/// plus one, its timescale its timebase.
///
/// Parameter sets are in the section alone (`avc1`, `hvc1`).
///
/// A section of one track is a CMAF header and says so (`cmfc`); CMAF knows none of several tracks.
///
/// # Errors
/// Without tracks, with the same track twice, with a codec that MP4 cannot hold (see [`holds`]), or with a
/// configuration that no box can hold.
pub fn write(tracks: &[Track]) -> Result<Bytes, Error> {
    if tracks.is_empty() {
        return Err(Error::NoTracks);
    }
    for (at, track) in tracks.iter().enumerate() {
        if tracks.iter().skip(at + 1).any(|other| other.id == track.id) {
            return Err(Error::SameNumber(track_number(track.id)));
        }
    }
    let mut entries = Vec::with_capacity(tracks.len());
    for track in tracks {
        entries.push((track, sample_entry(track)?));
    }
    let mut out = BytesMut::with_capacity(256 + 768 * tracks.len());
    write_boxes(&mut out, entries)?;
    Ok(out.freeze())
}

/// Whether there is a sample entry for tracks of that codec.
pub const fn carries(codec: &Codec) -> bool {
    matches!(
        codec,
        Codec::H264(_)
            | Codec::H265(_)
            | Codec::Av1(_)
            | Codec::Vp9(_)
            | Codec::Aac(_)
            | Codec::Opus(_)
            | Codec::MpegAudio(_)
            | Codec::Ac3(_)
            | Codec::Flac(_)
    )
}

/// Whether a file can hold tracks of that codec: those that players know ([`carries`]), and those that are kept for who
/// looks for them, which are telephone sound as QuickTime has it, and data whose format has a name.
pub const fn holds(codec: &Codec) -> bool {
    carries(codec) || matches!(codec, Codec::G711 { .. }) || data_format(codec).is_some()
}

/// By what the format of a track's data is known.
const fn data_format(codec: &Codec) -> Option<&'static str> {
    match codec {
        // MISB ST 1910.
        Codec::Data(Data::Klv) => Some("urn:misb:KLV:bin:1910.1"),
        Codec::Data(Data::Id3) => Some("https://aomedia.org/emsg/ID3"),
        // ANSI/SCTE 214-3.
        Codec::Data(Data::Scte35) => Some("urn:scte:scte35:2013:bin"),
        Codec::Data(Data::OnvifMetadata) => Some("http://www.onvif.org/ver10/schema"),
        _ => None,
    }
}

/// Ticks per second of what a file says of itself as a whole, and of edit lists: those of pictures in MPEG, so that a
/// track's delay is told exactly enough.
const MOVIE_TIMESCALE: u32 = 90_000;

type BoxResult = Result<(), mp4_atom::Error>;

/// A track and the description of its samples.
type Entry<'a> = (&'a Track, SampleEntry);

enum SampleEntry {
    Known(Box<mp4_atom::Codec>),
    /// Of that name, with the fields of all sound and no boxes.
    Sound(&'static [u8; 4], Audio),
}

fn box_error(track: u32) -> impl Fn(mp4_atom::Error) -> Error {
    move |error| Error::Box {
        track,
        reason: error.to_string(),
    }
}

fn write_boxes(out: &mut BytesMut, tracks: Vec<Entry<'_>>) -> Result<(), Error> {
    let whole = box_error(0);
    let brands: &[&[u8; 4]] = match &tracks[..] {
        [_] => &[b"cmfc", b"iso6", b"mp41"],
        _ => &[b"iso6", b"mp41"],
    };
    let brands: Vec<FourCC> = brands.iter().map(|brand| FourCC::new(brand)).collect();
    let ftyp = Ftyp {
        major_brand: brands.first().copied().unwrap_or(FourCC::new(b"iso6")),
        minor_version: 0,
        compatible_brands: brands,
    };
    ftyp.encode(out).map_err(&whole)?;
    let numbers: Vec<u32> = tracks
        .iter()
        .map(|(track, _)| track_number(track.id))
        .collect();
    // The order of boxes that players know best: tracks before `mvex`, media headers before tables.
    within(out, b"moov", |out| {
        let mvhd = Mvhd {
            timescale: MOVIE_TIMESCALE,
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: numbers
                .iter()
                .max()
                .map_or(1, |last| last.saturating_add(1)),
            ..Mvhd::default()
        };
        mvhd.encode(out).map_err(&whole)?;
        for (track, entry) in tracks {
            write_track(out, track, entry).map_err(box_error(track_number(track.id)))?;
        }
        let trex = numbers.into_iter().map(|track_id| Trex {
            track_id,
            default_sample_description_index: 1,
            ..Trex::default()
        });
        let mvex = Mvex {
            mehd: None,
            trex: trex.collect(),
        };
        mvex.encode(out).map_err(&whole)
    })
}

fn write_track(out: &mut BytesMut, track: &Track, entry: SampleEntry) -> BoxResult {
    let (handler, name) = match track.kind() {
        Kind::Video => (b"vide", "video"),
        Kind::Audio => (b"soun", "audio"),
        Kind::Data => (b"meta", "data"),
    };
    let (width, height) = display_size(&track.codec);
    let tkhd = Tkhd {
        track_id: track_number(track.id),
        enabled: true,
        in_movie: true,
        volume: u8::from(track.kind() == Kind::Audio).into(),
        width: width.into(),
        height: height.into(),
        ..Tkhd::default()
    };
    let mdhd = Mdhd {
        timescale: track.timebase.ticks_per_second(),
        language: "und".to_owned(),
        ..Mdhd::default()
    };
    let hdlr = Hdlr {
        handler: FourCC::new(handler),
        name: name.to_owned(),
    };
    within(out, b"trak", |out| {
        tkhd.encode(out)?;
        within(out, b"mdia", |out| {
            mdhd.encode(out)?;
            hdlr.encode(out)?;
            within(out, b"minf", |out| {
                match track.kind() {
                    Kind::Video => Vmhd::default().encode(out)?,
                    Kind::Audio => Smhd::default().encode(out)?,
                    // A null media header: a full box of nothing.
                    Kind::Data => within(out, b"nmhd", |out| {
                        out.extend_from_slice(&[0; 4]);
                        Ok::<_, mp4_atom::Error>(())
                    })?,
                }
                let dref = Dref {
                    // Without a location: the samples are in this file.
                    entries: vec![Url::default().into()],
                };
                Dinf { dref }.encode(out)?;
                write_tables(out, entry)
            })
        })
    })
}

/// The sample entry, and no samples.
fn write_tables(out: &mut BytesMut, entry: SampleEntry) -> BoxResult {
    let (kind, audio) = match entry {
        SampleEntry::Known(entry) => {
            let stbl = Stbl {
                stsd: Stsd {
                    codecs: vec![*entry],
                },
                stco: Some(Stco::default()),
                ..Stbl::default()
            };
            return stbl.encode(out);
        }
        SampleEntry::Sound(kind, audio) => (kind, audio),
    };
    within(out, b"stbl", |out| {
        within(out, b"stsd", |out| {
            // No flags, and one entry.
            out.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
            within(out, kind, |out| audio.encode(out))
        })?;
        Stts::default().encode(out)?;
        Stsc::default().encode(out)?;
        Stsz::default().encode(out)?;
        Stco::default().encode(out)
    })
}

/// Writes a box around what `body` writes.
fn within<E>(
    out: &mut BytesMut,
    kind: &[u8; 4],
    body: impl FnOnce(&mut BytesMut) -> Result<(), E>,
) -> Result<(), E> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(kind);
    body(out)?;
    // Parameter sets and configurations are bounded, so that a section stays far below 4 GiB.
    let size = u32::try_from(out.len().saturating_sub(start)).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
        *place = size.to_be_bytes();
    }
    Ok(())
}

/// Width and height as shown, square pixels; zero for sound.
fn display_size(codec: &Codec) -> (u16, u16) {
    let (width, height) = codec.size().unwrap_or_default();
    let (horizontal, vertical) = codec.sample_aspect_ratio().unwrap_or((1, 1));
    let shown = u64::from(width) * u64::from(horizontal) / u64::from(vertical.max(1));
    (saturated(shown), saturated(height.into()))
}

fn sample_entry(track: &Track) -> Result<SampleEntry, Error> {
    let number = track_number(track.id);
    let codec = &track.codec;
    let entry = match codec {
        Codec::H264(config) => avc1(codec, config).map(Into::into),
        Codec::H265(config) => hvc1(codec, config).map(Into::into),
        Codec::Aac(config) => Ok(aac(config).into()),
        Codec::Av1(config) => av01(codec, config).map(Into::into),
        Codec::Vp9(config) => vp09(codec, config).map(Into::into),
        Codec::MpegAudio(config) => Ok(mpeg_audio(config).into()),
        Codec::Ac3(config) => ac3(config),
        Codec::Flac(config) => flac(config).map(Into::into),
        Codec::Opus(config) => opus(config).map(Into::into),
        Codec::G711 {
            law,
            sample_rate,
            channels,
        } => {
            let audio = audio((*channels).into(), *sample_rate);
            return Ok(SampleEntry::Sound(g711(*law), audio));
        }
        _ => match data_format(codec) {
            Some(format) => Ok(urim(format).into()),
            None => {
                return Err(Error::Codec {
                    track: number,
                    codec: codec.name(),
                });
            }
        },
    };
    let entry = entry.map_err(box_error(number))?;
    Ok(SampleEntry::Known(Box::new(entry)))
}

fn avc1(codec: &Codec, config: &h264::Config) -> Result<Avc1, mp4_atom::Error> {
    Ok(Avc1 {
        visual: visual(codec),
        avcc: Avcc::decode_body(&mut &config.avcc()[..])?,
        pasp: pasp(codec),
        ..Avc1::default()
    })
}

fn hvc1(codec: &Codec, config: &h265::Config) -> Result<Hvc1, mp4_atom::Error> {
    Ok(Hvc1 {
        visual: visual(codec),
        hvcc: Hvcc::decode_body(&mut &config.hvcc()[..])?,
        pasp: pasp(codec),
        ..Hvc1::default()
    })
}

/// AV1 Codec ISO Media File Format Binding, clause 2.2.
fn av01(codec: &Codec, config: &av1::Config) -> Result<Av01, mp4_atom::Error> {
    Ok(Av01 {
        visual: visual(codec),
        av1c: Av1c::decode_body(&mut &config.av1c()[..])?,
        pasp: pasp(codec),
        ..Av01::default()
    })
}

/// VP Codec ISO Media File Format Binding.
fn vp09(codec: &Codec, config: &vp9::Config) -> Result<Vp09, mp4_atom::Error> {
    Ok(Vp09 {
        visual: visual(codec),
        vpcc: VpcC::decode_body(&mut &config.vpcc()[..])?,
        pasp: pasp(codec),
        ..Vp09::default()
    })
}

/// ETSI TS 102 366 annex F.
fn ac3(config: &ac3::Config) -> Result<mp4_atom::Codec, mp4_atom::Error> {
    let audio = audio(config.channels.into(), config.sample_rate);
    Ok(match (config.dac3(), config.dec3()) {
        (Some(dac3), _) => {
            let dac3 = Ac3SpecificBox::decode_body(&mut &dac3[..])?;
            Ac3 { audio, dac3 }.into()
        }
        (None, dec3) => {
            let dec3 = dec3.unwrap_or_default();
            let dec3 = Ec3SpecificBox::decode_body(&mut &dec3[..])?;
            Eac3 { audio, dec3 }.into()
        }
    })
}

/// Encapsulation of FLAC in ISO Base Media File Format, clause 3.3.
fn flac(config: &flac::Config) -> Result<Flac, mp4_atom::Error> {
    Ok(Flac {
        audio: Audio {
            sample_size: config.bits_per_sample.into(),
            ..audio(config.channels.into(), config.sample_rate)
        },
        dfla: Dfla::decode_body(&mut &config.dfla()[..])?,
    })
}

/// QuickTime File Format, "Sound sample descriptions", version 0.
const fn g711(law: g711::Law) -> &'static [u8; 4] {
    match law {
        g711::Law::A => b"alaw",
        g711::Law::Mu => b"ulaw",
    }
}

/// ISO/IEC 14496-12 clause 12.3.3.2.
fn urim(format: &str) -> Urim {
    Urim {
        metadata: MetaData {
            data_reference_index: 1,
        },
        the_label: Uri {
            the_uri: format.to_owned(),
        },
        init: None,
        btrt: None,
    }
}

/// Each frame says all there is, so that there is no decoder configuration.
fn mpeg_audio(config: &mpeg_audio::Config) -> Mp4a {
    mp4a(
        audio(config.channels.into(), config.sample_rate),
        config.object_type_indication(),
        None,
    )
}

fn audio(channels: u16, sample_rate: Timebase) -> Audio {
    Audio {
        data_reference_index: 1,
        channel_count: channels,
        sample_size: 16,
        // The field ends at 65,535 Hz; what counts is in the codec's own configuration anyway.
        sample_rate: u16::try_from(sample_rate.ticks_per_second())
            .unwrap_or(0)
            .into(),
    }
}

fn visual(codec: &Codec) -> Visual {
    let (width, height) = codec.size().unwrap_or_default();
    Visual {
        data_reference_index: 1,
        width: saturated(width.into()),
        height: saturated(height.into()),
        horizresolution: 72.into(),
        vertresolution: 72.into(),
        frame_count: 1,
        compressor: Default::default(),
        depth: 24,
    }
}

fn pasp(codec: &Codec) -> Option<Pasp> {
    codec.sample_aspect_ratio().map(|(width, height)| Pasp {
        h_spacing: width.into(),
        v_spacing: height.into(),
    })
}

/// What is to be skipped at the start is told by `dOps` alone: an edit list would be wrong for a stream that
/// is joined in the middle.
fn opus(config: &opus::Config) -> Result<Opus, mp4_atom::Error> {
    Ok(Opus {
        audio: Audio {
            data_reference_index: 1,
            channel_count: config.channels.into(),
            sample_size: 16,
            // Always the decoder's, never the input's.
            sample_rate: 48_000.into(),
        },
        dops: Dops::decode_body(&mut &config.dops()[..])?,
        btrt: None,
    })
}

fn aac(config: &aac::Config) -> Mp4a {
    // A program config element can only be read by the decoder; stereo is the convention then.
    let channels = match config.channels {
        0 => 2,
        channels => channels.into(),
    };
    let specific = esds::DecoderSpecific {
        raw: config.specific_config.to_vec(),
        ..esds::DecoderSpecific::default()
    };
    // MPEG-4 audio.
    mp4a(audio(channels, config.sample_rate), 0x40, Some(specific))
}

fn mp4a(audio: Audio, object_type: u8, specific: Option<esds::DecoderSpecific>) -> Mp4a {
    Mp4a {
        audio,
        esds: esds::Esds {
            es_desc: esds::EsDescriptor {
                es_id: 0,
                depends_on_es_id: None,
                url: None,
                ocr_es_id: None,
                stream_priority: 0,
                dec_config: esds::DecoderConfig {
                    object_type_indication: object_type,
                    stream_type: 5, // audio
                    dec_specific: specific,
                    ..esds::DecoderConfig::default()
                },
                sl_config: esds::SLConfig {},
            },
        },
        btrt: None,
        taic: None,
    }
}

fn saturated(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::{audio_track, video_track};
    use media::TrackId;
    use mp4_atom::{Any, Decode, Moov};

    fn read(bytes: &Bytes) -> (Ftyp, Moov) {
        let mut rest = &bytes[..];
        let ftyp = Ftyp::decode(&mut rest).unwrap();
        let moov = Moov::decode(&mut rest).unwrap();
        assert!(rest.is_empty());
        (ftyp, moov)
    }

    #[test]
    fn both_tracks_are_read_back() {
        let tracks = [video_track(), audio_track()];
        let (ftyp, moov) = read(&write(&tracks).unwrap());
        assert_eq!(ftyp.major_brand, FourCC::new(b"iso6"));
        assert_eq!(moov.mvhd.next_track_id, 3);
        let trex = &moov.mvex.as_ref().unwrap().trex;
        assert_eq!(trex.iter().map(|trex| trex.track_id).max(), Some(2));
        let [video, audio] = &moov.trak[..] else {
            panic!("two tracks")
        };
        assert_eq!((video.tkhd.track_id, audio.tkhd.track_id), (1, 2));
        assert_eq!(video.mdia.mdhd.timescale, 1_000);
        assert_eq!(audio.mdia.mdhd.timescale, 44_100);
        let mp4_atom::Codec::Avc1(avc1) = &video.mdia.minf.stbl.stsd.codecs[0] else {
            panic!("no avc1")
        };
        assert_eq!((avc1.visual.width, avc1.visual.height), (640, 360));
        let Codec::H264(config) = video_track().codec else {
            panic!("no H.264")
        };
        assert_eq!(avc1.avcc.sequence_parameter_sets, config.sps);
        let mp4_atom::Codec::Mp4a(mp4a) = &audio.mdia.minf.stbl.stsd.codecs[0] else {
            panic!("no mp4a")
        };
        let specific = mp4a.esds.es_desc.dec_config.dec_specific.as_ref().unwrap();
        assert_eq!(specific.raw, [0x12, 0x10]);
        assert_eq!(mp4a.audio.channel_count, 2);
        assert_eq!(mp4a.audio.sample_rate.integer(), 44_100);
    }

    #[test]
    fn one_track_is_a_cmaf_header() {
        let (ftyp, moov) = read(&write(&[audio_track()]).unwrap());
        assert_eq!(ftyp.major_brand, FourCC::new(b"cmfc"));
        assert_eq!(moov.trak[0].tkhd.track_id, 2);
    }

    #[test]
    fn boxes_stand_in_the_usual_order() {
        let bytes = write(&[video_track()]).unwrap();
        let place = |kind: &[u8; 4]| bytes.windows(4).position(|window| window == kind);
        let order = [
            b"mvhd", b"tkhd", b"mdhd", b"hdlr", b"vmhd", b"dinf", b"stbl", b"mvex",
        ];
        let places: Vec<_> = order.into_iter().map(place).collect();
        assert!(places.is_sorted() && places[0].is_some(), "{places:?}");
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            Any::decode(&mut rest).unwrap();
        }
    }

    #[test]
    fn a_sample_aspect_ratio_is_shown_twice() {
        let mut track = video_track();
        if let Codec::H264(config) = &mut track.codec {
            config.video.sample_aspect_ratio = Some((4, 3));
        }
        let (_, moov) = read(&write(&[track]).unwrap());
        assert_eq!(moov.trak[0].tkhd.width.integer(), 853);
        let mp4_atom::Codec::Avc1(avc1) = &moov.trak[0].mdia.minf.stbl.stsd.codecs[0] else {
            panic!("no avc1")
        };
        assert_eq!(
            avc1.pasp,
            Some(Pasp {
                h_spacing: 4,
                v_spacing: 3
            })
        );
    }

    /// Parameter sets as x265 writes them: Main profile, level 3.1, 1280x720 with square pixels.
    fn hevc_track() -> Track {
        const VPS: &[u8] = &[
            0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00,
            0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x5d, 0x95, 0x98, 0x09,
        ];
        const SPS: &[u8] = &[
            0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00,
            0x00, 0x03, 0x00, 0x5d, 0xa0, 0x02, 0x80, 0x80, 0x2d, 0x16, 0x59, 0x59, 0xa4, 0x93,
            0x2b, 0xc0, 0x5a, 0x02, 0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x3c,
            0x10,
        ];
        const PPS: &[u8] = &[0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40];
        let [vps, sps, pps] = [VPS, SPS, PPS].map(|set| vec![Bytes::from_static(set)]);
        Track {
            id: TrackId(0),
            codec: Codec::H265(h265::Config::new(vps, sps, pps).unwrap()),
            timebase: Timebase::VIDEO,
        }
    }

    fn opus_track(config: opus::Config) -> Track {
        Track {
            id: TrackId(1),
            codec: Codec::Opus(config),
            timebase: opus::TIMEBASE,
        }
    }

    fn stereo() -> opus::Config {
        opus::Config::new(2, 312, 44_100).unwrap()
    }

    #[test]
    fn h265_and_opus_are_read_back() {
        let tracks = [hevc_track(), opus_track(stereo())];
        let (_, moov) = read(&write(&tracks).unwrap());
        let [video, audio] = &moov.trak[..] else {
            panic!("two tracks")
        };
        assert_eq!(video.tkhd.width.integer(), 1_280);
        assert_eq!(audio.mdia.mdhd.timescale, 48_000);
        let mp4_atom::Codec::Hvc1(hvc1) = &video.mdia.minf.stbl.stsd.codecs[0] else {
            panic!("no hvc1")
        };
        assert_eq!((hvc1.visual.width, hvc1.visual.height), (1_280, 720));
        let mut record = Vec::new();
        hvc1.hvcc.encode_body(&mut record).unwrap();
        let (config, length_size) = h265::Config::parse_hvcc(&record.into()).unwrap();
        assert_eq!((Codec::H265(config), length_size), (hevc_track().codec, 4));
        let mp4_atom::Codec::Opus(opus) = &audio.mdia.minf.stbl.stsd.codecs[0] else {
            panic!("no Opus")
        };
        assert_eq!(opus.audio.channel_count, 2);
        assert_eq!(opus.audio.sample_rate.integer(), 48_000);
        let mut content = Vec::new();
        opus.dops.encode_body(&mut content).unwrap();
        assert_eq!(opus::Config::parse_dops(&content), Ok(stereo()));
    }

    #[test]
    fn opus_with_a_mapping_keeps_it() {
        let surround = opus::Config {
            channels: 6,
            mapping: Some(Bytes::from_static(&[4, 2, 0, 4, 1, 2, 3, 5])),
            ..stereo()
        };
        let bytes = write(&[opus_track(surround.clone())]).unwrap();
        let dops = surround.dops();
        assert!(bytes.windows(dops.len()).any(|window| window == dops));
        // What parsing never gives, and no box can hold.
        let impossible = opus::Config {
            channels: 7,
            ..surround
        };
        assert!(matches!(
            write(&[opus_track(impossible)]),
            Err(Error::Box { track: 2, .. })
        ));
    }

    #[test]
    fn telephone_sound_is_as_quicktime_has_it() {
        for (law, kind) in [(g711::Law::A, b"alaw"), (g711::Law::Mu, b"ulaw")] {
            let sample_rate = Timebase::new(8_000).unwrap();
            let track = Track {
                id: TrackId(1),
                codec: Codec::G711 {
                    law,
                    sample_rate,
                    channels: 1,
                },
                timebase: sample_rate,
            };
            assert!(holds(&track.codec) && !carries(&track.codec));
            let (_, moov) = read(&write(&[video_track(), track]).unwrap());
            let mp4_atom::Codec::Unknown(found, entry) =
                &moov.trak[1].mdia.minf.stbl.stsd.codecs[0]
            else {
                panic!("it is known")
            };
            assert_eq!(*found, FourCC::new(kind));
            // One channel of 16 bits once expanded, 8 kHz.
            let expected = [0, 1, 0, 16, 0, 0, 0, 0, 0x1f, 0x40, 0, 0];
            assert_eq!((entry.len(), &entry[16..]), (28, &expected[..]));
        }
    }

    #[test]
    fn data_has_a_track_where_its_format_has_a_name() {
        let track = |data| Track {
            id: TrackId(2),
            codec: Codec::Data(data),
            timebase: Timebase::MICROS,
        };
        let (_, moov) = read(&write(&[video_track(), track(Data::Klv)]).unwrap());
        let data = &moov.trak[1].mdia;
        assert_eq!(data.hdlr.handler, FourCC::new(b"meta"));
        let mp4_atom::Codec::Urim(urim) = &data.minf.stbl.stsd.codecs[0] else {
            panic!("no urim")
        };
        assert_eq!(urim.the_label.the_uri, "urn:misb:KLV:bin:1910.1");
        let teletext = Data::Teletext(Bytes::new());
        let error = write(&[track(teletext)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "track 3: teletext cannot be carried in MP4"
        );
    }

    #[test]
    fn what_is_no_file_is_refused() {
        assert_eq!(write(&[]), Err(Error::NoTracks));
        let mut other = audio_track();
        other.id = TrackId(0);
        assert_eq!(write(&[video_track(), other]), Err(Error::SameNumber(1)));
    }
}
