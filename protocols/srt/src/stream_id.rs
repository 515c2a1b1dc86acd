//! What a caller asks for: the forms of stream ids (appendix B, and those that servers have made usual).

/// What a stream id says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamId {
    /// The caller wants to send; otherwise to receive. `None` where the id does not say.
    pub publish: Option<bool>,
    /// What it names, `APP/ID`, or a key.
    pub resource: String,
    /// Who asks.
    pub user: Option<String>,
    /// A secret that was agreed elsewhere: `s`, or the password of `publish:NAME:USER:PASSWORD`.
    pub secret: Option<String>,
}

/// Why a stream id cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamIdError {
    /// It is empty, or has no resource.
    #[error("the stream id names no stream")]
    Empty,
    /// Control characters.
    #[error("the stream id holds control characters")]
    Control,
    /// A mode that is not done.
    #[error("mode {0} of the stream id is neither request nor publish")]
    Mode(String),
    /// A type that is not done.
    #[error("type {0} of the stream id is not stream")]
    Type(String),
    /// Not key=value.
    #[error("{0} in the stream id is not of the form key=value")]
    Pair(String),
    /// The nested form.
    #[error("nested stream ids are not read")]
    Nested,
}

impl StreamId {
    /// Reads it.
    ///
    /// # Errors
    /// When it names nothing, or asks for what is not done.
    pub fn parse(text: &str) -> Result<Self, StreamIdError> {
        if text.chars().any(char::is_control) {
            return Err(StreamIdError::Control);
        }
        let id = if let Some(pairs) = text.strip_prefix("#!::") {
            Self::pairs(pairs)?
        } else if text.starts_with("#!:{") {
            return Err(StreamIdError::Nested);
        } else {
            Self::plain(text)
        };
        if id.resource.is_empty() {
            return Err(StreamIdError::Empty);
        }
        Ok(id)
    }

    fn plain(text: &str) -> Self {
        let modes = [
            ("publish:", true),
            ("read:", false),
            ("request:", false),
            ("play:", false),
        ];
        let found = modes
            .into_iter()
            .find_map(|(prefix, publish)| Some((text.strip_prefix(prefix)?, publish)));
        let (rest, publish) = found.map_or((text, None), |(rest, publish)| (rest, Some(publish)));
        let mut parts = rest.splitn(3, ':');
        let resource = clean(parts.next().unwrap_or_default());
        let user = parts.next().filter(|_| publish.is_some());
        let secret = parts.next().filter(|_| publish.is_some());
        Self {
            publish,
            // A bare key is taken as it is, whatever its letters.
            resource: if publish.is_some() {
                resource
            } else {
                rest.to_owned()
            },
            user: user.map(str::to_owned),
            secret: secret.map(str::to_owned),
        }
    }

    fn pairs(text: &str) -> Result<Self, StreamIdError> {
        let mut id = Self {
            publish: None,
            resource: String::new(),
            user: None,
            secret: None,
        };
        for pair in text.split(',').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| StreamIdError::Pair(pair.to_owned()))?;
            match (key, value) {
                ("r", name) => id.resource = clean(name),
                ("u", name) => id.user = Some(name.to_owned()),
                ("s", secret) => id.secret = Some(secret.to_owned()),
                ("m", "publish") => id.publish = Some(true),
                ("m", "request" | "read" | "play") => id.publish = Some(false),
                ("m", mode) => return Err(StreamIdError::Mode(mode.to_owned())),
                ("t", "stream" | "live") => {}
                ("t", kind) => return Err(StreamIdError::Type(kind.to_owned())),
                _ => {}
            }
        }
        // Without a mode the caller wants to receive (appendix B.2).
        id.publish.get_or_insert(false);
        Ok(id)
    }
}

/// Some callers write the path of a URL, with its slash.
fn clean(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let cases = [
            ("publish:live/a", Some(true), "live/a", None, None),
            ("read:live/a", Some(false), "live/a", None, None),
            (
                "publish:live/a:me:pass:word",
                Some(true),
                "live/a",
                Some("me"),
                Some("pass:word"),
            ),
            ("#!::r=live/a,m=publish", Some(true), "live/a", None, None),
            (
                "#!::u=me,r=/live/a,s=x=y,h=host,user_thing=1",
                Some(false),
                "live/a",
                Some("me"),
                Some("x=y"),
            ),
            (
                "#!::m=request,r=live/a,t=stream",
                Some(false),
                "live/a",
                None,
                None,
            ),
            ("1234-abcd", None, "1234-abcd", None, None),
            ("a:b:c", None, "a:b:c", None, None),
        ];
        for (text, publish, resource, user, secret) in cases {
            let expected = StreamId {
                publish,
                resource: resource.to_owned(),
                user: user.map(str::to_owned),
                secret: secret.map(str::to_owned),
            };
            assert_eq!(StreamId::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        use StreamIdError::{Control, Empty, Mode, Nested, Pair, Type};
        let cases = [
            ("", Empty),
            ("publish:", Empty),
            ("#!::m=publish", Empty),
            ("read:a\nb", Control),
            ("#!::r=a,m=bidirectional", Mode("bidirectional".to_owned())),
            ("#!::r=a,t=file", Type("file".to_owned())),
            ("#!::r", Pair("r".to_owned())),
            ("#!:{r=a}", Nested),
        ];
        for (text, error) in cases {
            assert_eq!(StreamId::parse(text), Err(error), "{text}");
        }
    }
}
