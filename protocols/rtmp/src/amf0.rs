//! AMF0, the value encoding of RTMP commands and metadata (Action Message Format, AMF 0).
//!
//! [`Value`] is what can be carried; [`read_all`] and [`write_all`] go from and to bytes. References, movie
//! clips and record sets are refused: no encoder or player in use sends them, and a reference would turn the tree
//! into a graph. Behind the marker that switches to AMF3 stands a value of the [`crate::amf3`] module.

use crate::amf3;
use crate::wire::{Input, cut};

/// How deep objects and arrays may nest.
pub const MAX_DEPTH: usize = 16;
/// How many values one message may hold, those within objects and arrays included.
pub const MAX_VALUES: usize = 4_096;

mod marker {
    pub(super) const NUMBER: u8 = 0x00;
    pub(super) const BOOLEAN: u8 = 0x01;
    pub(super) const STRING: u8 = 0x02;
    pub(super) const OBJECT: u8 = 0x03;
    pub(super) const NULL: u8 = 0x05;
    pub(super) const UNDEFINED: u8 = 0x06;
    pub(super) const ECMA_ARRAY: u8 = 0x08;
    pub(super) const OBJECT_END: u8 = 0x09;
    pub(super) const STRICT_ARRAY: u8 = 0x0a;
    pub(super) const DATE: u8 = 0x0b;
    pub(super) const LONG_STRING: u8 = 0x0c;
    pub(super) const UNSUPPORTED: u8 = 0x0d;
    pub(super) const XML_DOCUMENT: u8 = 0x0f;
    pub(super) const TYPED_OBJECT: u8 = 0x10;
    pub(super) const AVM_PLUS: u8 = 0x11;
}

/// One AMF0 value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A double (section 2.2).
    Number(f64),
    /// True or false (2.3).
    Boolean(bool),
    /// Text (2.4, 2.14, 2.17). Bytes that are not UTF-8 have been replaced by U+FFFD.
    String(String),
    /// Named properties in the order sent (2.5, 2.18; the class name of a typed object is dropped).
    Object(Vec<(String, Self)>),
    /// Null (2.7).
    Null,
    /// Undefined, or a value the sender could not express (2.8, 2.15).
    Undefined,
    /// Named entries of an associative array in the order sent (2.10).
    EcmaArray(Vec<(String, Self)>),
    /// Values without names (2.12).
    StrictArray(Vec<Self>),
    /// Milliseconds since 1970-01-01 UTC (2.13); the time zone, which is reserved, is dropped.
    Date(f64),
}

/// Why bytes are not AMF, with the offset into the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmfError {
    /// The bytes ended within a value.
    #[error("AMF ends within the value at byte {offset}")]
    Truncated {
        /// Where the missing part begins.
        offset: usize,
    },
    /// A marker that is reserved, refused or not where it belongs.
    #[error("AMF marker {marker:#04x} at byte {offset} is not accepted")]
    Marker {
        /// The marker.
        marker: u8,
        /// Where it stands.
        offset: usize,
    },
    /// Objects or arrays nest deeper than [`MAX_DEPTH`].
    #[error("AMF nests deeper than {MAX_DEPTH} at byte {offset}")]
    TooDeep {
        /// Where the value that is one too deep begins.
        offset: usize,
    },
    /// More than [`MAX_VALUES`] values, or in AMF3 more text than is accepted.
    #[error("AMF holds more than {MAX_VALUES} values, or too much text")]
    TooMany,
}

/// All values of a message.
pub fn read_all(bytes: &[u8]) -> Result<Vec<Value>, AmfError> {
    let mut reader = Reader::new(bytes);
    let mut values = Vec::new();
    while !reader.input.is_empty() {
        values.push(reader.value(0)?);
    }
    Ok(values)
}

/// The bytes of `values`, one after the other.
pub fn write_all(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        value.write(&mut out);
    }
    out
}

impl Value {
    /// An object of `properties`.
    pub fn object<const N: usize>(properties: [(&str, Self); N]) -> Self {
        Self::Object(
            properties
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a number.
    pub const fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The named property of an object or associative array.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let (Self::Object(properties) | Self::EcmaArray(properties)) = self else {
            return None;
        };
        let (_, value) = properties.iter().find(|(key, _)| key == name)?;
        Some(value)
    }

    /// Appends the value's bytes. Property names are cut to 65,535 bytes, the most that can be written.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => {
                out.push(marker::NUMBER);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Boolean(value) => out.extend_from_slice(&[marker::BOOLEAN, u8::from(*value)]),
            Self::String(text) => write_string(out, text),
            Self::Object(properties) => {
                out.push(marker::OBJECT);
                write_properties(out, properties);
            }
            Self::Null => out.push(marker::NULL),
            Self::Undefined => out.push(marker::UNDEFINED),
            Self::EcmaArray(entries) => {
                out.push(marker::ECMA_ARRAY);
                out.extend_from_slice(&count(entries.len()));
                write_properties(out, entries);
            }
            Self::StrictArray(values) => {
                out.push(marker::STRICT_ARRAY);
                out.extend_from_slice(&count(values.len()));
                for value in values {
                    value.write(out);
                }
            }
            Self::Date(millis) => {
                out.push(marker::DATE);
                out.extend_from_slice(&millis.to_be_bytes());
                out.extend_from_slice(&[0, 0]);
            }
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

fn count(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    if let Ok(length) = u16::try_from(text.len()) {
        out.push(marker::STRING);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(marker::LONG_STRING);
        out.extend_from_slice(&count(text.len()));
    }
    out.extend_from_slice(text.as_bytes());
}

fn write_properties(out: &mut Vec<u8>, properties: &[(String, Value)]) {
    for (name, value) in properties {
        let name = cut(name, usize::from(u16::MAX));
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(name.as_bytes());
        value.write(out);
    }
    out.extend_from_slice(&[0, 0, marker::OBJECT_END]);
}

struct Reader<'a> {
    input: Input<'a>,
    values_left: usize,
    /// Of what AMF3 refers to.
    text_left: usize,
}

impl<'a> Reader<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self {
            input: Input::new(bytes),
            values_left: MAX_VALUES,
            text_left: amf3::MAX_TEXT,
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        let offset = self.input.position();
        if depth > MAX_DEPTH {
            return Err(AmfError::TooDeep { offset });
        }
        self.values_left = self.values_left.checked_sub(1).ok_or(AmfError::TooMany)?;
        let marker = self.need(Input::u8)?;
        Ok(match marker {
            marker::NUMBER => Value::Number(self.need(Input::f64)?),
            marker::BOOLEAN => Value::Boolean(self.need(Input::u8)? != 0),
            marker::STRING => Value::String(self.short_string()?),
            marker::LONG_STRING | marker::XML_DOCUMENT => {
                let length = self.need(Input::u32)?;
                Value::String(self.text(length as usize)?)
            }
            marker::OBJECT => Value::Object(self.properties(depth)?),
            marker::TYPED_OBJECT => {
                self.short_string()?;
                Value::Object(self.properties(depth)?)
            }
            marker::NULL => Value::Null,
            marker::UNDEFINED | marker::UNSUPPORTED => Value::Undefined,
            marker::ECMA_ARRAY => {
                // The count is a hint that encoders get wrong; the end marker is what counts.
                self.need(Input::u32)?;
                Value::EcmaArray(self.properties(depth)?)
            }
            marker::STRICT_ARRAY => {
                let count = self.need(Input::u32)?;
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(depth + 1)?);
                }
                Value::StrictArray(values)
            }
            marker::DATE => {
                let millis = self.need(Input::f64)?;
                self.need(Input::u16)?;
                Value::Date(millis)
            }
            marker::AVM_PLUS => {
                let left = (&mut self.values_left, &mut self.text_left);
                amf3::Reader::new(&mut self.input, left).value(depth + 1)?
            }
            marker => return Err(AmfError::Marker { marker, offset }),
        })
    }

    /// Properties up to and including the end marker (section 2.5).
    fn properties(&mut self, depth: usize) -> Result<Vec<(String, Value)>, AmfError> {
        let mut properties = Vec::new();
        loop {
            let name = self.short_string()?;
            if name.is_empty() && self.input.clone().u8() == Some(marker::OBJECT_END) {
                self.need(Input::u8)?;
                return Ok(properties);
            }
            properties.push((name, self.value(depth + 1)?));
        }
    }

    fn short_string(&mut self) -> Result<String, AmfError> {
        let length = self.need(Input::u16)?;
        self.text(usize::from(length))
    }

    fn text(&mut self, length: usize) -> Result<String, AmfError> {
        let bytes = self.need(|input| input.take(length))?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn need<T>(&mut self, read: impl FnOnce(&mut Input<'a>) -> Option<T>) -> Result<T, AmfError> {
        let offset = self.input.position();
        read(&mut self.input).ok_or(AmfError::Truncated { offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes and values that are each other's encoding.
    fn table() -> Vec<(Vec<u8>, Value)> {
        let long = "x".repeat(65_536);
        let mut long_bytes = vec![0x0c, 0, 1, 0, 0];
        long_bytes.extend_from_slice(long.as_bytes());
        vec![
            (vec![0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0], Value::Number(1.0)),
            (vec![1, 1], Value::Boolean(true)),
            (vec![1, 0], Value::Boolean(false)),
            (vec![2, 0, 2, b'h', b'i'], "hi".into()),
            (vec![2, 0, 0], "".into()),
            (long_bytes, Value::String(long)),
            (vec![3, 0, 0, 9], Value::Object(vec![])),
            (
                vec![3, 0, 1, b'a', 5, 0, 0, 6, 0, 0, 9],
                Value::object([("a", Value::Null), ("", Value::Undefined)]),
            ),
            (vec![5], Value::Null),
            (vec![6], Value::Undefined),
            (
                vec![8, 0, 0, 0, 1, 0, 1, b'k', 1, 1, 0, 0, 9],
                Value::EcmaArray(vec![("k".to_owned(), true.into())]),
            ),
            (
                vec![10, 0, 0, 0, 2, 5, 6],
                Value::StrictArray(vec![Value::Null, Value::Undefined]),
            ),
            (vec![11, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0], Value::Date(2.0)),
        ]
    }

    #[test]
    fn the_table_reads_and_writes() {
        for (bytes, value) in table() {
            assert_eq!(read_all(&bytes), Ok(vec![value.clone()]));
            assert_eq!(write_all(&[value]), bytes);
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        for (bytes, _) in table() {
            for length in (1..bytes.len()).take(64) {
                let error = read_all(&bytes[..length]).unwrap_err();
                assert!(matches!(error, AmfError::Truncated { .. }), "{error}");
            }
        }
    }

    #[test]
    fn forms_that_are_only_read() {
        let typed = [0x10, 0, 1, b'C', 0, 1, b'a', 5, 0, 0, 9];
        assert_eq!(
            read_all(&typed),
            Ok(vec![Value::object([("a", Value::Null)])])
        );
        assert_eq!(read_all(&[0x0d]), Ok(vec![Value::Undefined]));
        assert_eq!(read_all(&[0x0f, 0, 0, 0, 1, b'x']), Ok(vec!["x".into()]));
        assert_eq!(read_all(&[2, 0, 1, 0xff]), Ok(vec!["\u{fffd}".into()]));
        let wrong_count = [8, 0xff, 0xff, 0xff, 0xff, 0, 1, b'k', 1, 1, 0, 0, 9];
        assert!(read_all(&wrong_count).is_ok());
    }

    #[test]
    fn references_and_reserved_markers_are_refused() {
        for marker in [4u8, 7, 9, 0x0e, 0x12, 0xff] {
            let expected = Err(AmfError::Marker { marker, offset: 1 });
            assert_eq!(read_all(&[5, marker, 0, 0]), expected);
        }
    }

    #[test]
    fn bombs_are_refused() {
        let deep: Vec<u8> = [10, 0, 0, 0, 1].repeat(100_000);
        assert_eq!(read_all(&deep), Err(AmfError::TooDeep { offset: 85 }));
        assert_eq!(read_all(&vec![5; 4_097]), Err(AmfError::TooMany));
        assert!(read_all(&[10, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(read_all(&[12, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
    }

    #[test]
    fn names_longer_than_the_wire_allows_are_cut() {
        let value = Value::Object(vec![("é".repeat(40_000), Value::Null)]);
        let read = read_all(&write_all(&[value])).unwrap();
        let Some(Value::Object(properties)) = read.first() else {
            panic!("{read:?}");
        };
        assert_eq!(properties[0].0.len(), 65_534);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<f64>()
                .prop_filter("comparable", |n| !n.is_nan())
                .prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,20}".prop_map(Value::String),
            Just(Value::Null),
            Just(Value::Undefined),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let properties = prop::collection::vec((".{0,8}", inner.clone()), 0..6);
            prop_oneof![
                properties.clone().prop_map(Value::Object),
                properties.prop_map(Value::EcmaArray),
                prop::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec(any_value(), 0..6)) {
            prop_assert_eq!(read_all(&write_all(&values)), Ok(values));
        }
    }
}
