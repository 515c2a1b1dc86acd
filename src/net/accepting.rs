//! A listener of TCP that may be moved to another address while its connections go on.

use super::listen::tcp;
use super::places::Places;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// Accepts connections at one address, or at none.
#[derive(Debug, Default)]
pub struct Accepting {
    open: Mutex<Option<Open>>,
    /// Of its connections, whichever task has accepted them.
    places: Places,
}

#[derive(Debug)]
struct Open {
    /// The address that was asked for.
    wanted: SocketAddr,
    listener: Arc<TcpListener>,
    task: JoinHandle<()>,
}

impl Accepting {
    /// Accepts at that address from now on and nowhere else, by the task that `serve` gives. Connections that exist go
    /// on and keep their places, and so does the listener where the address is the one before. Returns where that is.
    ///
    /// # Errors
    /// When the address cannot be taken: then it is accepted where it was before.
    pub async fn at<F>(
        &self,
        wanted: Option<SocketAddr>,
        serve: impl FnOnce(Arc<TcpListener>, Places) -> F,
    ) -> io::Result<Option<SocketAddr>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let serve = |listener| serve(listener, self.places.clone());
        let mut open = self.open.lock().await;
        let Some(wanted) = wanted else {
            if let Some(open) = open.take() {
                open.close().await;
            }
            return Ok(None);
        };
        let (listener, before) = match open.take() {
            Some(before) if before.wanted == wanted => (before.listener.clone(), Some(before)),
            // Two addresses of one port may be one: the first has to go before the second can come.
            Some(before) if before.wanted.port() == wanted.port() => {
                let old = before.wanted;
                before.close().await;
                match tcp(wanted) {
                    Ok(listener) => (Arc::new(listener), None),
                    Err(error) => {
                        let listener = Arc::new(tcp(old)?);
                        *open = Some(Open::new(old, listener, serve));
                        return Err(error);
                    }
                }
            }
            before => match tcp(wanted) {
                Ok(listener) => (Arc::new(listener), before),
                Err(error) => {
                    *open = before;
                    return Err(error);
                }
            },
        };
        let address = listener.local_addr()?;
        *open = Some(Open::new(wanted, listener, serve));
        if let Some(before) = before {
            before.close().await;
        }
        Ok(Some(address))
    }
}

impl Open {
    fn new<F>(
        wanted: SocketAddr,
        listener: Arc<TcpListener>,
        serve: impl FnOnce(Arc<TcpListener>) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = tokio::spawn(serve(listener.clone()));
        Self {
            wanted,
            listener,
            task,
        }
    }

    /// Accepts no more; the address is free afterwards, unless another has the listener.
    async fn close(self) {
        self.task.abort();
        // It was told to end.
        let _ = self.task.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::listen::accept;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    /// Says a letter, and again whatever it is told.
    async fn echo(listener: Arc<TcpListener>, letter: u8) {
        loop {
            let (mut socket, _) = accept(&listener).await;
            tokio::spawn(async move {
                socket.write_all(&[letter]).await.unwrap();
                let mut byte = [0];
                while socket.read_exact(&mut byte).await.is_ok() {
                    socket.write_all(&byte).await.unwrap();
                }
            });
        }
    }

    async fn letter(socket: &mut TcpStream) -> u8 {
        let mut byte = [0];
        socket.read_exact(&mut byte).await.unwrap();
        byte[0]
    }

    #[tokio::test]
    async fn connections_go_on_when_the_listener_moves() {
        let accepting = Accepting::default();
        let at = |address: &str, letter| {
            let address = Some(address.parse().unwrap());
            accepting.at(address, move |listener, _| echo(listener, letter))
        };
        let first = at("127.0.0.1:0", b'a').await.unwrap().unwrap();
        let mut old = TcpStream::connect(first).await.unwrap();
        assert_eq!(letter(&mut old).await, b'a');
        // The same address: the same listener, served anew.
        let same = at("127.0.0.1:0", b'b').await.unwrap().unwrap();
        assert_eq!(same, first);
        let mut new = TcpStream::connect(first).await.unwrap();
        assert_eq!(letter(&mut new).await, b'b');
        // The same port of all addresses, which the old listener stands in the way of.
        let all = format!("0.0.0.0:{}", first.port());
        let fixed = format!("127.0.0.1:{}", first.port());
        let moved = at(&fixed, b'c').await;
        // Port 0 was asked for, so that nobody knows that the two are one: the port is taken.
        assert_eq!(moved.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let other = at("127.0.0.1:0", b'd').await.unwrap().unwrap();
        assert_eq!(other, first);
        accepting
            .at(None, |listener, _| echo(listener, b'x'))
            .await
            .unwrap();
        assert!(TcpStream::connect(first).await.is_err());
        at(&fixed, b'e').await.unwrap();
        let moved = at(&all, b'f').await.unwrap().unwrap();
        assert_eq!(moved.to_string(), all);
        let mut new = TcpStream::connect(first).await.unwrap();
        assert_eq!(letter(&mut new).await, b'f');
        // What another has leaves all as it was.
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = other.local_addr().unwrap().to_string();
        assert!(at(&taken, b'g').await.is_err());
        let mut new = TcpStream::connect(first).await.unwrap();
        assert_eq!(letter(&mut new).await, b'f');
        old.write_all(b"z").await.unwrap();
        assert_eq!(letter(&mut old).await, b'z');
    }

    /// Keeps so many connections, to each of which it says a letter; more are closed.
    async fn keep(listener: Arc<TcpListener>, places: Places, limit: usize) {
        loop {
            let (mut socket, _) = accept(&listener).await;
            let Some(place) = places.take(limit) else {
                continue;
            };
            tokio::spawn(async move {
                socket.write_all(b"a").await.unwrap();
                while socket.read_exact(&mut [0]).await.is_ok() {}
                drop(place);
            });
        }
    }

    #[tokio::test]
    async fn connections_are_counted_whoever_has_accepted_them() {
        let accepting = Accepting::default();
        let at = |limit| {
            let address = Some("127.0.0.1:0".parse().unwrap());
            accepting.at(address, move |listener, places| {
                keep(listener, places, limit)
            })
        };
        let address = at(1).await.unwrap().unwrap();
        let mut first = TcpStream::connect(address).await.unwrap();
        assert_eq!(letter(&mut first).await, b'a');
        at(1).await.unwrap();
        let is_let_in = async || {
            let mut socket = TcpStream::connect(address).await.unwrap();
            let is_let_in = socket.read_exact(&mut [0]).await.is_ok();
            is_let_in.then_some(socket)
        };
        assert!(is_let_in().await.is_none());
        at(2).await.unwrap();
        let _second = is_let_in().await.unwrap();
        assert!(is_let_in().await.is_none());
        drop(first);
        let again = async { while is_let_in().await.is_none() {} };
        timeout(Duration::from_secs(20), again).await.unwrap();
    }
}
