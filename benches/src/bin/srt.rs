//! `cargo xtask bench srt`: what receiving and sending one SRT connection costs, beside srt-live-transmit in the same run.
//!
//! Where both receive, srt-live-transmit hands on what it gets in datagrams, one system call for each, and Millstream takes
//! the transport stream apart. Sending is measured as relaying: both get the stream from one SRT caller and send it to
//! others, srt-live-transmit as it came, Millstream made anew. From datagrams to SRT is measured for both as well.

use bench::error::Context as _;
use bench::helper::Helper;
use bench::machine::Machine;
use bench::process::Program;
use bench::process::usage::CpuTime;
use bench::role::Role;
use bench::servers::{APP, Millstream, STREAM, find_millstream};
use bench::{Error, Result};
use clap::Parser;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long a helper may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(20);

/// Measure what SRT costs, and print a Markdown table: user and system time of the server process for each Gbit of
/// payload that was received by it, or by its readers.
#[derive(Debug, Parser)]
#[command(name = "srt", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Bitrate of the stream.
    #[arg(long, value_name = "MBIT/S", default_value_t = 20)]
    megabits: u64,
    /// Readers of Millstream, each a row.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 10])]
    readers: Vec<usize>,
    /// Seconds to measure.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    window: u64,
    /// The Millstream to test, instead of the one beside this program.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// The peer.
    #[arg(
        long,
        value_name = "PATH",
        default_value = "/usr/bin/srt-live-transmit"
    )]
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

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.internal {
        Some(Internal::Role { role }) => role.play(),
        None => bench(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "srt: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &Arguments) -> Result<()> {
    let machine = Machine::this();
    let mut rows = vec![
        ("receiving, Millstream".to_owned(), receiving(arguments)?),
        (
            "receiving, srt-live-transmit".to_owned(),
            peer_receiving(arguments)?,
        ),
    ];
    for readers in &arguments.readers {
        let title = format!("relaying to {readers}, Millstream");
        rows.push((title, relaying(arguments, *readers)?));
    }
    rows.push((
        "relaying to 1, srt-live-transmit".to_owned(),
        peer_relaying(arguments)?,
    ));
    rows.push((
        "from datagrams to 1, Millstream".to_owned(),
        from_datagrams(arguments)?,
    ));
    rows.push((
        "from datagrams to 1, srt-live-transmit".to_owned(),
        peer_from_datagrams(arguments)?,
    ));
    let mut table = format!(
        "{} cores of {}, Linux {}, load before {}; {} Mbit/s, {} s\n\n| | CPU-s/Gbit | Gbit |\n|---|---|---|\n",
        machine.cores,
        machine.processor,
        machine.kernel,
        machine.load_before,
        arguments.megabits,
        arguments.window
    );
    for (title, (cpu, bits)) in rows {
        let gigabits = bits / 1e9;
        table += &format!("| {title} | {:.3} | {gigabits:.3} |\n", cpu / gigabits);
    }
    std::io::stdout()
        .write_all(table.as_bytes())
        .context("cannot print")
}

/// CPU time of a process in seconds, and the bits that helpers report, over the window.
fn measure(process: u32, helpers: &mut [Helper], window: u64) -> Result<(f64, f64)> {
    std::thread::sleep(Duration::from_secs(2));
    for helper in &mut *helpers {
        helper.begin()?;
    }
    let before = CpuTime::of(process)?;
    std::thread::sleep(Duration::from_secs(window));
    let used = CpuTime::of(process)?.since(&before);
    let mut bits = 0.0;
    for helper in helpers {
        let bytes: f64 = helper.end()?.parse().context("a helper's report")?;
        bits += bytes * 8.0;
    }
    Ok((used.as_secs_f64(), bits))
}

fn helper(role: &'static str, args: &[String]) -> Result<Helper> {
    let helper = Helper::start(role, args)?;
    helper.ready(PATIENCE)?;
    Ok(helper)
}

fn source(address: SocketAddr, arguments: &Arguments) -> Result<Helper> {
    let stream_id = format!("publish:{APP}/{STREAM}");
    let megabits = arguments.megabits.to_string();
    helper("srt-source", &[address.to_string(), stream_id, megabits])
}

fn sink(address: SocketAddr) -> Result<Helper> {
    let stream_id = format!("read:{APP}/{STREAM}");
    helper("srt-sink", &[address.to_string(), stream_id])
}

fn receiving(arguments: &Arguments) -> Result<(f64, f64)> {
    let server = Millstream::start(&find_millstream(arguments.server.as_deref())?)?;
    let source = source(server.srt, arguments)?;
    measure(server.id(), &mut [source], arguments.window)
}

fn relaying(arguments: &Arguments, readers: usize) -> Result<(f64, f64)> {
    let server = Millstream::start(&find_millstream(arguments.server.as_deref())?)?;
    let _source = source(server.srt, arguments)?;
    std::thread::sleep(Duration::from_secs(2));
    let sinks: Result<Vec<_>> = (0..readers).map(|_| sink(server.srt)).collect();
    measure(server.id(), &mut sinks?, arguments.window)
}

fn from_datagrams(arguments: &Arguments) -> Result<(f64, f64)> {
    let server = Millstream::start(&find_millstream(arguments.server.as_deref())?)?;
    let into = free_address()?;
    server.pull(&format!("udp://{into}"))?;
    let megabits = arguments.megabits.to_string();
    let _source = helper("ts-source", &[into.to_string(), megabits])?;
    std::thread::sleep(Duration::from_secs(2));
    let sink = sink(server.srt)?;
    measure(server.id(), &mut [sink], arguments.window)
}

fn peer_receiving(arguments: &Arguments) -> Result<(f64, f64)> {
    let (listen, out) = (free_address()?, free_address()?);
    let peer = Peer::start(
        &arguments.peer,
        &format!("srt://{listen}?mode=listener"),
        &format!("udp://{out}"),
    )?;
    let source = source(listen, arguments)?;
    measure(peer.program.id(), &mut [source], arguments.window)
}

fn peer_relaying(arguments: &Arguments) -> Result<(f64, f64)> {
    let (listen, out) = (free_address()?, free_address()?);
    let peer = Peer::start(
        &arguments.peer,
        &format!("srt://{listen}?mode=listener"),
        &format!("srt://{out}?mode=listener"),
    )?;
    let _source = source(listen, arguments)?;
    let sink = sink(out)?;
    measure(peer.program.id(), &mut [sink], arguments.window)
}

fn peer_from_datagrams(arguments: &Arguments) -> Result<(f64, f64)> {
    let (listen, into) = (free_address()?, free_address()?);
    let peer = Peer::start(
        &arguments.peer,
        &format!("udp://{into}"),
        &format!("srt://{listen}?mode=listener"),
    )?;
    let megabits = arguments.megabits.to_string();
    let _source = helper("ts-source", &[into.to_string(), megabits])?;
    let sink = sink(listen)?;
    measure(peer.program.id(), &mut [sink], arguments.window)
}

/// A running srt-live-transmit.
struct Peer {
    program: Program,
    _home: tempfile::TempDir,
}

impl Peer {
    fn start(path: &Path, from: &str, to: &str) -> Result<Self> {
        if !path.is_file() {
            let path = path.display();
            let words = format!("there is no srt-live-transmit at {path}: install srt-tools");
            return Err(Error::new(words));
        }
        let home = tempfile::TempDir::new().context("cannot make a temporary folder")?;
        let program = Program::start(path, home.path(), ["-q", "-a:no", from, to])?;
        Ok(Self {
            program,
            _home: home,
        })
    }
}

/// An address for datagrams that is free now.
fn free_address() -> Result<SocketAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot find a free port")?;
    socket.local_addr().context("cannot find a free port")
}
