//! Why a measurement could not be made, in one sentence.

use std::fmt;

/// One sentence for whoever started the benchmark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

/// What may fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// With this sentence.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// Says what was being done when something failed.
pub trait Context<T> {
    /// The error as "`what`: reason".
    ///
    /// # Errors
    /// When there was one.
    fn context(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error(format!("{what}: {error}")))
    }
}
