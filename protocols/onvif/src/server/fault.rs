//! Why a request is not answered (ONVIF Core Specification section 5.8.2), and the status of HTTP with it.

use crate::xml::escape;

const ERRORS: &str = "http://www.onvif.org/ver10/error";

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is no envelope with one request.
    WellFormed,
    /// User and password are missing, or not accepted.
    NotAuthorized,
    /// Nothing is known of this operation, or nothing is done about it.
    ActionNotSupported,
    /// No profile has this token.
    NoProfile,
    /// No configuration has this token.
    NoConfig,
    /// No source has this token.
    NoSource,
    /// Something that is needed is missing.
    InvalidArgs,
    /// There is no such service.
    NoSuchService,
    /// Streams are not sent that way.
    InvalidStreamSetup,
    /// There is nothing to play from: streams are not served by RTSP.
    IncompleteConfiguration,
}

impl Fault {
    /// Whether it is the sender's, subcodes, and words.
    const fn parts(self) -> (bool, &'static [&'static str], &'static str) {
        match self {
            Self::WellFormed => (true, &["WellFormed"], "no SOAP envelope with a request"),
            Self::NotAuthorized => (true, &["NotAuthorized"], "Sender not authorized"),
            Self::ActionNotSupported => (
                false,
                &["ActionNotSupported"],
                "the operation is not supported",
            ),
            Self::NoProfile => (
                true,
                &["InvalidArgVal", "NoProfile"],
                "no profile has this token",
            ),
            Self::NoConfig => (
                true,
                &["InvalidArgVal", "NoConfig"],
                "no configuration has this token",
            ),
            Self::NoSource => (
                true,
                &["InvalidArgVal", "NoSource"],
                "no source has this token",
            ),
            Self::InvalidArgs => (true, &["InvalidArgs"], "a parameter is missing"),
            Self::NoSuchService => (
                false,
                &["ActionNotSupported", "NoSuchService"],
                "there is no such service",
            ),
            Self::InvalidStreamSetup => (
                true,
                &["InvalidArgVal", "InvalidStreamSetup"],
                "streams are not sent that way",
            ),
            Self::IncompleteConfiguration => (
                false,
                &["Action", "IncompleteConfiguration"],
                "streams are not served by RTSP here",
            ),
        }
    }

    /// The status of HTTP (SOAP 1.2 part 2 table 17). One who has shown no password may be asked for it by 401 instead.
    pub const fn status(self) -> u16 {
        match self.parts().0 {
            true => 400,
            false => 500,
        }
    }

    /// What the envelope holds.
    pub(super) fn body(self) -> String {
        let (is_senders, codes, words) = self.parts();
        let code = if is_senders { "s:Sender" } else { "s:Receiver" };
        let subcode = codes.iter().rev().fold(String::new(), |inner, code| {
            format!("<s:Subcode><s:Value>ter:{code}</s:Value>{inner}</s:Subcode>")
        });
        let words = escape(words);
        format!(
            "<s:Fault xmlns:ter=\"{ERRORS}\"><s:Code><s:Value>{code}</s:Value>{subcode}</s:Code>\
             <s:Reason><s:Text xml:lang=\"en\">{words}</s:Text></s:Reason></s:Fault>"
        )
    }
}
