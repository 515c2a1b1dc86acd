//! Finding cameras: WS-Discovery of April 2005 over multicast (ONVIF Core Specification section 7).
//!
//! A probe goes to everybody, and each camera answers whoever asked. Cameras differ in which types they answer to, so
//! that all of [`probes`] are sent. Answers are folded by [`Found`].

use crate::service::Service;
use crate::session::uuid;
use crate::soap;
use crate::xml::{Element, XmlError};
use http_auth::Random;
use percent_encoding::percent_decode_str;
use sha1::{Digest, Sha1};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The port.
pub const PORT: u16 = 3702;
/// The group of IPv4.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// The group of IPv6, of one link.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc);

/// Longest answer that is read, in bytes.
pub const MAX_ANSWER: usize = 64 << 10;

/// Most devices that are kept of one search.
pub const MAX_DEVICES: usize = 4_096;

/// Most addresses and scopes of a device that are kept.
const MAX_WORDS: usize = 64;

pub(crate) const ENVELOPE: &str = "http://www.w3.org/2003/05/soap-envelope";
pub(crate) const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
pub(crate) const DISCOVERY: &str = "http://schemas.xmlsoap.org/ws/2005/04/discovery";
pub(crate) const NETWORK: &str = "http://www.onvif.org/ver10/network/wsdl";

/// The questions of one search: for transmitters, for devices, and for anything.
pub fn probes(random: Random) -> [String; 3] {
    let device = Service::Device.namespace();
    let types = [
        format!("<d:Types xmlns:n=\"{NETWORK}\">n:NetworkVideoTransmitter</d:Types>"),
        format!("<d:Types xmlns:n=\"{device}\">n:Device</d:Types>"),
        String::new(),
    ];
    let mut number = 0_u8;
    types.map(|types| {
        number = number.wrapping_add(1);
        let id = identifier(random, &[number]);
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"{ENVELOPE}\" xmlns:a=\"{ADDRESSING}\" \
             xmlns:d=\"{DISCOVERY}\"><s:Header><a:MessageID>urn:uuid:{id}</a:MessageID>\
             <a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To><a:Action>{DISCOVERY}/Probe</a:Action>\
             </s:Header><s:Body><d:Probe>{types}</d:Probe></s:Body></s:Envelope>"
        )
    })
}

/// A UUID that is the same for the same purpose.
pub(crate) fn identifier(random: Random, purpose: &[u8]) -> String {
    let hash = Sha1::new()
        .chain_update(random.0)
        .chain_update(purpose)
        .finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    uuid(bytes)
}

/// What a device says of itself. Nothing of it is known to be true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// What it is known by, whatever its address; empty where it does not say.
    pub reference: String,
    /// Its types, without prefixes.
    pub types: Vec<String>,
    /// Addresses of its device service, as it wrote them.
    pub places: Vec<String>,
    /// What it is called.
    pub name: Option<String>,
    /// Who made it, where it says.
    pub maker: Option<String>,
    /// Its model.
    pub hardware: Option<String>,
    /// The profiles of ONVIF that it claims: `Streaming`, `T`, `G`.
    pub profiles: Vec<String>,
}

impl Match {
    /// Reads the answers of a datagram: matches of a probe, or a hello.
    ///
    /// # Errors
    /// When it is no XML, or goes beyond a bound.
    pub fn read(datagram: &[u8]) -> Result<Vec<Self>, XmlError> {
        let (_, content) = soap::read(datagram)?;
        let soap::Content::Body(body) = content else {
            return Ok(Vec::new());
        };
        // Some leave out the element around the matches.
        let places = body.child("ProbeMatches").into_iter().chain([&body]);
        let matches = places.flat_map(|place| place.all("ProbeMatch"));
        let all = matches.chain(body.child("Hello")).take(MAX_WORDS);
        Ok(all.map(Self::of).collect())
    }

    fn of(element: &Element) -> Self {
        let words = |name: &str| {
            let words = element.text_at(&[name]).unwrap_or_default();
            words.split_ascii_whitespace().take(MAX_WORDS)
        };
        let mut found = Self {
            reference: element
                .text_at(&["EndpointReference", "Address"])
                .unwrap_or_default()
                .to_owned(),
            types: words("Types")
                .map(|name| name.rsplit(':').next().unwrap_or(name).to_owned())
                .collect(),
            // Junk among them is left out.
            places: words("XAddrs")
                .filter(|place| place.starts_with("http://") || place.starts_with("https://"))
                .map(str::to_owned)
                .collect(),
            ..Self::default()
        };
        for scope in words("Scopes") {
            let Some((_, path)) = scope.split_once("://www.onvif.org/") else {
                continue;
            };
            let Some((kind, value)) = path.split_once('/') else {
                continue;
            };
            let value = percent_decode_str(value).decode_utf8_lossy();
            let value = value.trim_end_matches('/').trim();
            if value.is_empty() {
                continue;
            }
            let value = value.to_owned();
            match kind.to_ascii_lowercase().as_str() {
                "name" => drop(found.name.get_or_insert(value)),
                "hardware" => drop(found.hardware.get_or_insert(value)),
                "manufacturer" | "mfr" => drop(found.maker.get_or_insert(value)),
                "profile" if !found.profiles.contains(&value) => found.profiles.push(value),
                _ => {}
            }
        }
        found
    }

    /// Whether it is a device of ONVIF: printers and computers answer to untyped probes as well.
    pub fn is_camera(&self) -> bool {
        let mut types = self.types.iter();
        let typed = types.any(|name| name == "NetworkVideoTransmitter");
        typed
            || !self.profiles.is_empty()
            || self.places.iter().any(|place| place.contains("/onvif"))
    }

    fn key(&self) -> &str {
        match self.reference.as_str() {
            "" => self.places.first().map_or("", String::as_str),
            reference => reference,
        }
    }
}

/// Devices, each once.
#[derive(Clone, Debug, Default)]
pub struct Found(Vec<Match>);

impl Found {
    /// Takes one more answer. False for one that is known, or no camera.
    pub fn take(&mut self, new: Match) -> bool {
        if !new.is_camera() || new.places.is_empty() {
            return false;
        }
        if let Some(known) = self.0.iter_mut().find(|known| known.key() == new.key()) {
            for place in new.places {
                if !known.places.contains(&place) && known.places.len() < MAX_WORDS {
                    known.places.push(place);
                }
            }
            return false;
        }
        let takes = self.0.len() < MAX_DEVICES;
        if takes {
            self.0.push(new);
        }
        takes
    }

    /// All of them, in the order of their first answers.
    pub fn into_devices(self) -> Vec<Match> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) const ANSWER: &str = "<SOAP-ENV:Envelope><SOAP-ENV:Body><d:ProbeMatches><d:ProbeMatch>\
        <wsa:EndpointReference><wsa:Address>urn:uuid:1419d68a-1dd2-11b2-a105-000000000000</wsa:Address>\
        </wsa:EndpointReference><d:Types>dn:NetworkVideoTransmitter tds:Device</d:Types><d:Scopes>\
        onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/Front%20Door \
        onvif://www.onvif.org/hardware/IPC-1 onvif://www.onvif.org/Profile/Streaming \
        onvif://www.onvif.org/Profile/T onvif://www.onvif.org/location/country/china x</d:Scopes><d:XAddrs>\
        http://192.168.1.5/onvif/device_service http://[fe80::1%25eth0]:8000/onvif/device_service junk</d:XAddrs>\
        <d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>";

    #[test]
    fn an_answer_is_taken_apart() {
        let [found] = &Match::read(ANSWER.as_bytes()).unwrap()[..] else {
            panic!("one match");
        };
        assert!(found.is_camera());
        assert_eq!(found.name.as_deref(), Some("Front Door"));
        assert_eq!(found.hardware.as_deref(), Some("IPC-1"));
        assert_eq!(found.profiles, ["Streaming", "T"]);
        assert_eq!(found.places.len(), 2);
        assert_eq!(found.types, ["NetworkVideoTransmitter", "Device"]);
    }

    #[test]
    fn a_match_without_a_list_around_it() {
        let bare = ANSWER
            .replace("d:ProbeMatches", "x")
            .replace("<x>", "")
            .replace("</x>", "");
        let found = Match::read(bare.as_bytes()).unwrap();
        assert_eq!(found, Match::read(ANSWER.as_bytes()).unwrap());
    }

    #[test]
    fn devices_are_kept_once() {
        let answer = Match::read(ANSWER.as_bytes()).unwrap().swap_remove(0);
        let mut found = Found::default();
        assert!(found.take(answer.clone()));
        let other = Match {
            places: vec!["http://10.0.0.1/onvif/device_service".to_owned()],
            ..answer
        };
        assert!(!found.take(other));
        let printer = Match {
            reference: "urn:printer".to_owned(),
            places: vec!["http://10.0.0.2:5357/".to_owned()],
            types: vec!["PrintDeviceType".to_owned()],
            ..Match::default()
        };
        assert!(!found.take(printer));
        let [camera] = &found.into_devices()[..] else {
            panic!("one camera");
        };
        assert_eq!(camera.places.len(), 3);
    }

    #[test]
    fn probes_differ() {
        let probes = probes(Random([1; 16]));
        for probe in &probes {
            let (header, _) = soap::read(probe.as_bytes()).unwrap();
            assert!(
                header
                    .text_at(&["MessageID"])
                    .unwrap()
                    .starts_with("urn:uuid:")
            );
        }
        assert!(probes[0].contains("n:NetworkVideoTransmitter") && !probes[2].contains("Types"));
        assert_ne!(probes[0], probes[1]);
    }
}
