//! Why an operation failed, in words for who looks after the camera.

use crate::Service;
use crate::soap::Fault;
use crate::xml::XmlError;
use std::fmt;

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// User and password are not accepted, or missing.
    #[error("{}", Unauthorized(*has_password, *clock_offset))]
    Unauthorized {
        /// Some were shown.
        has_password: bool,
        /// By how many seconds the clock of the camera is ahead of ours, where it has told its time.
        clock_offset: Option<i64>,
    },
    /// The camera knows the operation and refuses it, or does not know it.
    #[error("the camera refuses {operation}: {fault}")]
    Fault {
        /// Which.
        operation: &'static str,
        /// What it says.
        fault: Fault,
    },
    /// What answers is no camera, or no ONVIF service is at that path.
    #[error("what answers there is no ONVIF service: {0}")]
    NotOnvif(String),
    /// The answer is too large.
    #[error("the camera answers with more than {} KiB", crate::MAX_ENVELOPE >> 10)]
    TooLong,
    /// The answer is no XML.
    #[error("the camera answers with XML that cannot be read: {0}")]
    Xml(#[from] XmlError),
    /// Something needed is not in the answer.
    #[error("the camera answers {operation} without {what}")]
    Missing {
        /// To what.
        operation: &'static str,
        /// What is not there.
        what: &'static str,
    },
    /// The camera has no such service.
    #[error("the camera has no {0} service")]
    NoService(Service),
}

impl Error {
    /// Whether user and password are why.
    pub const fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Unauthorized { .. })
    }
}

struct Unauthorized(bool, Option<i64>);

impl fmt::Display for Unauthorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(has_password, offset) = *self;
        if !has_password {
            return f.write_str("the camera wants a user name and a password");
        }
        f.write_str(
            "the camera does not accept the user name and password; ONVIF users are accounts of their own on many \
             cameras",
        )?;
        let off = offset.unwrap_or_default().unsigned_abs();
        let (number, unit) = match off {
            0..=4 => return Ok(()),
            5..=119 => (off, "s"),
            120..=7_199 => (off / 60, "min"),
            7_200..=172_799 => (off / 3_600, "h"),
            _ => (off / 86_400, "days"),
        };
        write!(f, ", and its clock is {number} {unit} off")
    }
}
