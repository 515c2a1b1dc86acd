//! All that the APIs have made, as one document that is kept elsewhere and brought back, here or in another server.

use super::settings::AppSettings;
use super::{Broadcast, Control, ControlError, Endpoint};
use crate::hub::StreamName;
use crate::record::name::is_file;
use crate::store;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The form of [`State`].
const FORM: u32 = 1;

/// All that the APIs have made. It holds secrets: passwords of cameras, keys of streams and of targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The form of the document: 1.
    pub form: u32,
    /// Broadcasts by `APP/ID`, with what differs from an empty one.
    pub broadcasts: BTreeMap<String, Value>,
    /// Settings of applications.
    #[serde(default)]
    pub settings: BTreeMap<String, AppSettings>,
}

/// What became of a document that was brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Broadcasts that were made or changed.
    pub made: Vec<String>,
    /// Those that are as in the document already.
    pub same: Vec<String>,
    /// Those that exist and are something else.
    pub exist: Vec<String>,
    /// Those that are not in the document and were deleted.
    pub deleted: Vec<String>,
    /// Those that could not be made, and why.
    pub failed: BTreeMap<String, String>,
}

impl State {
    /// Of these documents of a store.
    pub fn of<'a>(
        broadcasts: impl IntoIterator<Item = (&'a str, &'a Broadcast)>,
        settings: BTreeMap<String, AppSettings>,
    ) -> Self {
        let written = |(name, broadcast): (&str, &Broadcast)| {
            let broadcast = portable(broadcast)?;
            Some((name.to_owned(), differences(&broadcast)))
        };
        Self {
            form: FORM,
            broadcasts: broadcasts.into_iter().filter_map(written).collect(),
            settings,
        }
    }

    /// The broadcasts.
    ///
    /// # Errors
    /// What is wrong with the document, in words.
    pub fn broadcasts(&self) -> Result<BTreeMap<StreamName, Broadcast>, String> {
        if self.form != FORM {
            return Err(format!("form {} is not known, only {FORM}", self.form));
        }
        let read = |(key, value): (&String, &Value)| {
            let (app, id) = key.split_once('/').unwrap_or(("", key));
            let name = StreamName::new(app, id).map_err(|error| format!("{key:?}: {error}"))?;
            let read = Broadcast::deserialize(value);
            let broadcast = read.map_err(|error| format!("{key}: {error}"))?;
            // What is in a document is not trusted to be what this server wrote.
            let broadcast = portable(&broadcast).unwrap_or_default();
            Ok((name, broadcast))
        };
        self.broadcasts.iter().map(read).collect()
    }
}

/// A broadcast as any server may have it: without what has become of it here. None where the file makes it, and the APIs
/// nothing of it.
fn portable(broadcast: &Broadcast) -> Option<Broadcast> {
    let endpoints = broadcast.endpoints.iter();
    let endpoints = endpoints.filter(|endpoint| !endpoint.by_file && !endpoint.once);
    let endpoints: Vec<Endpoint> = endpoints
        .map(|endpoint| Endpoint {
            number: 0,
            ..endpoint.clone()
        })
        .collect();
    if broadcast.by_file {
        let left = Broadcast {
            implied: true,
            created: broadcast.created,
            endpoints,
            ..Broadcast::default()
        };
        return (!left.endpoints.is_empty()).then_some(left);
    }
    // A file of the machine is named in the configuration alone.
    let slate = broadcast.slate.as_ref().filter(|file| is_file(file));
    Some(Broadcast {
        endpoints,
        slate: slate.cloned(),
        number: 0,
        started: None,
        live: false,
        cut_off: false,
        thumbnail: None,
        ..broadcast.clone()
    })
}

/// Whether a text can be what a target is known by.
fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric();
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

/// What differs from an empty broadcast.
fn differences(broadcast: &Broadcast) -> Value {
    let fields = |broadcast: &Broadcast| match serde_json::to_value(broadcast) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let empty = fields(&Broadcast::default());
    let mut fields = fields(broadcast);
    fields.retain(|name, value| empty.get(name) != Some(value));
    fields.into()
}

impl Control {
    /// All that the APIs have made.
    pub fn state(&self) -> State {
        let kept = self.lock().clone();
        let kept = kept.iter().filter(|(_, broadcast)| !broadcast.once);
        let settings = self.all_settings();
        State::of(kept.map(|(name, kept)| (name.as_str(), kept)), settings)
    }

    /// Brings back what a document has. What exists and is something else is left as it is; with `replace` it becomes what
    /// the document says, and what that does not have goes.
    ///
    /// # Errors
    /// What is wrong with the document: then nothing has changed. Or the store cannot be written.
    pub async fn restore(&self, state: &State, replace: bool) -> Result<Restored, ControlError> {
        let broadcasts = state.broadcasts().map_err(ControlError::Document)?;
        if broadcasts.len() > super::MAX_BROADCASTS {
            return Err(ControlError::Full(super::MAX_BROADCASTS));
        }
        let mut restored = Restored::default();
        if replace {
            let known = self.lock().clone();
            let gone = known
                .iter()
                .filter(|(_, known)| !known.by_file && !known.once);
            for (name, _) in gone.filter(|(name, _)| !broadcasts.contains_key(name)) {
                self.delete(name).await?;
                restored.deleted.push(name.to_string());
            }
        }
        for (name, broadcast) in broadcasts {
            let key = name.to_string();
            match self.restore_one(&name, broadcast, replace).await {
                Ok(Some(true)) => restored.made.push(key),
                Ok(Some(false)) => restored.same.push(key),
                Ok(None) => restored.exist.push(key),
                Err(ControlError::Store(error)) => return Err(error.into()),
                Err(error) => drop(restored.failed.insert(key, error.to_string())),
            }
        }
        for (app, settings) in &state.settings {
            if replace || self.settings(app) == AppSettings::default() {
                self.set_settings(app, settings.clone()).await?;
            }
        }
        Ok(restored)
    }

    /// Whether it was made or changed; none where it exists and is something else.
    async fn restore_one(
        &self,
        name: &StreamName,
        wish: Broadcast,
        replace: bool,
    ) -> Result<Option<bool>, ControlError> {
        self.check_addresses(&wish)?;
        for endpoint in &wish.endpoints {
            self.check_target(&endpoint.url)?;
        }
        let before = self.lock().get(name).cloned();
        if before.as_ref().is_some_and(|before| before.by_file) {
            return self.restore_targets(name, wish.endpoints).await.map(Some);
        }
        let _writing = self.shared.writing.lock().await;
        let before = self.lock().get(name).cloned();
        if before.as_ref().and_then(portable).as_ref() == Some(&wish) {
            return Ok(Some(false));
        }
        if before.is_some() && !replace {
            return Ok(None);
        }
        let known = before.clone().unwrap_or_default();
        let mut after = Broadcast {
            number: known.number,
            started: known.started,
            live: known.live,
            cut_off: known.cut_off,
            thumbnail: known.thumbnail.clone(),
            ..wish
        };
        if after.kind.is_pulled() && after.number == 0 {
            after.number = self.numbers(1).await?.start;
        }
        let mut ids = BTreeSet::new();
        for endpoint in &mut after.endpoints {
            let said = endpoint.clone();
            let same = known.endpoints.iter().find(|one| one.url == said.url);
            *endpoint = match same {
                Some(same) => Endpoint {
                    id: same.id.clone(),
                    number: same.number,
                    ..said
                },
                None => {
                    let id = said.id.clone();
                    let new = self.identified(said).await?;
                    let is_free = is_id(&id) && !ids.contains(&id);
                    let id = if is_free { id } else { new.id };
                    Endpoint { id, ..new }
                }
            };
            ids.insert(endpoint.id.clone());
        }
        let kind = store::Kind::Broadcasts;
        self.shared.store.put(kind, name.as_str(), &after).await?;
        self.lock().insert(name.clone(), after.clone());
        self.follow_change(name, before.as_ref(), &after);
        Ok(Some(true))
    }

    /// Targets that an API has given to a stream of the file. Whether there was one that was not there.
    async fn restore_targets(
        &self,
        name: &StreamName,
        endpoints: Vec<Endpoint>,
    ) -> Result<bool, ControlError> {
        let mut is_new = false;
        for endpoint in endpoints {
            match self.push(name, endpoint).await {
                Ok(_) => is_new = true,
                Err(ControlError::TargetExists(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(is_new)
    }
}
