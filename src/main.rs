//! The command line.

use clap::{CommandFactory, Parser, Subcommand};
use millstream::commands::{CommandError, discover, export, health, import, probe, remux};
use millstream::config::{self, Config, ConfigError, LogFormat, Overrides};
use millstream::{adapters, api, server, telemetry};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Exit status for arguments or a configuration that cannot be used.
const UNUSABLE: u8 = 2;

/// A live stream server: any live stream in, to anywhere.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (what happens without a command).
    Serve(Serve),
    /// Open a source or a file and say what is in it.
    Probe(Probe),
    /// Copy one stream from any source or file to any target or file, without transcoding.
    Remux(Remux),
    /// Look for ONVIF cameras on every network interface.
    Discover(Discover),
    /// Check a configuration and say what is wrong with it.
    CheckConfig(ConfigArguments),
    /// Take over streams, sources and targets of mediamtx.yml, go2rtc.yaml, or what export has written.
    Import(Import),
    /// Print all that the APIs have made, for import. It holds secrets.
    Export(Export),
    /// Print the description of the HTTP APIs (OpenAPI).
    Openapi,
    /// Ask the server of this machine whether it takes requests.
    Health(Health),
    /// Print what a shell needs to complete these commands.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command too.
    Man {
        /// Folder that they are written to.
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

#[derive(Clone, Debug, clap::Args)]
struct ConfigArguments {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set any key of the configuration, such as http.listen=127.0.0.1:5080.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Clone, Debug, clap::Args)]
struct Serve {
    #[command(flatten)]
    config: ConfigArguments,
    /// Folder of everything that must survive a restart.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Add a stream LiveApp/demo that the server makes itself.
    #[arg(long)]
    demo: bool,
    /// How log lines are written.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// error, warn, info, debug, trace, or a filter.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

#[derive(Clone, Debug, clap::Args)]
struct Probe {
    /// URL of a source that the server can pull, or a file (.ts, .mp4, .m4s, .flv).
    #[arg(value_name = "URL|FILE")]
    source: String,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
    /// Most time that it takes.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

#[derive(Clone, Debug, clap::Args)]
struct Remux {
    /// URL of a source that the server can pull, or a file (.ts, .mp4, .m4s, .flv).
    input: String,
    /// URL of a target that the server can push to, or a file: its ending says what is written (.ts, .flv, .mp4, .m4s
    /// for fragmented MP4).
    output: String,
    /// End after so much media.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Read no faster than the times of the input say.
    #[arg(long)]
    realtime: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct Discover {
    /// How long answers are waited for.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct Health {
    #[command(flatten)]
    config: ConfigArguments,
    /// Most time that a step of it takes.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

impl Serve {
    fn load(&self) -> Result<Config, ConfigError> {
        let mut config = load(self.config.clone())?;
        if let Some(folder) = &self.data_dir {
            config.general.data_dir.clone_from(folder);
        }
        if let Some(format) = self.log_format {
            config.general.log.format = format;
        }
        if let Some(level) = &self.log_level {
            config.general.log.level.clone_from(level);
        }
        if self.demo {
            config.set("demo", "enabled", true);
        }
        Ok(config)
    }
}

#[derive(Clone, Debug, clap::Args)]
struct Import {
    /// mediamtx.yml, go2rtc.yaml or what export has written; which of them is told by its content.
    file: PathBuf,
    #[command(flatten)]
    config: ConfigArguments,
    /// Data folder of the server that is to have the streams. It must not run.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print them as tables for the configuration file instead.
    #[arg(long)]
    toml: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct Export {
    #[command(flatten)]
    config: ConfigArguments,
    /// Data folder of the server. It must not run; one that does gives the same at /api/v1/state.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        None => serve(arguments.serve),
        Some(Command::Serve(serve)) => self::serve(serve),
        Some(Command::Probe(arguments)) => probe(arguments),
        Some(Command::Remux(arguments)) => remux(arguments),
        Some(Command::Discover(arguments)) => discover(&arguments),
        Some(Command::CheckConfig(arguments)) => check(arguments),
        Some(Command::Import(arguments)) => import(arguments),
        Some(Command::Export(arguments)) => export(arguments),
        Some(Command::Openapi) => Ok(openapi()),
        Some(Command::Health(arguments)) => health(arguments),
        Some(Command::Completions { shell }) => Ok(completions(shell)),
        Some(Command::Man { folder }) => manual(folder.as_deref()),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            complain(&error.0);
            ExitCode::from(UNUSABLE)
        }
    }
}

fn serve(arguments: Serve) -> Result<ExitCode, ConfigError> {
    let file = arguments.config.config.clone();
    let load = Box::new(move || arguments.load());
    let config = load()?;
    telemetry::start(&config.general.log)?;
    let protocols = server::protocols(&config)?;
    match server::run(&config, protocols, server::Origin { file, load }) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            complain(&error.to_string());
            Ok(ExitCode::FAILURE)
        }
    }
}

fn probe(arguments: Probe) -> Result<ExitCode, ConfigError> {
    let options = probe::Options {
        source: arguments.source,
        timeout: arguments.timeout,
        json: arguments.json,
    };
    command(async |config| {
        let text = probe::run(config, &options).await?;
        Ok((text, true))
    })
}

fn remux(arguments: Remux) -> Result<ExitCode, ConfigError> {
    let options = remux::Options {
        input: arguments.input,
        output: arguments.output,
        duration: arguments.duration,
        realtime: arguments.realtime,
    };
    command(async |config| {
        let summary = remux::run(config, &options).await?;
        Ok((summary.text, summary.is_whole))
    })
}

fn discover(arguments: &Discover) -> Result<ExitCode, ConfigError> {
    let options = discover::Options {
        timeout: arguments.timeout,
        json: arguments.json,
    };
    command(async |_| Ok((discover::run(&options).await?, true)))
}

/// Runs a command that ends, and prints what it says. Of the server's settings it has those of the environment.
#[expect(clippy::print_stdout, reason = "what a command says is its output")]
fn command(
    run: impl AsyncFnOnce(&Config) -> Result<(String, bool), CommandError>,
) -> Result<ExitCode, ConfigError> {
    let arguments = ConfigArguments {
        config: None,
        set: Vec::new(),
    };
    let mut config = load(arguments)?;
    if config.general.log.level == config::Log::default().level {
        // What matters is in the output.
        config.general.log.level = "error".to_owned();
    }
    telemetry::start(&config.general.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| ConfigError(format!("cannot start: {error}")))?;
    let result = runtime.block_on(run(&config));
    // A thread that still reads a file is of no use to anybody.
    runtime.shutdown_background();
    Ok(match result {
        Ok((text, whole)) => {
            print!("{text}");
            match whole {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }
        }
        Err(CommandError::Unusable(words)) => return Err(ConfigError(words)),
        Err(CommandError::Failed(words)) => {
            complain(&words);
            ExitCode::FAILURE
        }
    })
}

#[expect(clippy::print_stdout, reason = "what a command says is its output")]
fn export(arguments: Export) -> Result<ExitCode, ConfigError> {
    let config = with_folder(arguments.config, arguments.data_dir)?;
    let text = export::run(&config).map_err(|error| ConfigError(error.to_string()))?;
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

fn with_folder(
    arguments: ConfigArguments,
    data_dir: Option<PathBuf>,
) -> Result<Config, ConfigError> {
    let mut config = load(arguments)?;
    if let Some(folder) = data_dir {
        config.general.data_dir = folder;
    }
    Ok(config)
}

#[expect(clippy::print_stdout, reason = "what a command says is its output")]
fn import(arguments: Import) -> Result<ExitCode, ConfigError> {
    let config = with_folder(arguments.config, arguments.data_dir)?;
    let runtime = tokio::runtime::Runtime::new();
    let runtime = runtime.map_err(|error| ConfigError(format!("cannot start: {error}")))?;
    let run = import::run(&config, &arguments.file, arguments.toml);
    match runtime.block_on(run) {
        Ok((text, whole)) => {
            print!("{text}");
            Ok(match whole {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            })
        }
        Err(error) => Err(ConfigError(error.to_string())),
    }
}

#[expect(clippy::print_stdout, reason = "what a command says is its output")]
fn openapi() -> ExitCode {
    println!("{:#}", api::openapi::document());
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "what a command says is its output")]
fn health(arguments: Health) -> Result<ExitCode, ConfigError> {
    let config = load(arguments.config)?;
    match health::run(&config.general.http, arguments.timeout) {
        Ok(text) => {
            print!("{text}");
            Ok(ExitCode::SUCCESS)
        }
        Err(CommandError::Unusable(words)) => Err(ConfigError(words)),
        Err(CommandError::Failed(words)) => {
            complain(&words);
            Ok(ExitCode::FAILURE)
        }
    }
}

fn completions(shell: clap_complete::Shell) -> ExitCode {
    let mut command = Arguments::command();
    clap_complete::generate(shell, &mut command, "millstream", &mut std::io::stdout());
    ExitCode::SUCCESS
}

fn manual(folder: Option<&Path>) -> Result<ExitCode, ConfigError> {
    let command = Arguments::command();
    let result = match folder {
        Some(folder) => clap_mangen::generate_to(command, folder),
        None => clap_mangen::Man::new(command).render(&mut std::io::stdout()),
    };
    let cannot = |error| ConfigError(format!("cannot write the manual: {error}"));
    result.map_err(cannot)?;
    Ok(ExitCode::SUCCESS)
}

fn check(arguments: ConfigArguments) -> Result<ExitCode, ConfigError> {
    let config = load(arguments)?;
    telemetry::check(&config.general.log)?;
    server::protocols(&config)?;
    Ok(ExitCode::SUCCESS)
}

fn load(arguments: ConfigArguments) -> Result<Config, ConfigError> {
    let overrides = Overrides::new(arguments.set);
    config::load(arguments.config.as_deref(), &overrides, &adapters::names())
}

#[expect(clippy::print_stderr, reason = "the log may not have been started")]
fn complain(message: &str) {
    eprintln!("millstream: {message}");
}
