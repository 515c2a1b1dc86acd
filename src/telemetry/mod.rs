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
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

static PANICS: AtomicU64 = AtomicU64::new(0);

static FILTER: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts logging to standard error, keeping the last lines and counting panics. To be called once.
///
/// # Errors
/// When the level is not a filter.
pub fn start(log: &Log) -> Result<(), ConfigError> {
    let (filter, handle) = reload::Layer::new(filter(log)?);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match log.format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(recent::Keeper)
        .try_init()
        .map_err(|error| ConfigError(format!("log: {error}")))?;
    let _ = FILTER.set(handle);
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
    if let Some(handle) = FILTER.get() {
        // It fails when logging has ended.
        let _ = handle.reload(filter);
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

/// A level, or levels of parts of the program behind their names.
fn filter(log: &Log) -> Result<Targets, ConfigError> {
    let level = |name: &str| {
        let name = name.trim();
        // Of nothing at all it would make a level.
        let level = name
            .parse::<LevelFilter>()
            .ok()
            .filter(|_| !name.is_empty());
        level.ok_or_else(|| {
            ConfigError(format!(
                "log.level: {name:?} is not one of off, error, warn, info, debug, trace"
            ))
        })
    };
    let filter = Targets::new()
        .with_default(LevelFilter::ERROR)
        // What a handshake library thinks of browsers' extensions is of no use to anyone here.
        .with_target("rtc_dtls", LevelFilter::ERROR);
    log.level.split(',').try_fold(filter, |filter, directive| {
        Ok(match directive.split_once('=') {
            Some((part, name)) if !part.trim().is_empty() => {
                filter.with_target(part.trim(), level(name)?)
            }
            _ => filter.with_default(level(directive)?),
        })
    })
}

/// Tasks that panicked since the start. Each ended one connection or one stream, and is a defect.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    fn filter_of(level: &str) -> Result<Targets, ConfigError> {
        filter(&Log {
            level: level.to_owned(),
            ..Log::default()
        })
    }

    #[test]
    fn levels_and_filters() {
        let filter = filter_of("info, millstream::net=debug").unwrap();
        assert!(filter.would_enable("millstream::hub", &Level::INFO));
        assert!(!filter.would_enable("millstream::hub", &Level::DEBUG));
        assert!(filter.would_enable("millstream::net::tls", &Level::DEBUG));
        assert!(!filter.would_enable("rtc_dtls::handshaker", &Level::WARN));
        let chosen = filter_of("rtc_dtls=debug").unwrap();
        assert!(chosen.would_enable("rtc_dtls::handshaker", &Level::DEBUG));
        assert!(!chosen.would_enable("millstream", &Level::WARN));
    }

    #[test]
    fn a_word_that_is_no_level_is_told() {
        for level in ["verbose", "", "info,", "=debug", "info,millstream=loud"] {
            let error = filter_of(level).unwrap_err();
            assert!(error.to_string().contains("is not one of"), "{level:?}");
        }
    }
}
