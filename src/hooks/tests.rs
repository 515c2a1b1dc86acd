//! Couriers and receivers that take, refuse, hang, redirect and are not there.

use super::*;
use crate::config::{Network, Secret};
use bytes::Bytes;
use std::sync::atomic::AtomicUsize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a receiver does with a request.
#[derive(Clone)]
enum Answer {
    /// Status and headers.
    Head(&'static str),
    /// None.
    Silence,
}

const OK: Answer = Answer::Head("200 OK\r\nContent-Length: 0");
const NO: Answer = Answer::Head("503 Service Unavailable\r\nContent-Length: 0");

/// A request as it came.
#[derive(Clone)]
struct Heard {
    head: String,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map_or("", |(_, value)| value)
    }
}

/// A server for hooks.
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    /// Connections now, and the most that there were.
    connections: Arc<(AtomicUsize, AtomicUsize)>,
    accepting: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    /// `answer` is given what came, and what had come before.
    async fn start(answer: impl Fn(&Heard, &[Heard]) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let connections: Arc<(AtomicUsize, AtomicUsize)> = Arc::default();
        let (all, counts, answer) = (heard.clone(), connections.clone(), Arc::new(answer));
        let accepting = tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let (all, counts, answer) = (all.clone(), counts.clone(), answer.clone());
                tokio::spawn(async move {
                    let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
                    counts.1.fetch_max(now, Ordering::SeqCst);
                    let mut bytes = Vec::new();
                    let request = loop {
                        if socket.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                            break None;
                        }
                        let text = String::from_utf8_lossy(&bytes).into_owned();
                        let Some((head, body)) = text.split_once("\r\n\r\n") else {
                            continue;
                        };
                        let (head, body) = (head.to_owned(), body.to_owned());
                        let request = Heard { head, body };
                        if request.header("content-length").parse() == Ok(request.body.len()) {
                            break Some(request);
                        }
                    };
                    if let Some(request) = request {
                        let answer = {
                            let mut all = all.lock().unwrap();
                            let answer = answer(&request, &all);
                            all.push(request);
                            answer
                        };
                        match answer {
                            Answer::Head(head) => {
                                let head = format!("HTTP/1.1 {head}\r\n\r\n");
                                let _ = socket.write_all(head.as_bytes()).await;
                            }
                            // Until the other side gives up.
                            Answer::Silence => drop(socket.read_buf(&mut bytes).await),
                        }
                    }
                    counts.0.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            port,
            heard,
            connections,
            accepting,
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    fn bodies(&self) -> Vec<String> {
        self.heard().into_iter().map(|heard| heard.body).collect()
    }
}

fn settings() -> Hooks {
    Hooks {
        timeout: Duration::from_millis(500),
        ..Hooks::default()
    }
}

fn courier(settings: Hooks, network: Network) -> Courier {
    Courier::new(
        settings,
        Policy::new(network),
        Connector::new(None).unwrap(),
    )
}

fn message(url: &str, stream: &str, body: &'static str) -> Message {
    Message {
        to: Address::parse(url).unwrap(),
        event: "test",
        stream: stream.to_owned(),
        weight: Weight::Event,
        retry: Retry {
            count: 3,
            delay: Duration::from_millis(20),
            doubles: false,
        },
        content_type: HeaderValue::from_static("application/json"),
        headers: HeaderMap::new(),
        body: Bytes::from_static(body.as_bytes()),
    }
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = timeout(Duration::from_secs(30), wait).await;
    assert!(waited.is_ok(), "{what}");
}

#[tokio::test]
async fn a_request_is_signed_and_the_same_when_it_is_tried_again() {
    let server = Server::start(|_, before| if before.is_empty() { NO } else { OK }).await;
    let hooks = Hooks {
        secret: Some(Secret::from("a-secret-of-sixteen")),
        ..settings()
    };
    let courier = courier(hooks, Network::default());
    let url = server.url().replace("http://", "http://joe:p%40ss@");
    courier.post(message(&url, "a", "{\"x\":1}"));
    until("it is sent", || courier.counts().sent == 1).await;
    let heard = server.heard();
    assert_eq!(heard.len(), 2);
    for request in &heard {
        assert!(
            request.head.starts_with("POST /hook HTTP/1.1\r\n"),
            "{}",
            request.head
        );
        assert_eq!(request.header("authorization"), "Basic am9lOnBAc3M=");
        assert_eq!(request.header("content-type"), "application/json");
        let (time, code) = request
            .header("millstream-signature")
            .split_once(",v1=")
            .unwrap();
        let time = time.strip_prefix("t=").unwrap();
        let signed = format!("{time}.{}", request.body);
        assert_eq!(code, hmac(b"a-secret-of-sixteen", &[signed.as_bytes()]));
    }
    let delivery = |heard: &Heard| heard.header("millstream-delivery").to_owned();
    assert!(!delivery(&heard[0]).is_empty());
    assert_eq!(delivery(&heard[0]), delivery(&heard[1]));
    let counts = Counts {
        sent: 1,
        ..Counts::default()
    };
    assert_eq!(courier.counts(), counts);
}

#[tokio::test]
async fn a_stream_keeps_its_order_and_holds_up_no_other() {
    // The first of stream a is refused twice.
    let server = Server::start(|heard, before| {
        let tries = before
            .iter()
            .filter(|other| other.body == heard.body)
            .count();
        if heard.body == "a1" && tries < 2 {
            NO
        } else {
            OK
        }
    })
    .await;
    let courier = courier(settings(), Network::default());
    for (stream, body) in [
        ("a", "a1"),
        ("a", "a2"),
        ("b", "b1"),
        ("a", "a3"),
        ("b", "b2"),
    ] {
        courier.post(message(&server.url(), stream, body));
    }
    until("all are sent", || courier.counts().sent == 5).await;
    let bodies = server.bodies();
    let of = |letter: char| {
        let own = bodies.iter().filter(|body| body.starts_with(letter));
        own.map(String::as_str).collect::<Vec<_>>()
    };
    assert_eq!(of('a'), ["a1", "a1", "a1", "a2", "a3"]);
    assert_eq!(of('b'), ["b1", "b2"]);
    let last_b = bodies.iter().position(|body| body == "b2");
    assert!(
        last_b < bodies.iter().position(|body| body == "a2"),
        "{bodies:?}"
    );
    assert_eq!(server.connections.1.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn one_that_never_answers_costs_one_connection_and_holds_up_no_other() {
    let hanging = Server::start(|_, _| Answer::Silence).await;
    let well = Server::start(|_, _| OK).await;
    let courier = courier(settings(), Network::default());
    for _ in 0..20 {
        courier.post(message(&hanging.url(), "a", "x"));
        courier.post(message(&well.url(), "a", "y"));
    }
    until("the other has all", || well.heard().len() == 20).await;
    assert!(courier.counts().waiting >= 18);
    until("it is given up and tried again", || {
        hanging.heard().len() >= 2
    })
    .await;
    assert_eq!(hanging.connections.1.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_is_tried_in_vain_is_counted_and_redirects_are_none_of_its_ends() {
    let other = Server::start(|_, _| OK).await;
    let place = format!(
        "302 Found\r\nLocation: {}\r\nContent-Length: 0",
        other.url()
    );
    let place: &'static str = place.leak();
    let server = Server::start(move |_, _| Answer::Head(place)).await;
    let courier = courier(settings(), Network::default());
    courier.post(message(&server.url(), "a", "x"));
    until("it is given up", || courier.counts().failed == 1).await;
    assert_eq!(server.heard().len(), 4);
    assert!(other.heard().is_empty());
    assert_eq!(courier.counts().waiting, 0);
}

#[tokio::test]
async fn addresses_are_judged() {
    let server = Server::start(|_, _| OK).await;
    let network = Network {
        loopback: false,
        ..Network::default()
    };
    let courier = courier(settings(), network);
    courier.post(message(&server.url(), "a", "x"));
    courier.post(message("http://169.254.169.254/latest", "b", "x"));
    until("both are given up", || courier.counts().failed == 2).await;
    assert!(server.heard().is_empty());
}

#[tokio::test]
async fn too_much_for_a_slow_receiver_is_dropped_and_counted() {
    let server = Server::start(|_, _| Answer::Silence).await;
    let hooks = Hooks {
        queue: 10,
        ..settings()
    };
    let courier = courier(hooks, Network::default());
    courier.post(message(&server.url(), "first", "x"));
    until("one is under way", || !server.heard().is_empty()).await;
    for _ in 0..25 {
        courier.post(message(&server.url(), "a", "x"));
    }
    let counts = courier.counts();
    assert_eq!((counts.dropped, counts.waiting), (15, 11));
    // The end of the process does not wait for it.
    courier.done(Duration::from_millis(50), || false).await;
}

#[tokio::test]
async fn receivers_are_bounded_and_forgotten_when_they_have_everything() {
    let server = Server::start(|_, _| OK).await;
    let courier = courier(settings(), Network::default());
    for number in 0..MAX_RECEIVERS + 5 {
        // Port 0 is nobody's.
        let url = format!("http://127.0.0.{}:{}/", 1 + number % 200, 1 + number / 200);
        let mut message = message(&url, "a", "x");
        message.retry.delay = Duration::from_secs(60);
        courier.post(message);
    }
    assert_eq!(courier.counts().dropped, 5);
    let other = self::courier(settings(), Network::default());
    other.post(message(&server.url(), "a", "x"));
    until("it is sent", || other.counts().sent == 1).await;
    until("nothing is kept", || other.lock().queues.is_empty()).await;
    assert_eq!(other.lock().bytes, 0);
}
