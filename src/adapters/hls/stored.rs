//! The body of a segment that is on the disk: read as it is sent, one small piece at a time.

use crate::net::http::Sliced;
use crate::segment::Place;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::task::{JoinHandle, spawn_blocking};

/// Bytes read at a time: what one answer keeps in memory.
const PIECE: u64 = 128 << 10;

/// Bytes of a segment that are still to be sent.
#[derive(Debug)]
pub(super) struct Stored {
    place: Place,
    start: u64,
    end: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Stored {
    /// All of a segment of that many bytes.
    pub(super) const fn new(place: Place, length: u64) -> Self {
        Self {
            place,
            start: 0,
            end: length,
            reading: None,
        }
    }
}

impl Sliced for Stored {
    fn length(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    fn part(mut self, start: u64, end: u64) -> Self {
        self.end = self.start.saturating_add(end);
        self.start = self.start.saturating_add(start);
        self
    }
}

impl From<Stored> for Body {
    fn from(stored: Stored) -> Self {
        Self::new(stored)
    }
}

impl http_body::Body for Stored {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let length = self.length().min(PIECE);
        if length == 0 {
            return Poll::Ready(None);
        }
        let (place, start) = (self.place.clone(), self.start);
        let reading = self.reading.get_or_insert_with(|| {
            spawn_blocking(move || {
                let mut bytes = vec![0; length as usize];
                place.read(start, &mut bytes)?;
                Ok(bytes.into())
            })
        });
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        self.start = self.start.saturating_add(length);
        let read = read.unwrap_or_else(|error| Err(io::Error::other(error)));
        Poll::Ready(Some(read.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.length() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::http::ranged;
    use crate::segment::{Disk, Part, Segment, Stretch};
    use axum::http::{HeaderMap, HeaderValue, header};
    use http_body_util::BodyExt;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    #[tokio::test]
    async fn a_segment_is_read_piece_by_piece_and_in_ranges() {
        let text: Vec<u8> = (0..300_000u32).map(|at| (at / 7) as u8).collect();
        let parts = text.chunks(70_000).map(|bytes| Part {
            duration: Duration::from_millis(500),
            independent: true,
            bytes: Bytes::copy_from_slice(bytes),
        });
        let timebase = media::Timebase::MILLIS;
        let init = crate::segment::Init {
            number: 1,
            track: media::Track {
                id: media::TrackId(0),
                codec: media::Codec::Data(media::Data::Id3),
                timebase,
            },
            bytes: Bytes::new(),
        };
        let segment = Segment {
            number: 1,
            duration: Duration::from_secs(2),
            ticks: 2_000,
            start: 0,
            stretch: Stretch {
                number: 1,
                start: 0,
                timebase,
                program_date_time: SystemTime::UNIX_EPOCH,
            },
            parts: parts.collect(),
            bytes: text.len(),
            place: None,
            init: Arc::new(init),
            discontinuity: false,
            program_date_time: SystemTime::UNIX_EPOCH,
        };
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Disk::new(folder.path().join("new"));
        let places = [(); 2].map(|()| disk.put(&segment).unwrap());
        for place in places {
            for (range, from, to) in [
                ("", 0, 300_000),
                ("bytes=1-200000", 1, 200_001),
                ("bytes=-5", 299_995, 300_000),
                ("bytes=299999-", 299_999, 300_000),
            ] {
                let range = HeaderValue::from_static(range);
                let headers = HeaderMap::from_iter([(header::RANGE, range)]);
                let stored = Stored::new(place.clone(), 300_000);
                let body = ranged(stored, "1", &headers).into_body();
                let body = body.collect().await.unwrap().to_bytes();
                assert!(body == text[from..to], "{headers:?}: {} bytes", body.len());
            }
        }
        // A file that has become shorter ends the answer with an error.
        let short = Stored::new(disk.put(&segment).unwrap(), 300_001);
        assert!(Body::from(short).collect().await.is_err());
    }
}
