//! Who somebody is for management, and how much they may.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// How much somebody may; each may what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look, without the secrets.
    Viewer,
    /// Change streams, sources, targets, recordings, and move cameras.
    Operator,
    /// Everything: accounts, tokens and settings too.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        })
    }
}

/// How somebody has shown who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// By a password, and a cookie since.
    Session,
    /// By a token.
    Token,
    /// They are on this machine.
    Local,
}

/// Somebody who may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account's or the token's name; none for a local caller and for tokens of the configuration.
    pub name: Option<String>,
    /// How much they may.
    pub role: Role,
    /// How that is known.
    pub via: Via,
    /// Where they are.
    pub address: IpAddr,
}
