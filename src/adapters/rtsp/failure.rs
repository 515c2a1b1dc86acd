//! Why a camera is not pulled, in words for whoever runs the server. No message holds a password, or the
//! URL's path, where some cameras take one.

use super::source::{Source, Transport};
use rtsp::message::Status;
use std::error::Error;
use std::time::Duration;

/// Longest text of a camera that is repeated, in characters.
const MAX_DETAIL: usize = 200;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Connecting, and the DESCRIBE request.
    Describe,
    /// A SETUP request.
    Setup,
    /// The PLAY request.
    Play,
    /// Receiving.
    Receive,
    /// Publishing, from the ANNOUNCE request on.
    Publish,
    /// Talking to its loudspeaker, and asking for that.
    Talk,
}

/// The camera took too long.
pub(super) fn too_slow(step: Step, source: &Source, limit: Duration) -> String {
    let place = source.place();
    let limit = limit.as_secs();
    match step {
        Step::Describe => format!("{place} does not answer within {limit} s"),
        Step::Setup | Step::Play | Step::Receive | Step::Publish | Step::Talk => {
            format!("{place} stopped answering: nothing within {limit} s")
        }
    }
}

/// The camera closed the connection.
pub(super) fn closed(source: &Source) -> String {
    format!("{} ended the stream", source.place())
}

/// The camera has no loudspeaker, or none that is told of.
pub(super) fn deaf(source: &Source) -> String {
    let place = source.place();
    format!("{place} has no back channel: nothing that is said here can be heard there")
}

/// What the camera sent was met with a defect.
pub(super) fn panicked(source: &Source) -> String {
    let place = source.place();
    format!("{place} sent what the server failed to handle; the log says where")
}

/// Something went wrong, in words that may repeat what the camera said.
pub(super) fn of(step: Step, source: &Source, error: &dyn Error) -> String {
    words(
        step,
        source,
        None,
        &redacted(&error.to_string(), &source.secrets()),
    )
}

/// There is no connection, for a reason that names what was connected to.
pub(super) fn said(source: &Source, problem: &str) -> String {
    redacted(problem, &source.secrets())
}

/// The camera refused a request.
pub(super) fn refused(step: Step, source: &Source, status: Status, reason: &str) -> String {
    let reason = redacted(reason, &source.secrets());
    words(step, source, Some(status.0), &reason)
}

fn words(step: Step, source: &Source, status: Option<u16>, detail: &str) -> String {
    let place = source.place();
    match (status, step) {
        (Some(401), _) if source.login.is_none() => {
            format!("{place} asks for a user name and password (401)")
        }
        (Some(401), _) => format!("{place} refuses the user name or password (401)"),
        (Some(403), _) => format!("{place} forbids it (403)"),
        (Some(404), Step::Publish) => format!("{place} takes no stream of that name (404)"),
        (Some(404), _) => format!("{place} has no such stream (404)"),
        (Some(461), _) => format!(
            "{place} does not {} over {} (461)",
            match step {
                Step::Publish => "take a stream",
                Step::Talk => "take sound",
                _ => "send",
            },
            match source.transport.unwrap_or_default() {
                Transport::Tcp | Transport::Http => "TCP; try #transport=udp",
                Transport::Udp | Transport::Multicast => "UDP; try #transport=tcp",
            }
        ),
        (Some(status), _) if !(200..300).contains(&status) => {
            format!("{place} answers with {status}: {detail}")
        }
        (_, Step::Describe | Step::Setup | Step::Play | Step::Talk) => format!("{place}: {detail}"),
        (_, Step::Receive | Step::Publish) => format!("{place}: the stream broke off: {detail}"),
    }
}

/// The first line, without the secrets, of bounded length.
fn redacted(text: &str, secrets: &[&str]) -> String {
    let mut line = text.lines().next().unwrap_or_default().to_owned();
    let mut secrets: Vec<&str> = secrets
        .iter()
        .copied()
        // A slash alone is no secret.
        .filter(|secret| !secret.is_empty() && *secret != "/")
        .collect();
    // A secret may be a part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        line = line.replace(secret, "…");
    }
    let short: String = line.chars().take(MAX_DETAIL).collect();
    if short.len() < line.len() {
        short + "…"
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_whatever_holds_them() {
        let source = Source::parse("rtsp://joe:pa%40ss@cam/user=joe_pw=x?key=hush").unwrap();
        let said = "no pa@ss for rtsp://cam/user=joe_pw=x?key=hush\n\nconn: pa@ss";
        let detail = redacted(said, &source.secrets());
        assert_eq!(detail, "no … for rtsp://cam…?…");
        let long = "ö".repeat(1_000);
        assert_eq!(redacted(&long, &[]).chars().count(), MAX_DETAIL + 1);
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let named = Source::parse("rtsp://joe:hush@cam/").unwrap();
        let nameless = Source::parse("rtsp://cam/#transport=udp").unwrap();
        let cases = [
            (&named, 401, "refuses the user name or password"),
            (&nameless, 401, "asks for a user name and password"),
            (&nameless, 404, "no such stream"),
            (&nameless, 461, "UDP; try #transport=tcp"),
            (&nameless, 503, "answers with 503: busy"),
        ];
        for (source, status, expected) in cases {
            let found = words(Step::Describe, source, Some(status), "busy");
            assert!(
                found.contains(expected) && found.starts_with("cam "),
                "{found}"
            );
        }
        let limit = Duration::from_secs(10);
        assert!(too_slow(Step::Describe, &named, limit).contains("within 10 s"));
    }
}
