//! `cargo xtask bench record`: what recording many streams at once costs, beside `ffmpeg -c copy` in the same run.

use bench::error::Context as _;
use bench::helper::Helper;
use bench::machine::Machine;
use bench::process::Program;
use bench::process::usage::{CpuTime, resident, writes};
use bench::role::Role;
use bench::servers::{APP, Millstream, find_millstream};
use bench::{Error, Result};
use clap::Parser;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tempfile::TempDir;

/// How long a publisher may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between the start of a row and its measurement: recordings have begun by then.
const WARM_UP: Duration = Duration::from_secs(5);

/// Measure what recording costs, and print a Markdown table: processor time, memory and write calls of the processes that
/// receive and record.
#[derive(Debug, Parser)]
#[command(name = "record", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Streams at once, of 2 Mbit/s each.
    #[arg(long, value_name = "N", default_value_t = 16)]
    streams: usize,
    /// Seconds to measure.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    window: u64,
    /// The Millstream to test, instead of the one beside this program.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// The peer.
    #[arg(long, value_name = "PATH", default_value = "/usr/bin/ffmpeg")]
    peer: PathBuf,
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

/// What some processes have used in the window.
#[derive(Default)]
struct Used {
    processor: Duration,
    resident: u64,
    writes: u64,
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
            let _ = writeln!(std::io::stderr(), "record: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &Arguments) -> Result<()> {
    let machine = Machine::this();
    let server = find_millstream(arguments.server.as_deref())?;
    let mut rows = Vec::new();
    {
        let millstream = Millstream::with(&server, &[])?;
        let _publishers = publish(&millstream, arguments.streams)?;
        let used = measure(&[millstream.id()], arguments.window)?;
        rows.push(("Millstream, not recording", used));
        let folder = TempDir::new().context("cannot make a temporary folder")?;
        let peers = record(&millstream, folder.path(), arguments)?;
        let ids: Vec<u32> = peers.iter().map(Program::id).collect();
        rows.push(("ffmpeg -c copy", measure(&ids, arguments.window)?));
    }
    {
        let millstream = Millstream::with(&server, &["record.always=true"])?;
        let _publishers = publish(&millstream, arguments.streams)?;
        let used = measure(&[millstream.id()], arguments.window)?;
        rows.insert(1, ("Millstream, recording", used));
    }
    let mut table = format!(
        "{} cores of {}, Linux {}, load before {}; {} streams, {} s\n\n\
         | | % of a core | MB | writes/s |\n|---|---|---|---|\n",
        machine.cores,
        machine.processor,
        machine.kernel,
        machine.load_before,
        arguments.streams,
        arguments.window
    );
    for (title, used) in rows {
        let window = arguments.window as f64;
        table += &format!(
            "| {title} | {:.1} | {} | {:.0} |\n",
            used.processor.as_secs_f64() * 100.0 / window,
            used.resident / 1_024,
            used.writes as f64 / window,
        );
    }
    std::io::stdout()
        .write_all(table.as_bytes())
        .context("cannot print")
}

fn publish(server: &Millstream, streams: usize) -> Result<Vec<Helper>> {
    let publisher = |number: usize| {
        let helper = Helper::start(
            "publisher",
            &[server.rtmp.to_string(), format!("cam{number}")],
        )?;
        helper.ready(PATIENCE)?;
        Ok(helper)
    };
    (0..streams).map(publisher).collect()
}

fn record(server: &Millstream, folder: &Path, arguments: &Arguments) -> Result<Vec<Program>> {
    if !arguments.peer.exists() {
        return Err(Error::new(format!(
            "there is no {}",
            arguments.peer.display()
        )));
    }
    let peer = |number: usize| {
        let url = format!("rtmp://{}/{APP}/cam{number}", server.rtmp);
        let file = format!("cam{number}.mp4");
        let fixed = "-nostdin -v error -i";
        let how = "-c copy -f mp4 -movflags empty_moov+default_base_moof -frag_duration 1000000";
        let home = folder.join(number.to_string());
        std::fs::create_dir(&home).context("cannot make a folder")?;
        let args = fixed.split(' ').chain([&*url]).chain(how.split(' '));
        Program::start(&arguments.peer, &home, args.chain([&*file]))
    };
    (0..arguments.streams).map(peer).collect()
}

fn measure(processes: &[u32], window: u64) -> Result<Used> {
    std::thread::sleep(WARM_UP);
    let now = || -> Result<Vec<(CpuTime, u64)>> {
        let each = processes.iter();
        each.map(|id| Ok((CpuTime::of(*id)?, writes(*id)?)))
            .collect()
    };
    let before = now()?;
    std::thread::sleep(Duration::from_secs(window));
    let after = now()?;
    let mut used = Used::default();
    for ((before, writes_before), (after, writes_after)) in before.iter().zip(&after) {
        used.processor += after.since(before);
        used.writes += writes_after.saturating_sub(*writes_before);
    }
    for id in processes {
        used.resident += resident(*id)?;
    }
    Ok(used)
}
