//! What the server says of itself: its log, the last lines of it, and the count of panics that were contained.

mod recent;

pub use recent::{Line, Recent, recent};

use crate::config::{ConfigError, Log, LogFormat};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Starts logging to standard error, keeping the last lines and counting panics. To be called once.
///
/// # Errors
/// When the level is not a filter.
pub fn start(log: &Log) -> Result<(), ConfigError> {
    let filter = filter(log)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match log.format {
        LogFormat::Text => builder
            .with_target(false)
            .finish()
            .with(recent::Keeper)
            .try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .finish()
            .with(recent::Keeper)
            .try_init(),
    };
    started.map_err(|error| ConfigError(format!("log: {error}")))?;
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        default(panic);
    }));
    Ok(())
}

/// Whether the level is one, without starting anything.
///
/// # Errors
/// When it is not.
pub fn check(log: &Log) -> Result<(), ConfigError> {
    filter(log).map(drop)
}

fn filter(log: &Log) -> Result<EnvFilter, ConfigError> {
    // What a handshake library thinks of browsers' extensions is of no use to anyone here.
    let directives = format!("rtc_dtls=error,{}", log.level);
    EnvFilter::try_new(directives).map_err(|error| {
        let level = &log.level;
        ConfigError(format!(
            "log.level: {level:?} is not a level or filter: {error}"
        ))
    })
}

/// Tasks that panicked since the start. Each ended one connection or one stream, and is a defect.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}
