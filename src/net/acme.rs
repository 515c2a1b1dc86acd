//! A certificate from an authority, by ACME (RFC 8555), kept valid: ordered, proved by HTTP (section 8.3), renewed.
//!
//! What an authority gives goes into two files, which [`Identity`](super::tls::Identity) follows as it does every
//! certificate's. Until there is one, they hold a self-signed one.

use super::fetch;
use super::policy::Policy;
use super::tls::{Connector, Files};
use crate::config;
use crate::hub::Current;
use axum::body::Body;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use bytes::Bytes;
use hyper::body::Incoming;
use instant_acme::{
    Account, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeType, Error, HttpClient,
    Identifier, NewAccount, NewOrder, OrderStatus, RetryPolicy,
};
use rand::Rng;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::sleep;

/// Where an authority looks for a proof.
const PROOFS: &str = "/.well-known/acme-challenge/";

/// Whether there is something to do is asked this often.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// After a failure, the next attempt is so much later; twice that after the next failure, and so on. Authorities count
/// failures (Let's Encrypt: five an hour for a name).
const FIRST_PAUSE: Duration = Duration::from_secs(60);

/// The longest time between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);

/// How long an authority may take to look for the proofs, and to make the certificate.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long an authority may take for one answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Bytes of an answer: a chain of certificates is the longest.
const MAX_ANSWER: usize = 256 << 10;

/// What proves that a name is this server's, by the token that an authority asks for. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Proofs(Arc<Mutex<HashMap<String, String>>>);

impl Proofs {
    /// The answer to a request, if it is one for a proof.
    pub fn answer(&self, path: &str) -> Option<Response<Body>> {
        let proof = self.lock().get(path.strip_prefix(PROOFS)?).cloned();
        let mut response = Response::new(Body::empty());
        match proof {
            Some(proof) => *response.body_mut() = Body::from(proof),
            None => *response.status_mut() = StatusCode::NOT_FOUND,
        }
        let media_type = HeaderValue::from_static("application/octet-stream");
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, media_type);
        Some(response)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers at the port where authorities look, and sends everybody else on to HTTPS.
#[derive(Clone, Debug)]
pub struct Door {
    /// What is asked for.
    pub proofs: Proofs,
    /// The port of HTTPS, if it is answered.
    pub https: Option<u16>,
}

impl super::http::Handler for Door {
    async fn handle(&self, request: Request<Incoming>, _: SocketAddr) -> Response<Body> {
        if let Some(answer) = self.proofs.answer(request.uri().path()) {
            return answer;
        }
        let mut response = Response::new(Body::empty());
        let target = request.uri().path_and_query();
        let place = self
            .https
            .zip(target)
            .and_then(|(port, target)| secure_place(request.headers(), target.as_str(), port));
        match place {
            Some(place) => {
                *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
                response.headers_mut().insert(header::LOCATION, place);
            }
            None => *response.status_mut() = StatusCode::NOT_FOUND,
        }
        response
    }
}

/// The same place over TLS.
fn secure_place(headers: &HeaderMap, target: &str, port: u16) -> Option<HeaderValue> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let host: Authority = host.parse().ok()?;
    let port = match port {
        443 => String::new(),
        port => format!(":{port}"),
    };
    HeaderValue::try_from(format!("https://{}{port}{target}", host.host())).ok()
}

/// Keeps a certificate valid.
pub struct Acme {
    settings: Current<config::Acme>,
    data_dir: PathBuf,
    proofs: Proofs,
    client: Client,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
enum AcmeError {
    /// The authority does not do it.
    #[error(transparent)]
    Authority(#[from] Error),
    /// It has looked, and was not convinced.
    #[error("the authority found no proof that {name} is this server: {reason}")]
    Unproved { name: String, reason: String },
    /// It offers no proof by HTTP.
    #[error("the authority takes no proof by HTTP for {0}")]
    NoHttp(String),
    /// The certificate cannot be used or kept.
    #[error(transparent)]
    Tls(#[from] super::tls::TlsError),
    /// The account cannot be kept.
    #[error("cannot keep the account of the authority: {0}")]
    Keep(#[from] std::io::Error),
}

impl Acme {
    /// With what may change while it runs, the folder for what it gets, and where it shows its proofs.
    pub fn new(
        settings: Current<config::Acme>,
        data_dir: &Path,
        proofs: Proofs,
        policy: Policy,
        connector: Connector,
    ) -> Self {
        Self {
            settings,
            data_dir: data_dir.to_owned(),
            proofs,
            client: Client { policy, connector },
        }
    }

    /// Does so for ever.
    pub async fn run(self) {
        let mut failures = 0;
        let mut tried = config::Acme::default();
        let mut wait = Duration::ZERO;
        loop {
            let settings = self.settings.get();
            if *settings != tried {
                (failures, wait) = (0, Duration::ZERO);
                tried = (*settings).clone();
            }
            if settings.is_on() && wait.is_zero() && self.is_due(&settings).await {
                match self.order(&settings).await {
                    Ok(()) => failures = 0,
                    Err(error) => {
                        let factor = 1 << u32::min(failures, 16);
                        failures += 1;
                        wait = (FIRST_PAUSE * factor).min(LONGEST_PAUSE);
                        wait = wait.mul_f64(rand::rng().random_range(1.0..1.2));
                        tracing::warn!(
                            names = settings.domains.join(", "),
                            %error,
                            "no certificate from the authority; the next attempt is in {} s",
                            wait.as_secs()
                        );
                    }
                }
            }
            sleep(LOOK_EVERY).await;
            wait = wait.saturating_sub(LOOK_EVERY);
        }
    }

    /// Whether there is no certificate for these names with a third of its life left.
    async fn is_due(&self, settings: &config::Acme) -> bool {
        let files = Files::of_authority(&self.data_dir);
        let names = settings.domains.clone();
        let good =
            tokio::task::spawn_blocking(move || files.are_good_for(&names, SystemTime::now()));
        !good.await.unwrap_or(false)
    }

    /// Gets a certificate (RFC 8555 section 7.4).
    async fn order(&self, settings: &config::Acme) -> Result<(), AcmeError> {
        let account = self.account(settings).await?;
        let names = settings.domains.iter().cloned().map(Identifier::Dns);
        let names: Vec<_> = names.collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        let mut shown = Shown {
            proofs: &self.proofs,
            tokens: Vec::new(),
        };
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            let name = authorization.identifier().to_string();
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let challenge = authorization.challenge(ChallengeType::Http01);
            let mut challenge = challenge.ok_or(AcmeError::NoHttp(name))?;
            let proof = challenge.key_authorization();
            shown.show(&challenge.token, proof.as_str());
            challenge.set_ready().await?;
        }
        let patience = RetryPolicy::new().timeout(PATIENCE);
        match order.poll_ready(&patience).await? {
            OrderStatus::Ready => {}
            _ => return Err(unproved(&mut order).await),
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&patience).await?;
        drop(shown);
        let files = Files::of_authority(&self.data_dir);
        tokio::task::spawn_blocking(move || files.replace(&chain, &key))
            .await
            .map_err(std::io::Error::other)??;
        tracing::info!(
            names = settings.domains.join(", "),
            "a certificate came from the authority"
        );
        Ok(())
    }

    /// The account with that authority, made at the first time.
    async fn account(&self, settings: &config::Acme) -> Result<Account, AcmeError> {
        let place = self.data_dir.join("acme-account.json");
        let known = tokio::fs::read(&place).await.ok();
        let known = known.and_then(|known| serde_json::from_slice::<Kept>(&known).ok());
        let builder = || Account::builder_with_http(Box::new(self.client.clone()));
        if let Some(known) = known.filter(|known| known.directory == settings.directory) {
            return Ok(builder().from_credentials(known.credentials).await?);
        }
        let contact = settings.contact.as_ref();
        let contact = contact.map(|contact| format!("mailto:{contact}"));
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let directory = settings.directory.clone();
        let (account, credentials) = builder().create(&new, directory.clone(), None).await?;
        let kept = Kept {
            directory,
            credentials,
        };
        let text = serde_json::to_string(&kept).map_err(std::io::Error::other)?;
        tokio::task::spawn_blocking(move || super::tls::write(&place, &text))
            .await
            .map_err(std::io::Error::other)??;
        Ok(account)
    }
}

/// What an authority says it was not convinced by.
async fn unproved(order: &mut instant_acme::Order) -> AcmeError {
    let mut authorizations = order.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        let problems = authorization.challenges.iter();
        let problem = problems
            .filter_map(|challenge| challenge.error.as_ref())
            .next();
        if let Some(problem) = problem {
            return AcmeError::Unproved {
                name: authorization.identifier().to_string(),
                reason: problem.to_string(),
            };
        }
    }
    Error::Str("the order was refused, without a reason").into()
}

/// Proofs, shown for as long as this lives.
struct Shown<'a> {
    proofs: &'a Proofs,
    tokens: Vec<String>,
}

impl Shown<'_> {
    fn show(&mut self, token: &str, proof: &str) {
        self.tokens.push(token.to_owned());
        self.proofs
            .lock()
            .insert(token.to_owned(), proof.to_owned());
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        let mut proofs = self.proofs.lock();
        for token in &self.tokens {
            proofs.remove(token);
        }
    }
}

/// An account as it is kept.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    directory: String,
    credentials: instant_acme::AccountCredentials,
}

/// Asks an authority by the server's own HTTP, where its policy holds.
#[derive(Clone)]
struct Client {
    policy: Policy,
    connector: Connector,
}

type Answering = Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>>;

impl HttpClient for Client {
    fn request(&self, request: Request<BodyWrapper<Bytes>>) -> Answering {
        let client = self.clone();
        let request = request.map(Body::new);
        Box::pin(async move {
            let asked = fetch::forward(
                request,
                &client.policy,
                &client.connector,
                ANSWER,
                MAX_ANSWER,
            );
            let answer = asked.await.map_err(|reason| Error::Other(reason.into()))?;
            Ok(BytesResponse::from(answer.map(http_body_util::Full::new)))
        })
    }
}
