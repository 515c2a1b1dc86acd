//! What the server says of itself: its log, the last lines of it, the count of panics that were contained, and how it is, to
//! systemd.

mod recent;
mod systemd;

pub use recent::{Line, Recent, UNKEPT, recent};
pub use systemd::Systemd;

use crate::config::{ConfigError, Log, LogFormat};
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Puts a filter into the place of the one before.
type Refilter = Box<dyn Fn(EnvFilter) + Send + Sync>;

static REFILTER: OnceLock<Refilter> = OnceLock::new();

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
    let (started, refilter): (_, Refilter) = match log.format {
        LogFormat::Text => {
            let builder = builder.with_target(false).with_filter_reloading();
            let handle = builder.reload_handle();
            let refilter = move |filter| drop(handle.reload(filter));
            let builder = builder.finish().with(recent::Keeper);
            (builder.try_init(), Box::new(refilter))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let handle = builder.reload_handle();
            let refilter = move |filter| drop(handle.reload(filter));
            let builder = builder.finish().with(recent::Keeper);
            (builder.try_init(), Box::new(refilter))
        }
    };
    let _ = REFILTER.set(refilter);
    started.map_err(|error| ConfigError(format!("log: {error}")))?;
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        default(panic);
    }));
    Ok(())
}

/// Another level from now on.
///
/// # Errors
/// When it is none.
pub fn set_level(log: &Log) -> Result<(), ConfigError> {
    let filter = filter(log)?;
    if let Some(refilter) = REFILTER.get() {
        refilter(filter);
    }
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
