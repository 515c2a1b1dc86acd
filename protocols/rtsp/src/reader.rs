//! Takes the bytes of a connection apart: requests, responses and interleaved frames (RFC 2326 section 10.12),
//! in either direction.
//!
//! Cameras write frames with wrong lengths, let garbage stand between them, put frames into the middle of a
//! response and announce bodies that are longer or shorter than what comes. After bytes that are nothing the
//! reader goes on at the next that are something. A connection that has not yet shown anything of RTSP gets no
//! such patience.

use crate::message::Message;
use crate::message::parse::{self, HeadError, Looks, MAX_HEAD, looks};
use bytes::Bytes;

/// Longest body, in bytes.
pub const MAX_BODY: usize = 128 << 10;

/// Most bytes that are passed over between one message or frame and the next.
pub const MAX_GARBAGE: usize = 1 << 20;

/// Most places among garbage that look like the beginning of a message and are none. The end of each is looked for.
const MAX_TRIED: usize = 64;

/// Most frames that stand in the middle of one head. Each has to be taken out of what has come.
const MAX_WITHIN: usize = 64;

/// What is in front of a frame: a dollar sign, the channel, the length.
const FRAME_HEADER: usize = 4;

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A request or a response.
    Message(Message),
    /// An interleaved frame.
    Frame(Frame),
}

/// An interleaved frame: an RTP or RTCP packet on the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which stream of packets, as agreed on in `Transport`.
    pub channel: u8,
    /// The packet, in an allocation of its own.
    pub payload: Bytes,
}

/// What stands in front of a packet of that many bytes.
pub const fn frame_header(channel: u8, length: u16) -> [u8; 4] {
    let [high, low] = length.to_be_bytes();
    [b'$', channel, high, low]
}

/// Why a connection cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// What it begins with is not RTSP.
    #[error("this is not RTSP: {0}")]
    NotRtsp(HeadError),
    /// Longer than [`MAX_HEAD`].
    #[error("the head of a message is longer than {MAX_HEAD} bytes")]
    HeadTooLong,
    /// More than there are by mistake.
    #[error("more than {MAX_WITHIN} frames stand in the middle of the head of a message")]
    FramesWithin,
    /// Longer than [`MAX_BODY`].
    #[error("a body of {0} bytes is longer than the {MAX_BODY} accepted")]
    BodyTooLong(usize),
    /// Nothing that could be read, for too long.
    #[error("nothing in {MAX_GARBAGE} bytes is RTSP, or too much only looks like it")]
    Garbage,
}

/// Reads one connection: [`push`](Self::push) bytes, then [`pull`](Self::pull) until there is nothing.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Everything in front of it has been read.
    start: usize,
    /// How far behind `start` the end of the head or body has been looked for.
    scanned: usize,
    body: Option<Body>,
    /// Frames that stood in the middle of the head that is being read.
    within: usize,
    /// Frames of channels from this one on are not expected.
    channels: u8,
    /// Something of RTSP has been seen.
    seen: bool,
    /// What was read last was nothing.
    lost: bool,
    /// Bytes passed over since something was read, and places that looked like a message.
    garbage: usize,
    tried: usize,
    skipped: u64,
}

/// A message whose body has not come yet.
#[derive(Debug)]
struct Body {
    message: Message,
    /// What was announced.
    length: Option<usize>,
    /// A session description: no line of it begins like another message or a frame.
    is_text: bool,
}

/// Where the head of a message ends.
enum End {
    /// This many bytes behind its beginning, the empty line included.
    At(usize),
    /// A frame stands in the middle of it, there.
    Frame(usize),
    /// Not in the bytes at hand.
    Open,
}

impl Reader {
    /// Appends received bytes. Call [`pull`](Self::pull) until it gives `None` before the next.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start >= self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message or frame.
    ///
    /// # Errors
    /// A [`ReadError`] after which the connection is to be closed.
    pub fn pull(&mut self) -> Result<Option<Incoming>, ReadError> {
        let result = self.read();
        if self.start >= self.buffer.len() {
            // A connection that says nothing holds nothing.
            self.buffer = Vec::new();
            self.start = 0;
        }
        result
    }

    /// Which channels have been agreed on: those below `channels`. Others are not expected after garbage.
    pub(crate) const fn set_channels(&mut self, channels: u8) {
        self.channels = channels;
    }

    /// Whether the rest of a body is waited for, of which some peers announce too much, and some nothing.
    pub(crate) const fn awaits_body(&self) -> bool {
        self.body.is_some()
    }

    /// Takes what has come of a body for the whole.
    pub(crate) fn finish_body(&mut self) -> Option<Message> {
        let body = self.body.take()?;
        let length = self.rest().len();
        let end = self.scan_body(length).unwrap_or(length);
        Some(self.complete(body, end))
    }

    /// Bytes that were nothing of RTSP and have been passed over.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Bytes that have not been read.
    pub(crate) fn unread_bytes(&self) -> usize {
        self.rest().len()
    }

    /// Memory held, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn read(&mut self) -> Result<Option<Incoming>, ReadError> {
        loop {
            if self.body.is_some() {
                return Ok(self.read_body().map(Incoming::Message));
            }
            let rest = self.rest();
            match rest.first() {
                None => return Ok(None),
                Some(b'\r' | b'\n' | b' ') if !self.lost => self.consume(1),
                Some(b'$') => match self.frame(0) {
                    Some(Some(frame)) => {
                        self.consume(FRAME_HEADER + frame.payload.len());
                        self.found();
                        return Ok(Some(Incoming::Frame(frame)));
                    }
                    Some(None) => return Ok(None),
                    None => self.skip()?,
                },
                Some(_) => match looks(rest, self.lost) {
                    Looks::Open => return Ok(None),
                    Looks::Foreign if self.seen => self.skip()?,
                    Looks::Foreign => return Err(ReadError::NotRtsp(HeadError::FirstLine)),
                    Looks::Message => match self.read_head()? {
                        Some(Some(frame)) => return Ok(Some(Incoming::Frame(frame))),
                        Some(None) => {}
                        None => return Ok(None),
                    },
                },
            }
        }
    }

    /// The frame that stands `at` bytes behind the start: `Some(None)` when it is not complete, `None` when it is
    /// none.
    fn frame(&self, at: usize) -> Option<Option<Frame>> {
        let rest = self.rest().get(at..)?;
        let [_, channel, high, low, payload @ ..] = rest else {
            return Some(None);
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if self.lost {
            // A dollar sign among garbage; both RTP and RTCP begin with their version.
            let version = payload.first().map_or(2, |first| first >> 6);
            if *channel >= self.channels || length < FRAME_HEADER || version != 2 {
                return None;
            }
        }
        Some(payload.get(..length).map(|payload| Frame {
            channel: *channel,
            payload: Bytes::copy_from_slice(payload),
        }))
    }

    /// Reads the head that begins here: `Some(None)` when it was read or passed over, a frame when one stood in
    /// the middle of it, `None` when there is more to come.
    fn read_head(&mut self) -> Result<Option<Option<Frame>>, ReadError> {
        let end = match self.scan_head() {
            End::At(end) => end,
            End::Frame(at) => {
                let frame = match self.frame(at) {
                    Some(Some(frame)) => frame,
                    Some(None) => return Ok(None),
                    // What only looks like a head among garbage. Nothing that comes would make a frame of it.
                    None => return self.no_head(),
                };
                self.within += 1;
                if self.within > MAX_WITHIN {
                    return Err(ReadError::FramesWithin);
                }
                let from = self.start + at;
                self.buffer
                    .drain(from..from + FRAME_HEADER + frame.payload.len());
                return Ok(Some(Some(frame)));
            }
            End::Open if self.rest().len() <= MAX_HEAD => return Ok(None),
            End::Open if self.lost => return self.no_head(),
            End::Open => return Err(ReadError::HeadTooLong),
        };
        if end > MAX_HEAD {
            return match self.lost {
                true => self.no_head(),
                false => Err(ReadError::HeadTooLong),
            };
        }
        let message = match parse::head(self.rest().get(..end).unwrap_or_default()) {
            Ok(message) => message,
            Err(error) if !self.seen => return Err(ReadError::NotRtsp(error)),
            Err(_) => return self.no_head(),
        };
        self.consume(end);
        self.found();
        let headers = match &message {
            Message::Request(request) => &request.headers,
            Message::Response(response) => &response.headers,
        };
        let kind = headers.get("Content-Type").unwrap_or_default();
        let is_text = kind.to_ascii_lowercase().contains("sdp");
        let announced = headers.content_length();
        if let Some(length) = announced.filter(|length| *length > MAX_BODY) {
            return Err(ReadError::BodyTooLong(length));
        }
        let length = match announced {
            None | Some(0) if is_text && matches!(message, Message::Response(_)) => None,
            announced => Some(announced.unwrap_or(0)),
        };
        self.body = Some(Body {
            message,
            length,
            is_text,
        });
        Ok(Some(None))
    }

    fn read_body(&mut self) -> Option<Message> {
        let body = self.body.as_ref()?;
        let (length, is_text) = (body.length, body.is_text);
        let there = self.rest().len();
        // As much as may be held of a body without a length.
        let within = length.unwrap_or(MAX_BODY).min(there);
        let early = if is_text {
            self.scan_body(within)
        } else {
            None
        };
        let end = match (early, length) {
            (Some(end), _) => end,
            (None, Some(length)) if there >= length => length,
            (None, None) if there >= MAX_BODY => MAX_BODY,
            _ => return None,
        };
        let body = self.body.take()?;
        Some(self.complete(body, end))
    }

    fn complete(&mut self, body: Body, end: usize) -> Message {
        let bytes = Bytes::copy_from_slice(self.rest().get(..end).unwrap_or_default());
        self.consume(end);
        match body.message {
            Message::Request(mut request) => {
                request.body = bytes;
                Message::Request(request)
            }
            Message::Response(mut response) => {
                response.body = bytes;
                Message::Response(response)
            }
        }
    }

    fn scan_head(&mut self) -> End {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let mut from = self.scanned;
        let line_end = |from: usize| -> Option<usize> {
            rest.get(from..)?.iter().position(|byte| *byte == b'\n')
        };
        while let Some(at) = line_end(from) {
            let line = from + at + 1;
            match rest.get(line..).unwrap_or_default() {
                [b'\n', ..] => return End::At(line + 1),
                [b'\r', b'\n', ..] => return End::At(line + 2),
                [b'$', channel, ..] if *channel < self.channels => {
                    // Looked for again when the frame is out of the way.
                    self.scanned = line - 1;
                    return End::Frame(line);
                }
                [] | [b'\r' | b'$'] => {
                    self.scanned = line - 1;
                    return End::Open;
                }
                _ => {}
            }
            from = line;
        }
        self.scanned = rest.len();
        End::Open
    }

    /// Where, within the first `length` bytes of a text, something else begins.
    fn scan_body(&mut self, length: usize) -> Option<usize> {
        let text = self.buffer.get(self.start..)?.get(..length)?;
        loop {
            // What has been looked at ends with the last whole line.
            let line = self.scanned;
            let rest = text.get(line..)?;
            match rest {
                // Neither the channel nor the length ends a line.
                [b'$', channel, ..] if *channel < self.channels => {
                    return (rest.len() >= FRAME_HEADER).then_some(line);
                }
                _ if rest.starts_with(b"RTSP/1.") => return Some(line),
                _ => {}
            }
            self.scanned += rest.iter().position(|byte| *byte == b'\n')? + 1;
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.scanned = 0;
        self.within = 0;
    }

    const fn found(&mut self) {
        self.seen = true;
        self.lost = false;
        self.garbage = 0;
        self.tried = 0;
    }

    /// What looked like the head of a message is none.
    fn no_head(&mut self) -> Result<Option<Option<Frame>>, ReadError> {
        self.tried += 1;
        if self.tried > MAX_TRIED {
            return Err(ReadError::Garbage);
        }
        self.skip()?;
        Ok(Some(None))
    }

    /// Passes over a byte that is nothing.
    fn skip(&mut self) -> Result<(), ReadError> {
        self.consume(1);
        self.lost = true;
        self.skipped += 1;
        self.garbage += 1;
        if self.garbage > MAX_GARBAGE {
            return Err(ReadError::Garbage);
        }
        Ok(())
    }
}
