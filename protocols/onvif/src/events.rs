//! What a camera notices, fetched from it: PullPoint of the event service (ONVIF Core Specification section 9.2).
//!
//! [`CreatePullPoint`] makes a subscription, which is a [`PullPoint`]; [`PullMessages`] waits there for what happens. These
//! are addressed (WS-Addressing), since one address may stand for several subscriptions: Axis has one for all, and tells
//! them apart by parameters that go back to it as headers.

use crate::Error;
use crate::operation::{Operation, missing};
use crate::service::{Service, Services};
use crate::soap::ADDRESSING;
use crate::xml::Element;
use std::time::Duration;

/// Most events of one answer that are looked at.
pub const MAX_EVENTS: usize = 256;

/// A subscription ends by itself when nothing has been pulled for so long.
const TERMINATION: &str = "PT60S";

/// Longest reference parameters that are sent back, in bytes of all together.
const MAX_PARAMETERS: usize = 8 << 10;

/// What our own headers say is not said in a camera's words.
const OWN_HEADERS: [&str; 5] = ["Action", "MessageID", "ReplyTo", "Security", "To"];

/// Where one subscription is pulled from: its endpoint reference (WS-Addressing 1.0 Core section 2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullPoint {
    /// The address, as the camera wrote it.
    pub place: String,
    /// Its reference parameters as headers.
    pub(crate) header: String,
}

impl PullPoint {
    /// Each parameter goes back as it is, marked as one (WS-Addressing 1.0 SOAP Binding section 3).
    fn read(reference: &Element) -> Result<Self, &'static str> {
        let place = reference.text_at(&["Address"]).ok_or("an address")?;
        let mark = format!(" xmlns:a=\"{ADDRESSING}\" a:IsReferenceParameter=\"true\"");
        let mut header = String::new();
        let parameters = reference.child("ReferenceParameters").into_iter();
        for parameter in parameters.flat_map(|parameters| &parameters.children) {
            if OWN_HEADERS.contains(&parameter.name.as_str()) {
                continue;
            }
            let written = parameter.write(&mut header, &mark, MAX_PARAMETERS);
            written.ok_or("reference parameters that can be sent back")?;
        }
        Ok(Self {
            place: place.to_owned(),
            header,
        })
    }
}

/// Begins to collect what happens (section 9.2.1).
#[derive(Clone, Copy, Debug)]
pub struct CreatePullPoint;

impl Operation for CreatePullPoint {
    type Answer = PullPoint;

    fn service(&self, _: &Services) -> Service {
        Service::Events
    }

    fn name(&self) -> &'static str {
        "CreatePullPointSubscription"
    }

    fn parameters(&self, _: &Services) -> String {
        format!("<InitialTerminationTime>{TERMINATION}</InitialTerminationTime>")
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<PullPoint, Error> {
        let reference = answer.child("SubscriptionReference");
        let reference = reference.ok_or_else(|| missing(self.name(), "an address"))?;
        PullPoint::read(reference).map_err(|what| missing(self.name(), what))
    }

    fn action(&self) -> Option<&'static str> {
        Some(
            "http://www.onvif.org/ver10/events/wsdl/EventPortType/CreatePullPointSubscriptionRequest",
        )
    }
}

/// Something that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Without prefixes: `RuleEngine/CellMotionDetector/Motion`.
    pub topic: String,
    /// When, as the camera writes it.
    pub time: String,
    /// `Initialized`, `Changed` or `Deleted`, of what has a state.
    pub operation: Option<String>,
    /// What it is about: names and values.
    pub source: Vec<(String, String)>,
    /// What is so: names and values.
    pub data: Vec<(String, String)>,
}

impl Event {
    fn read(notification: &Element) -> Option<Self> {
        let topic = notification.text_at(&["Topic"])?;
        let topic = topic.split('/');
        let topic: Vec<_> = topic
            .map(|part| part.rsplit(':').next().unwrap_or(part).trim())
            .collect();
        // The message stands within a message.
        let outer = notification.child("Message")?;
        let message = outer.child("Message").unwrap_or(outer);
        let items = |name: &str| {
            let items = message.child(name).into_iter();
            let items = items.flat_map(|items| items.all("SimpleItem"));
            let item = |item: &Element| {
                let text = |name| item.attribute(name).map(str::to_owned);
                text("Name").zip(text("Value"))
            };
            items.filter_map(item).collect()
        };
        Some(Self {
            topic: topic.join("/"),
            time: message.attribute("UtcTime").unwrap_or_default().to_owned(),
            operation: message.attribute("PropertyOperation").map(str::to_owned),
            source: items("Source"),
            data: items("Data"),
        })
    }
}

/// Waits for what happens (section 9.2.2). The camera answers when there is something, or the time is over.
#[derive(Clone, Debug)]
pub struct PullMessages {
    /// Where, as [`CreatePullPoint`] told it.
    pub from: PullPoint,
    /// How long the camera waits.
    pub timeout: Duration,
}

impl Operation for PullMessages {
    type Answer = Vec<Event>;

    fn service(&self, _: &Services) -> Service {
        Service::Events
    }

    fn name(&self) -> &'static str {
        "PullMessages"
    }

    fn parameters(&self, _: &Services) -> String {
        let seconds = self.timeout.as_secs();
        format!("<Timeout>PT{seconds}S</Timeout><MessageLimit>{MAX_EVENTS}</MessageLimit>")
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<Self::Answer, Error> {
        let all = answer.all("NotificationMessage").take(MAX_EVENTS);
        Ok(all.filter_map(Event::read).collect())
    }

    fn place(&self) -> Option<&str> {
        Some(&self.from.place)
    }

    fn header(&self) -> &str {
        &self.from.header
    }

    fn action(&self) -> Option<&'static str> {
        Some("http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/PullMessagesRequest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn motion() {
        let text = "<R><CurrentTime>x</CurrentTime><NotificationMessage><Topic Dialect='d'>\
            tns1:RuleEngine/CellMotionDetector/tns1:Motion</Topic><Message><tt:Message UtcTime='2026-11-27T11:00:00Z' \
            PropertyOperation='Changed'><tt:Source><tt:SimpleItem Name='Source' Value='V0'/></tt:Source><tt:Data>\
            <tt:SimpleItem Name='IsMotion' Value='true'/><tt:SimpleItem Name='odd'/></tt:Data></tt:Message></Message>\
            </NotificationMessage><NotificationMessage/></R>";
        let pull = PullMessages {
            from: PullPoint::default(),
            timeout: Duration::from_secs(5),
        };
        let events = pull.read(&Element::parse(text).unwrap(), &Services::default());
        let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let motion = Event {
            topic: "RuleEngine/CellMotionDetector/Motion".to_owned(),
            time: "2026-11-27T11:00:00Z".to_owned(),
            operation: Some("Changed".to_owned()),
            source: pair("Source", "V0"),
            data: pair("IsMotion", "true"),
        };
        assert_eq!(events, Ok(vec![motion]));
    }

    #[test]
    fn reference_parameters_are_bounded_and_no_headers_of_our_own() {
        let read = |parameters: &str| {
            let text = format!(
                "<R xmlns:e='urn:e'><SubscriptionReference><Address>/s</Address><ReferenceParameters>{parameters}\
                 </ReferenceParameters></SubscriptionReference></R>"
            );
            CreatePullPoint.read(&Element::parse(&text).unwrap(), &Services::default())
        };
        let headers = |parameters: &str| read(parameters).map(|point| point.header);
        let one = "<Id xmlns=\"urn:e\" xmlns:a=\"http://www.w3.org/2005/08/addressing\" \
                   a:IsReferenceParameter=\"true\">&lt;1&gt;</Id>";
        let id = "<e:Id>&lt;1></e:Id>";
        assert_eq!(headers(id).as_deref(), Ok(one));
        assert_eq!(headers("").as_deref(), Ok(""));
        let ours = format!("<e:Security><UsernameToken/></e:Security>{id}<To>x</To>");
        assert_eq!(headers(&ours).as_deref(), Ok(one));
        let many = id.repeat(MAX_PARAMETERS / one.len());
        assert!(headers(&many).is_ok());
        let long = format!("<Id>{}</Id>", "1".repeat(MAX_PARAMETERS));
        for beyond in [format!("{many}{id}"), long, "<1>1</1>".to_owned()] {
            assert!(headers(&beyond).is_err(), "{beyond:.40}");
        }
    }
}
