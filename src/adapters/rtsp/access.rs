//! Which stream a client asks for, and whether it may: who plays or publishes may have to prove who it is.

use super::connection::now;
use super::server::Client;
use crate::auth::{Action, Caller, Denied, Proof};
use crate::hub::{Pass, StreamName};
use rtsp::auth::Denied as Unproven;
use rtsp::message::Status;
use rtsp::server::{Access, Session};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::sleep;

/// Who has a wrong password waits so long for the next attempt.
const WRONG_WAITS: Duration = Duration::from_secs(1);

impl Client {
    /// The stream that a client may do this with, and by which right. None when it has been refused, or asked who it is.
    pub(super) async fn name(
        &mut self,
        access: &Access,
        action: for<'a> fn(&'a str, &'a str) -> Action<'a>,
    ) -> Option<(StreamName, Pass)> {
        let name = match self.shared.context.applications.resolve(&access.path) {
            Ok(name) => name,
            Err(error) => {
                self.refuse(Status::NOT_FOUND, &error.to_string());
                return None;
            }
        };
        let action = action(name.app(), name.id());
        let (allowed, proven) = self.may(action, access).await;
        match allowed {
            Ok(pass) => return Some((name, pass)),
            Err(Denied::Login) => {
                if proven == Unproven::Wrong {
                    let address = self.connection.address;
                    tracing::info!(stream = %name, %address, "wrong user or password by RTSP");
                    sleep(WRONG_WAITS).await;
                }
                let stale = proven == Unproven::Stale;
                let in_clear = self.shared.context.auth.asks_for_password(action);
                self.connection.answer(|session| match in_clear {
                    true => session.ask_for_password(now()),
                    false => session.challenge(now(), stale),
                });
            }
            Err(other) => self.refuse(Status::FORBIDDEN, &other.to_string()),
        }
        None
    }

    /// Whether a client may do this; if not, what is wrong with its proof.
    async fn may(&self, action: Action<'_>, access: &Access) -> (Result<Pass, Denied>, Unproven) {
        let proof = Proven {
            session: &self.connection.session,
            denied: Mutex::new(Unproven::Missing),
        };
        let caller = Caller {
            protocol: "rtsp",
            address: self.connection.address,
            headers: None,
            query: access.query.as_deref(),
            proof: Some(&proof),
        };
        let allowed = self.shared.context.auth.check(action, caller).await;
        let proven = match proof.told() {
            Some(_) => Unproven::Wrong,
            None => *proof.lock(),
        };
        (allowed, proven)
    }
}

/// What the request that is to be answered proves.
#[derive(Debug)]
struct Proven<'a> {
    session: &'a Session,
    /// Why it proves nothing that was looked for.
    denied: Mutex<Unproven>,
}

impl Proven<'_> {
    fn lock(&self) -> MutexGuard<'_, Unproven> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proof for Proven<'_> {
    fn proves(&self, user: &str, password: &str) -> bool {
        match self.session.verify(now(), user, password) {
            Ok(()) => true,
            Err(denied) => {
                let mut known = self.lock();
                if *known != Unproven::Stale {
                    *known = denied;
                }
                false
            }
        }
    }

    fn told(&self) -> Option<(String, String)> {
        self.session.told()
    }
}
