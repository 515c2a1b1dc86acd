//! From the bytes of an elementary stream to access units. PES packets say when what begins in them is presented;
//! where access units begin and end, only their own bytes say.

mod adts;
mod data;
mod frames;
mod latm;
mod marks;
mod opus;
mod output;
mod pictures;
mod sound;
mod splices;
mod stamps;

pub(crate) use marks::Mark;
pub(crate) use output::Output;

use crate::pes;
use crate::{DataFormat, Format};
use media::Codec;
use media::codec::{h264, h265};

/// One elementary stream of any format that is read.
#[derive(Debug)]
pub(crate) enum Elementary {
    H264(pictures::Pictures<h264::InBand>),
    H265(pictures::Pictures<h265::InBand>),
    Adts(adts::Adts),
    Latm(latm::Latm),
    Opus(opus::Opus),
    MpegAudio(frames::Frames<frames::MpegAudio>),
    Ac3(frames::Frames<frames::Ac3>),
    Data(data::Data),
    Splices(splices::Splices),
}

impl Elementary {
    /// For a stream of that format and with these descriptors; `None` where it is not read.
    pub(crate) fn new(format: Format, descriptors: &[u8]) -> Option<Self> {
        Some(match format {
            Format::H264 => Self::H264(pictures::Pictures::default()),
            Format::H265 => Self::H265(pictures::Pictures::default()),
            Format::Adts => Self::Adts(adts::Adts::default()),
            Format::Latm => Self::Latm(latm::Latm::default()),
            Format::MpegAudio => Self::MpegAudio(frames::Frames::default()),
            Format::Ac3 => Self::Ac3(frames::Frames::default()),
            Format::Opus { channels } => Self::Opus(opus::Opus::new(channels)),
            Format::Data(DataFormat::Scte35) => Self::Splices(splices::Splices::default()),
            Format::Data(data) => {
                Self::Data(data::Data::new(data, Codec::Data(data.data(descriptors))))
            }
            Format::Known { .. } | Format::Unknown => return None,
        })
    }

    /// What puts its PES packets together.
    pub(crate) fn reader(&self) -> pes::Reader {
        match self {
            Self::H264(_) | Self::H265(_) | Self::Adts(_) | Self::Latm(_) => pes::Reader::endless(),
            Self::Opus(_)
            | Self::MpegAudio(_)
            | Self::Ac3(_)
            | Self::Data(_)
            | Self::Splices(_) => pes::Reader::default(),
        }
    }

    /// The codec, where the description of the program says all of it.
    pub(crate) fn described(&self) -> Option<Codec> {
        match self {
            Self::Data(stream) => Some(stream.codec()),
            Self::Splices(_) => Some(Codec::Data(media::Data::Scte35)),
            _ => None,
        }
    }

    /// A PES packet begins.
    pub(crate) fn begin(&mut self, mark: Mark) {
        match self {
            Self::H264(stream) => stream.begin(mark),
            Self::H265(stream) => stream.begin(mark),
            Self::Adts(stream) => stream.begin(mark),
            Self::Latm(stream) => stream.begin(mark),
            Self::Opus(stream) => stream.begin(mark),
            Self::MpegAudio(stream) => stream.begin(mark),
            Self::Ac3(stream) => stream.begin(mark),
            Self::Data(stream) => stream.begin(mark),
            Self::Splices(_) => {}
        }
    }

    /// Bytes of it.
    pub(crate) fn data(&mut self, bytes: &[u8], out: &mut Output<'_>) {
        match self {
            Self::H264(stream) => stream.data(bytes, out),
            Self::H265(stream) => stream.data(bytes, out),
            Self::Adts(stream) => stream.data(bytes, out),
            Self::Latm(stream) => stream.data(bytes, out),
            Self::Opus(stream) => stream.data(bytes, out),
            Self::MpegAudio(stream) => stream.data(bytes, out),
            Self::Ac3(stream) => stream.data(bytes, out),
            Self::Data(stream) => stream.data(bytes, out),
            Self::Splices(_) => {}
        }
    }

    /// It is complete.
    pub(crate) fn end(&mut self, out: &mut Output<'_>) {
        match self {
            Self::Opus(stream) => stream.end(out),
            Self::MpegAudio(stream) => stream.end(out),
            Self::Ac3(stream) => stream.end(out),
            Self::Data(stream) => stream.end(out),
            Self::H264(_) | Self::H265(_) | Self::Adts(_) | Self::Latm(_) | Self::Splices(_) => {}
        }
    }

    /// Packets are missing here.
    pub(crate) fn lost(&mut self, out: &mut Output<'_>) {
        match self {
            Self::H264(stream) => stream.lost(),
            Self::H265(stream) => stream.lost(),
            Self::Adts(stream) => stream.lost(out),
            Self::Latm(stream) => stream.lost(out),
            Self::Opus(stream) => stream.lost(out),
            Self::MpegAudio(stream) => stream.lost(out),
            Self::Ac3(stream) => stream.lost(out),
            Self::Data(stream) => stream.lost(out),
            Self::Splices(stream) => stream.lost(),
        }
    }

    /// Nothing more will come: what is complete in itself is given.
    pub(crate) fn finish(&mut self, out: &mut Output<'_>) {
        match self {
            Self::H264(stream) => stream.finish(out),
            Self::H265(stream) => stream.finish(out),
            Self::Opus(stream) => stream.end(out),
            Self::MpegAudio(stream) => stream.end(out),
            Self::Ac3(stream) => stream.end(out),
            Self::Adts(stream) => stream.finish(out),
            // One whose length is not told ends here.
            Self::Data(stream) => stream.end(out),
            Self::Latm(_) | Self::Splices(_) => {}
        }
    }
}
