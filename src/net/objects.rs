//! A bucket of an object storage that speaks S3. What is asked and how it is signed is `object_store`'s; what is sent goes
//! the way of all other requests ([`fetch`]), so that the same rules hold for whom the server connects to.

use super::fetch;
use super::policy::Policy;
use super::tls::Connector;
use crate::config::S3;
use axum::body::Body;
use axum::http::Method;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, RetryConfig,
};
use std::fmt;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// A part has so long to be sent and taken.
const PATIENCE: Duration = Duration::from_secs(300);

/// Longest answer that is read, in bytes, and the longest part of an object.
pub const MAX_ANSWER: usize = 1 << 20;

/// A request that failed is repeated so often, and for so long.
const RETRIES: usize = 4;
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a signed link leads to its object: a film, and a pause in it.
const LINK: Duration = Duration::from_secs(12 * 3_600);

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is no such object or upload.
    #[error("the object storage has no such thing")]
    NotFound,
    /// Anything else.
    #[error("the object storage: {0}")]
    Other(Box<Error>),
}

impl From<Error> for ObjectError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { .. } => Self::NotFound,
            error => Self::Other(Box::new(error)),
        }
    }
}

/// One bucket. Clones share it.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<AmazonS3>,
    name: String,
    public_url: Option<Url>,
}

impl fmt::Debug for Bucket {
    /// Without what proves who asks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({})", self.name)
    }
}

impl Bucket {
    /// As configured. Nothing is asked yet.
    ///
    /// # Errors
    /// When the settings do not make one.
    pub fn new(settings: &S3, policy: Policy, connector: Connector) -> Result<Self, ObjectError> {
        let secret = settings.secret_key.as_ref().map_or("", |key| key.reveal());
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_access_key_id(&settings.access_key)
            .with_secret_access_key(secret)
            .with_virtual_hosted_style_request(!settings.path_style)
            .with_allow_http(true)
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(500),
                    ..BackoffConfig::default()
                },
                max_retries: RETRIES,
                retry_timeout: RETRY_TIMEOUT,
            })
            .with_http_connector(Client { policy, connector });
        if let Some(mut endpoint) = settings.endpoint.clone() {
            if let (false, Some(host)) = (settings.path_style, endpoint.host_str()) {
                let host = format!("{}.{host}", settings.bucket);
                // A bucket in front of an address leaves it as it is: that cannot be asked for.
                let _ = endpoint.set_host(Some(&host));
            }
            builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
        }
        Ok(Self {
            store: Arc::new(builder.build()?),
            name: settings.bucket.clone(),
            public_url: settings.public_url.clone(),
        })
    }

    /// Makes an object of these bytes, in place of what has the name.
    ///
    /// # Errors
    /// When it is not there then.
    pub async fn put(
        &self,
        key: &str,
        kind: &'static str,
        bytes: Bytes,
    ) -> Result<(), ObjectError> {
        let options = PutOptions {
            attributes: attributes(kind),
            ..PutOptions::default()
        };
        self.store
            .put_opts(&path(key)?, bytes.into(), options)
            .await?;
        Ok(())
    }

    /// Begins an object that comes in parts. Returns what the storage calls the upload.
    ///
    /// # Errors
    /// When it has none then.
    pub async fn begin(&self, key: &str, kind: &'static str) -> Result<String, ObjectError> {
        let options = PutMultipartOptions {
            attributes: attributes(kind),
            ..PutMultipartOptions::default()
        };
        Ok(self
            .store
            .create_multipart_opts(&path(key)?, options)
            .await?)
    }

    /// Sends a part, of which the first is 0. Returns what the storage calls it.
    ///
    /// # Errors
    /// `NotFound` when there is no such upload (any more).
    pub async fn part(
        &self,
        key: &str,
        upload: &str,
        index: usize,
        bytes: Bytes,
    ) -> Result<String, ObjectError> {
        let (path, upload) = (path(key)?, upload.to_owned());
        let part = self.store.put_part(&path, &upload, index, bytes.into());
        Ok(part.await?.content_id)
    }

    /// Makes the object of its parts.
    ///
    /// # Errors
    /// `NotFound` when there is no such upload, as after it was completed.
    pub async fn complete(
        &self,
        key: &str,
        upload: &str,
        parts: &[String],
    ) -> Result<(), ObjectError> {
        let parts = parts.iter().cloned();
        let parts = parts.map(|content_id| PartId { content_id }).collect();
        let (path, upload) = (path(key)?, upload.to_owned());
        self.store.complete_multipart(&path, &upload, parts).await?;
        Ok(())
    }

    /// Gives an upload up. That there is none is as well.
    ///
    /// # Errors
    /// When that is not known to the storage then.
    pub async fn abort(&self, key: &str, upload: &str) -> Result<(), ObjectError> {
        let upload = upload.to_owned();
        gone(self.store.abort_multipart(&path(key)?, &upload).await)
    }

    /// Removes an object. That there is none is as well.
    ///
    /// # Errors
    /// When it may still be there.
    pub async fn remove(&self, key: &str) -> Result<(), ObjectError> {
        gone(self.store.delete(&path(key)?).await)
    }

    /// Some bytes of an object, 1 MiB at most.
    ///
    /// # Errors
    /// `NotFound` when there is no such object; when it is shorter.
    pub async fn range(&self, key: &str, range: Range<u64>) -> Result<Bytes, ObjectError> {
        Ok(self.store.get_range(&path(key)?, range).await?)
    }

    /// The length of an object in bytes.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn length(&self, key: &str) -> Result<u64, ObjectError> {
        Ok(self.store.head(&path(key)?).await?.size)
    }

    /// Where anybody finds an object, for half a day at least.
    ///
    /// # Errors
    /// When no link can be made.
    pub async fn link(&self, key: &str, method: Method) -> Result<Url, ObjectError> {
        match &self.public_url {
            Some(url) => {
                let mut url = url.clone();
                let folder = url.path().trim_end_matches('/');
                url.set_path(&format!("{folder}/{key}"));
                Ok(url)
            }
            None => Ok(self.store.signed_url(method, &path(key)?, LINK).await?),
        }
    }
}

fn path(key: &str) -> Result<Path, ObjectError> {
    Path::parse(key).map_err(|error| Error::from(error).into())
}

fn attributes(kind: &'static str) -> Attributes {
    [(Attribute::ContentType, kind)].into_iter().collect()
}

fn gone(result: Result<(), Error>) -> Result<(), ObjectError> {
    match result {
        Err(Error::NotFound { .. }) => Ok(()),
        result => Ok(result?),
    }
}

/// Asks the storage, a connection a request.
#[derive(Clone, Debug)]
struct Client {
    policy: Policy,
    connector: Connector,
}

impl HttpConnector for Client {
    fn connect(&self, _options: &ClientOptions) -> Result<HttpClient, Error> {
        Ok(HttpClient::new(self.clone()))
    }
}

type Answering<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Client {
    fn call<'a, 'b>(&'a self, request: HttpRequest) -> Answering<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move { self.ask(request).await.map_err(interrupted) })
    }
}

impl Client {
    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, String> {
        let (policy, connector) = (&self.policy, &self.connector);
        // The host that is named is the one that is signed.
        let asked = fetch::forward(
            request.map(Body::new),
            policy,
            connector,
            PATIENCE,
            MAX_ANSWER,
        );
        let answer = asked.await?;
        Ok(answer
            .map(|bytes| HttpResponseBody::new(Full::new(bytes).map_err(|never| match never {}))))
    }
}

/// A request may have been heard all the same: what is done twice does no harm.
fn interrupted(reason: String) -> HttpError {
    HttpError::new(HttpErrorKind::Interrupted, io::Error::other(reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Network;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn bucket(settings: &str) -> Bucket {
        let common = "bucket = \"films\"\naccess_key = \"me\"\nsecret_key = \"nobody\"\n";
        let settings: S3 = toml::from_str(&format!("{common}{settings}")).unwrap();
        let connector = Connector::new(None).unwrap();
        Bucket::new(&settings, Policy::new(Network::default()), connector).unwrap()
    }

    #[tokio::test]
    async fn requests_name_the_host_that_is_signed_and_failures_are_repeated() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in [
                "503 Slow Down\r\nContent-Length: 0\r\n\r\n",
                "200 OK\r\nETag: \"part\"\r\nContent-Length: 0\r\n\r\n",
                "404 Not Found\r\nContent-Length: 0\r\n\r\n",
            ] {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"hello") && !request.starts_with(b"HEAD") {
                    assert!(socket.read_buf(&mut request).await.unwrap() > 0);
                }
                asked.push(String::from_utf8_lossy(&request).to_lowercase());
                let answer = format!("HTTP/1.1 {answer}");
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        let bucket = bucket(&format!("endpoint = \"http://127.0.0.1:{port}/\""));
        let part = bucket.part("a/b.mp4", "up", 0, Bytes::from_static(b"hello"));
        assert_eq!(part.await.unwrap(), "\"part\"");
        let length = bucket.length("a/c.mp4").await;
        assert!(matches!(length, Err(ObjectError::NotFound)), "{length:?}");
        let asked = serving.await.unwrap();
        for request in &asked[..2] {
            assert!(request.starts_with("put /films/a/b.mp4?"), "{request}");
            assert!(request.contains("partnumber=1") && request.contains("uploadid=up"));
            assert!(request.contains(&format!("\r\nhost: 127.0.0.1:{port}\r\n")));
            assert!(request.contains("\r\ncontent-length: 5\r\n"), "{request}");
            assert!(request.contains("signedheaders=") && !request.contains("nobody"));
        }
        assert!(asked[2].starts_with("head /films/a/c.mp4 http/1.1\r\n"));
        assert!(!format!("{bucket:?}").contains("nobody"));
    }

    #[tokio::test]
    async fn links_are_signed_or_those_of_who_stands_in_front() {
        let signed = bucket("region = \"eu-west-1\"\npath_style = false");
        let link = signed.link("live/a.mp4", Method::GET).await.unwrap();
        assert_eq!(link.host_str(), Some("films.s3.eu-west-1.amazonaws.com"));
        assert_eq!(link.path(), "/live/a.mp4");
        let query = link.query().unwrap();
        assert!(query.contains("X-Amz-Expires=43200") && !query.contains("nobody"));
        let other = bucket("endpoint = \"https://s3.example:444\"\npath_style = false");
        let link = other.link("live/a.mp4", Method::GET).await.unwrap();
        let place = "https://films.s3.example:444/live/a.mp4?";
        assert!(link.as_str().starts_with(place), "{link}");
        let public = bucket("public_url = \"https://cdn.example/x/\"");
        let link = public.link("live/a.mp4", Method::GET).await.unwrap();
        assert_eq!(link.as_str(), "https://cdn.example/x/live/a.mp4");
    }
}
