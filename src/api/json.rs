//! JSON as the documentation of the APIs has it: with trailing commas, and with fields nobody knows.

use serde::de::DeserializeOwned;

/// Reads a document, tolerating a comma before a closing bracket. Unknown fields are the type's business.
///
/// # Errors
/// What is wrong and where, in one sentence.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(&without_trailing_commas(body)).map_err(|error| error.to_string())
}

/// The same text, each comma that is followed by a closing bracket replaced by a space, so that positions
/// in error messages stay true. Texts in quotes stay as they are.
fn without_trailing_commas(body: &[u8]) -> Vec<u8> {
    let mut out = body.to_vec();
    let mut comma = None;
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in body.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => {
                quoted = !quoted;
                comma = None;
            }
            _ if quoted => {}
            b',' => comma = Some(at),
            b'}' | b']' => {
                if let Some(comma) = comma.take().and_then(|comma: usize| out.get_mut(comma)) {
                    *comma = b' ';
                }
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => comma = None,
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn trailing_commas_are_tolerated() {
        let cases = [
            (r#"{"a":1,}"#, json!({"a": 1})),
            ("{\"a\":[1,2,\n],\n}", json!({"a": [1, 2]})),
            (r#"{"a":",}",}"#, json!({"a": ",}"})),
            (r#"{"a":"\",}",}"#, json!({"a": "\",}"})),
            (r#"{"a":1}"#, json!({"a": 1})),
        ];
        for (text, value) in cases {
            assert_eq!(read::<Value>(text.as_bytes()), Ok(value), "{text}");
        }
    }

    #[test]
    fn everything_else_is_still_an_error() {
        for text in ["", "{", r#"{"a":,}"#, "[,,]", r#"{"a" 1}"#, "\u{1}"] {
            assert!(read::<Value>(text.as_bytes()).is_err(), "{text}");
        }
        // Depth is bounded.
        assert!(read::<Value>("[".repeat(100_000).as_bytes()).is_err());
    }
}
