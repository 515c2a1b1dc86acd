//! The API of EvoStream Media Server, over HTTP ([`http`]) and as lines ([`lines`]), as a view of [`Control`].
//!
//! A text becomes a [`Command`], a command that is well formed a call of one of the `functions`, and a call an
//! [`Answer`]. `SUCCESS` says that what was asked for is kept and under way; how it fares is told by `listConfig`.

mod answer;
pub mod command;
mod configs;
mod events;
mod functions;
pub mod http;
pub mod lines;
mod pull;
mod push;
mod streams;
mod uri;

pub use answer::Answer;
pub use command::Command;
pub use events::Sink;

use crate::adapters::Context;
use crate::control::{Control, ControlError};
use crate::hub::StreamName;
use command::CommandError;
use functions::Call;
use serde_json::json;
use std::sync::Arc;

/// What answers calls, whichever way they come. Clones share all.
#[derive(Clone)]
pub struct Door {
    control: Control,
    context: Arc<Context>,
}

/// The data and the description of a success, or why there is none.
type Result<T = (serde_json::Value, String)> = std::result::Result<T, String>;

impl Door {
    /// To this server.
    pub const fn new(control: Control, context: Arc<Context>) -> Self {
        Self { control, context }
    }

    /// Does what is asked. Whether the caller may is not asked here.
    pub async fn answer(&self, command: std::result::Result<Command, CommandError>) -> Answer {
        let command = match command {
            Ok(command) => command,
            Err(error) => return Answer::failure(error.to_string()),
        };
        let result = match Call::new(&command) {
            Ok(call) => self.call(&call).await,
            Err(words) => Err(words),
        };
        let answer = match result {
            Ok((data, description)) => Answer::success(data, description),
            Err(words) => Answer::failure(words),
        };
        answer.to(command.id())
    }

    async fn call(&self, call: &Call) -> Result {
        match call.function() {
            "pushStream" => push::push(self, call).await,
            "pullStream" => pull::pull(self, call).await,
            "listStreams" => Ok(streams::list(self)),
            "listStreamsIds" => Ok(streams::ids(self)),
            "getStreamInfo" => streams::info(self, call),
            "getStreamsCount" => Ok(streams::count(self)),
            "isStreamRunning" => streams::is_running(self, call),
            "shutdownStream" => streams::shut_down(self, call).await,
            "listConfig" => Ok(configs::list(self)),
            "getConfigInfo" => configs::info(self, call),
            "removeConfig" => configs::remove(self, call).await,
            "pauseConfig" => configs::pause(self, call, true).await,
            "resumeConfig" => configs::pause(self, call, false).await,
            "version" => Ok(version()),
            _ => Ok((functions::help(), "Available commands".to_owned())),
        }
    }

    /// The stream that a local name means.
    fn stream(&self, local: &str) -> Result<StreamName> {
        let name = self.context.applications.resolve(local);
        name.map_err(|error| format!("The stream name cannot be used: {error}"))
    }

    /// The local name of a stream: without its application, where that is the default one.
    fn local(&self, name: &StreamName) -> String {
        match self.context.applications.names().first() {
            Some(first) if first == name.app() => name.id().to_owned(),
            _ => name.to_string(),
        }
    }
}

fn version() -> (serde_json::Value, String) {
    let release = env!("CARGO_PKG_VERSION");
    let data = json!({
        "banner": format!("Millstream {release}"),
        "branchName": "",
        "buildDate": "",
        "buildNumber": release,
        "codeName": "Millstream",
        "hash": "",
        "releaseNumber": release,
    });
    (data, "Version".to_owned())
}

/// Why something was refused; what went wrong inside is for the log.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn refused(error: ControlError) -> String {
    if let ControlError::Store(error) = &error {
        tracing::error!(%error, "cannot keep what the API accepted");
        return "The change could not be kept".to_owned();
    }
    let words = error.to_string();
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
