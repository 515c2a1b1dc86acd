//! Why a request is refused.

use crate::hooks::AddressError;
use crate::hub::{NameError, StreamName};
use crate::net::policy::Refused;
use crate::store::StoreError;

/// Why a request was refused, in the order in which causes are looked for.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The ID breaks a rule.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is a broadcast or a stream of that name.
    #[error("{0} exists already")]
    Exists(StreamName),
    /// It is what the configuration file says.
    #[error("{0} is made by the configuration file: change it there")]
    ByFile(StreamName),
    /// There is none.
    #[error("there is no {0}")]
    Unknown(StreamName),
    /// It waits for a publisher: there is nothing to start.
    #[error("{0} has no source that could be started")]
    NoSource(StreamName),
    /// Its source is being pulled already.
    #[error("{0} is active already")]
    Active(StreamName),
    /// It is not running.
    #[error("{0} is not running")]
    NotRunning(StreamName),
    /// No protocol of this server pulls from such a URL.
    #[error("no protocol of this server pulls {0}:// URLs")]
    Scheme(String),
    /// No protocol of this server pushes to such a URL.
    #[error("no protocol of this server pushes to {0}:// URLs")]
    PushScheme(String),
    /// What is no URL that can be pushed to, in words.
    #[error("{0}")]
    Place(String),
    /// Where events are to be sent cannot be used.
    #[error(transparent)]
    Hook(#[from] AddressError),
    /// There are as many webhooks as there may be.
    #[error("there are {0} webhooks, as many as there may be")]
    HooksFull(usize),
    /// A document is not what it should be, in words.
    #[error("{0}")]
    Document(String),
    /// There is no picture in what was sent.
    #[error("the file is no picture: JPEG, PNG and WebP are known")]
    Picture,
    /// A file cannot be written.
    #[error("cannot write a file: {0}")]
    File(#[from] std::io::Error),
    /// Its URL is one of an address that is not connected to.
    #[error(transparent)]
    Address(#[from] Refused),
    /// The stream is pushed to that URL already.
    #[error("{0} is pushed there already")]
    TargetExists(StreamName),
    /// There is no target of that ID.
    #[error("{0} has no such target")]
    UnknownTarget(StreamName),
    /// The stream has as many targets as it may.
    #[error("the stream has {0} targets, as many as it may")]
    TargetsFull(usize),
    /// The stream is being recorded already, or is not.
    #[error("the recording of {0} is in that state already")]
    RecordingState(StreamName),
    /// The recording could not be begun.
    #[error("the recording could not be started: {0}")]
    Recording(String),
    /// The file cannot be shown in place of the stream.
    #[error("no slate: {0}")]
    Slate(String),
    /// As many are kept as may be.
    #[error("the server keeps {0} broadcasts, as many as it may")]
    Full(usize),
    /// Settings of an application that cannot be.
    #[error("the settings cannot be used: {0}")]
    Settings(String),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}
