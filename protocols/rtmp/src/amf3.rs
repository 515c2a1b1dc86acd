//! AMF3 (Action Message Format, AMF 3), as far as clients send it: one value within AMF0, behind the marker that
//! switches to it (AMF 0 section 3.1). It is read and never written, since every client understands AMF0.
//!
//! Names and texts that were sent once may be referred to, and are then copied, up to a bound. An object that is
//! referred to is read as undefined: it would turn the tree into a graph. Vectors, dictionaries and objects that
//! write themselves are refused.

use crate::amf0::{AmfError, MAX_DEPTH, MAX_VALUES, Value};
use crate::wire::Input;

/// Most bytes of text in one message, those that are referred to counted each time.
pub const MAX_TEXT: usize = 1 << 20;

mod marker {
    pub(super) const UNDEFINED: u8 = 0x00;
    pub(super) const NULL: u8 = 0x01;
    pub(super) const FALSE: u8 = 0x02;
    pub(super) const TRUE: u8 = 0x03;
    pub(super) const INTEGER: u8 = 0x04;
    pub(super) const DOUBLE: u8 = 0x05;
    pub(super) const STRING: u8 = 0x06;
    pub(super) const XML_DOCUMENT: u8 = 0x07;
    pub(super) const DATE: u8 = 0x08;
    pub(super) const ARRAY: u8 = 0x09;
    pub(super) const OBJECT: u8 = 0x0a;
    pub(super) const XML: u8 = 0x0b;
    pub(super) const BYTE_ARRAY: u8 = 0x0c;
}

/// Reads one value, with the texts and classes that have been sent in it.
pub(crate) struct Reader<'i, 'a> {
    input: &'i mut Input<'a>,
    values_left: &'i mut usize,
    text_left: &'i mut usize,
    names_left: usize,
    strings: Vec<&'a [u8]>,
    classes: Vec<Class<'a>>,
}

/// The traits of an object (section 3.12).
struct Class<'a> {
    /// Names of the members that every object of the class has.
    members: Vec<&'a [u8]>,
    /// Whether an object may have further ones.
    is_dynamic: bool,
}

impl<'i, 'a> Reader<'i, 'a> {
    /// At what follows the marker. So many values and bytes of text may still be read of the message.
    pub(crate) const fn new(
        input: &'i mut Input<'a>,
        (values_left, text_left): (&'i mut usize, &'i mut usize),
    ) -> Self {
        Self {
            input,
            values_left,
            text_left,
            names_left: MAX_VALUES,
            strings: Vec::new(),
            classes: Vec::new(),
        }
    }

    /// The value, `depth` levels down in the message.
    pub(crate) fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        let offset = self.input.position();
        if depth > MAX_DEPTH {
            return Err(AmfError::TooDeep { offset });
        }
        *self.values_left = self.values_left.checked_sub(1).ok_or(AmfError::TooMany)?;
        let marker = self.need(Input::u8)?;
        Ok(match marker {
            marker::UNDEFINED => Value::Undefined,
            marker::NULL => Value::Null,
            marker::FALSE => Value::Boolean(false),
            marker::TRUE => Value::Boolean(true),
            marker::INTEGER => {
                // 29 bits with a sign (section 3.6).
                let number = (self.u29()? << 3).cast_signed() >> 3;
                Value::Number(number.into())
            }
            marker::DOUBLE => Value::Number(self.need(Input::f64)?),
            marker::STRING => {
                let bytes = self.string()?;
                Value::String(self.text(bytes)?)
            }
            marker::XML_DOCUMENT | marker::XML => match self.length()? {
                Some(length) => {
                    let bytes = self.need(|input| input.take(length))?;
                    Value::String(self.text(bytes)?)
                }
                None => Value::Undefined,
            },
            marker::DATE => match self.length()? {
                Some(_) => Value::Date(self.need(Input::f64)?),
                None => Value::Undefined,
            },
            marker::ARRAY => match self.length()? {
                Some(count) => self.array(count, depth)?,
                None => Value::Undefined,
            },
            marker::OBJECT => self.object(depth, offset)?,
            marker::BYTE_ARRAY => {
                if let Some(length) = self.length()? {
                    self.need(|input| input.take(length))?;
                }
                Value::Undefined
            }
            marker => return Err(AmfError::Marker { marker, offset }),
        })
    }

    /// Entries with names up to an empty one, then `count` without (section 3.11).
    fn array(&mut self, count: usize, depth: usize) -> Result<Value, AmfError> {
        let mut entries = self.named(depth)?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(depth + 1)?);
        }
        if entries.is_empty() {
            return Ok(Value::StrictArray(values));
        }
        let numbered = values.into_iter().enumerate();
        entries.extend(numbered.map(|(index, value)| (index.to_string(), value)));
        Ok(Value::EcmaArray(entries))
    }

    fn object(&mut self, depth: usize, offset: usize) -> Result<Value, AmfError> {
        let flags = self.u29()?;
        if flags & 1 == 0 {
            return Ok(Value::Undefined);
        }
        let refused = AmfError::Marker {
            marker: marker::OBJECT,
            offset,
        };
        let class = if flags & 2 == 0 {
            flags as usize >> 2
        } else {
            if flags & 4 != 0 {
                return Err(refused);
            }
            let count = flags as usize >> 4;
            self.names_left = self
                .names_left
                .checked_sub(count)
                .ok_or(AmfError::TooMany)?;
            let _name = self.string()?;
            let mut members = Vec::new();
            for _ in 0..count {
                members.push(self.string()?);
            }
            let is_dynamic = flags & 8 != 0;
            self.classes.push(Class {
                members,
                is_dynamic,
            });
            self.classes.len() - 1
        };
        let is_dynamic = self.classes.get(class).ok_or(refused)?.is_dynamic;
        let mut properties = Vec::new();
        let member = |classes: &[Class<'a>], at| classes.get(class)?.members.get(at).copied();
        while let Some(name) = member(&self.classes, properties.len()) {
            let name = self.text(name)?;
            properties.push((name, self.value(depth + 1)?));
        }
        if is_dynamic {
            properties.extend(self.named(depth)?);
        }
        Ok(Value::Object(properties))
    }

    /// Names and values up to an empty name.
    fn named(&mut self, depth: usize) -> Result<Vec<(String, Value)>, AmfError> {
        let mut entries = Vec::new();
        loop {
            let name = self.string()?;
            if name.is_empty() {
                return Ok(entries);
            }
            let name = self.text(name)?;
            entries.push((name, self.value(depth + 1)?));
        }
    }

    /// Text, or a reference to one (section 1.3.2). The empty one is never referred to.
    fn string(&mut self) -> Result<&'a [u8], AmfError> {
        let offset = self.input.position();
        let header = self.u29()? as usize;
        if header & 1 == 0 {
            let known = self.strings.get(header >> 1).copied();
            // There is no such text before this place.
            return known.ok_or(AmfError::Truncated { offset });
        }
        let bytes = self.need(|input| input.take(header >> 1))?;
        if !bytes.is_empty() {
            self.strings.push(bytes);
        }
        Ok(bytes)
    }

    fn text(&mut self, bytes: &[u8]) -> Result<String, AmfError> {
        // What is no UTF-8 becomes longer.
        let text = String::from_utf8_lossy(bytes);
        let left = self.text_left.checked_sub(text.len());
        *self.text_left = left.ok_or(AmfError::TooMany)?;
        Ok(text.into_owned())
    }

    /// A length or count; none where the value is one that has been sent before.
    fn length(&mut self) -> Result<Option<usize>, AmfError> {
        let header = self.u29()? as usize;
        Ok((header & 1 == 1).then_some(header >> 1))
    }

    /// 7 bits in each of up to three bytes, 8 in a fourth (section 1.3.1).
    fn u29(&mut self) -> Result<u32, AmfError> {
        let mut number = 0;
        for _ in 0..3 {
            let byte = u32::from(self.need(Input::u8)?);
            number = number << 7 | byte & 0x7f;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Ok(number << 8 | u32::from(self.need(Input::u8)?))
    }

    fn need<T>(&mut self, read: impl FnOnce(&mut Input<'a>) -> Option<T>) -> Result<T, AmfError> {
        let offset = self.input.position();
        read(self.input).ok_or(AmfError::Truncated { offset })
    }
}

#[cfg(test)]
mod tests {
    use crate::amf0::{AmfError, Value, read_all};

    /// The one value behind the marker that switches to AMF3.
    fn read(bytes: &[u8]) -> Result<Value, AmfError> {
        read_all(&[&[0x11], bytes].concat()).map(|mut values| {
            assert_eq!(values.len(), 1);
            values.remove(0)
        })
    }

    #[test]
    fn each_marker_is_read() {
        let cases: [(&[u8], Value); 18] = [
            (&[0], Value::Undefined),
            (&[1], Value::Null),
            (&[2], false.into()),
            (&[3], true.into()),
            (&[4, 0x7f], 127.0.into()),
            (&[4, 0x81, 0x00], 128.0.into()),
            (&[4, 0xff, 0xff, 0xff, 0xff], (-1.0).into()),
            (&[4, 0xbf, 0xff, 0xff, 0xff], 268_435_455.0.into()),
            (&[5, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0], 1.0.into()),
            (&[6, 0x03, b'a'], "a".into()),
            (&[6, 0x01], "".into()),
            (&[7, 0x03, b'x'], "x".into()),
            (&[8, 1, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0], Value::Date(1.0)),
            (
                &[9, 0x05, 1, 2, 3],
                Value::StrictArray(vec![false.into(), true.into()]),
            ),
            (
                &[9, 0x03, 0x03, b'k', 1, 1, 3],
                Value::EcmaArray(vec![
                    ("k".to_owned(), Value::Null),
                    ("0".to_owned(), true.into()),
                ]),
            ),
            (&[12, 0x05, 7, 7], Value::Undefined),
            // A dynamic object without a class: {"app": "live"}.
            (
                b"\x0a\x0b\x01\x07app\x06\x09live\x01",
                Value::object([("app", "live".into())]),
            ),
            // A class "C" with the member "a".
            (
                b"\x0a\x13\x03C\x03a\x03",
                Value::object([("a", true.into())]),
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(bytes), Ok(expected), "{bytes:02x?}");
        }
    }

    #[test]
    fn texts_and_classes_are_referred_to_and_objects_are_not() {
        // Two objects of one class, the second by reference to it, and then the first one again.
        let bytes = b"\x09\x07\x01\x0a\x13\x03C\x03a\x06\x05hi\x0a\x01\x06\x04\x0a\x02";
        let object = |value: &str| Value::object([("a", value.into())]);
        let expected = vec![object("hi"), object("hi"), Value::Undefined];
        assert_eq!(read(bytes), Ok(Value::StrictArray(expected)));
    }

    #[test]
    fn what_is_refused() {
        for bytes in [
            &[][..],
            &[4, 0x80],
            &[6, 0x05, b'a'],
            // References to what has not been sent.
            &[6, 0x02],
            &[10, 0x05],
            // An object that writes itself, a vector, a dictionary.
            &[10, 0x07, 1],
            &[0x0d, 1, 0],
            &[0x11, 1, 0],
            // Counts beyond what is there.
            &[9, 0xff, 0xff, 0xff, 0xff, 1],
            &[10, 0xff, 0xff, 0xff, 0xff, 1],
        ] {
            assert!(read(bytes).is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        // Arrays within arrays.
        let deep = [9, 3, 1].repeat(100_000);
        assert!(matches!(read(&deep), Err(AmfError::TooDeep { .. })));
        // 4,000 times a text of 60 kB that is sent once.
        let mut wide = vec![9, 0xbf, 0x41, 1, 6, 0x87, 0xa9, 0x41];
        wide.resize(wide.len() + 60_000, b'x');
        wide.extend([6, 0].repeat(4_000));
        assert_eq!(read(&wide), Err(AmfError::TooMany));
        // The same in several values of one message; what is no UTF-8 becomes longer.
        let value = |byte: u8| {
            let text = [byte; 4_096];
            let head = [0x11, 9, 0x81, 0x4b, 1, 6, 0xc0, 0x01];
            [&head[..], &text, &[6, 0].repeat(100)].concat()
        };
        assert!(read_all(&value(b'x').repeat(2)).is_ok());
        assert_eq!(read_all(&value(b'x').repeat(3)), Err(AmfError::TooMany));
        assert_eq!(read_all(&value(0xff)), Err(AmfError::TooMany));
        // A class of a million names, and many values.
        let names = [&[10, 0xc0, 0x80, 0x80, 0x03, 1][..], &[3; 1_000]].concat();
        assert_eq!(read(&names), Err(AmfError::TooMany));
        let many = [&[9, 0xff, 0x01, 1][..], &[1; 20_000]].concat();
        assert_eq!(read(&many), Err(AmfError::TooMany));
    }
}
