//! One measurement: a server, a publisher, a number of readers, and a window of time.

use crate::clock::percentile;
use crate::error::{Context as _, Error, Result};
use crate::helper::Helper;
use crate::load::Report;
use crate::process::usage::{CpuTime, resident};
use crate::servers::{Millstream, Nginx};
use crate::signal::Sound;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How long a helper may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// RTMP players of Millstream.
    Rtmp,
    /// RTMP players of nginx.
    NginxRtmp,
    /// HTTP-FLV players of Millstream.
    Flv,
    /// RTSP players of Millstream, all on one connection each.
    Rtsp,
    /// RTSP players of Millstream that get datagrams.
    RtspUdp,
    /// The bare sender.
    Floor,
    /// WHEP viewers of Millstream, whose sound is made from AAC.
    Whep,
    /// WHEP viewers of Millstream, whose sound is Opus as it came.
    WhepOpus,
    /// The bare sender of encrypted datagrams.
    FloorWhep,
    /// The bare sender of datagrams.
    FloorUdp,
    /// HLS viewers of Millstream.
    Hls,
    /// HLS viewers of nginx, which serves the same files.
    NginxHls,
    /// Low-latency HLS viewers of Millstream.
    HlsLowLatency,
    /// Low-latency HLS viewers of nginx, which serves the same files and holds no request.
    NginxHlsLowLatency,
}

impl Case {
    /// As it stands in the table.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Rtmp => "RTMP, Millstream",
            Self::NginxRtmp => "RTMP, nginx-rtmp",
            Self::Flv => "HTTP-FLV, Millstream",
            Self::Rtsp => "RTSP over TCP, Millstream",
            Self::RtspUdp => "RTSP over UDP, Millstream",
            Self::Floor => "floor: bare sender",
            Self::Whep => "WHEP, Millstream",
            Self::WhepOpus => "WHEP from Opus, Millstream",
            Self::FloorWhep => "floor: bare sender of SRTP",
            Self::FloorUdp => "floor: bare sender of RTP",
            Self::Hls => "HLS, Millstream",
            Self::NginxHls => "HLS, nginx with files",
            Self::HlsLowLatency => "LL-HLS, Millstream",
            Self::NginxHlsLowLatency => "LL-HLS, nginx with files",
        }
    }

    /// The case that shows what a peer needs for the same.
    pub const fn peer(self) -> Option<Self> {
        match self {
            Self::Rtmp => Some(Self::NginxRtmp),
            Self::Hls => Some(Self::NginxHls),
            Self::HlsLowLatency => Some(Self::NginxHlsLowLatency),
            _ => None,
        }
    }

    /// The case that shows what is needed at least.
    pub const fn floor(self) -> Option<Self> {
        match self {
            Self::Rtmp | Self::NginxRtmp | Self::Flv | Self::Rtsp => Some(Self::Floor),
            Self::RtspUdp => Some(Self::FloorUdp),
            Self::Whep | Self::WhepOpus => Some(Self::FloorWhep),
            // What encryption costs.
            Self::FloorWhep => Some(Self::FloorUdp),
            _ => None,
        }
    }

    /// Sockets of one reader.
    pub const fn sockets(self) -> usize {
        match self {
            // A connection, and two for each track.
            Self::RtspUdp => 5,
            // The second of WHEP until the offer is answered.
            Self::HlsLowLatency | Self::NginxHlsLowLatency | Self::Whep | Self::WhepOpus => 2,
            _ => 1,
        }
    }

    /// Whether it is a bare sender, which has no past to start a reader from.
    const fn is_floor(self) -> bool {
        matches!(self, Self::Floor | Self::FloorWhep | Self::FloorUdp)
    }

    /// How long a publisher runs before the server's memory is looked at: until the past that the server
    /// keeps is full, so that what it takes afterwards is taken by readers. Millstream keeps five seconds for
    /// readers that fall behind, and twelve segments for HLS.
    const fn settle(self) -> Duration {
        match self {
            Self::Hls | Self::HlsLowLatency => Duration::from_secs(20),
            Self::Floor
            | Self::FloorWhep
            | Self::FloorUdp
            | Self::NginxHls
            | Self::NginxHlsLowLatency => Duration::from_millis(500),
            _ => Duration::from_secs(6),
        }
    }

    const fn way(self) -> &'static str {
        match self {
            Self::Rtmp | Self::NginxRtmp => "rtmp",
            Self::Flv => "flv",
            Self::Rtsp => "rtsp",
            Self::RtspUdp => "rtsp-udp",
            Self::Floor => "raw",
            Self::Whep | Self::WhepOpus => "whep",
            Self::FloorWhep => "secret",
            Self::FloorUdp => "plain",
            Self::Hls | Self::NginxHls => "hls",
            Self::HlsLowLatency => "low-latency",
            Self::NginxHlsLowLatency => "low-latency-files",
        }
    }
}

/// What all cases of a run have in common.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The Millstream to test.
    pub millstream: PathBuf,
    /// The nginx to compare with, or why there is none.
    pub nginx: Result<PathBuf>,
    /// From the last reader's arrival to the start of the measurement.
    pub warm_up: Duration,
    /// Length of the measurement.
    pub window: Duration,
}

/// What one measurement found.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub case: Case,
    /// With so many readers.
    pub readers: usize,
    /// CPU time of the server in the window, in seconds.
    pub cpu_seconds: f64,
    /// What the stream took of that by itself: in as much time before any reader was there, in seconds.
    pub own_cpu_seconds: f64,
    /// Received by all readers in the window, in Gbit.
    pub gbit: f64,
    /// The window's true length in seconds.
    pub seconds: f64,
    /// Resident memory of the server without a stream, in kB.
    pub rss_idle_kb: u64,
    /// With the stream and without readers, in kB.
    pub rss_stream_kb: u64,
    /// With all readers at the end of the window, in kB.
    pub rss_readers_kb: u64,
    /// Access units that readers should have got and did not.
    pub missing: u64,
    /// Access units that came again or late.
    pub repeated: u64,
    /// RTP packets that readers got, from the first; 0 in other cases.
    pub packets: u64,
    /// RTP packets that were lost between those.
    pub holes: u64,
    /// RTP packets of sound in the window.
    pub sound: u64,
    /// Readers that failed or were disconnected.
    pub lost: u64,
    /// Why the first of them.
    pub error: Option<String>,
    /// From connecting to the first complete random access point, in ms; median of the readers.
    pub first_picture_ms: Option<f64>,
    /// From sending a random access point to a reader having all of it, in ms; median.
    pub delay_p50_ms: Option<f64>,
    /// The same; 99th percentile.
    pub delay_p99_ms: Option<f64>,
    /// CPU time of the readers' process in the window, in seconds: near the window's length, the readers
    /// themselves are what is slow.
    pub load_cpu_seconds: f64,
}

impl Row {
    /// CPU seconds of the server for each Gbit that its readers got.
    pub fn cpu_per_gbit(&self) -> Option<f64> {
        (self.gbit > 0.0).then(|| self.cpu_seconds / self.gbit)
    }

    /// The same for the readers alone, without what the stream takes by itself: a server of files has no stream.
    pub fn readers_cpu_per_gbit(&self) -> Option<f64> {
        let readers = self.cpu_seconds - self.own_cpu_seconds;
        (self.gbit > 0.0 && readers > 0.0).then(|| readers / self.gbit)
    }

    /// What a reader adds to the server's memory in kB; too few readers cannot show it.
    pub fn rss_per_reader_kb(&self) -> Option<f64> {
        let more = self.rss_readers_kb as f64 - self.rss_stream_kb as f64;
        (self.readers >= 20).then(|| more / self.readers as f64)
    }

    /// What the readers got in Mbit/s.
    pub fn megabits_per_second(&self) -> f64 {
        self.gbit * 1_000.0 / self.seconds
    }
}

/// The parts of a case that run; they end when this is dropped, the server last.
struct Stage {
    _helpers: Vec<Helper>,
    /// A viewer from before the readers come to the end: a stream is cut while someone asks for it. What it takes is taken off
    /// with what the stream takes.
    _watcher: Option<(Helper, tempfile::TempDir)>,
    _server: Server,
    process: u32,
    address: SocketAddr,
    rss_idle_kb: u64,
}

/// Whatever is measured.
enum Server {
    Millstream(#[expect(dead_code, reason = "held while it is measured")] Millstream),
    Nginx(#[expect(dead_code, reason = "held while it is measured")] Nginx),
    /// The floor is a helper.
    Helper,
    /// nginx with files, and the Millstream that makes them.
    Both(#[expect(dead_code, reason = "held while it is measured")] (Nginx, Millstream)),
}

/// Makes one measurement.
///
/// # Errors
/// When something cannot be started or ends early.
pub fn measure(case: Case, readers: usize, setup: &Setup) -> Result<Row> {
    let stage = set_up(case, setup)?;
    let begun = CpuTime::of(stage.process)?;
    std::thread::sleep(case.settle());
    let own = CpuTime::of(stage.process)?.since(&begun).as_secs_f64() / case.settle().as_secs_f64();
    let rss_stream_kb = resident(stage.process)?;
    let args = [
        case.way().into(),
        stage.address.to_string(),
        readers.to_string(),
    ];
    let mut load = Helper::start("load", &args)?;
    load.ready(PATIENCE)?;
    std::thread::sleep(setup.warm_up);

    let (before, load_before) = (CpuTime::of(stage.process)?, CpuTime::of(load.id())?);
    load.begin()?;
    let start = std::time::Instant::now();
    std::thread::sleep(setup.window);
    let (after, load_after) = (CpuTime::of(stage.process)?, CpuTime::of(load.id())?);
    let seconds = start.elapsed().as_secs_f64();
    let text = load.end()?;
    let rss_readers_kb = resident(stage.process)?;
    let mut report: Report = serde_json::from_str(&text)
        .map_err(|_| Error::new(format!("the load reports {text:?}")))?;
    let millis = |micros: Option<u32>| micros.map(|micros| f64::from(micros) / 1_000.0);
    Ok(Row {
        case,
        readers,
        cpu_seconds: after.since(&before).as_secs_f64(),
        own_cpu_seconds: own * seconds,
        gbit: report.bytes as f64 * 8.0 / 1e9,
        seconds,
        rss_idle_kb: stage.rss_idle_kb,
        rss_stream_kb,
        rss_readers_kb,
        missing: report.missing,
        repeated: report.repeated,
        packets: report.packets,
        holes: report.holes,
        sound: report.sound,
        lost: report.lost,
        error: report.error,
        first_picture_ms: millis(percentile(&mut report.first_pictures, 50))
            .filter(|_| !case.is_floor()),
        delay_p50_ms: millis(percentile(&mut report.delays, 50)),
        delay_p99_ms: millis(percentile(&mut report.delays, 99)),
        load_cpu_seconds: load_after.since(&load_before).as_secs_f64(),
    })
}

/// Starts a server and its publisher.
fn set_up(case: Case, setup: &Setup) -> Result<Stage> {
    match case {
        Case::Floor | Case::FloorWhep | Case::FloorUdp => {
            let tcp = case == Case::Floor;
            let floor = Helper::start(if tcp { "floor" } else { "floor-udp" }, &[])?;
            let address = floor.ready(PATIENCE)?;
            Ok(Stage {
                process: floor.id(),
                address: address.parse().context("the floor gives no address")?,
                rss_idle_kb: resident(floor.id())?,
                _helpers: vec![floor],
                _watcher: None,
                _server: Server::Helper,
            })
        }
        Case::Rtmp
        | Case::Flv
        | Case::Rtsp
        | Case::RtspUdp
        | Case::Whep
        | Case::WhepOpus
        | Case::Hls
        | Case::HlsLowLatency => {
            let server = Millstream::start(&setup.millstream)?;
            let rss_idle_kb = resident(server.id())?;
            let sound = match case {
                Case::WhepOpus => Sound::Opus,
                _ => Sound::Aac,
            };
            let publisher = publish(server.rtmp, sound)?;
            let address = match case {
                Case::Rtmp => server.rtmp,
                Case::Rtsp | Case::RtspUdp => server.rtsp,
                _ => server.http,
            };
            let watcher = match case {
                Case::Hls | Case::HlsLowLatency => {
                    let scratch =
                        tempfile::TempDir::new().context("cannot make a temporary folder")?;
                    Some((mirror(server.http, scratch.path(), false)?, scratch))
                }
                _ => None,
            };
            Ok(Stage {
                process: server.id(),
                address,
                rss_idle_kb,
                _helpers: vec![publisher],
                _watcher: watcher,
                _server: Server::Millstream(server),
            })
        }
        Case::NginxRtmp => {
            let server = Nginx::start(setup.nginx.as_ref().map_err(Clone::clone)?)?;
            let rss_idle_kb = resident(server.id())?;
            Ok(Stage {
                process: server.id(),
                address: server.rtmp,
                rss_idle_kb,
                _helpers: vec![publish(server.rtmp, Sound::Aac)?],
                _watcher: None,
                _server: Server::Nginx(server),
            })
        }
        Case::NginxHls | Case::NginxHlsLowLatency => {
            let nginx = Nginx::start(setup.nginx.as_ref().map_err(Clone::clone)?)?;
            let rss_idle_kb = resident(nginx.id())?;
            let origin = Millstream::start(&setup.millstream)?;
            let publisher = publish(origin.rtmp, Sound::Aac)?;
            let mirror = mirror(
                origin.http,
                &nginx.folder(),
                case == Case::NginxHlsLowLatency,
            )?;
            Ok(Stage {
                process: nginx.id(),
                address: nginx.http,
                rss_idle_kb,
                _helpers: vec![mirror, publisher],
                _watcher: None,
                _server: Server::Both((nginx, origin)),
            })
        }
    }
}

fn publish(address: SocketAddr, sound: Sound) -> Result<Helper> {
    let sound = ["--sound".to_owned(), sound.name().to_owned()];
    let publisher = Helper::start("publisher", &[&[address.to_string()], &sound[..]].concat())?;
    publisher.ready(PATIENCE)?;
    Ok(publisher)
}

fn mirror(address: SocketAddr, folder: &std::path::Path, parts: bool) -> Result<Helper> {
    let mut args = vec![address.to_string(), folder.display().to_string()];
    args.extend(parts.then(|| "--parts".to_owned()));
    let mirror = Helper::start("mirror", &args)?;
    mirror.ready(PATIENCE)?;
    Ok(mirror)
}
