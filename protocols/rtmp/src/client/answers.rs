//! What a server answers to the client's commands (sections 7.2.1 and 7.2.2).

use super::{Event, Goal, Session, Stage, transaction};
use crate::amf0::Value;
use crate::enhanced::{self, four_ccs};
use crate::error::Error;
use crate::message::Command;
use std::time::Instant;

impl Session {
    pub(super) fn command(&mut self, now: Instant, command: &Command) -> Result<(), Error> {
        match (command.name.as_str(), self.stage) {
            (_, Stage::Over) => {}
            ("_result", Stage::Connecting) if command.transaction == transaction::CONNECT => {
                self.set_up_link();
                let caps_ex = property(command, "capsEx").and_then(Value::as_number);
                let named =
                    |name: &str| command.object.get(name).or_else(|| property(command, name));
                self.server_four_ccs = four_ccs(named);
                self.server_caps_ex = caps_ex.map_or(0, |caps_ex| caps_ex as u32);
                self.stage = Stage::Connected;
                self.deadline = None;
                self.events.push_back(Event::Connected);
                if self.goal.is_some() {
                    self.create_stream(now);
                }
            }
            ("_result", Stage::Creating) if command.transaction == transaction::CREATE_STREAM => {
                self.start(stream_number(command)?);
            }
            ("_error", stage) if awaited(stage) == Some(command.transaction) => {
                self.rejected(command);
            }
            ("onStatus", _) => self.status(command),
            ("close", _) => self.closed(String::new()),
            // Answers that nothing depends on (releaseStream, FCPublish), and calls that are no more than
            // news (onBWDone, onFCPublish).
            _ => {}
        }
        Ok(())
    }

    fn status(&mut self, command: &Command) {
        let (level, code) = (field(command, "level"), field(command, "code"));
        match (code, self.stage, &self.goal) {
            (enhanced::RECONNECT_REQUEST, ..) => self.events.push_back(Event::Reconnect {
                tc_url: Some(field(command, "tcUrl"))
                    .filter(|url| !url.is_empty())
                    .map(str::to_owned),
                description: field(command, "description").to_owned(),
            }),
            (_, Stage::Active(_), _) if level == "error" => {
                self.closed(field(command, "description").to_owned());
            }
            _ if level == "error" => self.rejected(command),
            ("NetStream.Publish.Start", Stage::Asking(stream), Some(Goal::Publish(..))) => {
                self.active(stream, Event::Publishing);
            }
            ("NetStream.Play.Start", Stage::Asking(stream), Some(Goal::Play(_))) => {
                self.active(stream, Event::Playing);
            }
            (
                "NetStream.Play.UnpublishNotify"
                | "NetStream.Play.Stop"
                | "NetStream.Play.Complete"
                | "NetStream.Unpublish.Success"
                | "NetConnection.Connect.Closed",
                Stage::Active(_),
                _,
            ) => self.closed(field(command, "description").to_owned()),
            _ => {}
        }
    }

    fn active(&mut self, stream: u32, event: Event) {
        self.stage = Stage::Active(stream);
        self.deadline = None;
        self.events.push_back(event);
    }

    fn rejected(&mut self, command: &Command) {
        self.over();
        self.events.push_back(Event::Rejected {
            code: field(command, "code").to_owned(),
            description: field(command, "description").to_owned(),
        });
    }
}

/// The call whose failure ends the session.
const fn awaited(stage: Stage) -> Option<f64> {
    match stage {
        Stage::Connecting => Some(transaction::CONNECT),
        Stage::Creating => Some(transaction::CREATE_STREAM),
        Stage::Asking(_) => Some(transaction::START),
        Stage::Handshake | Stage::Connected | Stage::Active(_) | Stage::Over => None,
    }
}

/// A text of the information object; empty where there is none.
fn field<'a>(command: &'a Command, name: &str) -> &'a str {
    let property = property(command, name).and_then(Value::as_str);
    property.unwrap_or_default()
}

/// A property of the information object, which is the first argument that is an object.
fn property<'a>(command: &'a Command, name: &str) -> Option<&'a Value> {
    let mut arguments = command.arguments.iter();
    arguments.find_map(|argument| argument.get(name))
}

fn stream_number(command: &Command) -> Result<u32, Error> {
    command
        .arguments
        .first()
        .and_then(Value::as_number)
        .filter(|number| (0.0..=f64::from(u32::MAX)).contains(number))
        .map(|number| number as u32)
        .ok_or(Error::MissingArgument {
            command: "the answer to createStream",
            argument: "a stream number",
        })
}
