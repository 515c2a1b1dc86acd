//! What a client makes of the server's answers.

use super::{Event, Pending, Session, Stage, Wanted};
use crate::carriage::Carriage;
use crate::error::Error;
use crate::header::{self, Lower, RtpInfo, Transport};
use crate::message::{Method, Response, Status};
use sdp::{Description, control};
use std::time::Instant;

/// Longest name of a server that is kept, in characters.
const MAX_NAME: usize = 100;

impl Session {
    pub(super) fn answer(&mut self, now: Instant, response: &Response) -> Result<(), Error> {
        // Provisional answers say nothing, but that another follows.
        if response.status.0 < 200 {
            return Ok(());
        }
        let Some(pending) = self.answered(response) else {
            return Ok(());
        };
        if response.status == Status::UNAUTHORIZED
            && self
                .login
                .challenged(response.headers.all("WWW-Authenticate"), pending.answers)
        {
            self.repeat(now, pending);
            return Ok(());
        }
        if let Some(name) = response.headers.get("Server").map(str::trim)
            && self.server.is_empty()
        {
            self.server = name.chars().take(MAX_NAME).collect();
        }
        if let Some((id, timeout)) = response.headers.get("Session").and_then(header::session) {
            self.session = Some(id.to_owned());
            self.session_timeout = timeout.unwrap_or(self.session_timeout);
        }
        let method = &pending.request.method;
        if pending.deadline.is_none() {
            // A sign of life. One that is refused is one all the same, unless the session is not known.
            self.plain_signs |= !response.status.is_success() && *method != Method::Options;
            if response.status == Status::SESSION_NOT_FOUND {
                self.reject(method, response);
            }
            return Ok(());
        }
        let location = response.headers.get("Location").map(str::trim);
        let location = location.filter(|location| !location.is_empty());
        if let Some(location) = location.filter(|_| response.status.is_redirect()) {
            let location = location.to_owned();
            self.end(Event::Redirected { location });
            return Ok(());
        }
        match (method, self.stage) {
            // What is not supported need not be, but who is refused here is refused.
            (Method::Options, _) if response.status != Status::UNAUTHORIZED => {
                self.public = response.headers.all("Public").collect::<Vec<_>>().join(",");
                self.describe(now);
            }
            (Method::Setup, Stage::SettingUp(track)) if response.status.is_success() => {
                self.set_up_as(now, track, response)?;
            }
            (Method::Setup, Stage::SettingUp(track))
                if response.status == Status::UNSUPPORTED_TRANSPORT
                    && self.can_fall_back(track) =>
            {
                self.fallback = true;
                self.set_up(now, track);
            }
            (Method::Play | Method::Record, Stage::Starting)
                if response.status == Status::AGGREGATE_NOT_ALLOWED && self.is_whole(&pending) =>
            {
                self.start_each(now, method);
            }
            (Method::Play | Method::Record, Stage::Starting)
                if matches!(response.status.0, 400 | 404 | 405)
                    && !self.without_slash
                    && pending.request.url.ends_with('/') =>
            {
                // The base of a description ends with it, the stream's name on some servers does not.
                self.without_slash = true;
                self.send(now, method.clone());
            }
            _ if !response.status.is_success() => self.reject(method, response),
            (Method::Describe, _) => return self.described(response),
            (Method::Announce, _) => {
                let choices = self.recording.as_ref().map(|(_, choices)| choices.clone());
                self.choose(now, &choices.unwrap_or_default());
            }
            (Method::Play, Stage::Starting) => {
                self.begin(now);
                self.events
                    .push_back(Event::Playing(self.rtp_info(response)));
            }
            (Method::Record, Stage::Starting) => {
                self.begin(now);
                self.events.push_back(Event::Recording);
            }
            (Method::Pause, Stage::Pausing) => {
                self.stage = Stage::Paused;
                self.events.push_back(Event::Paused);
            }
            _ => {}
        }
        Ok(())
    }

    /// The request that is answered. Some servers leave the number out, or write one of their own.
    fn answered(&mut self, response: &Response) -> Option<Pending> {
        let at = match response.headers.cseq() {
            Some(cseq) => {
                let found = self.pending.iter().position(|pending| pending.cseq == cseq);
                // A second answer, or one to a sign of life that was given up, is none to another request.
                let is_ours = cseq > 0 && cseq <= self.cseq;
                found.or(if is_ours { None } else { Some(0) })
            }
            None => Some(0),
        };
        self.pending.remove(at?)
    }

    fn reject(&mut self, method: &Method, response: &Response) {
        self.end(Event::Rejected {
            method: method.clone(),
            status: response.status,
            reason: response.reason.clone(),
        });
    }

    fn describe(&mut self, now: Instant) {
        match &self.recording {
            Some((description, _)) => {
                self.description = Some(description.clone());
                self.send(now, Method::Announce);
            }
            None => self.send(now, Method::Describe),
        }
    }

    fn described(&mut self, response: &Response) -> Result<(), Error> {
        let description = Description::parse(&response.body)?;
        let mut bases = ["Content-Base", "Content-Location"].into_iter();
        let base = bases.find_map(|name| response.headers.get(name));
        self.base = base_url(&self.config.url, base);
        self.stage = Stage::Choosing;
        self.description = Some(description.clone());
        self.events.push_back(Event::Described(description));
        Ok(())
    }

    fn set_up_as(&mut self, now: Instant, track: usize, response: &Response) -> Result<(), Error> {
        let text = response.headers.get("Transport").unwrap_or_default();
        let transport = Transport::parse_list(text).into_iter().next();
        let wanted = self.tracks.get(track).map(|track| track.wanted);
        let wanted = wanted.filter(|_| !self.fallback).unwrap_or(Wanted::Tcp);
        let carriage = carriage(wanted, track, transport.as_ref());
        let carriage = carriage.or_else(|| self.described_group(wanted, track));
        let Some(carriage) = carriage else {
            self.over();
            return Err(Error::Transport(text.chars().take(200).collect()));
        };
        if let Carriage::Tcp { rtp, rtcp } = carriage {
            // The server may have chosen others.
            let most = rtp.max(rtcp).saturating_add(1);
            self.reader
                .set_channels(most.max((2 * self.tracks.len()) as u8));
        }
        if let Some(track) = self.tracks.get_mut(track) {
            track.carriage = Some(carriage);
        }
        self.events.push_back(Event::SetUp {
            track,
            carriage,
            ssrc: transport.and_then(|transport| transport.ssrc),
        });
        self.set_up(now, track + 1);
        Ok(())
    }

    /// A group that is named in the description instead of the answer to SETUP.
    fn described_group(&self, wanted: Wanted, track: usize) -> Option<Carriage> {
        let section = self.tracks.get(track)?.section;
        let section = self.description.as_ref()?.media.get(section)?;
        let connection = section.connection?;
        let named =
            wanted == Wanted::Multicast && connection.address.is_multicast() && section.port > 0;
        named.then(|| Carriage::Multicast {
            address: connection.address,
            rtp: section.port,
            rtcp: section.port.saturating_add(1),
            ttl: connection.ttl.unwrap_or(16),
        })
    }

    fn can_fall_back(&self, track: usize) -> bool {
        let wanted = self.tracks.get(track).map(|track| track.wanted);
        !self.fallback && wanted != Some(Wanted::Tcp)
    }

    fn is_whole(&self, pending: &Pending) -> bool {
        !self.tracks.is_empty()
            && self
                .tracks
                .iter()
                .all(|track| track.url != pending.request.url)
    }

    /// The server has begun, unless it is to begin with another track.
    fn begin(&mut self, now: Instant) {
        self.stage = Stage::Active;
        self.keep_alive_from(now);
    }

    /// What the server says of each track's first packet, in the order of the tracks.
    fn rtp_info(&self, response: &Response) -> Vec<RtpInfo> {
        let list = response.headers.get("RTP-Info").unwrap_or_default();
        let list = RtpInfo::parse_list(list);
        let resolved = |info: &RtpInfo| control::resolve(&self.base, Some(&info.url));
        let last = |url: &str| url.rsplit('/').next().map(str::to_owned);
        let tracks = self.tracks.iter().map(|track| {
            let whole = list.iter().find(|info| resolved(info) == track.url);
            // Hosts and paths differ where a server sits behind something.
            let part = || list.iter().find(|info| last(&info.url) == last(&track.url));
            let only = || list.first().filter(|_| self.tracks.len() == 1);
            whole
                .or_else(part)
                .or_else(only)
                .cloned()
                .unwrap_or_default()
        });
        tracks.collect()
    }
}

/// What the answer to SETUP says, with what was asked for where it says nothing.
fn carriage(wanted: Wanted, track: usize, answer: Option<&Transport>) -> Option<Carriage> {
    let lower = answer.map(|answer| (answer.lower, answer.multicast));
    let channels = answer.and_then(|answer| answer.interleaved);
    match wanted {
        // Channels without TCP in front of them occur.
        Wanted::Tcp if channels.is_some() || matches!(lower, None | Some((Lower::Tcp, _))) => {
            let channel = (2 * track) as u8;
            let asked = (channel, channel.saturating_add(1));
            let (rtp, rtcp) = channels.unwrap_or(asked);
            Some(Carriage::Tcp { rtp, rtcp })
        }
        Wanted::Udp { .. } if matches!(lower, Some((Lower::Udp, false))) => {
            let (rtp, rtcp) = answer
                .and_then(|answer| answer.server_port)
                .unwrap_or_default();
            let source = answer.and_then(|answer| answer.source);
            let source = source.filter(|source| !source.is_unspecified());
            Some(Carriage::Udp { rtp, rtcp, source })
        }
        Wanted::Multicast if matches!(lower, Some((Lower::Udp, _))) => {
            let answer = answer?;
            let address = answer
                .destination
                .filter(|address| address.is_multicast())?;
            // Some put the group's ports elsewhere.
            let ports = [answer.port, answer.server_port, answer.client_port];
            let (rtp, rtcp) = ports.into_iter().flatten().next()?;
            Some(Carriage::Multicast {
                address,
                rtp,
                rtcp,
                ttl: answer.ttl.unwrap_or(16),
            })
        }
        _ => None,
    }
}

/// The URL that controls are put behind. It should be absolute; cameras write paths, hosts without a scheme, or
/// nothing.
fn base_url(url: &str, base: Option<&str>) -> String {
    let base = base.unwrap_or_default().trim().trim_matches('"');
    let (scheme, rest) = url.split_once("://").unwrap_or(("rtsp", url));
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let starts = base.split(['/', '?']).next().unwrap_or_default();
    if base.is_empty() || base == "*" {
        url.to_owned()
    } else if control::is_absolute(base) {
        base.to_owned()
    } else if base.starts_with("//") {
        format!("{scheme}:{base}")
    } else if base.starts_with('/') {
        format!("{scheme}://{host}{base}")
    } else if starts.contains(['.', ':']) {
        format!("{scheme}://{base}")
    } else {
        format!("{scheme}://{host}/{base}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_however_they_are_written() {
        let url = "rtsp://cam:554/live?x=1";
        let cases = [
            (None, url),
            (Some(""), url),
            (Some("*"), url),
            (Some("rtsp://10.0.0.1/live/"), "rtsp://10.0.0.1/live/"),
            (Some("RTSP://cam/live/"), "RTSP://cam/live/"),
            (Some(" \"rtsp://cam/live/\" "), "rtsp://cam/live/"),
            (Some("/live/"), "rtsp://cam:554/live/"),
            (Some("//cam/live/"), "rtsp://cam/live/"),
            (
                Some("192.168.0.5:554/live/"),
                "rtsp://192.168.0.5:554/live/",
            ),
            (Some("live/"), "rtsp://cam:554/live/"),
        ];
        for (base, expected) in cases {
            assert_eq!(base_url(url, base), expected, "{base:?}");
        }
        assert_eq!(base_url("rtsps://cam/s", Some("/t/")), "rtsps://cam/t/");
    }
}
