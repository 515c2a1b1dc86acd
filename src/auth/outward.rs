//! How others are asked over HTTP, where what may be done depends on them.

use crate::net::fetch::Ask;
use crate::net::policy::Policy;
use crate::net::tls::{Check, Connector};
use axum::http::HeaderMap;
use std::time::Duration;

/// Which addresses may be asked, and TLS.
#[derive(Clone, Debug)]
pub struct Outward {
    /// Who may be asked.
    pub policy: Policy,
    /// TLS.
    pub connector: Connector,
}

impl Outward {
    /// A request to a server that has to prove its name, and answers within `patience`.
    pub(super) const fn ask<'a>(&'a self, headers: &'a HeaderMap, patience: Duration) -> Ask<'a> {
        let (policy, connector) = (&self.policy, &self.connector);
        Ask::new(&Check::Roots, policy, connector, headers, patience)
    }
}
