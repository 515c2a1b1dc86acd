//! Tables `[stream.ID]` and `[stream."APP/ID"]`: streams that the file makes.

use super::Secret;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// A stream of the file. URLs may hold passwords, and print as `***`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StaticStream {
    /// What people call it.
    pub name: Option<String>,
    /// Where it is pulled from, and from where else while that cannot be had; none to wait for a publisher.
    #[serde(deserialize_with = "one_or_more")]
    pub source: Vec<Secret>,
    /// The source runs only while somebody watches.
    pub on_demand: bool,
    /// Where it is pushed to while it is live.
    #[serde(deserialize_with = "one_or_more")]
    pub targets: Vec<Secret>,
    /// Whether it is recorded; else as `[record]` says.
    pub record: Option<bool>,
    /// What is shown while its sources are gone: a file with its path, or the name of a recording.
    pub slate: Option<String>,
    /// Who has it may publish the stream, without its name.
    pub stream_key: Option<Secret>,
}

/// A text, or a list of them.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Secret>, D::Error> {
    struct OneOrMore;
    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<Secret>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a URL or a list of URLs")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![Secret::from(text)])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(list))
        }
    }
    deserializer.deserialize_any(OneOrMore)
}
