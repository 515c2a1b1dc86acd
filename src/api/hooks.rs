//! Tells receivers what happens, in the words of each API, as far as anybody wants to be told.

use super::antmedia::hooks::{self as antmedia, Statuses};
use super::{apivideo, evostream};
use crate::config;
use crate::control::Control;
use crate::control::news::News;
use crate::hooks::{Courier, Retry};
use crate::hub::{Hub, Viewing};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};

/// How often is looked whether somebody is to be told how streams are.
const TICK: Duration = Duration::from_secs(1);

/// Makes webhooks of what happens.
pub struct Announcer {
    control: Control,
    door: evostream::Door,
    courier: Courier,
    settings: config::Hooks,
    news: Receiver<Arc<News>>,
    /// Only where viewers are to be told of.
    viewing: Option<Receiver<Viewing>>,
    evostream: Option<evostream::Sink>,
}

impl Announcer {
    /// Misses nothing that happens from now on.
    pub fn new(
        control: &Control,
        hub: &Hub,
        door: evostream::Door,
        courier: Courier,
        settings: config::Hooks,
    ) -> Self {
        Self {
            news: control.news(),
            viewing: settings.viewers.then(|| hub.viewing()),
            control: control.clone(),
            door,
            courier,
            evostream: evostream::Sink::new(&settings),
            settings,
        }
    }

    /// Runs for ever.
    pub async fn run(mut self) {
        let mut statuses = Statuses::default();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                news = self.news.recv() => match news {
                    Ok(news) => self.announce(&news),
                    Err(RecvError::Lagged(missed)) => self.courier.lost(missed),
                    Err(RecvError::Closed) => return,
                },
                viewing = next(&mut self.viewing) => match viewing {
                    Ok(viewing) => {
                        let message = antmedia::viewer_message(&self.control, &self.settings, &viewing);
                        message.into_iter().for_each(|message| self.courier.post(message));
                    }
                    Err(RecvError::Lagged(missed)) => self.courier.lost(missed),
                    Err(RecvError::Closed) => self.viewing = None,
                },
                _ = tick.tick() => {
                    for message in statuses.due(&self.control, &self.settings) {
                        self.courier.post(message);
                    }
                }
            }
        }
    }

    fn announce(&self, news: &News) {
        let antmedia = antmedia::message(&self.control, &self.settings, news);
        let apivideo = apivideo::webhooks::messages(&self.control, news);
        let evostream = self.evostream.as_ref();
        let evostream = evostream.and_then(|sink| sink.message(&self.door, &self.settings, news));
        for message in antmedia.into_iter().chain(apivideo).chain(evostream) {
            self.courier.post(message);
        }
    }
}

async fn next(viewing: &mut Option<Receiver<Viewing>>) -> Result<Viewing, RecvError> {
    match viewing {
        Some(viewing) => viewing.recv().await,
        None => std::future::pending().await,
    }
}

/// How often what failed is tried again where nobody has said it for a receiver.
pub(super) const fn usual_retry(settings: &config::Hooks) -> Retry {
    Retry {
        count: settings.retries,
        delay: settings.retry_delay,
        doubles: true,
    }
}
