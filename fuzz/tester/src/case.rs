//! What is tested: named cases, and one suite of them for each protocol.

use crate::context::{Context, Outcome};
use crate::options::Targets;
use crate::{hls, mpegts, rtmp, rtsp, srt, webrtc, websocket};

/// The protocols that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Rtmp,
    Rtsp,
    Srt,
    Webrtc,
    Hls,
    MpegTs,
    WebSocket,
}

impl Protocol {
    pub(crate) const ALL: [Self; 7] = [
        Self::Rtmp,
        Self::Rtsp,
        Self::Srt,
        Self::Webrtc,
        Self::Hls,
        Self::MpegTs,
        Self::WebSocket,
    ];

    /// As names of cases begin.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Rtsp => "rtsp",
            Self::Srt => "srt",
            Self::Webrtc => "webrtc",
            Self::Hls => "hls",
            Self::MpegTs => "mpegts",
            Self::WebSocket => "websocket",
        }
    }

    pub(crate) const fn suite(self) -> &'static Suite {
        match self {
            Self::Rtmp => &rtmp::SUITE,
            Self::Rtsp => &rtsp::SUITE,
            Self::Srt => &srt::SUITE,
            Self::Webrtc => &webrtc::SUITE,
            Self::Hls => &hls::SUITE,
            Self::MpegTs => &mpegts::SUITE,
            Self::WebSocket => &websocket::SUITE,
        }
    }
}

/// All that is done to one protocol's listener.
pub(crate) struct Suite {
    pub(crate) protocol: Protocol,
    /// Whether there is something to test.
    pub(crate) present: fn(&Targets) -> bool,
    /// A normal client, from the beginning to media.
    pub(crate) healthy: Run,
    pub(crate) conformance: &'static [Case],
    pub(crate) abuse: &'static [Case],
    /// Sessions for mutation. They ask for as few answers as they can, and go on without.
    pub(crate) sessions: &'static [Run],
}

/// What a case does. It fails with what was wrong.
pub(crate) type Run = fn(&Context) -> Outcome;

/// One named test.
pub(crate) struct Case {
    /// `PROTOCOL.KIND.WHAT`.
    pub(crate) name: &'static str,
    /// The section of the standard, or the class of the attack.
    pub(crate) standard: &'static str,
    /// What has to hold, in a sentence.
    pub(crate) what: &'static str,
    pub(crate) demand: Demand,
    pub(crate) run: Run,
}

/// How much depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Without it, clients break or others are harmed.
    Must,
    /// Good servers do; what does not is told, and no failure.
    Should,
}

pub(crate) const fn must(
    name: &'static str,
    standard: &'static str,
    what: &'static str,
    run: Run,
) -> Case {
    Case {
        name,
        standard,
        what,
        demand: Demand::Must,
        run,
    }
}

pub(crate) const fn should(
    name: &'static str,
    standard: &'static str,
    what: &'static str,
    run: Run,
) -> Case {
    Case {
        name,
        standard,
        what,
        demand: Demand::Should,
        run,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_as_they_should_be() {
        let mut names = BTreeSet::new();
        for protocol in Protocol::ALL {
            let suite = protocol.suite();
            assert!(suite.protocol == protocol);
            for (kind, cases) in [("", suite.conformance), (".abuse", suite.abuse)] {
                assert!(cases.len() >= 3, "{}{kind}", protocol.name());
                for case in cases {
                    let start = format!("{}{kind}.", protocol.name());
                    assert!(case.name.starts_with(&start), "{}", case.name);
                    assert!(
                        kind.is_empty() != case.name.contains(".abuse."),
                        "{}",
                        case.name
                    );
                    assert!(names.insert(case.name), "{} stands twice", case.name);
                }
            }
            assert!(!suite.sessions.is_empty());
        }
    }
}
