//! Answers: `{"data": …, "description": …, "status": …}`, with `/` written as `\/`.

use crate::api::masking;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::Formatter;
use std::io;

/// An answer to a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    value: Value,
}

impl Answer {
    /// It is done, or under way.
    pub fn success(data: Value, description: impl Into<String>) -> Self {
        Self::new(data, description.into(), "SUCCESS")
    }

    /// It is not, and this is why.
    pub fn failure(description: impl Into<String>) -> Self {
        Self::new(Value::Null, description.into(), "FAIL")
    }

    fn new(data: Value, description: String, status: &str) -> Self {
        let fields = [
            ("data", data),
            ("description", description.into()),
            ("status", status.into()),
        ];
        let fields = fields.map(|(key, value)| (key.to_owned(), value));
        Self {
            value: Value::Object(fields.into_iter().collect()),
        }
    }

    /// With the ID of the command that it answers, if that has one.
    #[must_use]
    pub fn to(mut self, command: Option<&str>) -> Self {
        if let (Value::Object(fields), Some(id)) = (&mut self.value, command) {
            let number = id.parse::<u64>().map(Value::from);
            let id = number.unwrap_or_else(|_| Value::from(id));
            fields.insert("responseId".to_owned(), id);
        }
        self
    }

    /// Without its secrets.
    pub(super) fn mask(&mut self) {
        masking::mask(&mut self.value);
    }

    /// As it is sent, on one line.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, Slashes);
        // Values without floats and with texts for keys can always be written.
        let written = self.value.serialize(&mut serializer);
        written.map_or_else(
            |error| error.to_string(),
            |()| String::from_utf8_lossy(&text).into_owned(),
        )
    }
}

/// JSON in its shortest form, but for slashes.
struct Slashes;

impl Formatter for Slashes {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        writer.write_all(fragment.replace('/', "\\/").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn slashes_are_escaped_and_keys_are_in_order() {
        let answer = Answer::success(json!({"b": "a/\"\\/", "a/": [1, null]}), "x / y");
        assert_eq!(
            answer.text(),
            r#"{"data":{"a\/":[1,null],"b":"a\/\"\\\/"},"description":"x \/ y","status":"SUCCESS"}"#
        );
        assert_eq!(
            Answer::failure("no").to(Some("7")).text(),
            r#"{"data":null,"description":"no","responseId":7,"status":"FAIL"}"#
        );
        let named = Answer::failure("no").to(Some("a/b"));
        assert!(named.text().contains(r#""responseId":"a\/b""#));
    }
}
