//! ONVIF without sockets and clocks: bytes and wall-clock times in, bytes and answers out.
//!
//! Read [`Session`] first: it knows one camera, and [`Session::ask`] makes an [`Asking`] of an [`Operation`], which is
//! polled for HTTP requests and fed with their responses until it is done. What opening a camera takes (its clock, its
//! services, how it wants to be shown a password) happens on the way, once. The operations are in [`device`],
//! [`profiles`], [`ptz`], [`imaging`] and [`events`]; [`discovery`] is how cameras are found. [`server`] is the other side:
//! what a device answers.
//!
//! Elements are told apart by their local names alone: cameras differ in prefixes and forget to declare them. SOAP is
//! 1.2 (ONVIF Core Specification section 5.1), addressing headers are left out but where events need them, because
//! cheap cameras do not understand them.

pub mod device;
pub mod discovery;
pub mod events;
#[doc(hidden)]
pub mod fuzz;
pub mod imaging;
pub mod profiles;
pub mod ptz;
pub mod server;
pub mod xml;

mod error;
mod operation;
mod places;
mod security;
mod service;
mod session;
mod soap;

pub use error::Error;
pub use http_auth::{self as auth, Credentials, Random};
pub use operation::Operation;
pub use places::{Address, AddressError};
pub use service::{Service, Services};
pub use session::{Asking, Output, Request, Response, Session};
pub use soap::{Fault, MAX_ENVELOPE};
