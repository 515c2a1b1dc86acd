//! The log on its way to a collector of OpenTelemetry, as OTLP over HTTP in JSON (OTLP 1.0, "OTLP/HTTP"). Lines go in
//! batches; while the collector is away, as many wait as the log keeps ([`recent`]), and how many were lost is told.

use super::Address;
use crate::config::{Log, Secret};
use crate::net::fetch::{self, Ask};
use crate::net::policy::Policy;
use crate::net::tls::Connector;
use crate::telemetry::{Line, recent};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{sleep, timeout};
use tracing::Level;

/// Lines that come within this time go together.
const TOGETHER: Duration = Duration::from_secs(1);

/// Most lines in one request.
const BATCH: usize = 512;

/// How long the collector has for one.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pause before a request is tried again; it doubles from one to the next, up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Where the log goes. Not `Debug`: it may hold secrets.
pub struct Collector {
    to: Address,
    headers: HeaderMap,
    policy: Policy,
    connector: Connector,
    /// Number of the first line that has not been sent.
    next: u64,
    is_failing: bool,
    /// Lines that it would not have, since that was told.
    refused: u64,
}

/// Why a batch was not taken.
enum Refusal {
    /// It may be later.
    ForNow(String),
    /// It never will be.
    ForEver(String),
}

impl Collector {
    /// What `log.otlp` names, if it does. Everything that the log still has is sent.
    pub fn new(log: &Log, policy: Policy, connector: Connector) -> Option<Self> {
        let mut to = Address::parse(log.otlp.as_ref()?.reveal()).ok()?;
        // A base address, as OTEL_EXPORTER_OTLP_ENDPOINT is one.
        to.url
            .path_segments_mut()
            .ok()?
            .pop_if_empty()
            .extend(["v1", "logs"]);
        Some(Self {
            to,
            headers: headers(&log.otlp_headers),
            policy,
            connector,
            next: 0,
            is_failing: false,
            refused: 0,
        })
    }

    /// Sends lines as they come, until `over`; then what is left, once.
    pub async fn run(mut self, over: impl Future<Output = ()>) {
        let mut over = std::pin::pin!(over);
        let mut pause = PAUSES.0;
        loop {
            tokio::select! {
                () = &mut over => break,
                () = recent().wait(self.next) => {}
            }
            let rest = match self.send().await {
                true => {
                    pause = PAUSES.0;
                    TOGETHER
                }
                false => {
                    let rest = pause;
                    pause = (pause * 2).min(PAUSES.1);
                    rest
                }
            };
            tokio::select! {
                () = &mut over => break,
                () = sleep(rest) => {}
            }
        }
        self.send().await;
    }

    /// Sends what there is. False where it has to be tried again.
    async fn send(&mut self) -> bool {
        let (lines, end) = recent().since(self.next);
        let lost = lines.first().map_or(0, |line| line.number - self.next);
        if lost > 0 {
            tracing::warn!(lost, "the collector gets the log with a gap");
            self.next += lost;
        }
        for batch in lines.chunks(BATCH) {
            let sent = timeout(PATIENCE, self.deliver(batch)).await;
            let sent = sent.unwrap_or_else(|_| Err(Refusal::ForNow("no answer".to_owned())));
            match sent {
                Ok(()) => {
                    if std::mem::take(&mut self.is_failing) {
                        let refused = std::mem::take(&mut self.refused);
                        tracing::info!(refused, "the collector takes the log again");
                    }
                }
                Err(Refusal::ForNow(error)) => {
                    if !std::mem::replace(&mut self.is_failing, true) {
                        tracing::warn!(%error, "the collector does not take the log");
                    }
                    return false;
                }
                Err(Refusal::ForEver(error)) => {
                    self.refused += batch.len() as u64;
                    if !std::mem::replace(&mut self.is_failing, true) {
                        tracing::warn!(%error, "the collector refuses the log");
                    }
                }
            }
            self.next = batch.last().map_or(end, |line| line.number + 1);
        }
        true
    }

    async fn deliver(&self, lines: &[Arc<Line>]) -> Result<(), Refusal> {
        let body = serde_json::to_vec(&Export::of(lines));
        let body = body.map_err(|error| Refusal::ForEver(error.to_string()))?;
        let request = fetch::bare(Method::POST, &self.to.url, Body::from(body));
        let mut request =
            request.ok_or_else(|| Refusal::ForEver("its URL cannot be asked for".to_owned()))?;
        let own = request.headers_mut();
        own.extend(self.headers.clone());
        own.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        own.insert(header::CONNECTION, HeaderValue::from_static("close"));
        let none = HeaderMap::new();
        let ask = Ask::new(
            &self.to.check,
            &self.policy,
            &self.connector,
            &none,
            PATIENCE,
        );
        let status = fetch::send(&self.to.url, request, &ask).await;
        match status.map_err(Refusal::ForNow)? {
            status if status.is_success() => Ok(()),
            // Those that the standard calls retryable.
            status @ (StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT) => Err(Refusal::ForNow(format!("it answers {status}"))),
            status => Err(Refusal::ForEver(format!("it answers {status}"))),
        }
    }
}

/// As the configuration has checked them.
fn headers(configured: &BTreeMap<String, Secret>) -> HeaderMap {
    let headers = configured.iter().filter_map(|(name, value)| {
        let mut value = HeaderValue::try_from(value.reveal()).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::try_from(name).ok()?, value))
    });
    headers.collect()
}

/// `ExportLogsServiceRequest`, in the JSON mapping of Protocol Buffers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    resource_logs: [ResourceLogs; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs {
    resource: Resource,
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Serialize)]
struct Resource {
    attributes: Vec<Attribute>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs {
    scope: Scope,
    log_records: Vec<LogRecord>,
}

/// Which part of the server says it.
#[derive(Serialize)]
struct Scope {
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord {
    time_unix_nano: String,
    observed_time_unix_nano: String,
    severity_number: u8,
    severity_text: &'static str,
    body: Text,
    attributes: Vec<Attribute>,
}

#[derive(Serialize)]
struct Attribute {
    key: &'static str,
    value: Text,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    string_value: String,
}

impl Attribute {
    fn new(key: &'static str, value: impl Into<String>) -> Self {
        let string_value = value.into();
        Self {
            key,
            value: Text { string_value },
        }
    }
}

impl Export {
    fn of(lines: &[Arc<Line>]) -> Self {
        let mut scopes: BTreeMap<&'static str, Vec<LogRecord>> = BTreeMap::new();
        for line in lines {
            scopes
                .entry(line.target)
                .or_default()
                .push(LogRecord::of(line));
        }
        let scopes = scopes.into_iter().map(|(name, log_records)| ScopeLogs {
            scope: Scope { name },
            log_records,
        });
        let attributes = vec![
            Attribute::new("service.name", env!("CARGO_PKG_NAME")),
            Attribute::new("service.version", env!("CARGO_PKG_VERSION")),
            Attribute::new("process.pid", std::process::id().to_string()),
        ];
        Self {
            resource_logs: [ResourceLogs {
                resource: Resource { attributes },
                scope_logs: scopes.collect(),
            }],
        }
    }
}

impl LogRecord {
    fn of(line: &Line) -> Self {
        let since = line.time.duration_since(SystemTime::UNIX_EPOCH);
        let nanos = since.unwrap_or_default().as_nanos().to_string();
        let fields = line.fields.iter();
        Self {
            time_unix_nano: nanos.clone(),
            observed_time_unix_nano: nanos,
            severity_number: severity(line.level),
            severity_text: line.level.as_str(),
            body: Text {
                string_value: line.message.clone(),
            },
            attributes: fields
                .map(|(name, value)| Attribute::new(name, plain(value)))
                .collect(),
        }
    }
}

/// A text without the quotes and escapes that the log has around it.
fn plain(value: &str) -> String {
    let within = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    within.map_or_else(
        || value.to_owned(),
        |text| text.replace("\\\"", "\"").replace("\\\\", "\\"),
    )
}

/// `SeverityNumber`: the first of each range of four.
const fn severity(level: Level) -> u8 {
    match level {
        Level::TRACE => 1,
        Level::DEBUG => 5,
        Level::INFO => 9,
        Level::WARN => 13,
        Level::ERROR => 17,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Network;
    use serde_json::json;

    #[test]
    fn quotes_of_the_log_are_taken_off() {
        for value in ["a \"b\"", "c\\d", ""] {
            assert_eq!(plain(&format!("{value:?}")), value);
        }
        assert_eq!(plain("LiveApp/cam"), "LiveApp/cam");
    }

    #[test]
    fn a_line_becomes_a_record() {
        let line = Line {
            number: 3,
            time: SystemTime::UNIX_EPOCH + Duration::from_nanos(1_500_000_000_000_000_001),
            level: Level::WARN,
            target: "millstream::hub",
            message: "reader left".to_owned(),
            fields: vec![
                ("stream", "LiveApp/cam".to_owned()),
                ("reason", "\"gone\"".to_owned()),
            ],
        };
        let export = serde_json::to_value(Export::of(&[Arc::new(line)])).unwrap();
        let logs = &export["resourceLogs"][0];
        let service = &logs["resource"]["attributes"][0];
        assert_eq!(service["value"]["stringValue"], "millstream");
        assert_eq!(logs["scopeLogs"][0]["scope"]["name"], "millstream::hub");
        assert_eq!(
            logs["scopeLogs"][0]["logRecords"][0],
            json!({
                "timeUnixNano": "1500000000000000001",
                "observedTimeUnixNano": "1500000000000000001",
                "severityNumber": 13,
                "severityText": "WARN",
                "body": {"stringValue": "reader left"},
                "attributes": [
                    {"key": "stream", "value": {"stringValue": "LiveApp/cam"}},
                    {"key": "reason", "value": {"stringValue": "gone"}},
                ],
            })
        );
    }

    #[test]
    fn the_address_is_a_base() {
        for (base, whole) in [
            ("http://a:4318", "http://a:4318/v1/logs"),
            ("https://a/otel/", "https://a/otel/v1/logs"),
        ] {
            let log = Log {
                otlp: Some(base.into()),
                ..Log::default()
            };
            let connector = Connector::new(None).unwrap();
            let collector =
                Collector::new(&log, Policy::new(Network::default()), connector).unwrap();
            assert_eq!(collector.to.url.as_str(), whole);
        }
    }
}
