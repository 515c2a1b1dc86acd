//! Asking somebody else who may publish and play: one POST with MediaMTX's body, and a status of 200 to 299 for yes.
//!
//! An answer holds for a while for the same question, so that a player of HLS is asked about once and not with each
//! segment; many who ask the same at once wait for one answer. Where none comes in time, the answer is no.

use super::Denied;
use super::digest::{Digest, digest};
use super::outward::Outward;
use crate::config;
use crate::net::fetch;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;
use url::Url;

/// Answers that are kept. When there are as many, all go that have come.
const MAX_ANSWERS: usize = 50_000;

/// Questions on their way at a time; more wait, for no longer than for an answer.
const AT_A_TIME: usize = 64;

/// A no, and that nobody answers, hold no longer than this: who has the right password now is let in.
const NO_HOLDS: Duration = Duration::from_secs(1);

/// The log tells this often at most that nobody answers.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Parameters of a query that belong to a request and not to who makes it (HLS delivery directives).
const DIRECTIVES: &str = "_HLS_";

/// What is asked: the fields of MediaMTX, under its names.
#[derive(Serialize)]
pub(super) struct Question<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    pub(super) token: &'a str,
    pub(super) ip: IpAddr,
    /// `publish` or `read`.
    pub(super) action: &'static str,
    /// `APP/ID`.
    pub(super) path: String,
    pub(super) protocol: &'static str,
    /// As sent, without what changes from one request to the next.
    pub(super) query: String,
    #[serde(rename = "userAgent")]
    pub(super) user_agent: &'a str,
}

/// The same with a number of its own.
#[derive(Serialize)]
struct Sent<'a> {
    id: String,
    #[serde(flatten)]
    question: &'a Question<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Yes,
    No,
    Nothing,
}

type Answer = OnceCell<(Said, Instant)>;

/// Asks, and remembers what was said.
pub(super) struct Webhook {
    answers: Mutex<HashMap<Digest, Arc<Answer>>>,
    places: Semaphore,
    told: Mutex<Option<Instant>>,
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            answers: Mutex::default(),
            places: Semaphore::new(AT_A_TIME),
            told: Mutex::default(),
        }
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Webhook")
    }
}

impl Webhook {
    /// Whether whoever is asked says yes.
    ///
    /// # Errors
    /// They say no, or nothing.
    pub(super) async fn ask(
        &self,
        question: &Question<'_>,
        settings: &config::AuthWebhook,
        outward: Option<&Outward>,
    ) -> Result<(), Denied> {
        let text = serde_json::to_vec(question).map_err(|_| Denied::Unanswered)?;
        let answer = self.answer(digest(&text), settings.cache);
        let asking = || async {
            let sending = self.send(question, settings, outward);
            let said = timeout(settings.timeout, sending).await;
            let said = said.unwrap_or_else(|_| Err("it does not answer in time".to_owned()));
            let said = said.unwrap_or_else(|reason| {
                self.tell(&reason);
                Said::Nothing
            });
            (said, Instant::now())
        };
        match answer.get_or_init(asking).await.0 {
            Said::Yes => Ok(()),
            Said::No => Err(Denied::Login),
            Said::Nothing => Err(Denied::Unanswered),
        }
    }

    /// The answer to a question that holds, or the place of one that is to come.
    fn answer(&self, question: Digest, cache: Duration) -> Arc<Answer> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MAX_ANSWERS && !answers.contains_key(&question) {
            answers.retain(|_, answer| answer.get().is_none());
        }
        let answer = answers.entry(question).or_default();
        if answer.get().is_some_and(|answer| is_over(*answer, cache)) {
            *answer = Arc::default();
        }
        answer.clone()
    }

    async fn send(
        &self,
        question: &Question<'_>,
        settings: &config::AuthWebhook,
        outward: Option<&Outward>,
    ) -> Result<Said, String> {
        let outward = outward.ok_or("there is no network")?;
        let url = settings.url.as_ref().ok_or("there is no URL")?;
        // The configuration was checked when it was read.
        let url = Url::parse(url.reveal()).map_err(|error| error.to_string())?;
        let _place = self.places.acquire().await.map_err(|_| "the server ends")?;
        let sent = Sent {
            id: format!("{:032x}", rand::random::<u128>()),
            question,
        };
        let body = serde_json::to_vec(&sent).map_err(|error| error.to_string())?;
        let request = fetch::bare(Method::POST, &url, Body::from(body));
        let mut request = request.ok_or("the URL cannot be asked")?;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        let headers = HeaderMap::new();
        let status = fetch::send(&url, request, &outward.ask(&headers, settings.timeout)).await?;
        match status {
            status if status.is_success() => Ok(Said::Yes),
            // Too many questions are no answer to any of them.
            StatusCode::TOO_MANY_REQUESTS => Err(format!("it answers {status}")),
            status if status.is_client_error() => Ok(Said::No),
            status => Err(format!("it answers {status}")),
        }
    }

    fn tell(&self, reason: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            *told = Some(Instant::now());
            tracing::warn!(
                reason,
                "auth.webhook says nothing: nobody is let in who has to be asked about"
            );
        }
    }
}

fn is_over((said, since): (Said, Instant), cache: Duration) -> bool {
    let holds = match said {
        Said::Yes => cache,
        Said::No | Said::Nothing => cache.min(NO_HOLDS),
    };
    since.elapsed() >= holds
}

/// A query without what changes from one request to the next.
pub(super) fn steady(query: Option<&str>) -> String {
    let pairs = query.unwrap_or_default().split('&');
    let steady: Vec<&str> = pairs.filter(|pair| !pair.starts_with(DIRECTIVES)).collect();
    steady.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Network, Secret};
    use crate::net::policy::Policy;
    use crate::net::tls::Connector;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers by the password that is asked about: the status to be. Counts who asks.
    async fn server() -> (config::AuthWebhook, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut asked = String::new();
                    while !asked.ends_with('}') {
                        let mut piece = vec![0; 4_096];
                        let count = socket.read(&mut piece).await.unwrap();
                        asked.push_str(std::str::from_utf8(&piece[..count]).unwrap());
                    }
                    let body = asked.split_once("\r\n\r\n").unwrap().1;
                    let body: serde_json::Value = serde_json::from_str(body).unwrap();
                    let status = body["password"].as_str().unwrap();
                    if !status.is_empty() {
                        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
                        socket.write_all(answer.as_bytes()).await.unwrap();
                    }
                    // The silent ones stay.
                    let _ = socket.read(&mut [0; 1]).await;
                });
            }
        });
        let settings = config::AuthWebhook {
            url: Some(Secret::from(&*format!("http://127.0.0.1:{port}/auth"))),
            timeout: Duration::from_secs(20),
            ..config::AuthWebhook::default()
        };
        (settings, count)
    }

    fn outward() -> Outward {
        Outward {
            policy: Policy::new(Network::default()),
            connector: Connector::new(None).unwrap(),
        }
    }

    fn question(password: &str) -> Question<'_> {
        Question {
            user: "joe",
            password,
            token: "",
            ip: "192.0.2.1".parse().unwrap(),
            action: "read",
            path: "LiveApp/cam".to_owned(),
            protocol: "hls",
            query: steady(Some("a=b&_HLS_msn=7&_HLS_part=1")),
            user_agent: "",
        }
    }

    #[tokio::test]
    async fn an_answer_holds_for_the_same_question() {
        let (settings, count) = server().await;
        let (webhook, outward) = (Webhook::default(), outward());
        let yes = question("200");
        assert_eq!(yes.query, "a=b");
        // Many at once, and one after the other.
        let many = (0..50).map(|_| webhook.ask(&yes, &settings, Some(&outward)));
        for answer in futures_util::future::join_all(many).await {
            assert_eq!(answer, Ok(()));
        }
        assert_eq!(webhook.ask(&yes, &settings, Some(&outward)).await, Ok(()));
        assert_eq!(count.load(Ordering::SeqCst), 1);
        // Another address is another question.
        let other = Question {
            ip: "192.0.2.2".parse().unwrap(),
            ..question("200")
        };
        assert_eq!(webhook.ask(&other, &settings, Some(&outward)).await, Ok(()));
        assert_eq!(count.load(Ordering::SeqCst), 2);
        let none = config::AuthWebhook {
            cache: Duration::ZERO,
            ..settings
        };
        for _ in 0..2 {
            assert_eq!(webhook.ask(&yes, &none, Some(&outward)).await, Ok(()));
        }
        assert_eq!(count.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn what_is_no_yes_is_no() {
        let (settings, _) = server().await;
        let (webhook, outward) = (Webhook::default(), outward());
        for (status, expected) in [
            ("204", Ok(())),
            ("401", Err(Denied::Login)),
            ("403", Err(Denied::Login)),
            ("429", Err(Denied::Unanswered)),
            ("302", Err(Denied::Unanswered)),
            ("500", Err(Denied::Unanswered)),
        ] {
            let asked = question(status);
            let answer = webhook.ask(&asked, &settings, Some(&outward)).await;
            assert_eq!(answer, expected, "{status}");
        }
        let hasty = config::AuthWebhook {
            timeout: Duration::from_millis(50),
            ..settings
        };
        let silent = webhook.ask(&question(""), &hasty, Some(&outward)).await;
        assert_eq!(silent, Err(Denied::Unanswered));
        let nowhere = config::AuthWebhook {
            url: Some(Secret::from("http://127.0.0.1:1/")),
            ..config::AuthWebhook::default()
        };
        let answer = Webhook::default();
        let answer = answer.ask(&question("200"), &nowhere, Some(&outward)).await;
        assert_eq!(answer, Err(Denied::Unanswered));
        assert!(is_over((Said::No, Instant::now()), Duration::ZERO));
    }

    #[test]
    fn the_number_of_answers_is_bounded() {
        let webhook = Webhook::default();
        for number in 0..=MAX_ANSWERS {
            let answer = webhook.answer(digest(&number.to_be_bytes()), Duration::MAX);
            let _ = answer.set((Said::Yes, Instant::now()));
        }
        assert!(webhook.answers.lock().unwrap().len() <= MAX_ANSWERS);
    }
}
