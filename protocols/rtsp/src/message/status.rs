//! Status codes (RFC 2326 section 7.1.1).

use std::fmt;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u16);

impl Status {
    /// It was done.
    pub const OK: Self = Self(200);
    /// It cannot be understood.
    pub const BAD_REQUEST: Self = Self(400);
    /// Credentials are missing or wrong.
    pub const UNAUTHORIZED: Self = Self(401);
    /// Not for this client.
    pub const FORBIDDEN: Self = Self(403);
    /// There is no such stream.
    pub const NOT_FOUND: Self = Self(404);
    /// The body is of a kind that is not understood.
    pub const UNSUPPORTED_MEDIA_TYPE: Self = Self(415);
    /// A parameter that is not known.
    pub const PARAMETER_NOT_UNDERSTOOD: Self = Self(451);
    /// There is no such session.
    pub const SESSION_NOT_FOUND: Self = Self(454);
    /// Not now.
    pub const METHOD_NOT_VALID: Self = Self(455);
    /// A range that cannot be read.
    pub const INVALID_RANGE: Self = Self(457);
    /// For one track, not for all.
    pub const AGGREGATE_NOT_ALLOWED: Self = Self(459);
    /// For all tracks, not for one.
    pub const ONLY_AGGREGATE_ALLOWED: Self = Self(460);
    /// Not carried that way.
    pub const UNSUPPORTED_TRANSPORT: Self = Self(461);
    /// The server failed.
    pub const INTERNAL_ERROR: Self = Self(500);
    /// There is no such method.
    pub const NOT_IMPLEMENTED: Self = Self(501);
    /// Not now; later perhaps.
    pub const UNAVAILABLE: Self = Self(503);
    /// A version that is not spoken here (RFC 2326 section 7.1.1).
    pub const VERSION_NOT_SUPPORTED: Self = Self(505);
    /// Something in `Require` is not supported.
    pub const OPTION_NOT_SUPPORTED: Self = Self(551);

    /// Whether the request was done.
    pub const fn is_success(self) -> bool {
        matches!(self.0, 200..=299)
    }

    /// Whether it should be made elsewhere.
    pub const fn is_redirect(self) -> bool {
        matches!(self.0, 301 | 302 | 303 | 305 | 307 | 308)
    }

    /// The usual words; empty where the status is not known.
    pub const fn reason(self) -> &'static str {
        match self.0 {
            200 => "OK",
            301 => "Moved Permanently",
            302 => "Moved Temporarily",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            415 => "Unsupported Media Type",
            451 => "Parameter Not Understood",
            454 => "Session Not Found",
            455 => "Method Not Valid in This State",
            457 => "Invalid Range",
            459 => "Aggregate Operation Not Allowed",
            460 => "Only Aggregate Operation Allowed",
            461 => "Unsupported Transport",
            500 => "Internal Server Error",
            501 => "Not Implemented",
            503 => "Service Unavailable",
            505 => "RTSP Version not supported",
            551 => "Option not supported",
            _ => "",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
