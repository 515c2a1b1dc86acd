//! Answers to searches: WS-Discovery of April 2005, as a target service (ONVIF Core Specification section 7).
//!
//! A datagram may pretend to come from anybody, and an answer is longer than its question: whoever sends answers keeps to
//! its own networks and to a number a second.

use crate::Service;
use crate::discovery::{ADDRESSING, DISCOVERY, ENVELOPE, NETWORK, identifier};
use crate::soap::{self, Content};
use crate::xml::{Element, escape};
use http_auth::Random;

/// Longest question that is read, in bytes.
pub const MAX_QUESTION: usize = 16 << 10;

/// Longest identifier of a question, in bytes; it is repeated in the answer.
const MAX_IDENTIFIER: usize = 256;

/// Most types and scopes of a question that are looked at.
const MAX_WORDS: usize = 32;

const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";
const EVERYBODY: &str = "urn:schemas-xmlsoap-org:ws:2005:04:discovery";

/// A question of who looks for devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What the answer has to refer to.
    id: String,
    wanted: Wanted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// Devices of all these types, without prefixes, and in all these scopes.
    Probe {
        types: Vec<String>,
        scopes: Vec<String>,
        rule: Rule,
    },
    /// The device of that reference.
    Resolve(String),
}

/// How scopes are compared (WS-Discovery section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// By the segments of their paths.
    Segments,
    /// As they are.
    Exact,
    /// By a rule that is not known here, or for devices without scopes.
    Other,
}

impl Question {
    /// Reads a datagram; nothing where it is no question, or not a whole one.
    pub fn read(datagram: &[u8]) -> Option<Self> {
        if datagram.len() > MAX_QUESTION {
            return None;
        }
        let Ok((header, Content::Body(body))) = soap::read(datagram) else {
            return None;
        };
        let id = header.text_at(&["MessageID"])?;
        if id.len() > MAX_IDENTIFIER {
            return None;
        }
        let wanted = match (body.child("Probe"), body.child("Resolve")) {
            (Some(probe), _) => {
                let scopes = probe.child("Scopes");
                let rule = scopes.and_then(|scopes| scopes.attribute("MatchBy"));
                Wanted::Probe {
                    types: words(probe.child("Types")).map(local).collect(),
                    scopes: words(scopes).map(str::to_owned).collect(),
                    rule: match rule.map(|rule| rule.rsplit('/').next().unwrap_or_default()) {
                        None | Some("rfc2396" | "rfc3986") => Rule::Segments,
                        Some("strcmp0") => Rule::Exact,
                        Some(_) => Rule::Other,
                    },
                }
            }
            (None, Some(resolve)) => {
                let reference = resolve.text_at(&["EndpointReference", "Address"])?;
                Wanted::Resolve(reference.to_owned())
            }
            (None, None) => return None,
        };
        Some(Self {
            id: id.to_owned(),
            wanted,
        })
    }
}

fn words(element: Option<&Element>) -> impl Iterator<Item = &str> {
    let text = element.map_or("", |element| element.text.as_str());
    text.split_ascii_whitespace().take(MAX_WORDS)
}

/// A name without its prefix.
fn local(name: &str) -> String {
    name.rsplit(':').next().unwrap_or(name).to_owned()
}

/// Who answers.
#[derive(Clone, Debug)]
pub struct Responder {
    /// What it is known by, as `urn:uuid:…`.
    reference: String,
    scopes: Vec<String>,
    random: Random,
    /// Since when it answers, in seconds of the calendar: it numbers its messages from there.
    instance: u64,
    number: u64,
}

impl Responder {
    /// For a device of that reference (`urn:uuid:…`) and these scopes that begins at that second of the calendar.
    pub const fn new(reference: String, scopes: Vec<String>, random: Random, now: u64) -> Self {
        Self {
            reference,
            scopes,
            random,
            instance: now,
            number: 0,
        }
    }

    /// The answer to a question, where it is about this device, whose service is at `places` for who asks.
    pub fn answer(&mut self, question: &Question, places: &[String]) -> Option<String> {
        let (name, item) = match &question.wanted {
            Wanted::Probe {
                types,
                scopes,
                rule,
            } => {
                let is_wanted = types.iter().all(|name| is_own_type(name))
                    && scopes.iter().all(|scope| self.is_in(scope, *rule));
                if !is_wanted {
                    return None;
                }
                ("ProbeMatches", "ProbeMatch")
            }
            Wanted::Resolve(reference) => {
                if !reference.eq_ignore_ascii_case(&self.reference) {
                    return None;
                }
                ("ResolveMatches", "ResolveMatch")
            }
        };
        let content = format!("<d:{item}>{}</d:{item}>", self.told(places));
        let related = format!("<a:RelatesTo>{}</a:RelatesTo>", escape(&question.id));
        Some(self.message(name, ANONYMOUS, &related, &content))
    }

    /// What is said to everybody at the beginning.
    pub fn hello(&mut self, places: &[String]) -> String {
        let content = self.told(places);
        self.message("Hello", EVERYBODY, "", &content)
    }

    /// What is said to everybody at the end.
    pub fn bye(&mut self) -> String {
        let content = self.endpoint();
        self.message("Bye", EVERYBODY, "", &content)
    }

    fn endpoint(&self) -> String {
        format!(
            "<a:EndpointReference><a:Address>{}</a:Address></a:EndpointReference>",
            escape(&self.reference)
        )
    }

    fn told(&self, places: &[String]) -> String {
        let endpoint = self.endpoint();
        let (scopes, places) = (self.scopes.join(" "), places.join(" "));
        format!(
            "{endpoint}<d:Types>n:NetworkVideoTransmitter t:Device</d:Types><d:Scopes>{}</d:Scopes>\
             <d:XAddrs>{}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>",
            escape(&scopes),
            escape(&places)
        )
    }

    fn message(&mut self, name: &str, to: &str, related: &str, content: &str) -> String {
        self.number += 1;
        let (instance, number) = (self.instance, self.number);
        let id = identifier(self.random, &number.to_be_bytes());
        let device = Service::Device.namespace();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"{ENVELOPE}\" xmlns:a=\"{ADDRESSING}\" \
             xmlns:d=\"{DISCOVERY}\" xmlns:n=\"{NETWORK}\" xmlns:t=\"{device}\"><s:Header>\
             <a:MessageID>urn:uuid:{id}</a:MessageID>{related}<a:To>{to}</a:To><a:Action>{DISCOVERY}/{name}</a:Action>\
             <d:AppSequence InstanceId=\"{instance}\" MessageNumber=\"{number}\"/></s:Header><s:Body>\
             <d:{name}>{content}</d:{name}></s:Body></s:Envelope>"
        )
    }

    fn is_in(&self, scope: &str, rule: Rule) -> bool {
        let mut own = self.scopes.iter();
        match rule {
            Rule::Segments => own.any(|own| is_below(own, scope)),
            Rule::Exact => own.any(|own| own == scope),
            Rule::Other => false,
        }
    }
}

fn is_own_type(name: &str) -> bool {
    matches!(name, "NetworkVideoTransmitter" | "Device")
}

/// Whether a scope's path begins with the segments of another's; scheme and host are compared without case.
fn is_below(own: &str, wanted: &str) -> bool {
    let parts = |scope: &str| -> Option<(String, Vec<String>)> {
        let (scheme, rest) = scope.split_once("://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_end_matches('/');
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        let origin = format!("{scheme}://{host}").to_ascii_lowercase();
        Some((origin, segments.map(str::to_owned).collect()))
    };
    match (parts(own), parts(wanted)) {
        (Some((own, has)), Some((wanted, wants))) => own == wanted && has.starts_with(&wants),
        _ => own == wanted,
    }
}

/// The reference of a device: the same for the same machine and purpose.
pub fn reference(machine: &[u8], purpose: &[u8]) -> String {
    let mut seed = [0; 16];
    seed.iter_mut()
        .zip(machine)
        .for_each(|(to, from)| *to = *from);
    let rest = machine.get(seed.len()..).unwrap_or_default();
    let id = identifier(Random(seed), &[b"millstream", rest, purpose].concat());
    format!("urn:uuid:{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::{Match, probes};

    const REFERENCE: &str = "urn:uuid:1419d68a-1dd2-41b2-a105-000000000000";

    fn responder() -> Responder {
        let scopes = [
            "onvif://www.onvif.org/type/video_encoder",
            "onvif://www.onvif.org/Profile/Streaming",
            "onvif://www.onvif.org/name/A%20%26%20B",
        ];
        let scopes = scopes.map(str::to_owned).to_vec();
        Responder::new(REFERENCE.to_owned(), scopes, Random([7; 16]), 1_000)
    }

    fn places() -> Vec<String> {
        vec!["http://10.0.0.5:8081/onvif/device_service".to_owned()]
    }

    fn question(body: &str) -> Question {
        let text = format!(
            "<s:Envelope><s:Header><a:MessageID>urn:uuid:&lt;1></a:MessageID></s:Header><s:Body>{body}</s:Body></s:Envelope>"
        );
        Question::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn our_client_finds_it() {
        let mut responder = responder();
        for probe in probes(Random([1; 16])) {
            let question = Question::read(probe.as_bytes()).unwrap();
            let answer = responder.answer(&question, &places()).unwrap();
            let [found] = &Match::read(answer.as_bytes()).unwrap()[..] else {
                panic!("one match");
            };
            assert_eq!(found.reference, REFERENCE);
            assert_eq!(found.places, places());
            assert_eq!(found.name.as_deref(), Some("A & B"));
            assert_eq!(found.profiles, ["Streaming"]);
            let (header, _) = soap::read(answer.as_bytes()).unwrap();
            assert_eq!(header.text_at(&["RelatesTo"]), Some(question.id.as_str()));
        }
        let hello = responder.hello(&places());
        let [found] = &Match::read(hello.as_bytes()).unwrap()[..] else {
            panic!("one device");
        };
        assert_eq!(found.places, places());
        let bye = responder.bye();
        assert!(bye.contains("MessageNumber=\"5\"") && bye.contains(REFERENCE));
    }

    #[test]
    fn who_is_asked_for() {
        let scope = "onvif://www.onvif.org";
        let exact = "MatchBy='http://schemas.xmlsoap.org/ws/2005/04/discovery/strcmp0'";
        let probe = |content: &str| format!("<d:Probe>{content}</d:Probe>");
        let scopes = |by: &str, scope: &str| probe(&format!("<d:Scopes {by}>{scope}</d:Scopes>"));
        let resolve = |reference: &str| {
            format!(
                "<d:Resolve><a:EndpointReference><a:Address>{reference}</a:Address></a:EndpointReference></d:Resolve>"
            )
        };
        let cases = [
            (probe(""), true),
            (probe("<d:Types>dn:NetworkVideoTransmitter</d:Types>"), true),
            (
                probe("<d:Types>a:Device b:NetworkVideoTransmitter</d:Types>"),
                true,
            ),
            (probe("<d:Types>wsdp:Printer</d:Types>"), false),
            (probe("<d:Types>Device Printer</d:Types>"), false),
            (scopes("", &format!("{scope}/Profile")), true),
            (scopes("", "ONVIF://www.ONVIF.org/Profile/Streaming/"), true),
            (scopes("", &format!("{scope}/Prof")), false),
            (
                scopes("", &format!("{scope}/Profile/Streaming {scope}/name/C")),
                false,
            ),
            (scopes(exact, &format!("{scope}/Profile/Streaming")), true),
            (scopes(exact, &format!("{scope}/Profile")), false),
            (
                scopes("MatchBy='x/ldap'", &format!("{scope}/Profile")),
                false,
            ),
            (resolve(&REFERENCE.to_uppercase()), true),
            (resolve("urn:uuid:0"), false),
        ];
        for (body, is_answered) in cases {
            let answer = responder().answer(&question(&body), &places());
            assert_eq!(answer.is_some(), is_answered, "{body}");
        }
        let matched = responder().answer(&question(&resolve(REFERENCE)), &places());
        assert!(
            matched
                .unwrap()
                .contains("<d:ResolveMatches><d:ResolveMatch><a:EndpointReference>")
        );
    }

    #[test]
    fn what_is_no_question() {
        let with = |id: &str, body: &str| {
            format!(
                "<s:Envelope><s:Header><a:MessageID>{id}</a:MessageID></s:Header><s:Body>{body}</s:Body></s:Envelope>"
            )
        };
        let cases = [
            String::new(),
            "<s:Envelope><s:Body><d:Probe/></s:Body></s:Envelope>".to_owned(),
            with("", "<d:Probe/>"),
            with(&"x".repeat(MAX_IDENTIFIER + 1), "<d:Probe/>"),
            with("1", "<d:Hello/>"),
            with("1", "<d:Resolve/>"),
            with(
                "1",
                &format!("<d:Probe>{}</d:Probe>", " ".repeat(MAX_QUESTION)),
            ),
            format!("<!DOCTYPE x>{}", with("1", "<d:Probe/>")),
        ];
        for text in cases {
            assert_eq!(Question::read(text.as_bytes()), None, "{text:.80}");
        }
        let whole = with("1", "<d:Probe/>");
        assert!(Question::read(whole.as_bytes()).is_some());
        for end in 0..whole.len() {
            assert_eq!(Question::read(&whole.as_bytes()[..end]), None, "{end}");
        }
    }

    #[test]
    fn a_reference_stays() {
        let one = reference(b"0123456789abcdef0123", b"8081");
        assert_eq!(one, reference(b"0123456789abcdef0123", b"8081"));
        assert_ne!(one, reference(b"0123456789abcdef0124", b"8081"));
        assert_ne!(one, reference(b"0123456789abcdef0123", b"8082"));
        assert_eq!(one.len(), "urn:uuid:".len() + 36);
    }
}
