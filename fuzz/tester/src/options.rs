//! The command line.

use crate::address::Address;
use crate::case::Protocol;
use clap::Parser;
use std::path::PathBuf;
use std::time::Duration;

/// Tests a live stream server over the network: conformance, abuse, and mutation of valid sessions.
///
/// Name what is to be tested, by URLs; protocols without one are left out. It will be treated badly. The exit status is 0
/// when all that must hold does, 1 when something does not, 2 when there was nothing to test.
#[derive(Debug, Parser)]
#[command(name = "millstream-tester", version)]
pub(crate) struct Options {
    /// Where may be published and played: rtmp://HOST/APP/NAME. Names are made of NAME.
    #[arg(long, value_name = "URL")]
    pub(crate) rtmp: Option<String>,
    /// A stream that plays by RTSP: rtsp://HOST/PATH
    #[arg(long, value_name = "URL")]
    pub(crate) rtsp: Option<String>,
    /// Where may be published by RTSP; paths are made of it
    #[arg(long, value_name = "URL")]
    pub(crate) rtsp_publish: Option<String>,
    /// Where may be published by SRT: srt://HOST:PORT?streamid=ID
    #[arg(long, value_name = "URL")]
    pub(crate) srt: Option<String>,
    /// Where an offer to play is answered (WHEP)
    #[arg(long, value_name = "URL")]
    pub(crate) whep: Option<String>,
    /// Where an offer to publish is answered (WHIP)
    #[arg(long, value_name = "URL")]
    pub(crate) whip: Option<String>,
    /// A playlist of a live stream
    #[arg(long, value_name = "URL")]
    pub(crate) hls: Option<String>,
    /// Where MPEG-TS in datagrams is received: udp://HOST:PORT
    #[arg(long, value_name = "URL", requires = "udp_playlist")]
    pub(crate) udp: Option<String>,
    /// A playlist that shows what came of --udp
    #[arg(long, value_name = "URL")]
    pub(crate) udp_playlist: Option<String>,
    /// Where WebSocket is spoken: ws://HOST/PATH
    #[arg(long, value_name = "URL")]
    pub(crate) websocket: Option<String>,

    /// Run only cases whose name holds one of these, as `rtmp.` or `abuse`
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Leave out cases whose name holds one of these
    #[arg(long, value_name = "TEXT")]
    skip: Vec<String>,
    /// List the cases and end
    #[arg(long)]
    pub(crate) list: bool,
    /// Mutated sessions for each protocol
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) mutations: u32,
    /// From which the mutations are made; the same seed makes the same ones
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Run one mutated session again, as a finding names it: PROTOCOL:SEED
    #[arg(long, value_name = "FINDING", value_parser = replay)]
    pub(crate) replay: Option<(Protocol, u64)>,
    /// Protocols beside each other instead of one after the other
    #[arg(long)]
    pub(crate) together: bool,

    /// Process of the server, whose life, memory and open files are then watched (Linux)
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// By how much its memory may have grown after a case, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    pub(crate) growth: u64,
    /// How long an answer may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    limit: u64,
    /// How long connections that say nothing may stay, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u64,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Print what was sent and received also of what passed
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Test servers on other machines too. Have their owners' leave
    #[arg(long)]
    elsewhere: bool,
}

/// What is tested.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets {
    pub(crate) rtmp: Option<Address>,
    pub(crate) rtsp: Option<Address>,
    pub(crate) rtsp_publish: Option<Address>,
    pub(crate) srt: Option<Address>,
    pub(crate) whep: Option<Address>,
    pub(crate) whip: Option<Address>,
    pub(crate) hls: Option<Address>,
    pub(crate) udp: Option<Address>,
    pub(crate) udp_playlist: Option<Address>,
    pub(crate) websocket: Option<Address>,
}

impl Options {
    /// The URLs, taken apart.
    ///
    /// # Errors
    /// When one is none, or leads to another machine without leave.
    pub(crate) fn targets(&self) -> Result<Targets, String> {
        let address = |url: &Option<String>, scheme: &str, port| {
            let url = url.as_deref();
            url.map(|url| Address::new(url, &[scheme], port, self.elsewhere))
                .transpose()
        };
        Ok(Targets {
            rtmp: address(&self.rtmp, "rtmp", 1935)?,
            rtsp: address(&self.rtsp, "rtsp", 554)?,
            rtsp_publish: address(&self.rtsp_publish, "rtsp", 554)?,
            srt: address(&self.srt, "srt", 4200)?,
            whep: address(&self.whep, "http", 80)?,
            whip: address(&self.whip, "http", 80)?,
            hls: address(&self.hls, "http", 80)?,
            udp: address(&self.udp, "udp", 5000)?,
            udp_playlist: address(&self.udp_playlist, "http", 80)?,
            websocket: address(&self.websocket, "ws", 80)?,
        })
    }

    pub(crate) const fn limit(&self) -> Duration {
        Duration::from_secs(self.limit)
    }

    pub(crate) const fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }

    /// Whether a case of that name is to run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let holds = |texts: &[String]| texts.iter().any(|text| name.contains(text.as_str()));
        (self.only.is_empty() || holds(&self.only)) && !holds(&self.skip)
    }
}

fn replay(text: &str) -> Result<(Protocol, u64), String> {
    let (protocol, seed) = text.split_once(':').ok_or("PROTOCOL:SEED is wanted")?;
    let protocol = Protocol::ALL
        .into_iter()
        .find(|known| known.name() == protocol);
    let seed = seed.parse().map_err(|_| "the seed is a number")?;
    Ok((protocol.ok_or("there is no such protocol")?, seed))
}
