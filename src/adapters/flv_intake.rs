//! From the bytes of an FLV stream to the hub, for all that read one.

use super::{Receiver, Target};
use crate::hub::Origin;
use flv::demuxer::{Demuxer, Event};
use flv::file::{Reader, TagKind};

/// Reads an FLV stream and publishes it.
#[derive(Debug)]
pub(crate) struct FlvIntake<'a> {
    reader: Reader,
    demuxer: Demuxer,
    receiver: Receiver<'a>,
    /// Timestamp of the newest tag, in milliseconds.
    time: u32,
}

impl<'a> FlvIntake<'a> {
    /// Of a source that is described so, whose tags `reader` finds.
    pub(crate) fn new(target: &'a Target, origin: Origin, reader: Reader) -> Self {
        Self {
            reader,
            demuxer: Demuxer::new(),
            receiver: Receiver::new(target, origin),
            time: 0,
        }
    }

    /// Takes a piece of the stream, cut anywhere. A tag that cannot be used is told to `lost`, and the next one may be.
    ///
    /// # Errors
    /// When it is no FLV, the name is taken, or the stream is no longer this source's.
    pub(crate) async fn push(
        &mut self,
        bytes: &[u8],
        mut lost: impl FnMut(u32, flv::Error),
    ) -> Result<(), String> {
        let pushed = self.reader.push(bytes);
        while let Some(tag) = self.reader.pull() {
            self.time = tag.timestamp;
            let taken = match tag.kind {
                TagKind::Video => self.demuxer.push_video(tag.timestamp, tag.body),
                TagKind::Audio => self.demuxer.push_audio(tag.timestamp, tag.body),
                TagKind::Script => continue,
            };
            if let Err(error) = taken {
                lost(tag.timestamp, error);
            }
            while let Some(event) = self.demuxer.pull() {
                match event {
                    Event::Track(track) => self.receiver.track(track)?,
                    Event::Unit(unit) => self.receiver.unit(unit).await?,
                }
            }
        }
        pushed.map_err(|error| error.to_string())
    }

    /// Whether anything has been published.
    pub(crate) const fn is_publishing(&self) -> bool {
        self.receiver.is_publishing()
    }

    /// What is lost because the stream ends here, or began too late.
    pub(crate) fn losses(&self) -> Vec<String> {
        let mut losses = Vec::new();
        if !self.reader.is_between_tags() {
            let time = self.time;
            losses.push(format!("it is cut off within the tag behind {time} ms"));
        }
        match self.demuxer.dropped_before_config() {
            0 => {}
            dropped => losses.push(format!("{dropped} units come before their configuration")),
        }
        losses
    }

    /// The stream ends. False when nothing has been published.
    pub(crate) fn finish(self) -> bool {
        self.receiver.finish()
    }
}
