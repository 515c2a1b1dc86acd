//! Targets that compare with what others read: where both read something, it is the same.

use rml_amf0::Amf0Value;
use rtmp::amf0::{self, Value};

/// Longest input that is compared: the other reader bounds neither depth nor length.
const LONGEST: usize = 4_096;

/// AMF0 as `rml_amf0` reads it.
pub fn amf0(data: &[u8]) {
    // What nests too deep for us is not given to the other one.
    let Ok(ours) = amf0::read_all(data) else {
        return;
    };
    if data.len() > LONGEST || !ours.iter().all(is_common) {
        return;
    }
    let mut rest = data;
    if let Ok(theirs) = rml_amf0::deserialize(&mut rest)
        && rest.is_empty()
    {
        assert_eq!(ours.len(), theirs.len(), "{ours:?} {theirs:?}");
        let same = ours
            .iter()
            .zip(&theirs)
            .all(|(ours, theirs)| are_same(ours, theirs));
        assert!(same, "{ours:?} {theirs:?}");
    }
}

/// Whether both have a form for it.
fn is_common(value: &Value) -> bool {
    match value {
        Value::Number(_) | Value::Boolean(_) | Value::Null | Value::Undefined => true,
        // It stands for bytes that are no text, which the other one refuses.
        Value::String(text) => !text.contains('\u{fffd}'),
        Value::Object(properties) | Value::EcmaArray(properties) => {
            let empty = properties.iter().any(|(name, _)| name.is_empty());
            !empty && properties.iter().all(|(_, value)| is_common(value))
        }
        Value::StrictArray(values) => values.iter().all(is_common),
        Value::Date(_) => false,
    }
}

fn are_same(ours: &Value, theirs: &Amf0Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Amf0Value::Number(theirs)) => ours.to_bits() == theirs.to_bits(),
        (Value::Boolean(ours), Amf0Value::Boolean(theirs)) => ours == theirs,
        (Value::String(ours), Amf0Value::Utf8String(theirs)) => ours == theirs,
        (Value::Null, Amf0Value::Null) | (Value::Undefined, Amf0Value::Undefined) => true,
        (Value::StrictArray(ours), Amf0Value::StrictArray(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| are_same(ours, theirs))
        }
        (Value::Object(ours) | Value::EcmaArray(ours), Amf0Value::Object(theirs)) => {
            // Of those with one name, theirs is the last.
            let last = |name: &str| ours.iter().rev().find(|(known, _)| known == name);
            theirs
                .iter()
                .all(|(name, theirs)| last(name).is_some_and(|(_, ours)| are_same(ours, theirs)))
                && ours.iter().all(|(name, _)| theirs.contains_key(name))
        }
        _ => false,
    }
}

/// Valid inputs to start from: entry, name, bytes.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let object = Value::object([
        ("app", Value::String("live".to_owned())),
        (
            "codecs",
            Value::StrictArray(vec![Value::Number(7.0), Value::Null]),
        ),
        ("inner", Value::object([("flag", Value::Boolean(true))])),
    ]);
    let values = [
        Value::String("connect".to_owned()),
        Value::Number(1.0),
        object,
        Value::EcmaArray(vec![("width".to_owned(), Value::Number(640.0))]),
    ];
    vec![("amf0_differential", "connect", amf0::write_all(&values))]
}
