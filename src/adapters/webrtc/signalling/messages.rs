//! The messages of Ant Media's signalling: JSON objects that `command` tells apart.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

/// What a client says. Of what it may say, what means something here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    /// What is to be done.
    pub(super) command: String,
    /// The ID of the stream.
    #[serde(rename = "streamId", deserialize_with = "text")]
    pub(super) stream_id: String,
    /// Of a description: `offer` or `answer`.
    #[serde(rename = "type", deserialize_with = "text")]
    pub(super) kind: String,
    /// A description.
    #[serde(deserialize_with = "text")]
    pub(super) sdp: String,
    /// What opens the stream.
    #[serde(deserialize_with = "text")]
    pub(super) token: String,
    /// Who shows a code that changes with time, and the code.
    #[serde(rename = "subscriberId", deserialize_with = "text")]
    pub(super) subscriber_id: String,
    #[serde(rename = "subscriberCode", deserialize_with = "text")]
    pub(super) subscriber_code: String,
}

impl Said {
    /// What it shows to be let in, as a query.
    pub(super) fn shown(&self) -> String {
        let pairs = [
            ("token", &self.token),
            ("subscriberId", &self.subscriber_id),
            ("subscriberCode", &self.subscriber_code),
        ];
        let mut query = String::new();
        for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
            query.push_str(&format!("{name}={value}&"));
        }
        query
    }
}

/// Clients write null, and other things, where they have nothing to say.
fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_str().unwrap_or_default().to_owned())
}

/// Why something is not done, as clients know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No stream is named.
    NoName,
    /// The name is no name.
    InvalidName,
    /// The stream is not live.
    NoStream,
    /// It is, and cannot be sent by WebRTC.
    NotByWebRtc,
    /// Somebody publishes it.
    InUse,
    /// A login is wanted.
    Unauthorized,
    /// The client plays it already.
    AlreadyPlaying,
    /// The client publishes it already.
    AlreadyPublishing,
    /// The description cannot be used.
    Description,
    /// There are as many sessions as there may be.
    Full,
}

impl Refused {
    const fn definition(self) -> &'static str {
        match self {
            Self::NoName => "noStreamNameSpecified",
            Self::InvalidName => "invalidStreamName",
            Self::NoStream | Self::NotByWebRtc => "no_stream_exist",
            Self::InUse => "streamIdInUse",
            Self::Unauthorized => "unauthorized_access",
            Self::AlreadyPlaying => "already_playing",
            Self::AlreadyPublishing => "already_publishing",
            Self::Description => "notSetRemoteDescription",
            Self::Full => "highResourceUsage",
        }
    }
}

pub(super) fn refused(stream: &str, reason: Refused, words: &str) -> String {
    let mut message = json!({
        "command": "error",
        "definition": reason.definition(),
        "information": words,
        "streamId": stream,
    });
    if matches!(reason, Refused::NoStream | Refused::NotByWebRtc)
        && let Value::Object(fields) = &mut message
    {
        let information = match reason {
            Refused::NoStream => "stream_not_exist_or_not_streaming",
            _ => "webrtc_not_enabled",
        };
        fields.insert("error_code".to_owned(), "404".into());
        fields.insert("information".to_owned(), information.into());
        fields.insert("message".to_owned(), words.into());
    }
    message.to_string()
}

pub(super) fn notification(stream: &str, definition: &str) -> String {
    json!({ "command": "notification", "definition": definition, "streamId": stream }).to_string()
}

pub(super) fn start(stream: &str) -> String {
    json!({ "command": "start", "streamId": stream }).to_string()
}

/// A description of the server. With an offer, the names of its sections are those of streams.
pub(super) fn description(stream: &str, kind: &str, sdp: &str) -> String {
    let mut message = json!({
        "command": "takeConfiguration",
        "type": kind,
        "sdp": sdp,
        "streamId": stream,
    });
    if kind == "offer"
        && let Value::Object(fields) = &mut message
    {
        let mids = sdp.lines().filter_map(|line| line.strip_prefix("a=mid:"));
        let mapping = mids.map(|mid| (mid.to_owned(), Value::from(stream)));
        fields.insert("idMapping".to_owned(), Value::Object(mapping.collect()));
    }
    message.to_string()
}

pub(super) fn pong() -> String {
    json!({ "command": "pong" }).to_string()
}

pub(super) fn track_list(stream: &str) -> String {
    json!({ "command": "trackList", "streamId": stream, "trackList": [] }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_say_is_read_whatever_else_they_say() {
        let said: Said = serde_json::from_str(
            r#"{"command":"play","streamId":"cam","token":null,"room":"","trackList":[],"sdp":7}"#,
        )
        .unwrap();
        let expected = Said {
            command: "play".to_owned(),
            stream_id: "cam".to_owned(),
            ..Said::default()
        };
        assert_eq!(said, expected);
        assert!(serde_json::from_str::<Said>("[1]").is_err());
    }

    #[test]
    fn offers_name_the_stream_of_each_section() {
        let text = description("cam", "offer", "v=0\r\na=mid:0\r\na=mid:1\r\n");
        let message: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(message["idMapping"], json!({ "0": "cam", "1": "cam" }));
        let text = refused("cam", Refused::NoStream, "words");
        let message: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(message["error_code"], "404");
        assert_eq!(message["definition"], "no_stream_exist");
    }
}
