//! The command line.

use clap::{Parser, Subcommand};
use millstream::config::{self, Config, ConfigError, LogFormat, Overrides};
use millstream::{adapters, server, telemetry};
use std::path::PathBuf;
use std::process::ExitCode;

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
    /// Check a configuration and say what is wrong with it.
    CheckConfig(ConfigArguments),
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

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        None => serve(arguments.serve),
        Some(Command::Serve(serve)) => self::serve(serve),
        Some(Command::CheckConfig(arguments)) => check(arguments),
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
    let mut config = load(arguments.config)?;
    if let Some(folder) = arguments.data_dir {
        config.general.data_dir = folder;
    }
    if let Some(format) = arguments.log_format {
        config.general.log.format = format;
    }
    if let Some(level) = arguments.log_level {
        config.general.log.level = level;
    }
    if arguments.demo {
        config.set("demo", "enabled", true);
    }
    telemetry::start(&config.general.log)?;
    let protocols = server::protocols(&config)?;
    match server::run(&config, protocols) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            complain(&error.to_string());
            Ok(ExitCode::FAILURE)
        }
    }
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
