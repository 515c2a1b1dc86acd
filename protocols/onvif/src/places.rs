//! Where a camera is: the address that somebody gives for it, and the addresses that it gives for itself.
//!
//! A camera behind NAT, or that got another address, tells the wrong ones. What it says is therefore taken for path and
//! query, and what we have reached it by for the rest.

use http_auth::Credentials;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// Path of the device service (ONVIF Core Specification section 5.1.1).
const DEVICE_SERVICE: &str = "/onvif/device_service";

/// Why an address was refused. None of the messages shows it: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No URL.
    #[error("the address of the camera cannot be read: {0}")]
    Url(#[from] url::ParseError),
    /// A scheme of something else.
    #[error("{0}:// is no address of an ONVIF camera")]
    Scheme(String),
    /// There is no host.
    #[error("the address of the camera names no host")]
    NoHost,
}

/// Where a camera's device service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `http` or `https`, without user and password.
    device: Url,
}

impl Address {
    /// Reads what somebody gives for a camera: `HOST`, `HOST:PORT`, or a URL of `http`, `https`, `onvif` or `onvifs`,
    /// with or without a path, and with `user:password@` where it has them. Query and fragment are left out.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<(Self, Option<Credentials>), AddressError> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" | "onvif" => "http",
            "https" | "onvifs" => "https",
            other => return Err(AddressError::Scheme(other.to_owned())),
        };
        let mut device = Url::parse(&format!("{scheme}://{rest}"))?;
        if device.host_str().is_none_or(str::is_empty) {
            return Err(AddressError::NoHost);
        }
        let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let credentials = (!device.username().is_empty()).then(|| Credentials {
            user: decode(device.username()),
            password: decode(device.password().unwrap_or_default()),
        });
        // These fail for URLs without a host alone.
        let _ = device.set_username("");
        let _ = device.set_password(None);
        device.set_query(None);
        device.set_fragment(None);
        if device.path() == "/" {
            device.set_path(DEVICE_SERVICE);
        }
        Ok((Self { device }, credentials))
    }

    /// The device service.
    pub const fn device(&self) -> &Url {
        &self.device
    }

    /// Where a service or a picture is that the camera says is at `place`.
    pub fn resolve(&self, place: &str) -> Url {
        let place = place.trim();
        let named = Url::parse(place).or_else(|_| self.device.join(place));
        let Ok(mut named) = named else {
            return self.device.clone();
        };
        let is_ours = named.scheme() == self.device.scheme() && named.host() == self.device.host();
        if !is_ours {
            let mut own = self.device.clone();
            own.set_path(named.path());
            own.set_query(named.query());
            named = own;
        }
        let _ = named.set_username("");
        let _ = named.set_password(None);
        named.set_fragment(None);
        named
    }

    /// Where a stream is that the camera says is at `uri`: the port is its own, the host ours. None for what is no
    /// URL of `rtsp`, `rtsps` or `http`.
    pub fn stream(&self, uri: &str) -> Option<Url> {
        let uri = uri.trim();
        let (scheme, rest) = uri.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "rtsp" | "rtsps" | "http" | "https") {
            return None;
        }
        // User info, where it has any, ends at the last @ of the authority.
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let place = authority.rsplit('@').next().unwrap_or_default();
        let host = self.device.host_str()?;
        let port = match port(place) {
            Some(port) => format!(":{port}"),
            None => String::new(),
        };
        Url::parse(&format!("{scheme}://{host}{port}{path}")).ok()
    }

    /// The host, as it stands in a URL.
    pub fn host(&self) -> Option<Host<&str>> {
        self.device.host()
    }
}

/// The port of a host and port. IPv6 addresses may lack their brackets.
fn port(place: &str) -> Option<u16> {
    let (host, port) = place.rsplit_once(':')?;
    let bare_v6 = host.contains(':') && !host.ends_with(']') && !host.contains('.');
    if bare_v6 { None } else { port.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap().0
    }

    #[test]
    fn as_people_give_them() {
        let cases = [
            ("192.168.1.5", "http://192.168.1.5/onvif/device_service"),
            (
                " 192.168.1.5:8080 ",
                "http://192.168.1.5:8080/onvif/device_service",
            ),
            ("camera:80/", "http://camera/onvif/device_service"),
            ("http://camera/other", "http://camera/other"),
            (
                "https://dynamic.dns.net:443",
                "https://dynamic.dns.net/onvif/device_service",
            ),
            (
                "onvif://[fe80::1]:8000?profileIndex=1#a=b",
                "http://[fe80::1]:8000/onvif/device_service",
            ),
            ("ONVIFS://c", "https://c/onvif/device_service"),
        ];
        for (text, device) in cases {
            assert_eq!(address(text).device().as_str(), device, "{text}");
        }
        let (camera, login) = Address::parse("a%40b:p%23w@10.0.0.1").unwrap();
        let login = login.unwrap();
        assert_eq!(
            (login.user.as_str(), login.password.as_str()),
            ("a@b", "p#w")
        );
        assert_eq!(
            camera.device().as_str(),
            "http://10.0.0.1/onvif/device_service"
        );
        let error = Address::parse("rtsp://u:secret@c/1").unwrap_err();
        assert_eq!(error, AddressError::Scheme("rtsp".to_owned()));
        assert!(Address::parse("").is_err() && Address::parse("http://").is_err());
    }

    #[test]
    fn what_points_elsewhere_is_taken_for_its_path() {
        let nat = address("cam.example:8080");
        let cases = [
            (
                "http://192.168.1.5/onvif/media?x=1",
                "http://cam.example:8080/onvif/media?x=1",
            ),
            (
                "http://cam.example:81/onvif/ptz",
                "http://cam.example:81/onvif/ptz",
            ),
            (
                "https://cam.example/onvif/ptz",
                "http://cam.example:8080/onvif/ptz",
            ),
            ("/onvif/events", "http://cam.example:8080/onvif/events"),
            (
                "http://u:p@cam.example:8080/x#y",
                "http://cam.example:8080/x",
            ),
            (
                "http://[broken",
                "http://cam.example:8080/onvif/device_service",
            ),
            (
                "http://169.254.169.254/latest",
                "http://cam.example:8080/latest",
            ),
        ];
        for (place, found) in cases {
            assert_eq!(nat.resolve(place).as_str(), found, "{place}");
        }
    }

    #[test]
    fn streams_keep_their_port() {
        let camera = address("203.0.113.7:8080");
        let cases = [
            (
                "rtsp://192.168.1.5:554/1?a=b",
                Some("rtsp://203.0.113.7:554/1?a=b"),
            ),
            ("rtsp://u:p@x:8554/s", Some("rtsp://203.0.113.7:8554/s")),
            ("rtsp://0.0.0.0/s", Some("rtsp://203.0.113.7/s")),
            (
                "rtsp://::ffff:192.168.1.5:8554/s",
                Some("rtsp://203.0.113.7:8554/s"),
            ),
            ("rtsp://[fe80::1]:8554/s", Some("rtsp://203.0.113.7:8554/s")),
            ("rtsp://fe80::1/s", Some("rtsp://203.0.113.7/s")),
            ("rtsp://:99999/s", Some("rtsp://203.0.113.7/s")),
            ("file:///etc/passwd", None),
            ("nonsense", None),
        ];
        for (uri, found) in cases {
            let stream = camera.stream(uri);
            assert_eq!(stream.as_ref().map(Url::as_str), found, "{uri}");
        }
        let v6 = address("[fe80::1]");
        let stream = v6.stream("rtsp://192.168.1.5:554/s").unwrap();
        assert_eq!(stream.as_str(), "rtsp://[fe80::1]:554/s");
    }
}
