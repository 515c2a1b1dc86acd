//! Settings of an application that are changed while the server runs, and kept.

use super::{Control, ControlError};
use crate::auth::Rules;
use crate::store;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Settings of one application, under Ant Media Server's names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AppSettings {
    /// When the server starts, the sources start that nobody has stopped.
    pub start_stream_fetcher_automatically: bool,
    /// Every source is connected anew each so many seconds; 0 for never.
    pub restart_stream_fetcher_period: u32,
    /// Where its webhooks go, unless a broadcast names a place of its own.
    #[serde(rename = "listenerHookURL", skip_serializing_if = "Option::is_none")]
    pub listener_hook_url: Option<String>,
    /// How often a webhook that failed is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_retry_count: Option<u32>,
    /// The pause before each of them, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_retry_delay: Option<u64>,
    /// How webhooks are written: as JSON, or as `application/x-www-form-urlencoded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_content_type: Option<String>,
    /// Each live stream's state is told each so many milliseconds; never where that is not more than 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_stream_status_update_period_ms: Option<i64>,
    /// After so many retries in a row an endpoint that has failed is given up until its stream begins again; one is never
    /// where that is less than 0, or not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_republish_limit: Option<i64>,
    /// What is kept for whoever wrote it, and means nothing to the server.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl Control {
    /// The settings of an application.
    pub fn settings(&self, app: &str) -> AppSettings {
        self.lock_settings().get(app).cloned().unwrap_or_default()
    }

    /// The settings of all applications that have some.
    pub(super) fn all_settings(&self) -> BTreeMap<String, AppSettings> {
        self.lock_settings().clone()
    }

    /// Puts settings in the place of those before. They hold from now on.
    ///
    /// # Errors
    /// When the webhook cannot be used, they say of access what cannot be, or they cannot be kept.
    pub async fn set_settings(&self, app: &str, settings: AppSettings) -> Result<(), ControlError> {
        self.check_hook(settings.listener_hook_url.as_deref())?;
        let rules = rules(&settings).map_err(ControlError::Settings)?;
        let _writing = self.shared.writing.lock().await;
        self.shared
            .store
            .put(store::Kind::Settings, app, &settings)
            .await?;
        self.shared
            .supervisor
            .limit_retries(app, settings.endpoint_republish_limit);
        self.lock_settings().insert(app.to_owned(), settings);
        self.auth().set_rules(app, rules);
        self.shared.settings_changed.notify_one();
        Ok(())
    }

    /// Connects sources anew where the settings of their applications ask for that. Runs for ever.
    pub async fn restart_periodically(self) {
        let mut last: BTreeMap<String, Instant> = BTreeMap::new();
        loop {
            let now = Instant::now();
            let periods: BTreeMap<String, Duration> = self
                .lock_settings()
                .iter()
                .map(|(app, settings)| (app, settings.restart_stream_fetcher_period))
                .filter(|(_, seconds)| *seconds > 0)
                .map(|(app, seconds)| (app.clone(), Duration::from_secs(seconds.into())))
                .collect();
            last.retain(|app, _| periods.contains_key(app));
            let mut next: Option<Instant> = None;
            for (app, period) in periods {
                let last = last.entry(app.clone()).or_insert(now);
                if now >= *last + period {
                    *last = now;
                    self.restart_sources(&app).await;
                }
                let due = *last + period;
                next = Some(next.map_or(due, |next| next.min(due)));
            }
            let changed = self.shared.settings_changed.notified();
            match next {
                Some(due) => tokio::select! {
                    () = sleep_until(due) => {}
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }

    pub(super) async fn restart_sources(&self, app: &str) {
        let names: Vec<_> = self.lock().keys().cloned().collect();
        for name in names.iter().filter(|name| name.app() == app) {
            let _writing = self.shared.writing.lock().await;
            if let Err(error) = self.restart_source(name) {
                tracing::error!(stream = %name, %error, "cannot start a source again");
            }
        }
    }

    /// How often the state of live streams is told, by application, where it is.
    pub fn status_periods(&self) -> BTreeMap<String, Duration> {
        let settings = self.lock_settings();
        let periods = settings.iter().filter_map(|(app, settings)| {
            let millis = settings.webhook_stream_status_update_period_ms?;
            let millis = u64::try_from(millis).ok().filter(|millis| *millis > 0)?;
            Some((app.clone(), Duration::from_millis(millis)))
        });
        periods.collect()
    }

    fn lock_settings(&self) -> MutexGuard<'_, BTreeMap<String, AppSettings>> {
        self.shared
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What settings say of access.
pub(super) fn rules(settings: &AppSettings) -> Result<Rules, String> {
    let settings = serde_json::to_value(settings).map_err(|error| error.to_string())?;
    Rules::read(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_kept_and_what_is_missing_is_the_default() {
        let text = r#"{"restartStreamFetcherPeriod":60,"hlsTime":"2"}"#;
        let settings: AppSettings = serde_json::from_str(text).unwrap();
        assert_eq!(settings.restart_stream_fetcher_period, 60);
        assert!(!settings.start_stream_fetcher_automatically);
        let again = serde_json::to_value(&settings).unwrap();
        assert_eq!(again["hlsTime"], "2");
        assert_eq!(again["startStreamFetcherAutomatically"], false);
        for bad in [
            r#"{"restartStreamFetcherPeriod":-1}"#,
            r#"{"restartStreamFetcherPeriod":"x"}"#,
            r#"{"startStreamFetcherAutomatically":1}"#,
        ] {
            assert!(serde_json::from_str::<AppSettings>(bad).is_err(), "{bad}");
        }
    }
}
