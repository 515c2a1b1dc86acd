//! Bodies of answers that clients of HTTP/2 do not take. A client may keep the window of a request shut for ever while its
//! connection is well, and with it all that waits in the body; such a connection is closed.

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// Since when a body has not been asked for more, though it may have; none while it is what is waited for.
type Since = Mutex<Option<Instant>>;

/// The bodies under way on one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Bodies(Arc<Mutex<Vec<Weak<Since>>>>);

impl Bodies {
    /// Watches a body from now on.
    pub(super) fn watch(&self, body: Body) -> Body {
        let since = Arc::new(Mutex::new(Some(Instant::now())));
        let mut all = lock(&self.0);
        all.retain(|known| known.strong_count() > 0);
        all.push(Arc::downgrade(&since));
        drop(all);
        Body::new(Watched { body, since })
    }

    /// Whether the client has taken nothing of one of them for so long.
    pub(super) fn is_stalled(&self, limit: Duration) -> bool {
        let all = lock(&self.0);
        let mut all = all.iter().filter_map(Weak::upgrade);
        all.any(|since| lock(&since).is_some_and(|since| since.elapsed() >= limit))
    }
}

#[derive(Debug)]
struct Watched {
    body: Body,
    since: Arc<Since>,
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let waits = matches!(polled, Poll::Ready(Some(Ok(_))));
        *lock(&self.since) = waits.then(Instant::now);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body_util::BodyExt;

    #[tokio::test(start_paused = true)]
    async fn a_body_is_stalled_while_it_has_more_and_nobody_asks() {
        const LIMIT: Duration = Duration::from_secs(30);
        let bodies = Bodies::default();
        let pieces = ["a", "b"].map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
        let endless = futures_util::StreamExt::chain(stream::iter(pieces), stream::pending());
        let mut body = bodies.watch(Body::from_stream(endless));
        assert!(!bodies.is_stalled(LIMIT));
        tokio::time::advance(LIMIT).await;
        assert!(bodies.is_stalled(LIMIT));
        for _ in 0..2 {
            body.frame().await.unwrap().unwrap();
            assert!(!bodies.is_stalled(LIMIT));
            tokio::time::advance(LIMIT).await;
            assert!(bodies.is_stalled(LIMIT));
        }
        // It has nothing more to give for now: that is not the client's.
        assert!(tokio::time::timeout(LIMIT * 9, body.frame()).await.is_err());
        assert!(!bodies.is_stalled(LIMIT));
        drop(body);
        tokio::time::advance(LIMIT).await;
        assert!(!bodies.is_stalled(LIMIT));
    }
}
