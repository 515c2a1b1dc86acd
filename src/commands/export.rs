//! `millstream export`: all that the APIs have made, out of the data folder of a server that does not run.

use super::CommandError;
use crate::config::Config;
use crate::control::Broadcast;
use crate::control::state::State;
use crate::store::{Kind, Store, StoreError};

/// The document, as `GET /api/v1/state` gives it.
///
/// # Errors
/// When there is no such folder, it is in use, or cannot be read.
pub fn run(config: &Config) -> Result<String, CommandError> {
    let folder = &config.general.data_dir;
    if !folder.is_dir() {
        let words = format!("there is no data folder {}", folder.display());
        return Err(CommandError::Unusable(words));
    }
    let unusable = |error: StoreError| {
        let advice = match error {
            StoreError::InUse(_) => ": ask the server that runs, GET /api/v1/state",
            _ => "",
        };
        CommandError::Unusable(format!("{error}{advice}"))
    };
    let store = Store::open(folder).map_err(unusable)?;
    let broadcasts = store.all::<Broadcast>(Kind::Broadcasts);
    let broadcasts = broadcasts.map_err(unusable)?;
    let settings = store.all(Kind::Settings).map_err(unusable)?;
    let broadcasts = broadcasts.iter().map(|(name, kept)| (name.as_str(), kept));
    let state = State::of(broadcasts, settings.into_iter().collect());
    let text = serde_json::to_string_pretty(&state);
    let text = text.map_err(|error| CommandError::Failed(error.to_string()))?;
    Ok(format!("{text}\n"))
}
