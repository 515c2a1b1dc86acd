//! A server that a stream is pushed to, as it is kept.

use crate::net::redacted::Redacted;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

/// A server that a stream is pushed to.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// Unique within the broadcast.
    pub id: String,
    /// Where to push. Holds a secret, more often than not.
    pub url: String,
    /// Nothing else that is pulled or pushed has this number, or will have it.
    pub number: u64,
    /// What people call it.
    pub name: Option<String>,
    /// It stands still until somebody lets it go on.
    pub paused: bool,
    /// The configuration file says that it is there.
    pub by_file: bool,
    /// It is tried once and then forgotten, and not kept over a restart.
    #[serde(skip)]
    pub once: bool,
    /// The words in which it was asked for, for the answers of the API that was asked. Hold secrets as the URL does.
    pub said: BTreeMap<String, String>,
}

impl Endpoint {
    /// One that is pushed to for ever.
    pub fn to(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..Self::default()
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.id, Redacted(&self.url))
    }
}

/// Those that survive a restart.
pub(super) fn kept<S: Serializer>(
    endpoints: &[Endpoint],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(endpoints.iter().filter(|endpoint| !endpoint.once))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Broadcast;

    #[test]
    fn what_is_tried_once_is_not_written_down() {
        let once = Endpoint {
            once: true,
            ..Endpoint::to("rtmp://a/b/c")
        };
        let broadcast = Broadcast {
            endpoints: vec![Endpoint::to("rtmp://a/b/d"), once],
            ..Broadcast::default()
        };
        let text = serde_json::to_string(&broadcast).unwrap();
        let read: Broadcast = serde_json::from_str(&text).unwrap();
        assert_eq!(read.endpoints, [Endpoint::to("rtmp://a/b/d")]);
    }
}
