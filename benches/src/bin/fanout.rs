//! `cargo xtask bench fanout`: what one stream to many readers costs, beside a floor and a peer.
//!
//! Each measurement starts its server, a publisher and the readers as processes of their own on the loopback
//! interface, waits, measures for some seconds, and ends them. See the library for how.

use bench::case::{Case, Row, Setup, measure};
use bench::error::Context as _;
use bench::machine::{Machine, allow_connections};
use bench::report::Run;
use bench::role::Role;
use bench::servers::{find_millstream, find_nginx};
use bench::{Error, Result};
use clap::Parser;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Most readers of a case: beyond, one process of readers is what is measured.
const MAX_READERS: usize = 5_000;

/// Measure what one live stream to many readers costs, and print a Markdown table.
///
/// CPU-s/Gbit is user and system time of the server process for each Gbit that readers received. The floor is
/// a process that does nothing but send the same bytes; nginx is the peer, if it is installed. RSS per reader is
/// (RSS with N readers - RSS with none) / N. First picture: from connecting to the first complete random access
/// point. Delay: from the publisher sending a random access point to a reader having all of it. Ratios hold
/// within a run; compare no absolute figures of two machines.
#[derive(Debug, Parser)]
#[command(name = "fanout", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Numbers of readers, each a row for each case.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 50, 200, 500])]
    readers: Vec<usize>,
    /// What to measure.
    #[arg(long, value_enum, value_name = "CASE,...", value_delimiter = ',',
          default_values_t = [Case::Rtmp, Case::NginxRtmp, Case::Flv, Case::Rtsp, Case::Floor, Case::RtspUdp,
              Case::Whep, Case::WhepOpus, Case::FloorWhep, Case::FloorUdp, Case::Hls, Case::NginxHls])]
    cases: Vec<Case>,
    /// Measure low-latency HLS too.
    #[arg(long)]
    low_latency: bool,
    /// Seconds from the last reader's arrival to the measurement.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u16).range(0..=600))]
    warm_up: u16,
    /// Seconds to measure.
    #[arg(long, value_name = "SECONDS", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=3600))]
    window: u16,
    /// The Millstream to test, instead of the one beside this program.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// The nginx to compare with, instead of the system's.
    #[arg(long, value_name = "PATH")]
    nginx: Option<PathBuf>,
    /// Write all figures to this file as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(subcommand)]
    internal: Option<Internal>,
}

#[derive(Debug, clap::Subcommand)]
enum Internal {
    /// The processes that a measurement consists of.
    #[command(hide = true)]
    Role {
        #[command(subcommand)]
        role: Role,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.internal {
        Some(Internal::Role { role }) => {
            return role
                .play()
                .map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
        }
        None => bench(&arguments),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            progress(&format!("fanout: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Measures all cases; false if one of them could not be.
fn bench(arguments: &Arguments) -> Result<bool> {
    let mut cases = arguments.cases.clone();
    if arguments.low_latency && !cases.contains(&Case::HlsLowLatency) {
        cases.extend([Case::HlsLowLatency, Case::NginxHlsLowLatency]);
    }
    let most = arguments.readers.iter().copied().max().unwrap_or_default();
    if most > MAX_READERS || arguments.readers.contains(&0) {
        return Err(Error::new(format!(
            "--readers must lie between 1 and {MAX_READERS}"
        )));
    }
    let sockets = cases.iter().map(|case| case.sockets()).max();
    allow_connections(sockets.unwrap_or_default() * most)?;
    let setup = Setup {
        millstream: find_millstream(arguments.server.as_deref())?,
        nginx: find_nginx(arguments.nginx.as_deref()),
        warm_up: Duration::from_secs(arguments.warm_up.into()),
        window: Duration::from_secs(arguments.window.into()),
    };
    let mut run = Run {
        machine: Machine::this(),
        warm_up_seconds: setup.warm_up.as_secs_f64(),
        window_seconds: setup.window.as_secs_f64(),
        rows: Vec::new(),
        failures: Vec::new(),
    };
    for readers in &arguments.readers {
        for case in &cases {
            one(*case, *readers, &setup, &mut run);
        }
    }
    // Cases of a kind beside each other, few readers first.
    run.rows
        .sort_by_key(|row: &Row| cases.iter().position(|case| *case == row.case));
    let mut output = std::io::stdout().lock();
    output
        .write_all(run.markdown().as_bytes())
        .context("cannot print")?;
    if let Some(file) = &arguments.json {
        let json = serde_json::to_string_pretty(&run).context("cannot write JSON")?;
        std::fs::write(file, json).context(format!("cannot write {}", file.display()))?;
    }
    Ok(run.failures.is_empty())
}

fn one(case: Case, readers: usize, setup: &Setup, run: &mut Run) {
    let title = format!("{} with {readers}", case.title());
    progress(&format!("{title} ... "));
    match measure(case, readers, setup) {
        Ok(row) => {
            progress("done\n");
            run.rows.push(row);
        }
        Err(error) => {
            progress(&format!("{error}\n"));
            run.failures.push(format!("{title}: {error}"));
        }
    }
}

/// What is going on, beside the table.
fn progress(text: &str) {
    // Nothing depends on it.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
