//! What a client says of itself when it connects.

use crate::amf0::Value;
use crate::enhanced::four_ccs;
use crate::error::Error;
use crate::message::Command;
use crate::wire::cut;

/// Longest name of an application or stream with its query, in bytes. Longer ones end the session.
pub const MAX_NAME: usize = 4_096;

/// The command object of `connect` (section 7.2.1.1). Texts other than `app` are cut to [`MAX_NAME`] bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    /// Application, without slashes at its ends; may hold slashes and a query. Clients that divide a URL
    /// at its last slash, even one within the query, put the rest of the query into the stream's name.
    pub app: String,
    /// URL of the server as the client knows it.
    pub tc_url: Option<String>,
    /// Name and version of the client.
    pub flash_ver: Option<String>,
    /// URL of the page that the player is in.
    pub page_url: Option<String>,
    /// URL of the player.
    pub swf_url: Option<String>,
    /// Codecs the client can handle, as FourCCs (Enhanced RTMP); `*` is any.
    pub four_cc_list: Vec<String>,
    /// What else of Enhanced RTMP it can handle: see [`enhanced`](crate::enhanced).
    pub caps_ex: u32,
}

impl Connect {
    pub(super) fn read(command: &Command) -> Result<Self, Error> {
        let text = |name| command.object.get(name).and_then(Value::as_str);
        let kept = |name| text(name).map(|text| cut(text, MAX_NAME).to_owned());
        let app = text("app").ok_or(Error::MissingArgument {
            command: "connect",
            argument: "app",
        })?;
        let caps_ex = command.object.get("capsEx").and_then(Value::as_number);
        Ok(Self {
            app: name("application name", app)?,
            tc_url: kept("tcUrl"),
            flash_ver: kept("flashVer"),
            page_url: kept("pageUrl"),
            swf_url: kept("swfUrl"),
            four_cc_list: four_ccs(|name| command.object.get(name)),
            caps_ex: caps_ex.map_or(0, |caps| caps as u32),
        })
    }
}

/// `text` without slashes at its ends, if it is not too long for a name. A query may end in a slash.
pub(super) fn name(name: &'static str, text: &str) -> Result<String, Error> {
    if text.len() > MAX_NAME {
        return Err(Error::NameTooLong {
            name,
            length: text.len(),
            limit: MAX_NAME,
        });
    }
    let text = text.trim_start_matches('/');
    let text = if text.contains('?') {
        text
    } else {
        text.trim_end_matches('/')
    };
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_the_slashes_around_them() {
        let cases = [
            ("live", "live"),
            ("/live/", "live"),
            ("/LiveApp/demo//", "LiveApp/demo"),
            ("demo?token=ab/", "demo?token=ab/"),
            ("", ""),
            ("//", ""),
        ];
        for (sent, kept) in cases {
            assert_eq!(name("stream name", sent).as_deref(), Ok(kept));
        }
    }

    #[test]
    fn names_have_a_bound() {
        assert!(name("stream name", &"x".repeat(MAX_NAME)).is_ok());
        let error = name("stream name", &"x".repeat(MAX_NAME + 1)).unwrap_err();
        let text = "stream name of 4097 bytes is longer than the 4096 accepted";
        assert_eq!(error.to_string(), text);
    }
}
