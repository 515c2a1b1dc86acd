//! Splitting of bytes into frames that each begin with a sync word and say how long they are, as those of MPEG
//! audio and AC-3: what lies in a PES packet, or in a file.

use std::error::Error;
use std::marker::PhantomData;

/// A header that begins a frame.
pub trait FrameHeader: Sized {
    /// Why bytes are no header.
    type Error: Error;

    /// Reads the header at the beginning of `bytes`.
    ///
    /// # Errors
    /// When there is none, or not yet all of it.
    fn parse(bytes: &[u8]) -> Result<Self, Self::Error>;

    /// Whether the error says that what is there may become a header with more bytes.
    fn is_truncated(error: &Self::Error) -> bool;

    /// Bytes of the frame, its header included.
    fn length(&self) -> usize;

    /// Whether frames of `next` can follow in the same stream.
    fn is_like(&self, next: &Self) -> bool;
}

/// Bytes that were passed over because no frame begins with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes from byte {at} on are no audio frames: {reason}")]
pub struct Lost<E: Error> {
    /// Where they begin.
    pub at: usize,
    /// How many there are.
    pub length: usize,
    /// What is wrong with the first of them.
    pub reason: E,
}

/// The frames of a slice with their headers. Frames, what was [`Lost`], and the [`remainder`](Self::remainder)
/// tile the slice. Frames of `Bytes` are kept without a copy by `Bytes::slice_ref`.
#[derive(Clone, Debug)]
pub struct SyncFrames<'a, H> {
    bytes: &'a [u8],
    at: usize,
    header: PhantomData<fn() -> H>,
}

impl<'a, H: FrameHeader> SyncFrames<'a, H> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            header: PhantomData,
        }
    }

    /// Where the next frame is looked for.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// What has not been taken. Once the iterator has ended, that is the beginning of a frame whose end has not
    /// come: less than a frame.
    pub fn remainder(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Whether a frame begins there that is followed by another like it, or by nothing. A sync word also comes
    /// about by chance within a frame.
    fn is_frame(bytes: &[u8]) -> bool {
        let header = match H::parse(bytes) {
            Ok(header) => header,
            Err(error) => return H::is_truncated(&error),
        };
        match bytes.get(header.length()..) {
            None | Some([]) => true,
            Some(next) => match H::parse(next) {
                Ok(next) => header.is_like(&next),
                Err(error) => H::is_truncated(&error),
            },
        }
    }
}

impl<'a, H: FrameHeader> Iterator for SyncFrames<'a, H> {
    type Item = Result<(H, &'a [u8]), Lost<H::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.remainder();
        if rest.is_empty() {
            return None;
        }
        match H::parse(rest) {
            Ok(header) => {
                let frame = rest.get(..header.length())?;
                self.at += frame.len();
                Some(Ok((header, frame)))
            }
            Err(error) if H::is_truncated(&error) => None,
            Err(reason) => {
                let at = self.at;
                let found =
                    (1..rest.len()).find(|found| rest.get(*found..).is_some_and(Self::is_frame));
                let length = found.unwrap_or(rest.len());
                self.at += length;
                Some(Err(Lost { at, length, reason }))
            }
        }
    }
}
