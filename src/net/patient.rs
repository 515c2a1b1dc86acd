//! A connection that is given up when the far side takes nothing for too long, and a request's body when nothing of it
//! comes.

use axum::BoxError;
use http_body::{Body, Frame, SizeHint};
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// A connection whose writes fail once none of them has made progress for some time.
#[derive(Debug)]
pub struct Patient<S> {
    inner: S,
    limit: Duration,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// With a limit to the time without progress.
    pub const fn new(inner: S, limit: Duration) -> Self {
        Self {
            inner,
            limit,
            stalled: None,
        }
    }

    /// The connection itself.
    pub fn into_inner(self) -> S {
        self.inner
    }

    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.limit;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = Pin::new(&mut self.inner).poll_shutdown(context);
        self.watch(context, shut_down)
    }
}

/// The body of a request, which fails once nothing of it has come for some time.
#[derive(Debug)]
pub struct Awaited<B> {
    inner: B,
    limit: Duration,
    /// Runs while a piece is waited for.
    silent: Option<Pin<Box<Sleep>>>,
}

impl<B> Awaited<B> {
    /// With a limit to the time in which nothing comes.
    pub const fn new(inner: B, limit: Duration) -> Self {
        Self {
            inner,
            limit,
            silent: None,
        }
    }
}

impl<B: Body<Error: Into<BoxError>> + Unpin> Body for Awaited<B> {
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            self.silent = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = self.limit;
        let silent = self
            .silent
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(silent.as_mut().poll(context));
        Poll::Ready(Some(Err("the body of the request does not come".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::{BodyExt, StreamBody};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn only_standing_still_ends_a_write() {
        let limit = Duration::from_secs(30);
        let (here, mut there) = tokio::io::duplex(4);
        let mut patient = Patient::new(here, limit);
        let reader = tokio::spawn(async move {
            // 20 s for each piece.
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(20)).await;
                there.read_exact(&mut [0; 4]).await.unwrap();
            }
            there
        });
        patient.write_all(&[1; 16]).await.unwrap();
        let _there = reader.await.unwrap();
        let error = patient.write_all(&[1; 4]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn only_silence_ends_a_body() {
        let limit = Duration::from_secs(30);
        let (sender, pieces) = tokio::sync::mpsc::channel(1);
        let pieces = StreamBody::new(futures_util::stream::unfold(
            pieces,
            |mut pieces| async move {
                let piece: Bytes = pieces.recv().await?;
                Some((Ok::<_, io::Error>(Frame::data(piece)), pieces))
            },
        ));
        let mut body = Awaited::new(Box::pin(pieces), limit);
        for _ in 0..3 {
            let sender = sender.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(20)).await;
                sender.send(Bytes::from_static(b"piece")).await.unwrap();
            });
            assert!(body.frame().await.unwrap().is_ok());
        }
        assert!(body.frame().await.unwrap().is_err());
    }
}
