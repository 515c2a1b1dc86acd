//! From the bytes of an elementary stream to access units. PES packets say when what begins in them is presented;
//! where access units begin and end, only their own bytes say.

mod adts;
mod frames;
mod latm;
mod marks;
mod opus;
mod output;
mod pictures;
mod sound;
mod stamps;

pub(crate) use marks::Mark;
pub(crate) use output::Output;

use crate::Format;
use crate::pes;
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
}

impl Elementary {
    /// For a stream of that format; `None` where it is not read.
    pub(crate) fn new(format: Format) -> Option<Self> {
        Some(match format {
            Format::H264 => Self::H264(pictures::Pictures::default()),
            Format::H265 => Self::H265(pictures::Pictures::default()),
            Format::Adts => Self::Adts(adts::Adts::default()),
            Format::Latm => Self::Latm(latm::Latm::default()),
            Format::MpegAudio => Self::MpegAudio(frames::Frames::default()),
            Format::Ac3 => Self::Ac3(frames::Frames::default()),
            Format::Opus { channels } => Self::Opus(opus::Opus::new(channels)),
            Format::Known { .. } | Format::Unknown => return None,
        })
    }

    /// What puts its PES packets together.
    pub(crate) fn reader(&self) -> pes::Reader {
        match self {
            Self::H264(_) | Self::H265(_) | Self::Adts(_) | Self::Latm(_) => pes::Reader::endless(),
            Self::Opus(_) | Self::MpegAudio(_) | Self::Ac3(_) => pes::Reader::default(),
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
        }
    }

    /// It is complete.
    pub(crate) fn end(&mut self, out: &mut Output<'_>) {
        match self {
            Self::Opus(stream) => stream.end(out),
            Self::MpegAudio(stream) => stream.end(out),
            Self::Ac3(stream) => stream.end(out),
            Self::H264(_) | Self::H265(_) | Self::Adts(_) | Self::Latm(_) => {}
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
            Self::Latm(_) => {}
        }
    }
}
