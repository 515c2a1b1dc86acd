//! `millstream-tester`: drives a live stream server over the network and says what it does wrong.
//!
//! It tests any server, not only ours, and knows none: it speaks the wire itself, with the readers of some protocol
//! crates, and never through the server's crate. Three kinds of tests: *conformance*, checks named after what a section
//! of a standard demands; *abuse*, what attackers and broken clients did to servers of this kind; *mutation*, valid
//! sessions changed at random from a seed. After what harms, a normal client has to be served as before.
//!
//! Read [`case`] first, then one protocol's folder: its `client` speaks, `conformance` and `abuse` are the cases.
//! [`wire`] is the sockets with the record of what went over them, [`mutation`] changes what is sent, [`run`] runs.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program: its output is for the person who called it"
)]

mod address;
mod case;
mod context;
mod hls;
mod http;
mod media;
mod mpegts;
mod mutation;
mod options;
mod process;
mod random;
mod report;
mod rtmp;
mod rtsp;
mod run;
mod srt;
mod transcript;
mod webrtc;
mod websocket;
mod wire;

use clap::Parser;
use options::Options;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    match run::run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("millstream-tester: {problem}");
            ExitCode::from(2)
        }
    }
}
