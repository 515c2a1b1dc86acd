//! What a camera can be asked.

use crate::xml::Element;
use crate::{Error, Service, Services};

/// A question to a camera, and how its answer is read.
///
/// Not to be implemented elsewhere: the text goes into the envelope as it is.
pub trait Operation {
    /// What is answered.
    type Answer;

    /// The service that is asked: that of the device, where nothing else is said.
    fn service(&self, _services: &Services) -> Service {
        Service::Device
    }

    /// Its name, which is that of the element in the body.
    fn name(&self) -> &'static str;

    /// What is in that element, as XML; elements of the service's own namespace have no prefix, those of
    /// `http://www.onvif.org/ver10/schema` have `tt`.
    fn parameters(&self, _services: &Services) -> String {
        String::new()
    }

    /// Reads the element that answers.
    ///
    /// # Errors
    /// When something needed is not there.
    fn read(&self, answer: &Element, services: &Services) -> Result<Self::Answer, Error>;

    /// The address that is asked, where it is not that of the service: a subscription's.
    fn place(&self) -> Option<&str> {
        None
    }

    /// Headers that belong to that address, as XML.
    fn header(&self) -> &str {
        ""
    }

    /// What WS-Addressing calls the message, where the camera has to be told.
    fn action(&self) -> Option<&'static str> {
        None
    }
}

/// Words for what is not in an answer.
pub(crate) const fn missing(operation: &'static str, what: &'static str) -> Error {
    Error::Missing { operation, what }
}
