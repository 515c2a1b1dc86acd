//! A client that says what it is told to, right or wrong.

use crate::address::Address;
use crate::context::{Context, Outcome, ensure, failed};
use crate::http::field;
use crate::wire::Tcp;
use std::time::Instant;

/// One connection.
pub(crate) struct Client {
    pub(crate) wire: Tcp,
    pub(crate) url: String,
    pub(crate) sequence: u32,
    pub(crate) session: String,
}

/// What was answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A field of the header.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }

    /// The session, without its parameters.
    pub(crate) fn session(&self) -> String {
        let session = self.field("Session").unwrap_or_default();
        session
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    }
}

impl Client {
    /// To the stream that plays.
    pub(crate) fn new(context: &Context) -> Outcome<Self> {
        let address = context.target(|targets| &targets.rtsp)?;
        Self::to(context, address, &address.url)
    }

    pub(crate) fn to(context: &Context, address: &Address, url: &str) -> Outcome<Self> {
        Ok(Self {
            wire: context.tcp(address)?,
            url: url.to_owned(),
            sequence: 0,
            session: String::new(),
        })
    }

    /// With a session whose first track goes over the connection.
    pub(crate) fn set_up(context: &Context) -> Outcome<Self> {
        let mut client = Self::new(context)?;
        let url = client.url.clone();
        let answer = client.ask("DESCRIBE", &url, &[("Accept", "application/sdp")], "")?;
        ensure!(
            answer.status == 200,
            "DESCRIBE was answered with {}",
            answer.status
        );
        let track = client.tracks(&answer).into_iter().next();
        let track =
            track.ok_or_else(|| failed("the description has no track with a control attribute"))?;
        let transport = "RTP/AVP/TCP;unicast;interleaved=0-1";
        let answer = client.ask("SETUP", &track, &[("Transport", transport)], "")?;
        ensure!(
            answer.status == 200,
            "SETUP was answered with {}",
            answer.status
        );
        client.session = answer.session();
        ensure!(
            !client.session.is_empty(),
            "SETUP was answered without a session"
        );
        Ok(client)
    }

    /// That plays.
    pub(crate) fn playing(context: &Context) -> Outcome<Self> {
        let mut client = Self::set_up(context)?;
        let answer = client.in_session("PLAY")?;
        ensure!(
            answer.status == 200,
            "PLAY was answered with {}",
            answer.status
        );
        Ok(client)
    }

    /// Asks something about the session.
    pub(crate) fn in_session(&mut self, method: &str) -> Outcome<Answer> {
        let (url, session) = (self.url.clone(), self.session.clone());
        self.ask(method, &url, &[("Session", &session)], "")
    }

    /// A request and its answer.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        url: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Outcome<Answer> {
        self.sequence += 1;
        let request = request(method, url, self.sequence, fields, body);
        self.wire.send(request.as_bytes())?;
        let answer = self.answer(&format!("the answer to {method}"))?;
        Ok(answer)
    }

    /// The next answer; frames before it are passed over (section 10.12).
    pub(crate) fn answer(&mut self, what: &str) -> Outcome<Answer> {
        let deadline = Instant::now() + self.wire.limit;
        while self.peek(what)? == b'$' {
            self.frame_received(what)?;
            ensure!(
                Instant::now() < deadline,
                "{what} did not come among the packets"
            );
        }
        let head = self.wire.take_until(b"\r\n\r\n", what)?;
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut answer = Answer {
            head,
            ..Answer::default()
        };
        let status = answer
            .head
            .strip_prefix("RTSP/1.0 ")
            .and_then(|rest| rest.get(..3)?.parse().ok());
        answer.status = status.ok_or_else(|| {
            failed(format!(
                "{what} begins with {:?}",
                answer.head.lines().next()
            ))
        })?;
        if let Some(length) = answer.field("Content-Length") {
            let length = length
                .parse()
                .map_err(|_| failed(format!("the length of {what} is {length}")))?;
            let body = self.wire.take(length, &format!("the body of {what}"))?;
            answer.body = String::from_utf8_lossy(&body).into_owned();
        }
        Ok(answer)
    }

    /// The next RTP packet of a frame.
    pub(crate) fn packet(&mut self) -> Outcome<Vec<u8>> {
        loop {
            while self.peek("a packet")? != b'$' {
                self.answer("a packet")?;
            }
            let (channel, packet) = self.frame_received("a packet")?;
            if channel.is_multiple_of(2) {
                return Ok(packet);
            }
        }
    }

    /// Sends a frame (section 10.12).
    pub(crate) fn frame(&mut self, channel: u8, content: &[u8]) -> Outcome {
        let length = (content.len() as u16).to_be_bytes();
        self.wire
            .send(&[&[b'$', channel], &length[..], content].concat())
    }

    /// Sends a picture in frames.
    pub(crate) fn picture(&mut self, number: u8) -> Outcome {
        super::packets(number)
            .iter()
            .try_for_each(|packet| self.frame(0, packet))
    }

    fn frame_received(&mut self, what: &str) -> Outcome<(u8, Vec<u8>)> {
        let head = self.wire.take(4, what)?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        Ok((head[1], self.wire.take(length, what)?))
    }

    fn peek(&mut self, what: &str) -> Outcome<u8> {
        let first = self.wire.take(1, what)?;
        self.wire.buffer.splice(..0, first.iter().copied());
        Ok(first[0])
    }

    /// The URLs of the tracks of a description (appendix C.1.1).
    pub(crate) fn tracks(&self, answer: &Answer) -> Vec<String> {
        let base = answer
            .field("Content-Base")
            .unwrap_or(&self.url)
            .trim_end_matches('/');
        let (_, media) = answer.body.split_once("m=").unwrap_or_default();
        let controls = media
            .lines()
            .filter_map(|line| line.trim_end().strip_prefix("a=control:"));
        let absolute = |control: &str| {
            if control.contains("://") {
                control.to_owned()
            } else {
                format!("{base}/{control}")
            }
        };
        controls.map(absolute).collect()
    }
}

/// A request's bytes.
pub(crate) fn request(
    method: &str,
    url: &str,
    sequence: u32,
    fields: &[(&str, &str)],
    body: &str,
) -> String {
    let mut request =
        format!("{method} {url} RTSP/1.0\r\nCSeq: {sequence}\r\nUser-Agent: millstream-tester\r\n");
    for (name, value) in fields {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    request.push_str(body);
    request
}

/// Of one track of H.264.
pub(crate) fn description(url: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=tester\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\na=control:{url}\r\n\
         m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
         a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IACvhBog==,aM44gA==\r\na=control:trackID=0\r\n"
    )
}
