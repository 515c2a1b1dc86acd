//! What someone asked for by name, as it is kept.

use super::endpoint::{Endpoint, kept};
use crate::adapters::onvif::camera_url;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::SystemTime;
use url::Url;

/// Where the stream of a broadcast comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// Someone publishes it.
    #[default]
    #[serde(rename = "liveStream")]
    LiveStream,
    /// Pulled from a camera.
    #[serde(rename = "ipCamera")]
    IpCamera,
    /// Pulled from a URL.
    #[serde(rename = "streamSource")]
    StreamSource,
    /// A recording.
    #[serde(rename = "VoD")]
    Vod,
    /// Several recordings or sources, one after the other.
    #[serde(rename = "playlist")]
    Playlist,
}

impl Kind {
    /// The name in Ant Media's REST API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LiveStream => "liveStream",
            Self::IpCamera => "ipCamera",
            Self::StreamSource => "streamSource",
            Self::Vod => "VoD",
            Self::Playlist => "playlist",
        }
    }

    /// Whether the server fetches it, rather than waiting for a publisher.
    pub const fn is_pulled(self) -> bool {
        !matches!(self, Self::LiveStream)
    }
}

/// What was asked for. Its name is its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Broadcast {
    /// Where it comes from.
    pub kind: Kind,
    /// What people call it.
    pub name: Option<String>,
    /// When it was made.
    pub created: SystemTime,
    /// When it was last published; none if it never was.
    pub started: Option<SystemTime>,
    /// It is live, as far as the store knows: after a start of the server, it was when the server ended without
    /// a word.
    pub live: bool,
    /// It was live when the server ended without a word, and nothing has been done with it since.
    #[serde(skip)]
    pub cut_off: bool,
    /// Where it is pulled from.
    pub stream_url: Option<String>,
    /// Where it is pulled from while that cannot be had, in this order.
    pub fallback_urls: Vec<String>,
    /// Address of the camera.
    pub ip_addr: Option<String>,
    /// User on the camera.
    pub username: Option<String>,
    /// Password on the camera.
    pub password: Option<String>,
    /// Whether its source was started last, or stopped; none while it has been neither.
    pub wanted: Option<bool>,
    /// Runs only while someone watches.
    pub auto_start_stop: bool,
    /// Where it is pushed to while it is live.
    #[serde(serialize_with = "kept")]
    pub endpoints: Vec<Endpoint>,
    /// The number of its source, which nothing else that is pulled or pushed has or will have; 0 without one.
    pub number: u64,
    /// It is pulled after every start of the server, whatever the settings of its application say.
    pub standing: bool,
    /// Its source is tried once, and none of it is kept.
    #[serde(skip)]
    pub once: bool,
    /// The configuration file makes it, and says what it is.
    pub by_file: bool,
    /// Nobody made it: it is there for its targets, which wait for a stream of that name, and goes with the last.
    pub implied: bool,
    /// Who has it may publish the broadcast, without its name.
    pub stream_key: Option<String>,
    /// When it was last changed, if it was.
    pub updated: Option<SystemTime>,
    /// The name of its picture's file.
    pub thumbnail: Option<String>,
    /// Whether it is recorded as MP4 while it is live; none where nobody has said.
    pub record: Option<bool>,
    /// The file that is shown while its sources are gone.
    pub slate: Option<String>,
    /// What is kept for whoever wrote it, and means nothing to the server.
    pub notes: Notes,
    /// The words in which its source was asked for, for the answers of the API that was asked.
    pub said: BTreeMap<String, String>,
}

impl Broadcast {
    /// The URLs that it is pulled from, the first being the one that is wanted. User name and password stand
    /// in them. Empty where nothing is pulled.
    pub fn sources(&self) -> Vec<String> {
        if !self.kind.is_pulled() {
            return Vec::new();
        }
        let filled = |url: &&String| !url.is_empty();
        // A camera may be given by its stream's URL alone.
        let camera = self.camera();
        let address = self.ip_addr.as_ref();
        let address =
            address.filter(|address| self.kind == Kind::IpCamera && address.contains("://"));
        let first = self.stream_url.as_ref().filter(filled);
        let first = first.or(camera.as_ref()).or(address);
        let all = first.into_iter().chain(&self.fallback_urls);
        all.filter(filled).map(|url| self.signed_in(url)).collect()
    }

    /// Where the camera itself is asked for its stream and all else. None for what is no camera, or is given by its
    /// stream's URL. User name and password stand in it.
    pub fn camera(&self) -> Option<String> {
        let address = self.ip_addr.as_deref().map(str::trim);
        let address =
            address.filter(|address| self.kind == Kind::IpCamera && !address.is_empty())?;
        Some(self.signed_in(&camera_url(address)?))
    }

    /// The URL with user name and password, where they are known and it has none.
    fn signed_in(&self, url: &str) -> String {
        let user = self.username.as_deref().filter(|user| !user.is_empty());
        let parsed = Url::parse(url).ok();
        let Some((user, mut parsed)) = user.zip(parsed.filter(|url| url.username().is_empty()))
        else {
            return url.to_owned();
        };
        let password = self.password.as_deref();
        let done = parsed
            .set_username(user)
            .and_then(|()| parsed.set_password(password));
        done.map_or_else(|()| url.to_owned(), |()| parsed.into())
    }
}

impl Default for Broadcast {
    fn default() -> Self {
        Self {
            kind: Kind::default(),
            name: None,
            created: SystemTime::UNIX_EPOCH,
            started: None,
            live: false,
            cut_off: false,
            stream_url: None,
            fallback_urls: Vec::new(),
            ip_addr: None,
            username: None,
            password: None,
            wanted: None,
            auto_start_stop: false,
            endpoints: Vec::new(),
            number: 0,
            standing: false,
            once: false,
            by_file: false,
            implied: false,
            stream_key: None,
            updated: None,
            thumbnail: None,
            record: None,
            slate: None,
            notes: Notes::default(),
            said: BTreeMap::new(),
        }
    }
}

/// Fields of the REST API that are kept and given back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "named and explained by the REST API they come from"
)]
pub struct Notes {
    pub description: Option<String>,
    pub category: Option<String>,
    pub publish: Option<bool>,
    pub public_stream: Option<bool>,
    pub is360: Option<bool>,
    pub planned_start_date: Option<i64>,
    pub planned_end_date: Option<i64>,
    #[serde(rename = "listenerHookURL")]
    pub listener_hook_url: Option<String>,
    pub latitude: Option<String>,
    pub longitude: Option<String>,
    pub altitude: Option<String>,
    pub meta_data: Option<String>,
    pub role: Option<String>,
    pub sub_folder: Option<String>,
    pub main_track_stream_id: Option<String>,
    pub player_id: Option<String>,
}

/// Changes to a broadcast: what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields of `Broadcast` and `Notes`")]
pub struct Patch {
    pub name: Option<String>,
    pub stream_url: Option<String>,
    pub fallback_urls: Option<Vec<String>>,
    pub ip_addr: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub auto_start_stop: Option<bool>,
    pub notes: Notes,
}

impl Patch {
    /// Makes the changes.
    pub fn apply(&self, broadcast: &mut Broadcast) {
        let texts = [
            (&self.name, &mut broadcast.name),
            (&self.stream_url, &mut broadcast.stream_url),
            (&self.ip_addr, &mut broadcast.ip_addr),
            (&self.username, &mut broadcast.username),
            (&self.password, &mut broadcast.password),
        ];
        for (new, old) in texts {
            replace(new, old);
        }
        if let Some(fallback_urls) = &self.fallback_urls {
            broadcast.fallback_urls.clone_from(fallback_urls);
        }
        if let Some(auto_start_stop) = self.auto_start_stop {
            broadcast.auto_start_stop = auto_start_stop;
        }
        self.notes.apply(&mut broadcast.notes);
    }
}

impl Notes {
    fn apply(&self, notes: &mut Self) {
        let texts = [
            (&self.description, &mut notes.description),
            (&self.category, &mut notes.category),
            (&self.listener_hook_url, &mut notes.listener_hook_url),
            (&self.latitude, &mut notes.latitude),
            (&self.longitude, &mut notes.longitude),
            (&self.altitude, &mut notes.altitude),
            (&self.meta_data, &mut notes.meta_data),
            (&self.role, &mut notes.role),
            (&self.sub_folder, &mut notes.sub_folder),
            (&self.main_track_stream_id, &mut notes.main_track_stream_id),
            (&self.player_id, &mut notes.player_id),
        ];
        for (new, old) in texts {
            replace(new, old);
        }
        replace(&self.publish, &mut notes.publish);
        replace(&self.public_stream, &mut notes.public_stream);
        replace(&self.is360, &mut notes.is360);
        replace(&self.planned_start_date, &mut notes.planned_start_date);
        replace(&self.planned_end_date, &mut notes.planned_end_date);
    }
}

fn replace<T: Clone>(new: &Option<T>, old: &mut Option<T>) {
    if new.is_some() {
        old.clone_from(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let mut broadcast = Broadcast {
            name: Some("a".into()),
            stream_url: Some("u".into()),
            ..Broadcast::default()
        };
        let patch = Patch {
            name: Some("b".into()),
            notes: Notes {
                category: Some("c".into()),
                ..Notes::default()
            },
            ..Patch::default()
        };
        patch.apply(&mut broadcast);
        assert_eq!(broadcast.name.as_deref(), Some("b"));
        assert_eq!(broadcast.stream_url.as_deref(), Some("u"));
        assert_eq!(broadcast.notes.category.as_deref(), Some("c"));
    }

    #[test]
    fn user_name_and_password_stand_in_the_urls() {
        let camera = |url: Option<&str>, address: &str, user: &str| Broadcast {
            kind: Kind::IpCamera,
            stream_url: url.map(Into::into),
            ip_addr: Some(address.into()),
            username: Some(user.into()),
            password: Some("p@ss#1".into()),
            fallback_urls: vec!["rtsp://b/2".into(), String::new()],
            ..Broadcast::default()
        };
        let cases = [
            (
                camera(Some("rtsp://a/1"), "", "joe"),
                "rtsp://joe:p%40ss%231@a/1",
            ),
            (camera(Some("rtsp://x:y@a/1"), "", "joe"), "rtsp://x:y@a/1"),
            (camera(Some("rtsp://a/1"), "http://c", ""), "rtsp://a/1"),
            (camera(None, "rtsp://c/1", ""), "rtsp://c/1"),
            (camera(None, "", ""), "rtsp://b/2"),
            (camera(None, "192.168.0.1", ""), "onvif://192.168.0.1"),
            (
                camera(None, "https://c:443/x?profileIndex=1", "joe"),
                "onvifs://joe:p%40ss%231@c:443/x?profileIndex=1",
            ),
        ];
        for (broadcast, first) in cases {
            let sources = broadcast.sources();
            assert_eq!(sources[0], first);
            assert!(sources.last().unwrap().ends_with("b/2"), "{sources:?}");
        }
        let published = Broadcast {
            stream_url: Some("rtsp://a/1".into()),
            ..Broadcast::default()
        };
        assert!(published.sources().is_empty());
    }

    #[test]
    fn documents_of_older_versions_are_read() {
        let broadcast: Broadcast = serde_json::from_str("{\"kind\":\"streamSource\"}").unwrap();
        assert_eq!(broadcast.kind, Kind::StreamSource);
        assert!(serde_json::from_str::<Broadcast>("{}").is_ok());
    }
}
