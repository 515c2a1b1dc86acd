//! A camera's questions and answers over HTTP: one connection each, judged by the policy.

use crate::net::fetch::{self, Ask};
use crate::net::policy::Policy;
use crate::net::tls::{Check, Connector};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, header};
use onvif::MAX_ENVELOPE;
use url::{Position, Url};

/// Largest picture that is fetched, in bytes.
const MAX_PICTURE: usize = 16 << 20;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) challenges: Vec<String>,
    pub(super) body: bytes::Bytes,
}

/// How a camera is reached.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) policy: Policy,
    pub(super) connector: Connector,
    pub(super) check: Check,
}

impl Link {
    /// Sends an envelope.
    pub(super) async fn post(&self, request: onvif::Request) -> Result<Answer, String> {
        let head = Request::builder()
            .method(Method::POST)
            .header(header::CONTENT_TYPE, request.content_type);
        let body = Body::from(request.body);
        self.send(
            &request.url,
            head,
            request.authorization,
            body,
            MAX_ENVELOPE,
        )
        .await
    }

    /// Fetches a picture.
    pub(super) async fn get(
        &self,
        url: &Url,
        authorization: Option<String>,
    ) -> Result<Answer, String> {
        let head = Request::builder().method(Method::GET);
        self.send(url, head, authorization, Body::empty(), MAX_PICTURE)
            .await
    }

    async fn send(
        &self,
        url: &Url,
        head: axum::http::request::Builder,
        authorization: Option<String>,
        body: Body,
        most: usize,
    ) -> Result<Answer, String> {
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let place = &url[Position::BeforeHost..Position::AfterPort];
        let mut head = head
            .uri(target)
            .header(header::HOST, place)
            .header(
                header::USER_AGENT,
                concat!("Millstream/", env!("CARGO_PKG_VERSION")),
            )
            .header(header::CONNECTION, "close");
        if let Some(value) = authorization {
            let value = HeaderValue::try_from(value);
            let mut value = value.map_err(|_| "the login cannot be sent over HTTP")?;
            value.set_sensitive(true);
            head = head.header(header::AUTHORIZATION, value);
        }
        let request = head.body(body);
        let request = request.map_err(|_| "the address cannot be asked over HTTP")?;
        let ask = Ask {
            check: &self.check,
            policy: &self.policy,
            connector: &self.connector,
            headers: &HeaderMap::new(),
            home: None,
            cookies: None,
            idle: None,
            patience: fetch::ANSWER_TIMEOUT,
            accepts_gzip: false,
            range: None,
        };
        let answer = fetch::exchange(url, request, &ask, most).await?;
        let fields = answer.headers().get_all(header::WWW_AUTHENTICATE).iter();
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let content_type = answer.headers().get(header::CONTENT_TYPE).and_then(text);
        Ok(Answer {
            status: answer.status().as_u16(),
            challenges: fields.filter_map(text).collect(),
            content_type: content_type.unwrap_or_default(),
            body: answer.into_body(),
        })
    }
}
