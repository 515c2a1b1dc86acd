//! What a camera notices, fetched from it: PullPoint of the event service (ONVIF Core Specification section 9.2).
//!
//! [`CreatePullPoint`] gives the address of a subscription; [`PullMessages`] waits there for what happens. These are
//! addressed (WS-Addressing), since one address may stand for several subscriptions.

use crate::Error;
use crate::operation::{Operation, missing};
use crate::service::{Service, Services};
use crate::xml::Element;
use std::time::Duration;

/// Most events of one answer that are looked at.
pub const MAX_EVENTS: usize = 256;

/// A subscription ends by itself when nothing has been pulled for so long.
const TERMINATION: &str = "PT60S";

/// Begins to collect what happens (section 9.2.1).
#[derive(Clone, Copy, Debug)]
pub struct CreatePullPoint;

impl Operation for CreatePullPoint {
    /// Where it is pulled from, as the camera wrote it.
    type Answer = String;

    fn service(&self, _: &Services) -> Service {
        Service::Events
    }

    fn name(&self) -> &'static str {
        "CreatePullPointSubscription"
    }

    fn parameters(&self, _: &Services) -> String {
        format!("<InitialTerminationTime>{TERMINATION}</InitialTerminationTime>")
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<String, Error> {
        let place = answer.text_at(&["SubscriptionReference", "Address"]);
        let place = place.map(str::to_owned);
        place.ok_or_else(|| missing(self.name(), "an address"))
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
    pub place: String,
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
        Some(&self.place)
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
            place: "/s".to_owned(),
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
}
