//! One request: which operation of which service, who asks, and the answer.

use super::{Device, Fault, SERVICES, UsernameToken, device, media1, media2, path};
use crate::Service;
use crate::soap::{self, Content};
use crate::xml::{Element, escape};

/// Longest request that is read, in bytes.
pub const MAX_REQUEST: usize = 64 << 10;

/// The namespace of what all services share.
const SCHEMA: &str = "http://www.onvif.org/ver10/schema";

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    service: Service,
    operation: Element,
    token: Option<UsernameToken>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// The envelope.
    pub body: String,
    /// The token of a stream that is to have a key frame soon.
    pub wants_key_frame: Option<String>,
}

impl Answer {
    /// That it is not answered, and why.
    pub fn refusal(fault: Fault) -> Self {
        Self {
            status: fault.status(),
            body: soap::write("", &fault.body()),
            wants_key_frame: None,
        }
    }

    /// What HTTP calls the body.
    pub const CONTENT_TYPE: &str = "application/soap+xml; charset=utf-8";
}

impl Request {
    /// Reads the body of a POST to a path.
    ///
    /// # Errors
    /// What is answered where it is no request, or longer than [`MAX_REQUEST`].
    pub fn read(to: &str, body: &[u8]) -> Result<Self, Fault> {
        let mut services = SERVICES.into_iter();
        let to = to.trim_end_matches('/');
        let service = services
            .find(|service| path(*service) == to)
            .ok_or(Fault::NoSuchService)?;
        if body.len() > MAX_REQUEST {
            return Err(Fault::WellFormed);
        }
        let Ok((header, Content::Body(mut body))) = soap::read(body) else {
            return Err(Fault::WellFormed);
        };
        let [operation] = &mut body.children[..] else {
            return Err(Fault::WellFormed);
        };
        let operation = std::mem::take(operation);
        let token = header.at(&["Security", "UsernameToken"]);
        Ok(Self {
            service: told(&operation).unwrap_or(service),
            token: token.map(UsernameToken::read),
            operation,
        })
    }

    /// The operation's name, as it was sent.
    pub fn name(&self) -> &str {
        &self.operation.name
    }

    /// Who asks, where it says.
    pub const fn token(&self) -> Option<&UsernameToken> {
        self.token.as_ref()
    }

    /// Whether it is answered to anybody: what a client has to know before it can prove a password (ONVIF Core
    /// Specification section 5.9.4.3, access class PRE_AUTH).
    pub fn is_open(&self) -> bool {
        let open = [
            "GetCapabilities",
            "GetEndpointReference",
            "GetHostname",
            "GetServiceCapabilities",
            "GetServices",
            "GetSystemDateAndTime",
            "GetWsdlUrl",
        ];
        open.contains(&self.name())
            && (self.service == Service::Device || self.name() == "GetServiceCapabilities")
    }

    /// Whether its answer depends on which streams there are.
    pub fn is_about_streams(&self) -> bool {
        self.service != Service::Device
    }

    /// Its answer. Whether that is for who asks was found out before.
    pub fn answer(&self, device: &Device) -> Answer {
        let answer = match self.service {
            Service::Media => media1::answer(&self.operation, device),
            Service::Media2 => media2::answer(&self.operation, device),
            _ => device::answer(&self.operation, device),
        };
        let content = match answer {
            Ok(content) => content,
            Err(fault) => return Answer::refusal(fault),
        };
        let (name, namespace) = (escape(self.name()), self.service.namespace());
        let body = format!(
            "<r:{name}Response xmlns:r=\"{namespace}\" xmlns:tt=\"{SCHEMA}\">{content}</r:{name}Response>"
        );
        let synchronizes = self.name() == "SetSynchronizationPoint";
        let token = self.operation.text_at(&["ProfileToken"]);
        Answer {
            status: 200,
            body: soap::write("", &body),
            wants_key_frame: token.filter(|_| synchronizes).map(str::to_owned),
        }
    }
}

/// The service that an operation is of where its element says so by itself: some clients send all requests to the
/// device's address.
fn told(operation: &Element) -> Option<Service> {
    let namespace = operation.attribute("xmlns")?;
    Service::of(namespace).filter(|service| SERVICES.contains(service))
}
