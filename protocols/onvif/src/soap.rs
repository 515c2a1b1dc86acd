//! SOAP envelopes (SOAP 1.2 part 1 section 5): written with a body, read for what is in it or the fault.

use crate::xml::{Element, XmlError};
use std::fmt;

/// Longest envelope that is read, in bytes.
pub const MAX_ENVELOPE: usize = 4 << 20;

/// Longest words of a fault that are kept, in characters.
const MAX_WORDS: usize = 300;

const ENVELOPE: &str = "http://www.w3.org/2003/05/soap-envelope";

/// The namespace of WS-Addressing.
pub(crate) const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";

/// What a camera says of a request that it does not answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// Codes from the outermost to the innermost, without prefixes: `Sender`, `NotAuthorized`.
    pub codes: Vec<String>,
    /// In words.
    pub reason: String,
}

impl Fault {
    /// Whether one of its codes is this.
    pub fn is(&self, code: &str) -> bool {
        let mut codes = self.codes.iter();
        codes.any(|found| found.eq_ignore_ascii_case(code))
    }

    /// Whether it is about who asks. Some say so in words alone.
    pub fn is_unauthorized(&self) -> bool {
        let codes = [
            "NotAuthorized",
            "FailedAuthentication",
            "InvalidSecurity",
            "InvalidSecurityToken",
            "FailedCheck",
            "SecurityTokenUnavailable",
        ];
        let words = self.reason.to_ascii_lowercase();
        let words = [
            "not authorized",
            "unauthorized",
            "authority failure",
            "authorized time check",
        ]
        .iter()
        .any(|known| words.contains(known));
        words || codes.iter().any(|code| self.is(code))
    }

    /// Whether the operation is not known there. Some (gSOAP) say so in words alone.
    pub fn is_unknown(&self) -> bool {
        let codes = [
            "ActionNotSupported",
            "UnknownAction",
            "OptionalActionNotImplemented",
        ];
        let words = self.reason.to_ascii_lowercase();
        words.contains("not implemented") || codes.iter().any(|code| self.is(code))
    }

    /// Reads SOAP 1.2's fault, or 1.1's (`faultcode`, `faultstring`).
    fn read(fault: &Element) -> Self {
        let mut codes = Vec::new();
        let mut code = fault.child("Code");
        while let Some(found) = code {
            codes.extend(found.text_at(&["Value"]).map(local));
            code = found.child("Subcode");
        }
        codes.extend(fault.text_at(&["faultcode"]).map(local));
        let reason = fault.text_at(&["Reason", "Text"]);
        let reason = reason.or_else(|| fault.text_at(&["faultstring"]));
        let detail = fault.text_at(&["Detail", "Text"]);
        let words = reason.or(detail).unwrap_or_default();
        Self {
            codes,
            reason: words.chars().take(MAX_WORDS).collect(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.reason.as_str(), self.codes.last()) {
            ("", Some(code)) => f.write_str(code),
            ("", None) => f.write_str("it does not say why"),
            (reason, Some(code)) => write!(f, "{reason} ({code})"),
            (reason, None) => f.write_str(reason),
        }
    }
}

/// A name without its prefix.
fn local(name: &str) -> String {
    let name = name.rsplit(':').next().unwrap_or(name);
    name.trim().chars().take(MAX_WORDS).collect()
}

/// An envelope with these headers and this body, which are XML already.
pub(crate) fn write(header: &str, body: &str) -> String {
    let header = match header {
        "" => String::new(),
        header => format!("<s:Header>{header}</s:Header>"),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <s:Envelope xmlns:s=\"{ENVELOPE}\">{header}<s:Body>{body}</s:Body></s:Envelope>"
    )
}

/// What an envelope holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The body with one element, as a rule.
    Body(Element),
    /// A fault.
    Fault(Fault),
    /// XML, but no envelope.
    Foreign,
}

/// Reads an envelope.
///
/// # Errors
/// When it is no XML, or goes beyond a bound.
pub(crate) fn read(bytes: &[u8]) -> Result<(Element, Content), XmlError> {
    let mut envelope = Element::parse(&String::from_utf8_lossy(bytes))?;
    if envelope.name != "Envelope" {
        return Ok((Element::default(), Content::Foreign));
    }
    let mut take = |name: &str| {
        let mut children = envelope.children.iter();
        let place = children.position(|child| child.name == name)?;
        Some(envelope.children.swap_remove(place))
    };
    let Some(body) = take("Body") else {
        return Ok((Element::default(), Content::Foreign));
    };
    let header = take("Header").unwrap_or_default();
    Ok(match body.child("Fault") {
        Some(fault) => (header, Content::Fault(Fault::read(fault))),
        None => (header, Content::Body(body)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_of_any_prefix() {
        for prefix in ["s", "env", "SOAP-ENV", "soap12"] {
            let text = format!(
                "<{prefix}:Envelope><{prefix}:Body><x:Answer>1</x:Answer></{prefix}:Body></{prefix}:Envelope>"
            );
            let Ok((_, Content::Body(body))) = read(text.as_bytes()) else {
                panic!("{text}");
            };
            assert_eq!(body.text_at(&["Answer"]), Some("1"));
        }
        assert_eq!(read(b"<html/>").unwrap().1, Content::Foreign);
        let ours = write("", "<a/>");
        assert!(matches!(read(ours.as_bytes()), Ok((_, Content::Body(_)))));
    }

    #[test]
    fn faults_of_both_versions() {
        let new = "<e:Envelope><e:Body><e:Fault><e:Code><e:Value>e:Sender</e:Value><e:Subcode><e:Value>ter:NotAuthorized\
            </e:Value></e:Subcode></e:Code><e:Reason><e:Text xml:lang='en'>Sender not Authorized</e:Text></e:Reason>\
            </e:Fault></e:Body></e:Envelope>";
        let Ok((_, Content::Fault(fault))) = read(new.as_bytes()) else {
            panic!("no fault");
        };
        assert_eq!(fault.codes, ["Sender", "NotAuthorized"]);
        assert!(fault.is_unauthorized() && !fault.is_unknown());
        assert_eq!(fault.to_string(), "Sender not Authorized (NotAuthorized)");
        let old = "<Envelope><Body><Fault><faultcode>SOAP-ENV:Client</faultcode><faultstring>no way</faultstring></Fault>\
            </Body></Envelope>";
        let Ok((_, Content::Fault(fault))) = read(old.as_bytes()) else {
            panic!("no fault");
        };
        assert_eq!(fault.to_string(), "no way (Client)");
    }
}
