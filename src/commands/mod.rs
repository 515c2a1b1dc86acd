//! Commands that end: what is in a source ([`probe`]), copying one stream from anywhere to anywhere ([`remux`]), which
//! cameras there are ([`discover`]), whether the server works ([`health`]), taking over what another server has ([`import`]), and
//! writing down what this one has ([`export`]).
//!
//! Those that work on a stream use the sources, the hub and the targets of the server, which are the same code; only the hub is set up so
//! that readers are waited for ([`Offline`](crate::hub::Offline)), and files are an adapter more.

pub mod discover;
pub mod export;
pub mod health;
pub mod import;
pub mod probe;
pub mod remux;

mod bar;
mod session;

use session::Session;

/// Why a command ended without doing what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Its arguments cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// It was tried and did not work.
    #[error("{0}")]
    Failed(String),
}
