//! A session with a camera: DESCRIBE, SETUP of what is carried, PLAY, and the frames after that.

use super::clock::{Axis, Side};
use super::failure::{self, Step};
use super::source::{Source, Transport};
use super::tracks::{self, Choice};
use crate::adapters::Target;
use crate::hub::{Origin, Packets, Publisher};
use crate::net::policy::Policy;
use bytes::Bytes;
use futures_util::StreamExt;
use media::decoding_times::DecodingTimes;
use media::{AccessUnit, Timebase, Track, TrackId};
use retina::client::{
    Credentials, Demuxed, Described, InitialTimestampPolicy, PlayOptions, Session, SessionIdPolicy,
    SessionOptions, SetupOptions, TcpTransportOptions, UdpTransportOptions,
};
use retina::codec::{AudioFrame, CodecItem, FrameFormat, VideoFrame};
use retina::rtcp::ReceivedCompoundPacket;
use std::future::Future;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout};

/// Sound waits for so long for pictures whose parameters come with them, so that players see both at once.
const PICTURES_WAITED_FOR: Duration = Duration::from_secs(5);

/// The port of URLs without one.
const DEFAULT_PORT: u16 = 554;

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);

/// Pulls from the camera until it ends the session or something fails. Each request has `limit`.
pub(super) async fn pull(source: &Source, target: &Target, limit: Duration) -> Result<(), String> {
    let asked = Asked { source, limit };
    let mut session = asked
        .within(Step::Describe, describe(source, &target.context.policy))
        .await??;
    let choice = choose(&session, source, target)?;
    for place in [choice.video, choice.audio].into_iter().flatten() {
        let setup = SetupOptions::default()
            .transport(match source.transport {
                Transport::Tcp => retina::client::Transport::Tcp(TcpTransportOptions::default()),
                Transport::Udp => retina::client::Transport::Udp(UdpTransportOptions::default()),
            })
            .frame_format(FrameFormat::MP4);
        asked.of(Step::Setup, session.setup(place, setup)).await?;
    }
    // Start times are used if all streams have one; see `clock` for what else there is.
    let play = PlayOptions::default().initial_timestamp(InitialTimestampPolicy::Permissive);
    let playing = asked.of(Step::Play, session.play(play)).await?;
    target.connected();
    let demuxed = playing
        .demuxed()
        .map_err(|error| failure::of(Step::Play, source, &error))?;
    let receiver = Receiver::new(demuxed, choice, source, target);
    receiver.run().await
}

/// Connects to the camera and asks what it has. The library resolves names by itself; it is given an address
/// that the policy has let pass, which then stands in the requests too. Cameras are asked by address as a rule,
/// and Digest covers the URI that was sent, so that neither minds.
async fn describe(source: &Source, policy: &Policy) -> Result<Session<Described>, String> {
    let host = source.url.host_str().unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    let port = source.url.port().unwrap_or(DEFAULT_PORT);
    let addresses = policy.resolve(host, port).await;
    let mut addresses = addresses.map_err(|error| error.to_string())?.into_iter();
    loop {
        let mut url = source.url.clone();
        let address = addresses.next().map(|address| address.ip());
        let Some(Ok(())) = address.map(|address| url.set_ip_host(address)) else {
            return Err(format!("{} has no address", source.place()));
        };
        match Session::describe(url, options(source)).await {
            Ok(session) => return Ok(session),
            // It was not reached: the next address may be.
            Err(error) if error.status_code().is_none() && addresses.len() > 0 => {}
            Err(error) => return Err(failure::of(Step::Describe, source, &error)),
        }
    }
}

fn options(source: &Source) -> SessionOptions {
    let credentials = source.login.as_ref().map(|login| Credentials {
        username: login.user.clone(),
        password: login.password.clone(),
    });
    SessionOptions::default()
        .creds(credentials)
        .user_agent(concat!("Millstream/", env!("CARGO_PKG_VERSION")).to_owned())
        // Some cameras answer each SETUP with another number, and mean the first.
        .session_id(SessionIdPolicy::UseFirst)
}

fn choose(
    session: &Session<Described>,
    source: &Source,
    target: &Target,
) -> Result<Choice, String> {
    let choice = Choice::of(session.streams());
    let left_out = choice.left_out.join(", ");
    if choice.video.or(choice.audio).is_none() {
        let offers = if left_out.is_empty() {
            "nothing"
        } else {
            &left_out
        };
        let place = source.place();
        return Err(format!(
            "{place} offers nothing that is carried (H.264, H.265, AAC, G.711), but {offers}"
        ));
    }
    if !left_out.is_empty() {
        tracing::info!(stream = %target.name, %left_out, "streams of the camera");
    }
    Ok(choice)
}

/// Requests, with a time limit and errors in words.
struct Asked<'a> {
    source: &'a Source,
    limit: Duration,
}

impl Asked<'_> {
    async fn of<T>(
        &self,
        step: Step,
        request: impl Future<Output = Result<T, retina::Error>>,
    ) -> Result<T, String> {
        let answer = self.within(step, request).await?;
        answer.map_err(|error| failure::of(step, self.source, &error))
    }

    async fn within<T>(&self, step: Step, task: impl Future<Output = T>) -> Result<T, String> {
        let done = timeout(self.limit, task).await;
        done.map_err(|_| failure::too_slow(step, self.source, self.limit))
    }
}

/// Turns frames into access units.
struct Receiver<'a> {
    demuxed: Demuxed,
    choice: Choice,
    source: &'a Source,
    target: &'a Target,
    begun: Instant,
    publisher: Option<Publisher>,
    video: Option<Track>,
    audio: Option<Track>,
    axis: Axis,
    /// RTP does not carry decoding times.
    times: Option<DecodingTimes>,
}

impl<'a> Receiver<'a> {
    fn new(demuxed: Demuxed, choice: Choice, source: &'a Source, target: &'a Target) -> Self {
        Self {
            demuxed,
            choice,
            source,
            target,
            begun: Instant::now(),
            publisher: None,
            video: None,
            audio: None,
            axis: Axis::default(),
            times: None,
        }
    }

    async fn run(mut self) -> Result<(), String> {
        while let Some(item) = self.demuxed.next().await {
            let item = item.map_err(|error| failure::of(Step::Receive, self.source, &error))?;
            match item {
                CodecItem::VideoFrame(frame) => self.picture(frame)?,
                CodecItem::AudioFrame(frame) => self.sound(&frame)?,
                CodecItem::Rtcp(packet) => self.report(&packet),
                _ => {}
            }
        }
        Err(failure::closed(self.source))
    }

    fn picture(&mut self, frame: VideoFrame) -> Result<(), String> {
        if frame.loss() > 0 {
            tracing::debug!(stream = %self.target.name, packets = frame.loss(), "lost before a picture");
            self.lost(frame.loss());
        }
        if self.video.is_none() || frame.has_new_parameters() {
            self.refresh(Side::Video)?;
        }
        let Some(track) = self.video.clone() else {
            // Nothing can be made of pictures in front of their parameter sets.
            return Ok(());
        };
        if self.publisher.is_none() {
            self.refresh(Side::Audio)?;
            self.publish()?;
        }
        let elapsed = frame.timestamp().elapsed();
        let payload = Bytes::from(frame.into_data());
        // What holds no picture, or is none, is passed over.
        let Some(seen) = track.codec.look_at(&payload).ok().flatten() else {
            return Ok(());
        };
        let pts = self.axis.place(Side::Video, elapsed, track.timebase);
        let times = self.times.as_mut();
        let unit = AccessUnit {
            track: VIDEO,
            dts: times.map_or(pts, |times| times.next(&payload, pts)),
            pts,
            random_access: seen.start.is_some(),
            disposable: seen.disposable,
            discontinuity: false,
            capture: self.captured(Side::Video, elapsed, &track),
            payload,
        };
        self.push(unit)
    }

    fn sound(&mut self, frame: &AudioFrame) -> Result<(), String> {
        if self.audio.is_none() {
            self.refresh(Side::Audio)?;
        }
        let Some(track) = self.audio.clone() else {
            return Ok(());
        };
        if self.publisher.is_none() {
            self.refresh(Side::Video)?;
            let waits = self.choice.video.is_some() && self.video.is_none();
            if waits && self.begun.elapsed() < PICTURES_WAITED_FOR {
                return Ok(());
            }
            self.publish()?;
        }
        self.lost(frame.loss());
        let elapsed = frame.timestamp().elapsed();
        let pts = self.axis.place(Side::Audio, elapsed, track.timebase);
        let unit = AccessUnit {
            track: AUDIO,
            dts: pts,
            pts,
            random_access: true,
            disposable: false,
            discontinuity: false,
            capture: self.captured(Side::Audio, elapsed, &track),
            payload: Bytes::copy_from_slice(frame.data()),
        };
        self.push(unit)
    }

    fn report(&mut self, packet: &ReceivedCompoundPacket) {
        let stream = Some(packet.stream_id());
        let side = if stream == self.choice.video {
            Side::Video
        } else if stream == self.choice.audio {
            Side::Audio
        } else {
            return;
        };
        let report = packet.pkts().next().map(|first| first.as_sender_report());
        if let (Some(Ok(Some(report))), Some(time)) = (report, packet.rtp_timestamp())
            && let Some(timebase) = Timebase::new(time.clock_rate().get())
        {
            let ntp = report.ntp_timestamp().0;
            self.axis.report(side, ntp, time.elapsed(), timebase);
        }
    }

    /// Takes over what is known of a stream's parameters by now, and declares it if it is news.
    fn refresh(&mut self, side: Side) -> Result<(), String> {
        let (id, place, known) = match side {
            Side::Video => (VIDEO, self.choice.video, &mut self.video),
            Side::Audio => (AUDIO, self.choice.audio, &mut self.audio),
        };
        let Some(stream) = place.and_then(|place| self.demuxed.streams().get(place)) else {
            return Ok(());
        };
        let codec = tracks::codec(stream);
        let codec = codec.map_err(|error| format!("{}: {error}", self.source.place()))?;
        let timebase = Timebase::new(stream.clock_rate_hz());
        let (Some(codec), Some(timebase)) = (codec, timebase) else {
            return Ok(());
        };
        let track = Track {
            id,
            codec,
            timebase,
        };
        if known.as_ref() == Some(&track) {
            return Ok(());
        }
        *known = Some(track.clone());
        if side == Side::Video {
            match &mut self.times {
                Some(times) => times.set_track(&track),
                None => self.times = Some(DecodingTimes::new(&track)),
            }
        }
        match &self.publisher {
            Some(publisher) => publisher
                .set_track(track)
                .map_err(|replaced| replaced.to_string()),
            None => Ok(()),
        }
    }

    /// Becomes the stream's publisher, and declares all tracks that are known.
    fn publish(&mut self) -> Result<(), String> {
        let origin = Origin {
            protocol: "rtsp",
            address: format!("rtsp://{}", self.source.place()),
            agent: self.demuxed.tool().map(|tool| tool.to_string()),
        };
        let publisher = self.target.publish(&origin);
        let publisher = publisher.map_err(|taken| taken.to_string())?;
        for track in [&self.video, &self.audio].into_iter().flatten() {
            publisher
                .set_track(track.clone())
                .map_err(|replaced| replaced.to_string())?;
        }
        self.publisher = Some(publisher);
        Ok(())
    }

    fn lost(&self, packets: u16) {
        if let Some(publisher) = self.publisher.as_ref().filter(|_| packets > 0) {
            let lost = packets.into();
            publisher.count_packets(Packets { lost, received: 0 });
        }
    }

    fn captured(&self, side: Side, elapsed: i64, track: &Track) -> Option<SystemTime> {
        self.axis
            .capture(side, elapsed, track.timebase, SystemTime::now())
    }

    fn push(&self, unit: AccessUnit) -> Result<(), String> {
        match &self.publisher {
            Some(publisher) => publisher
                .push(unit)
                .map_err(|replaced| replaced.to_string()),
            None => Ok(()),
        }
    }
}
