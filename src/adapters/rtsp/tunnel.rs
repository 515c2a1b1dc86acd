//! How a connection begins: with RTSP, or as one half of a tunnel through HTTP, which waits for the other.
//!
//! The GET comes first. It is answered at once and waits for the POST with its cookie from the same address; from
//! then on both are one [`Socket`], which is written as the GET's and read as the POST's.

use crate::net::places::Place;
use crate::net::socket::Socket;
use rtsp::message::MAX_HEAD;
use rtsp::tunnel::{self, Half, Opening, TunnelError};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// Halves that may wait for the other at a time; more are refused.
const MAX_WAITING: usize = 1_024;

/// Of them, from one address.
const MAX_OF_ONE: usize = 64;

/// A connection has this long for its first bytes, and a half for the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// What tells a request of HTTP from one of RTSP.
const VERBS: [&[u8]; 2] = [b"GET ", b"POST "];

/// The halves that wait, by where they come from and their cookie.
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    waiting: Mutex<HashMap<(IpAddr, String), oneshot::Sender<Begun>>>,
}

/// A connection on which RTSP is spoken from here on.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) socket: Socket,
    /// What has been read of it already.
    pub(super) bytes: Vec<u8>,
    /// What comes is base64.
    pub(super) is_tunnel: bool,
    /// Keeps its connections counted.
    pub(super) places: Vec<Place>,
}

impl Tunnels {
    /// Reads the beginning of a connection. None when it is over, or belongs to another one from now on.
    pub(super) async fn begin(&self, socket: Socket, ip: IpAddr, place: Place) -> Option<Begun> {
        let deadline = Instant::now() + PATIENCE;
        let mut begun = Begun {
            socket,
            bytes: Vec::new(),
            is_tunnel: false,
            places: vec![place],
        };
        let opening = loop {
            let bytes = &begun.bytes;
            if !bytes.is_empty() && !VERBS.iter().any(|verb| begins(bytes, verb)) {
                return Some(begun);
            }
            match Opening::parse(bytes) {
                Ok(Some((opening, length))) => {
                    begun.bytes.drain(..length.min(begun.bytes.len()));
                    break opening;
                }
                Ok(None) => {}
                // It is told what this port is for.
                Err(TunnelError::NoCookie) => return Some(begun),
                Err(_) => return None,
            }
            let read = timeout_at(deadline, read(&begun.socket, &mut begun.bytes)).await;
            if !matches!(read, Ok(Ok(true))) {
                return None;
            }
        };
        begun.is_tunnel = true;
        let key = (ip, opening.cookie);
        let joined = match opening.half {
            Half::Post => Err(self.join(&key, begun)),
            Half::Get => self.wait(key, begun, deadline).await,
        };
        match joined {
            Ok(whole) => whole,
            Err(None) => None,
            Err(Some(refused)) => {
                let words = timeout_at(deadline, refused.socket.write_all(tunnel::REFUSED));
                // Who does not read it knows without.
                let _ = words.await;
                None
            }
        }
    }

    /// Hands a POST to its GET; gives it back where none waits.
    fn join(&self, key: &(IpAddr, String), post: Begun) -> Option<Begun> {
        match self.lock().remove(key) {
            Some(get) => get.send(post).err(),
            None => Some(post),
        }
    }

    /// Waits for the POST of a GET; gives that back where there is no place, or its cookie is another's.
    async fn wait(
        &self,
        key: (IpAddr, String),
        get: Begun,
        deadline: Instant,
    ) -> Result<Option<Begun>, Option<Begun>> {
        let (sender, mut post) = oneshot::channel();
        {
            let mut waiting = self.lock();
            let of_one = waiting.keys().filter(|(ip, _)| *ip == key.0).count();
            if waiting.len() >= MAX_WAITING || of_one >= MAX_OF_ONE {
                return Err(Some(get));
            }
            match waiting.entry(key.clone()) {
                Entry::Occupied(_) => return Err(Some(get)),
                Entry::Vacant(free) => free.insert(sender),
            };
        }
        let _waits = Waits { tunnels: self, key };
        let answered = timeout_at(deadline, get.socket.write_all(tunnel::ACCEPTED)).await;
        if !matches!(answered, Ok(Ok(()))) {
            return Err(None);
        }
        let mut ignored = Vec::new();
        let post = loop {
            ignored.clear();
            tokio::select! {
                post = &mut post => break post.ok(),
                // It has nothing to say, but may leave.
                read = read(&get.socket, &mut ignored) => match read {
                    Ok(true) => {}
                    Ok(false) | Err(_) => return Err(None),
                },
                () = tokio::time::sleep_until(deadline) => return Err(None),
            }
        };
        Ok(post.map(|post| Begun {
            socket: get.socket.reading_from(post.socket),
            bytes: post.bytes,
            is_tunnel: true,
            places: get.places.into_iter().chain(post.places).collect(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(IpAddr, String), oneshot::Sender<Begun>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those that wait, which is free again when this is dropped.
struct Waits<'a> {
    tunnels: &'a Tunnels,
    key: (IpAddr, String),
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.tunnels.lock().remove(&self.key);
    }
}

/// Whether `bytes` begin with `verb`, or may once there are more of them.
fn begins(bytes: &[u8], verb: &[u8]) -> bool {
    bytes.starts_with(verb) || verb.starts_with(bytes)
}

/// Appends what comes next. False at the end of the connection. Safe to cancel.
async fn read(socket: &Socket, bytes: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        socket.readable().await?;
        let mut buffer = [0; MAX_HEAD / 8];
        match socket.try_read(&mut buffer) {
            Ok(count) => {
                bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
                return Ok(count > 0);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::places::Places;
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    /// A GET with that cookie, and how it is answered.
    async fn get(
        tunnels: &Arc<Tunnels>,
        listener: &TcpListener,
        cookie: usize,
    ) -> (TcpStream, String) {
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let request = format!("GET /x HTTP/1.0\r\nx-sessioncookie: {cookie}\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let (accepted, address) = listener.accept().await.unwrap();
        let place = Places::default().take(1).unwrap();
        let tunnels = tunnels.clone();
        tokio::spawn(async move {
            tunnels
                .begin(Socket::from(accepted), address.ip(), place)
                .await
        });
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        (client, String::from_utf8_lossy(&answer).into_owned())
    }

    #[tokio::test]
    async fn one_address_has_not_all_the_places() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let tunnels = Arc::new(Tunnels::default());
        let mut waiting = Vec::new();
        for cookie in 0..MAX_OF_ONE {
            let (client, answer) = get(&tunnels, &listener, cookie).await;
            assert_eq!(answer, "HTTP/1.0 200");
            waiting.push(client);
        }
        let (_, answer) = get(&tunnels, &listener, MAX_OF_ONE).await;
        assert_eq!(answer, "HTTP/1.0 404");
        // One that leaves makes room.
        waiting.pop();
        while tunnels.lock().len() >= MAX_OF_ONE {
            tokio::task::yield_now().await;
        }
        let (_, answer) = get(&tunnels, &listener, MAX_OF_ONE).await;
        assert_eq!(answer, "HTTP/1.0 200");
    }
}
