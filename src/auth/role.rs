//! Who somebody is for management, and how much they may.

use super::digest::Digest;
use super::grants::Holder;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

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

/// What somebody's role holds for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Everything.
    #[default]
    All,
    /// The calls of these applications, and nothing of the server's own.
    Applications(Arc<[String]>),
}

impl Reach {
    /// Whether it holds for a call of that application, or with none for one of the server's own.
    pub fn covers(&self, application: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Applications(some) => {
                application.is_some_and(|application| some.iter().any(|one| one == application))
            }
        }
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
    /// Where they may it.
    pub reach: Reach,
    /// How that is known.
    pub via: Via,
    /// Where they are.
    pub address: IpAddr,
    pub(super) ground: Ground,
}

/// What an identity rests on, and may lose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// What was seen of the one call.
    Call,
    /// A token, or what was given for it.
    Holder(Holder),
    /// The session of that digest.
    Session(Digest),
}
