//! XML from strangers as a tree of bounded size, and text made safe for writing it.
//!
//! Names lose their prefixes. Namespaces are kept where their prefix is declared, for what goes back to where it came
//! from, and nothing is told apart by them. There is no DTD, and so no entities but the five that XML has of itself.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::PrefixDeclaration;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Deepest nesting of elements.
pub const MAX_DEPTH: usize = 64;

/// Most elements of a document.
pub const MAX_ELEMENTS: usize = 65_536;

/// Most attributes of an element, declarations of namespaces included.
pub const MAX_ATTRIBUTES: usize = 256;

/// Why a document was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// It is no XML.
    #[error("no XML at byte {at}: {what}")]
    Syntax {
        /// Where.
        at: u64,
        /// What was wrong.
        what: String,
    },
    /// It has a document type, which SOAP forbids (SOAP 1.2 part 1 section 5).
    #[error("a document type is not allowed")]
    DocumentType,
    /// More than [`MAX_DEPTH`].
    #[error("elements are nested more than {MAX_DEPTH} deep")]
    Depth,
    /// More than [`MAX_ELEMENTS`].
    #[error("more than {MAX_ELEMENTS} elements")]
    Elements,
    /// More than [`MAX_ATTRIBUTES`].
    #[error("an element has more than {MAX_ATTRIBUTES} attributes")]
    Attributes,
    /// It ends before its first element does.
    #[error("the document ends too early")]
    Truncated,
}

/// An element with all that is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Without its prefix.
    pub name: String,
    /// What its prefix stands for, where that is declared.
    namespace: Option<Arc<str>>,
    attributes: Vec<(String, String)>,
    /// The elements in it, in order.
    pub children: Vec<Self>,
    /// All text directly in it, without blanks at both ends.
    pub text: String,
}

impl Element {
    /// The first element of a document. What follows it is not looked at.
    ///
    /// # Errors
    /// When it is no XML, or goes beyond a bound.
    pub fn parse(document: &str) -> Result<Self, XmlError> {
        let document = document.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n', '\0']);
        let mut reader = Reader::from_str(document);
        // Ends are taken for the innermost element's: a prefix that changes between both is no reason to give up.
        reader.config_mut().check_end_names = false;
        reader.config_mut().allow_dangling_amp = true;
        let mut open: Vec<Self> = Vec::new();
        let mut namespaces = Namespaces::default();
        let mut elements = 0;
        loop {
            let event = reader.read_event().map_err(|error| XmlError::Syntax {
                at: reader.error_position(),
                what: error.to_string(),
            })?;
            let done = match event {
                Event::Start(start) => {
                    elements += 1;
                    if open.len() >= MAX_DEPTH {
                        return Err(XmlError::Depth);
                    }
                    open.push(Self::new(&start, &mut namespaces)?);
                    None
                }
                Event::Empty(start) => {
                    elements += 1;
                    let element = Self::new(&start, &mut namespaces)?;
                    namespaces.leave();
                    Some(element)
                }
                Event::End(_) => {
                    namespaces.leave();
                    open.pop()
                }
                Event::Text(text) => {
                    append(&mut open, &text.xml10_content());
                    None
                }
                Event::CData(data) => {
                    append(&mut open, &data.xml10_content());
                    None
                }
                Event::GeneralRef(name) => {
                    let character = name.resolve_char_ref().ok().flatten();
                    match character {
                        Some(character) => append(&mut open, character.encode_utf8(&mut [0; 4])),
                        None => append(&mut open, predefined(&name.xml10_content())),
                    }
                    None
                }
                Event::DocType(_) => return Err(XmlError::DocumentType),
                Event::Eof => return Err(XmlError::Truncated),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => None,
            };
            if elements > MAX_ELEMENTS {
                return Err(XmlError::Elements);
            }
            if let Some(mut element) = done {
                let trimmed = element.text.trim();
                if trimmed.len() != element.text.len() {
                    element.text = trimmed.to_owned();
                }
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => return Ok(element),
                }
            }
        }
    }

    /// An element whose namespaces are in force from now on.
    fn new(start: &BytesStart<'_>, namespaces: &mut Namespaces) -> Result<Self, XmlError> {
        let mut attributes = Vec::new();
        let mut declared = Vec::new();
        // The checks compare each attribute with all before it.
        for (count, attribute) in start.attributes().with_checks(false).enumerate() {
            if count >= MAX_ATTRIBUTES {
                return Err(XmlError::Attributes);
            }
            // One that is malformed is left out.
            let Ok(attribute) = attribute else { continue };
            let name = attribute.key.local_name();
            let value = quick_xml::escape::unescape(&attribute.value);
            let value = value.map_or_else(|_| attribute.value.to_string(), Cow::into_owned);
            let prefix = match attribute.key.as_namespace_binding() {
                Some(PrefixDeclaration::Default) => Some(""),
                Some(PrefixDeclaration::Named(prefix)) => Some(prefix),
                None => None,
            };
            declared.extend(prefix.map(|prefix| (prefix.to_owned(), value.as_str().into())));
            attributes.push((name.as_ref().to_owned(), value));
        }
        namespaces.enter(declared);
        let prefix = start.name().prefix();
        let namespace = namespaces.of(prefix.as_ref().map_or("", AsRef::as_ref));
        Ok(Self {
            name: start.local_name().as_ref().to_owned(),
            namespace,
            attributes,
            ..Self::default()
        })
    }

    /// The value of an attribute, by its local name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let (_, value) = attributes.find(|(found, _)| found == name)?;
        Some(value)
    }

    /// The first element of that name in it.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All elements of that name in it.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        let children = self.children.iter();
        children.filter(move |child| child.name == name)
    }

    /// The element at the end of a path of names.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter()
            .try_fold(self, |element, name| element.child(name))
    }

    /// The text at the end of a path, where there is any.
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        let element = self.at(path)?;
        Some(element.text.as_str()).filter(|text| !text.is_empty())
    }

    /// What the text at the end of a path says, where it can be read.
    pub fn value_at<T: std::str::FromStr>(&self, path: &[&str]) -> Option<T> {
        self.text_at(path)?.parse().ok()
    }

    /// Writes it behind what is there, with this text, which is XML already, among its attributes; its own are left
    /// out. None where the whole comes to more than `most` bytes, or a name is none of XML's.
    pub(crate) fn write(&self, to: &mut String, among: &str, most: usize) -> Option<()> {
        if !is_name(&self.name) {
            return None;
        }
        let namespace = self.namespace.as_deref().map(escape).unwrap_or_default();
        let (name, text) = (&self.name, escape(&self.text));
        *to += &format!("<{name} xmlns=\"{namespace}\"{among}>{text}");
        // What is in it may have the same long namespace many times.
        if to.len() > most {
            return None;
        }
        for child in &self.children {
            child.write(to, "", most)?;
        }
        *to += &format!("</{name}>");
        (to.len() <= most).then_some(())
    }
}

/// What prefixes stand for at one place of a document.
#[derive(Default)]
struct Namespaces {
    /// What the open elements declare for each prefix, the innermost last. The empty one stands for none.
    known: BTreeMap<String, Vec<Arc<str>>>,
    /// The prefixes that each of them declares.
    declared: Vec<Vec<String>>,
}

impl Namespaces {
    /// An element begins that declares these.
    fn enter(&mut self, declared: Vec<(String, Arc<str>)>) {
        let mut prefixes = Vec::new();
        for (prefix, namespace) in declared {
            let known = self.known.entry(prefix.clone()).or_default();
            known.push(namespace);
            prefixes.push(prefix);
        }
        self.declared.push(prefixes);
    }

    /// The innermost element ends.
    fn leave(&mut self) {
        for prefix in self.declared.pop().unwrap_or_default() {
            if let Some(known) = self.known.get_mut(&prefix) {
                known.pop();
            }
        }
    }

    fn of(&self, prefix: &str) -> Option<Arc<str>> {
        self.known.get(prefix)?.last().cloned()
    }
}

/// Whether it can be written as the name of an element: fewer than XML has (section 2.3), all that are met.
fn is_name(name: &str) -> bool {
    let begins = |c: char| c.is_alphabetic() || c == '_';
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.starts_with(begins) && name.chars().all(goes_on)
}

/// Text of XML's own entities; others are left out, since nothing declares them.
fn predefined(name: &str) -> &'static str {
    quick_xml::escape::resolve_predefined_entity(name).unwrap_or_default()
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

/// Text as it stands between tags or in an attribute, without what XML 1.0 cannot hold.
pub fn escape(text: &str) -> String {
    let clean: String = text.chars().filter(|c| is_allowed(*c)).collect();
    quick_xml::escape::escape(clean).into_owned()
}

/// Whether XML 1.0 can hold a character (section 2.2).
pub(crate) const fn is_allowed(character: char) -> bool {
    !matches!(
        character,
        '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_blanks_and_entities() {
        let text = "\u{feff}<?xml version='1.0'?>\n<!-- c --><a:b xmlns:a='x' c='1 &lt; 2'>\n <d> e&amp;&#x66;<![CDATA[<g>]]> </d><z:h/></a:b> rest";
        let element = Element::parse(text).unwrap();
        assert_eq!(element.name, "b");
        assert_eq!(element.attribute("c"), Some("1 < 2"));
        assert_eq!(element.text_at(&["d"]), Some("e&f<g>"));
        assert_eq!(
            element.child("h"),
            Some(&Element {
                name: "h".into(),
                ..Element::default()
            })
        );
        assert_eq!(element.text_at(&["h"]), None);
    }

    #[test]
    fn what_goes_back_keeps_its_namespace() {
        let text = "<a xmlns='d' xmlns:p='o' xmlns:q='x'><p:b xmlns:p='i&amp;'>1<c/><q:c/></p:b><p:e>&lt;</p:e><z:f/></a>";
        let element = Element::parse(text).unwrap();
        let written = |name: &str, most| {
            let mut text = String::new();
            let element = element.child(name).unwrap();
            element.write(&mut text, " g=\"h\"", most).map(|()| text)
        };
        let whole = "<b xmlns=\"i&amp;\" g=\"h\">1<c xmlns=\"d\"></c><c xmlns=\"x\"></c></b>";
        assert_eq!(written("b", whole.len()).as_deref(), Some(whole));
        assert_eq!(written("b", whole.len() - 1), None);
        // What was declared within is forgotten; what was nowhere stands for nothing.
        let outer = "<e xmlns=\"o\" g=\"h\">&lt;</e>";
        assert_eq!(written("e", 100).as_deref(), Some(outer));
        let unknown = "<f xmlns=\"\" g=\"h\"></f>";
        assert_eq!(written("f", 100).as_deref(), Some(unknown));
        for (name, is_good) in [
            ("SubscriptionId", true),
            ("_a-1.b", true),
            ("", false),
            ("a<b", false),
            ("1", false),
        ] {
            assert_eq!(is_name(name), is_good, "{name}");
        }
    }

    #[test]
    fn what_is_refused() {
        let deep = "<a>".repeat(MAX_DEPTH + 1);
        let many = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS));
        let attributes = format!("<a {}/>", "b='c' ".repeat(MAX_ATTRIBUTES + 1));
        let cases = [
            ("", XmlError::Truncated),
            ("no XML", XmlError::Truncated),
            ("<a><b></b>", XmlError::Truncated),
            (
                "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
                XmlError::DocumentType,
            ),
            (&deep, XmlError::Depth),
            (&many, XmlError::Elements),
            (&attributes, XmlError::Attributes),
        ];
        for (text, error) in cases {
            assert_eq!(Element::parse(text), Err(error), "{text:.40}");
        }
        for text in ["<a", "<a></a", "</a>", "<a><!-- </a>"] {
            assert!(Element::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_escaped_is_read_as_it_was() {
        let text = "p<&>\"'ä\u{1f600}";
        let element = Element::parse(&format!("<a b=\"{0}\">{0}</a>", escape(text))).unwrap();
        assert_eq!(
            (element.text.as_str(), element.attribute("b")),
            (text, Some(text))
        );
        assert_eq!(escape("a\0\u{1b}b"), "ab");
    }
}
