//! A listener of TCP that may be moved to another address while its connections go on.

use super::listen::tcp;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// Accepts connections at one address, or at none.
#[derive(Debug, Default)]
pub struct Accepting(Mutex<Option<Open>>);

#[derive(Debug)]
struct Open {
    /// The address that was asked for.
    wanted: SocketAddr,
    listener: Arc<TcpListener>,
    task: JoinHandle<()>,
}

impl Accepting {
    /// Accepts at that address from now on and nowhere else, by the task that `serve` gives. Connections that exist go
    /// on, and so does the listener where the address is the one before. Returns where that is.
    ///
    /// # Errors
    /// When the address cannot be taken: then it is accepted where it was before.
    pub async fn at<F>(
        &self,
        wanted: Option<SocketAddr>,
        serve: impl FnOnce(Arc<TcpListener>) -> F,
    ) -> io::Result<Option<SocketAddr>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut open = self.0.lock().await;
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

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
            accepting.at(address, move |listener| echo(listener, letter))
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
            .at(None, |listener| echo(listener, b'x'))
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
}
