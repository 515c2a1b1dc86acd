//! The right by which somebody watches or publishes: it may be withdrawn while they are at it, and who gave it knows that
//! they are there.
//!
//! Who decides about rights gives a [`Pass`]. The [`Viewer`](super::Viewer) or [`Publisher`](super::Publisher) that it is
//! handed to is there for it ([`Presence`]) until it is dropped.

use std::fmt::Debug;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Who keeps a right, and hears of those who use it.
pub trait Bearer: Debug + Send + Sync {
    /// Somebody begins.
    fn comes(&self);

    /// They have gone.
    fn goes(&self);

    /// Is cancelled when the right is withdrawn.
    fn withdrawn(&self) -> &CancellationToken;
}

/// A right to be used. The default is one that nobody withdraws.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Pass(Option<Arc<dyn Bearer>>);

impl Pass {
    /// The right that somebody keeps.
    pub fn of(bearer: Arc<dyn Bearer>) -> Self {
        Self(Some(bearer))
    }

    /// Whoever has it is there from now on.
    pub(super) fn enter(self) -> Presence {
        self.0.iter().for_each(|bearer| bearer.comes());
        Presence(self.0)
    }
}

/// Somebody who is there by a right.
#[derive(Debug, Default)]
pub(super) struct Presence(Option<Arc<dyn Bearer>>);

impl Presence {
    /// Completes when the right is withdrawn; never where nobody can. Safe to cancel.
    pub(super) async fn withdrawn(&self) {
        match &self.0 {
            Some(bearer) => bearer.withdrawn().cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Whether it has been.
    pub(super) fn is_withdrawn(&self) -> bool {
        let bearer = self.0.as_ref();
        bearer.is_some_and(|bearer| bearer.withdrawn().is_cancelled())
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.iter().for_each(|bearer| bearer.goes());
    }
}
