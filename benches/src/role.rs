//! What this program can be besides the benchmark itself. Not for use by hand.

use crate::error::{Context as _, Error, Result};
use crate::servers::STREAM;
use crate::signal::Sound;
use crate::{floor, helper, load, mirror, publisher, srt};
use rustix::process::{Signal, set_parent_process_death_signal};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

/// A process of its own.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Role {
    /// Publish the signal by RTMP.
    Publisher {
        /// The server.
        address: SocketAddr,
        /// The stream's ID.
        #[arg(default_value = STREAM)]
        stream: String,
        /// How its sound is coded.
        #[arg(long, value_enum, default_value_t)]
        sound: Sound,
    },
    /// Send the signal to every connection.
    Floor,
    /// Send the signal to everyone who says hello.
    FloorUdp,
    /// Receive the signal many times.
    Load {
        /// How.
        way: load::Way,
        /// The server.
        address: SocketAddr,
        /// How many times.
        readers: usize,
    },
    /// Keep a folder equal to a server's HLS.
    Mirror {
        /// The server.
        address: SocketAddr,
        /// The folder.
        folder: PathBuf,
        /// With the parts of low-latency HLS.
        #[arg(long)]
        parts: bool,
    },
    /// Send pictures by SRT.
    SrtSource {
        /// The server.
        address: SocketAddr,
        /// What it is asked for.
        stream_id: String,
        /// How many Mbit/s.
        megabits: u64,
    },
    /// Send the same pictures in datagrams.
    TsSource {
        /// Where to.
        address: SocketAddr,
        /// How many Mbit/s.
        megabits: u64,
    },
    /// Receive by SRT.
    SrtSink {
        /// The server.
        address: SocketAddr,
        /// What it is asked for.
        stream_id: String,
    },
    /// Become another program that ends with this one's parent.
    Exec {
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, required = true)]
        command: Vec<OsString>,
    },
}

impl Role {
    /// Plays the role until it is over.
    ///
    /// # Errors
    /// When it cannot; helpers have told the benchmark then.
    pub fn play(self) -> Result<()> {
        set_parent_process_death_signal(Some(Signal::TERM))
            .context("cannot be tied to the parent")?;
        let result = match self {
            Self::Exec { command } => return become_program(&command),
            Self::Publisher {
                address,
                stream,
                sound,
            } => publisher::run(address, &stream, sound),
            Self::Floor => floor::run(),
            Self::FloorUdp => floor::udp::run(),
            Self::Load {
                way,
                address,
                readers,
            } => load::run(way, address, readers),
            Self::SrtSource {
                address,
                stream_id,
                megabits,
            } => srt::source(address, &stream_id, megabits),
            Self::TsSource { address, megabits } => srt::datagrams(address, megabits),
            Self::SrtSink { address, stream_id } => srt::sink(address, &stream_id),
            Self::Mirror {
                address,
                folder,
                parts,
            } => mirror::run(address, &folder, parts),
        };
        if let Err(error) = &result {
            // A benchmark that has gone needs no telling.
            let _ = helper::say(&format!("error {error}"));
        }
        result
    }
}

/// Only ever returns with an error.
fn become_program(command: &[OsString]) -> Result<()> {
    let (program, args) = command
        .split_first()
        .ok_or_else(|| Error::new("no program is named"))?;
    Err(Command::new(program).args(args).exec())
        .context(format!("cannot start {}", program.display()))
}
