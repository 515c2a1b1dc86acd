//! Those who show a code that changes with time: registered for a stream, with a secret of their own, or known by the
//! secret of the application alone.
//!
//! A code is good for its period. Players of HLS and DASH go on asking with the one that they began with: from the same
//! address it stays good as long as it is used within a minute. Six digits are few, so that wrong ones are slowed down as
//! wrong passwords are.

use super::digest::{Digest, digest};
use super::rules::{self, PLAY, TimeTokens};
use super::throttle::Throttle;
use super::totp;
use crate::hub::StreamName;
use crate::store::{Kind, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most subscribers that are kept.
const MAX_SUBSCRIBERS: usize = 100_000;

/// Most codes that are in use; beyond, a code is good for its period alone.
const MAX_USED: usize = 100_000;

/// A code that is not used again for so long is worth what it is by the clock.
const IDLE: Duration = Duration::from_secs(60);

/// Longest ID and name, in bytes.
pub(super) const MAX_TEXT: usize = 128;

/// Shortest ID, in bytes.
const MIN_ID: usize = 3;

/// The seconds for which a code may be good.
const PERIOD: std::ops::RangeInclusive<u64> = 10..=i32::MAX as u64;

/// What a subscriber may do, in Ant Media's words.
const KINDS: [&str; 3] = [PLAY, "publish", "publish_play"];

/// A subscriber as it is kept. Not `Debug`: it holds a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriber {
    /// `APP/ID` of the stream.
    pub stream: String,
    /// Its own ID, for that stream.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// `play`, or `publish` or `publish_play`, which may both.
    pub kind: String,
    /// Its secret in base32; none for that of the application.
    pub secret: Option<String>,
    /// Seconds for which a code is good; none for as long as the application says.
    pub period: Option<u64>,
    /// What it may not do for now: one of the kinds.
    pub blocked: String,
    /// Until when, in milliseconds since 1970.
    pub blocked_until: u64,
}

impl Subscriber {
    fn key(&self) -> String {
        key(&self.stream, &self.id)
    }

    fn is_blocked(&self, kind: &str, now: u64) -> bool {
        let concerns = self.blocked == kind || self.blocked == "publish_play";
        concerns && self.blocked_until / 1_000 > now
    }
}

/// Why a subscriber is not kept, in Ant Media's words where it has some.
#[derive(Debug, thiserror::Error)]
pub enum SubscriberError {
    /// No ID, or one that cannot be.
    #[error(
        "Missing parameter: Make sure you set subscriber object correctly and make subscriberId's length at least 3"
    )]
    Id,
    /// The secret is not base32.
    #[error(
        "Secret code is not multiple of 8 bytes length. Use b32Secret which is a string and its lenght is multiple of 8 bytes and allowed characters A-Z, 2-7"
    )]
    Secret,
    /// The period is too short or too long.
    #[error("Custom TOTP expiry period must be between 10 and 2147483647")]
    Period,
    /// Neither of the kinds.
    #[error("a subscriber's type is play, publish or publish_play")]
    Kind,
    /// As many are kept as may be.
    #[error("there are 100000 subscribers, as many as there may be")]
    Full,
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What somebody shows of themselves.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) app: &'a str,
    pub(super) stream: &'a str,
    pub(super) id: &'a str,
    pub(super) code: &'a str,
    /// What they want: `publish` or `play`.
    pub(super) kind: &'static str,
    pub(super) address: IpAddr,
}

/// The subscribers that exist.
#[derive(Default)]
pub struct Subscribers {
    store: Option<Store>,
    kept: Mutex<BTreeMap<String, Subscriber>>,
    /// Codes that have opened something, by who uses them for what, and when that was last.
    used: Mutex<HashMap<Digest, Instant>>,
    throttle: Throttle,
}

impl std::fmt::Debug for Subscribers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Subscribers {
    /// Those that the store holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let kept = store.all::<Subscriber>(Kind::Subscribers)?;
        Ok(Self {
            store: Some(store),
            kept: Mutex::new(kept.into_iter().collect()),
            ..Self::default()
        })
    }

    /// Keeps a subscriber, in the place of one of the same ID.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn put(&self, subscriber: Subscriber) -> Result<(), SubscriberError> {
        let id = &subscriber.id;
        let is_text = |text: &str| text.len() <= MAX_TEXT && !text.contains(char::is_control);
        let may_stand = |letter: char| letter.is_ascii_graphic() && letter != '/';
        if id.len() < MIN_ID || !is_text(id) || !id.chars().all(may_stand) {
            return Err(SubscriberError::Id);
        }
        if !subscriber.name.as_deref().is_none_or(is_text) {
            return Err(SubscriberError::Id);
        }
        if !KINDS.contains(&subscriber.kind.as_str()) {
            return Err(SubscriberError::Kind);
        }
        let secret = subscriber.secret.as_deref();
        if secret.is_some_and(|secret| totp::secret(secret).is_none()) {
            return Err(SubscriberError::Secret);
        }
        if subscriber
            .period
            .is_some_and(|period| !PERIOD.contains(&period))
        {
            return Err(SubscriberError::Period);
        }
        let key = subscriber.key();
        {
            let kept = self.lock();
            if kept.len() >= MAX_SUBSCRIBERS && !kept.contains_key(&key) {
                return Err(SubscriberError::Full);
            }
        }
        if let Some(store) = &self.store {
            store.put(Kind::Subscribers, &key, &subscriber).await?;
        }
        self.lock().insert(key, subscriber);
        Ok(())
    }

    /// One of a stream.
    pub fn get(&self, stream: &StreamName, id: &str) -> Option<Subscriber> {
        self.lock().get(&key(stream.as_str(), id)).cloned()
    }

    /// Some of those of a stream, by ID.
    pub fn list(&self, stream: &StreamName, offset: usize, size: usize) -> Vec<Subscriber> {
        let first = key(stream.as_str(), "");
        let kept = self.lock();
        let of_stream = kept.range(first.clone()..);
        let of_stream = of_stream.take_while(|(key, _)| key.starts_with(&first));
        let some = of_stream.skip(offset).take(size);
        some.map(|(_, subscriber)| subscriber.clone()).collect()
    }

    /// Forgets one of a stream, or all. Returns whether there was any.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub async fn forget(&self, stream: &StreamName, id: Option<&str>) -> Result<bool, StoreError> {
        let keys: Vec<String> = match id {
            Some(id) => self.get(stream, id).iter().map(Subscriber::key).collect(),
            None => {
                let all = self.list(stream, 0, usize::MAX);
                all.iter().map(Subscriber::key).collect()
            }
        };
        if let Some(store) = &self.store {
            store.remove_all(Kind::Subscribers, keys.clone()).await?;
        }
        let mut kept = self.lock();
        for key in &keys {
            kept.remove(key);
        }
        Ok(!keys.is_empty())
    }

    /// The code of a subscriber now; none without a secret.
    pub fn code(
        &self,
        stream: &StreamName,
        id: &str,
        (kind, of_app): (&str, &TimeTokens),
        now: u64,
    ) -> Option<String> {
        let subscriber = self.get(stream, id);
        let (secret, period) = secret_of(subscriber.as_ref(), (stream.id(), id, kind), of_app)?;
        Some(totp::code(&secret, now, period))
    }

    /// Whether somebody may do what they want, by what they show.
    pub(super) fn opens(
        &self,
        shown: Shown<'_>,
        of_app: &TimeTokens,
        (now, instant): (u64, Instant),
    ) -> bool {
        let key = key(&format!("{}/{}", shown.app, shown.stream), shown.id);
        let subscriber = self.lock().get(&key).cloned();
        if let Some(subscriber) = &subscriber {
            let may = shown.kind == PLAY || subscriber.kind != PLAY;
            if !may || subscriber.is_blocked(shown.kind, now) {
                return false;
            }
        }
        let use_of_it =
            digest(format!("{key}\n{}\n{}\n{}", shown.code, shown.kind, shown.address).as_bytes());
        if self.goes_on(use_of_it, instant) {
            return true;
        }
        let names = (shown.stream, shown.id, shown.kind);
        let Some((secret, period)) = secret_of(subscriber.as_ref(), names, of_app) else {
            return false;
        };
        if self.throttle.attempt(shown.address, &key, instant).is_err() {
            return false;
        }
        let is_good = totp::is_good(&secret, shown.code, now, period);
        if is_good {
            self.throttle.was_right(shown.address, &key, instant);
            self.begins(use_of_it, instant);
        }
        is_good
    }

    /// Whether who is known by an ID for a stream (`APP/ID`), or was, may do that now as far as blocks are concerned.
    pub(super) fn admits(&self, (stream, id): (&str, &str), kind: &str, was_known: bool) -> bool {
        match self.lock().get(&key(stream, id)) {
            Some(subscriber) => !subscriber.is_blocked(kind, rules::now()),
            None => !was_known,
        }
    }

    /// Whether a stream (`APP/ID`) has a subscriber of that ID.
    pub(super) fn knows(&self, stream: &str, id: &str) -> bool {
        self.lock().contains_key(&key(stream, id))
    }

    fn goes_on(&self, use_of_it: Digest, now: Instant) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = used.get_mut(&use_of_it) else {
            return false;
        };
        let goes_on = now.saturating_duration_since(*last) < IDLE;
        if goes_on {
            *last = now;
        }
        goes_on
    }

    fn begins(&self, use_of_it: Digest, now: Instant) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MAX_USED {
            used.retain(|_, last| now.saturating_duration_since(*last) < IDLE);
        }
        if used.len() < MAX_USED {
            used.insert(use_of_it, now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Subscriber>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The secret that counts, and the seconds for which a code is good.
fn secret_of(
    subscriber: Option<&Subscriber>,
    (stream, id, kind): (&str, &str, &str),
    of_app: &TimeTokens,
) -> Option<(Vec<u8>, u64)> {
    let own = subscriber.and_then(|subscriber| subscriber.secret.as_deref());
    let period = subscriber.and_then(|subscriber| subscriber.period);
    let period = period.unwrap_or(of_app.period);
    let secret = match own {
        Some(own) => totp::secret(own)?,
        None => totp::derived(of_app.secret(kind)?, id, stream, kind),
    };
    Some((secret, period))
}

fn key(stream: &str, id: &str) -> String {
    format!("{stream}/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    const NOW: u64 = 1_700_000_000;

    fn subscriber(id: &str, kind: &str) -> Subscriber {
        Subscriber {
            stream: "LiveApp/cam".to_owned(),
            id: id.to_owned(),
            name: None,
            kind: kind.to_owned(),
            secret: Some("GEZDGNBVGY3TQOJQ".to_owned()),
            period: None,
            blocked: String::new(),
            blocked_until: 0,
        }
    }

    fn of_app() -> TimeTokens {
        TimeTokens {
            play_secret: Some(Secret::from("of the application")),
            publish_secret: None,
            period: 60,
        }
    }

    fn cam() -> StreamName {
        StreamName::new("LiveApp", "cam").unwrap()
    }

    fn shown<'a>(id: &'a str, code: &'a str, kind: &'static str) -> Shown<'a> {
        Shown {
            app: "LiveApp",
            stream: "cam",
            id,
            code,
            kind,
            address: "192.0.2.1".parse().unwrap(),
        }
    }

    #[tokio::test]
    async fn a_code_opens_for_its_period_and_goes_on_while_it_is_used() {
        let (all, of_app, start) = (Subscribers::default(), of_app(), Instant::now());
        all.put(subscriber("viewer", "play")).await.unwrap();
        let code = all.code(&cam(), "viewer", ("play", &of_app), NOW);
        let code = code.unwrap();
        let at = |seconds| (NOW + seconds, start + Duration::from_secs(seconds));
        let opens = |shown, seconds| all.opens(shown, &of_app, at(seconds));
        let play = shown("viewer", &code, "play");
        assert!(!opens(shown("viewer", &code, "publish"), 0));
        assert!(!opens(shown("another", &code, "play"), 0));
        let elsewhere = Shown {
            stream: "door",
            ..play
        };
        assert!(!opens(elsewhere, 0));
        for seconds in [0, 59, 118, 177, 236] {
            assert!(opens(play, seconds), "{seconds}");
        }
        // It is old, and was not used.
        assert!(!opens(play, 400));
        let other_place = Shown {
            address: "192.0.2.2".parse().unwrap(),
            ..play
        };
        assert!(!opens(other_place, 237));
    }

    #[tokio::test]
    async fn who_is_not_registered_has_the_secret_of_the_application() {
        let (all, of_app) = (Subscribers::default(), of_app());
        let now = (NOW, Instant::now());
        let code = all.code(&cam(), "anyone", ("play", &of_app), NOW);
        let code = code.unwrap();
        assert!(all.opens(shown("anyone", &code, "play"), &of_app, now));
        assert!(!all.opens(shown("anybody", &code, "play"), &of_app, now));
        // There is none for that.
        let none = all.code(&cam(), "anyone", ("publish", &of_app), NOW);
        assert_eq!(none, None);
        assert!(!all.opens(shown("anyone", &code, "publish"), &of_app, now));
    }

    #[tokio::test]
    async fn who_is_blocked_waits_and_who_guesses_is_slowed() {
        let (all, of_app, start) = (Subscribers::default(), of_app(), Instant::now());
        all.put(subscriber("both", "publish")).await.unwrap();
        let code = all.code(&cam(), "both", ("play", &of_app), NOW);
        let code = code.unwrap();
        let opens =
            |kind, seconds| all.opens(shown("both", &code, kind), &of_app, (NOW + seconds, start));
        assert!(opens("play", 0) && opens("publish", 0));
        all.put(Subscriber {
            blocked: "play".to_owned(),
            blocked_until: (NOW + 10) * 1_000,
            ..subscriber("both", "publish")
        })
        .await
        .unwrap();
        assert!(!opens("play", 9) && opens("publish", 9) && opens("play", 10));
        let guesses = (0..100_000).map(|number| format!("{number:06}"));
        let tried = guesses.filter(|guess| {
            let address = "192.0.2.9".parse().unwrap();
            let guess = Shown {
                address,
                ..shown("both", guess, "play")
            };
            all.opens(guess, &of_app, (NOW, start))
        });
        assert_eq!(tried.count(), 0);
        // Who is in goes on.
        assert!(opens("publish", 11));
    }

    #[tokio::test]
    async fn they_are_kept_and_listed_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let all = Subscribers::open(Store::open(folder.path()).unwrap()).unwrap();
        for id in ["bbb", "aaa", "ccc"] {
            all.put(subscriber(id, "play")).await.unwrap();
        }
        let other = Subscriber {
            stream: "LiveApp/cam2".to_owned(),
            ..subscriber("ddd", "play")
        };
        all.put(other).await.unwrap();
        for (wrong, words) in [
            (subscriber("ab", "play"), "Missing parameter"),
            (subscriber("a/b/c", "play"), "Missing parameter"),
            (subscriber("abc", "watch"), "type"),
            (
                Subscriber {
                    secret: Some("not base32".to_owned()),
                    ..subscriber("abc", "play")
                },
                "Secret code",
            ),
            (
                Subscriber {
                    period: Some(9),
                    ..subscriber("abc", "play")
                },
                "period",
            ),
        ] {
            let refused = all.put(wrong).await.unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
        drop(all);
        let all = Subscribers::open(Store::open(folder.path()).unwrap()).unwrap();
        let ids = |offset, size| {
            let some = all.list(&cam(), offset, size).into_iter();
            some.map(|subscriber| subscriber.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(0, 2), ["aaa", "bbb"]);
        assert_eq!(ids(2, 2), ["ccc"]);
        assert!(all.forget(&cam(), Some("bbb")).await.unwrap());
        assert!(!all.forget(&cam(), Some("bbb")).await.unwrap());
        assert_eq!(ids(0, 9), ["aaa", "ccc"]);
        assert!(all.forget(&cam(), None).await.unwrap());
        assert!(!all.forget(&cam(), None).await.unwrap());
        assert_eq!(all.lock().len(), 1);
    }
}
