//! Who someone is: Basic (RFC 7617) and Digest (RFC 7616, and RFC 2617 where there is no `qop`).
//!
//! HTTP and RTSP have the same of it. [`Login`] is the client's side: it takes challenges and proves a password.
//! [`Guard`] is the server's: it makes challenges and checks proofs. Digest is with MD5 or SHA-256, without `-sess`
//! and without integrity of bodies, which nobody uses.

mod challenge;
mod digest;
mod guard;
mod login;

pub use guard::{Authorization, Denied, Guard};
pub use login::Login;

use std::fmt;

/// A user and a password. Neither is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

/// Random bytes that nobody can guess, of which the numbers are made that prove something; others for each
/// connection. They are not printed.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Random(pub [u8; 16]);

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(***)")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}
