//! `cargo xtask bench restream`: what pushing one stream on to many servers costs, and whether all of them get all of it.
//!
//! The targets are streams of a second Millstream, which takes what it is sent and has no viewers. Only the first one is
//! measured.

use bench::error::Context as _;
use bench::helper::Helper;
use bench::machine::Machine;
use bench::process::usage::{CpuTime, resident};
use bench::role::Role;
use bench::servers::{APP, Millstream, STREAM, find_millstream};
use bench::{Error, Result};
use clap::Parser;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long a helper, and all targets, may take until they are ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// Until the server's memory of the past is full.
const SETTLE: Duration = Duration::from_secs(6);

/// Measure what targets cost, and print a Markdown table: user and system time of the server for each Gbit that it
/// pushed, and the memory that targets take.
#[derive(Debug, Parser)]
#[command(name = "restream", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Targets, each a row.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 10, 100])]
    targets: Vec<usize>,
    /// Seconds to measure.
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    window: u64,
    /// The Millstream to test, instead of the one beside this program.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
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

/// What one row found.
struct Row {
    targets: usize,
    cpu: f64,
    gigabits: f64,
    mebibytes: f64,
    dropped: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.internal {
        Some(Internal::Role { role }) => role.play(),
        None => bench(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "restream: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &Arguments) -> Result<()> {
    let machine = Machine::this();
    let mut table = format!(
        "{} cores of {}, Linux {}, load before {}; 2 Mbit/s by RTMP, {} s\n\n\
         | targets | CPU-s/Gbit | cores | Gbit | MiB more | access units dropped |\n|---|---|---|---|---|---|\n",
        machine.cores, machine.processor, machine.kernel, machine.load_before, arguments.window
    );
    for targets in &arguments.targets {
        let row = measure(arguments, *targets)?;
        table += &format!(
            "| {} | {:.3} | {:.3} | {:.3} | {:.1} | {} |\n",
            row.targets,
            row.cpu / row.gigabits,
            row.cpu / arguments.window as f64,
            row.gigabits,
            row.mebibytes,
            row.dropped
        );
    }
    std::io::stdout()
        .write_all(table.as_bytes())
        .context("cannot print")
}

fn measure(arguments: &Arguments, targets: usize) -> Result<Row> {
    let path = find_millstream(arguments.server.as_deref())?;
    let (near, far) = (Millstream::start(&path)?, Millstream::start(&path)?);
    let publisher = Helper::start("publisher", &[near.rtmp.to_string()])?;
    publisher.ready(PATIENCE)?;
    std::thread::sleep(SETTLE);
    let before = resident(near.id())?;
    for number in 0..targets {
        let path = format!("/{APP}/rest/v2/broadcasts/{STREAM}/endpoint");
        let body = format!(
            "{{\"endpointUrl\":\"rtmp://{}/{APP}/copy{number}\"}}",
            far.rtmp
        );
        let answer = request(near.http, "POST", &path, &body)?;
        if !answer.contains("\"success\":true") {
            return Err(Error::new(format!("a target is refused: {answer}")));
        }
    }
    let until = Instant::now() + PATIENCE;
    while metric(near.http, "millstream_targets{state=\"live\"}")? < targets as u64 {
        if Instant::now() > until {
            return Err(Error::new("the targets do not become live"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(2));
    let (sent, cpu) = (sent(near.http)?, CpuTime::of(near.id())?);
    std::thread::sleep(Duration::from_secs(arguments.window));
    let cpu = CpuTime::of(near.id())?.since(&cpu);
    let bytes = self::sent(near.http)?.saturating_sub(sent);
    let more = resident(near.id())?.saturating_sub(before);
    Ok(Row {
        targets,
        cpu: cpu.as_secs_f64(),
        gigabits: bytes as f64 * 8.0 / 1e9,
        mebibytes: more as f64 / f64::from(1 << 20),
        dropped: metric(near.http, "millstream_target_dropped_access_units")?,
    })
}

fn sent(server: SocketAddr) -> Result<u64> {
    metric(server, "millstream_target_sent_bytes")
}

/// A value of the server's metrics.
fn metric(server: SocketAddr, name: &str) -> Result<u64> {
    let text = request(server, "GET", "/metrics", "")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.trim().parse().ok());
    value.ok_or_else(|| Error::new(format!("the server has no metric {name}")))
}

/// A request on a connection of its own; the answer with its head.
fn request(server: SocketAddr, method: &str, path: &str, body: &str) -> Result<String> {
    let mut socket = TcpStream::connect(server).context("cannot connect")?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(head.as_bytes()).context("cannot ask")?;
    let mut answer = String::new();
    socket
        .read_to_string(&mut answer)
        .context("cannot read an answer")?;
    Ok(answer)
}
