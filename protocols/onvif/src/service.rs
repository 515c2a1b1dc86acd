//! The services of a camera, and where it says they are.

use std::collections::BTreeMap;
use std::fmt;

/// A service of ONVIF that is used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// What every device has.
    Device,
    /// Profiles and streams of version 1.
    Media,
    /// The same of version 2, which knows H.265.
    Media2,
    /// Pan, tilt, zoom.
    Ptz,
    /// Brightness, focus and their like.
    Imaging,
    /// What the camera notices.
    Events,
}

impl Service {
    const ALL: [Self; 6] = [
        Self::Device,
        Self::Media,
        Self::Media2,
        Self::Ptz,
        Self::Imaging,
        Self::Events,
    ];

    /// Its namespace.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Device => "http://www.onvif.org/ver10/device/wsdl",
            Self::Media => "http://www.onvif.org/ver10/media/wsdl",
            Self::Media2 => "http://www.onvif.org/ver20/media/wsdl",
            Self::Ptz => "http://www.onvif.org/ver20/ptz/wsdl",
            Self::Imaging => "http://www.onvif.org/ver20/imaging/wsdl",
            Self::Events => "http://www.onvif.org/ver10/events/wsdl",
        }
    }

    pub(crate) fn of(namespace: &str) -> Option<Self> {
        let namespace = namespace.trim().trim_end_matches('/');
        let mut all = Self::ALL.into_iter();
        all.find(|service| service.namespace().eq_ignore_ascii_case(namespace))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "device",
            Self::Media => "media",
            Self::Media2 => "media2",
            Self::Ptz => "PTZ",
            Self::Imaging => "imaging",
            Self::Events => "event",
        })
    }
}

/// Where a camera says its services are, as it wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services(BTreeMap<Service, String>);

impl Services {
    /// Whether it has one.
    pub fn has(&self, service: Service) -> bool {
        self.0.contains_key(&service)
    }

    /// The service for profiles and streams: version 2 where there is one.
    pub fn media(&self) -> Service {
        match self.has(Service::Media2) {
            true => Service::Media2,
            false => Service::Media,
        }
    }

    /// Where one is, as the camera wrote it.
    pub fn get(&self, service: Service) -> Option<&str> {
        self.0.get(&service).map(String::as_str)
    }

    pub(crate) fn insert(&mut self, service: Service, place: &str) {
        self.0.insert(service, place.trim().to_owned());
    }

    pub(crate) fn remove(&mut self, service: Service) {
        self.0.remove(&service);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
