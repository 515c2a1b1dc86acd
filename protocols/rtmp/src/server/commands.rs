//! The commands of a client (sections 7.2.1 and 7.2.2, and those that encoders add to them).

use super::connect::{Connect, name};
use super::{CHUNK_SIZE, Event, MESSAGE_STREAM, Request, Role, Session, Stage};
use crate::PublishKind;
use crate::amf0::Value;
use crate::enhanced;
use crate::error::Error;
use crate::link::WINDOW;
use crate::message::{Command, Message, status};
use std::time::Instant;

/// The limit type of Set Peer Bandwidth that leaves the choice to the peer (section 5.4.5).
const DYNAMIC: u8 = 2;

impl Session {
    pub(super) fn command(
        &mut self,
        now: Instant,
        stream: u32,
        command: &Command,
    ) -> Result<(), Error> {
        match command.name.as_str() {
            "connect" => self.connect(command)?,
            "createStream" => self.result(command, vec![f64::from(MESSAGE_STREAM).into()]),
            "publish" if is_off(command) => self.stop(now, stream),
            "publish" => {
                let kind = PublishKind::from_argument(command.text(1));
                let request = self.request("publish", stream, Role::Publisher, command)?;
                self.events.push_back(Event::Publish(request, kind));
            }
            "play" if is_off(command) => self.stop(now, stream),
            "play" => {
                let request = self.request("play", stream, Role::Player, command)?;
                self.events.push_back(Event::Play(request));
            }
            "deleteStream" | "closeStream" => self.stop(now, stream),
            "FCUnpublish" => {
                self.notify(command, "onFCUnpublish", "NetStream.Unpublish.Success");
                self.stop(now, stream);
            }
            "FCPublish" => self.notify(command, "onFCPublish", "NetStream.Publish.Start"),
            "FCSubscribe" => self.notify(command, "onFCSubscribe", "NetStream.Play.Start"),
            "pause" | "pauseRaw" => self.pause(stream, command),
            "seek" => {
                let description = "A live stream cannot be sought.";
                let status = Command::on_status("error", "NetStream.Seek.Failed", description);
                self.link.command(stream, status);
            }
            "getStreamLength" => self.result(command, vec![0.0.into()]),
            "releaseStream" | "_checkbw" | "checkBandwidth" | "FCUnsubscribe" => {
                self.result(command, vec![Value::Undefined]);
            }
            "receiveAudio" | "receiveVideo" | "_result" | "_error" | "onStatus" => {}
            _ => self.unknown(command),
        }
        Ok(())
    }

    fn connect(&mut self, command: &Command) -> Result<(), Error> {
        if self.connect.is_some() {
            return Err(Error::OutOfOrder {
                command: "connect",
                state: "on a connection that has connected",
            });
        }
        let connect = Connect::read(command)?;
        let is_enhanced = !connect.four_cc_list.is_empty() || connect.caps_ex != 0;
        self.connect = Some(connect);
        self.link.set_limits(self.config.limits);
        self.link.send(0, &Message::WindowAckSize(WINDOW));
        let bandwidth = Message::SetPeerBandwidth {
            size: WINDOW,
            limit: DYNAMIC,
        };
        self.link.send(0, &bandwidth);
        self.link.set_chunk_size(CHUNK_SIZE);
        let mut information = status(
            "status",
            "NetConnection.Connect.Success",
            "Connection succeeded.",
        );
        if let Value::Object(properties) = &mut information {
            // Whatever the client asked for: commands are read and written in AMF0.
            properties.push(("objectEncoding".to_owned(), 0.0.into()));
            if is_enhanced {
                properties.extend(enhanced::announcement());
            }
        }
        self.link.command(
            0,
            Command {
                name: "_result".to_owned(),
                transaction: command.transaction,
                // Some clients want to see a known server here.
                object: Value::object([
                    ("fmsVer", "FMS/3,5,3,888".into()),
                    ("capabilities", 127.0.into()),
                ]),
                arguments: vec![information],
            },
        );
        Ok(())
    }

    fn request(
        &mut self,
        verb: &'static str,
        stream: u32,
        role: Role,
        command: &Command,
    ) -> Result<Request, Error> {
        let out_of_order = |state| Error::OutOfOrder {
            command: verb,
            state,
        };
        let Some(connect) = &self.connect else {
            return Err(out_of_order("before connect"));
        };
        match self.stage {
            Stage::Active(Role::Publisher, _) => return Err(out_of_order("while publishing")),
            Stage::Active(Role::Player, _) => return Err(out_of_order("while playing")),
            Stage::Idle | Stage::Asking(..) => {}
        }
        let key = command.text(0).ok_or(Error::MissingArgument {
            command: verb,
            argument: "a stream name",
        })?;
        let request = Request {
            key: name("stream name", key)?,
            message_stream: stream,
            connect: connect.clone(),
        };
        self.stage = Stage::Asking(role, stream);
        self.request_deadline = None;
        Ok(request)
    }

    /// Ends what the client was doing, if anything: encoders say it with up to three commands in a row.
    fn stop(&mut self, now: Instant, stream: u32) {
        let Stage::Active(role, active) = self.stage else {
            return;
        };
        if role == Role::Publisher {
            let code = "NetStream.Unpublish.Success";
            self.status(active, code, "Stopped publishing.");
        } else if stream == active {
            self.status(active, "NetStream.Play.Stop", "Stopped playing.");
        }
        self.idle(now);
        self.events.push_back(Event::Stop);
    }

    fn pause(&mut self, stream: u32, command: &Command) {
        if !self.is_playing() {
            return;
        }
        let pause = command.arguments.first() == Some(&Value::Boolean(true));
        let (code, description) = if pause {
            ("NetStream.Pause.Notify", "Paused.")
        } else {
            ("NetStream.Unpause.Notify", "Playing on.")
        };
        self.status(stream, code, description);
        self.events.push_back(Event::Pause(pause));
    }

    /// Answers the commands that encoders took from other servers: a result, and a call of their own.
    fn notify(&mut self, command: &Command, name: &str, code: &str) {
        self.result(command, vec![Value::Undefined]);
        let information = status("status", code, "");
        self.link
            .command(0, Command::new(name, 0.0, vec![information]));
    }

    fn result(&mut self, command: &Command, arguments: Vec<Value>) {
        if command.transaction != 0.0 {
            let result = Command::new("_result", command.transaction, arguments);
            self.link.command(0, result);
        }
    }

    fn unknown(&mut self, command: &Command) {
        if command.transaction != 0.0 {
            let code = "NetConnection.Call.Failed";
            let information = status("error", code, "There is no such command.");
            let error = Command::new("_error", command.transaction, vec![information]);
            self.link.command(0, error);
        }
    }
}

/// `publish(false)` and `play(false)` end a stream.
fn is_off(command: &Command) -> bool {
    command.arguments.first() == Some(&Value::Boolean(false))
}
