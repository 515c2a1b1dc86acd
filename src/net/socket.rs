//! A TCP connection, plain or with TLS, that is read and written without waiting, as one reads and writes a
//! [`TcpStream`].
//!
//! Two connections may be one [`Socket`]: one that is read, one that is written, as in a tunnel through HTTP.
//!
//! The handshake is over when a [`Socket`] is made. What TLS has encrypted and the system has not taken is kept
//! here, never more than `MAX_ENCRYPTED` bytes: until it is gone, nothing more is taken.

use rustls::Connection;
use std::io::{self, IoSlice, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;
use tokio::task::coop::consume_budget;
use tokio::time::timeout;

/// Bytes that wait encrypted for room in the system.
const MAX_ENCRYPTED: usize = 64 << 10;

/// Records without contents that are passed over in one call.
const MAX_EMPTY: usize = 16;

/// How long a peer may take for the last words to it.
const FAREWELL: Duration = Duration::from_secs(3);

/// Bytes of what a peer still says that are passed over at a time.
const PASSED_OVER: usize = 4_096;

/// A connection on a runtime.
#[derive(Debug)]
pub struct Socket {
    tcp: TcpStream,
    // Never waited for: one task has the connection.
    tls: Option<Box<Mutex<Tls>>>,
    /// What is read in its place.
    input: Option<Box<Self>>,
}

/// A connection on its way from one runtime to another.
#[derive(Debug)]
pub struct Detached {
    tcp: std::net::TcpStream,
    tls: Option<Box<Mutex<Tls>>>,
    input: Option<Box<Self>>,
}

#[derive(Debug)]
struct Tls {
    connection: Connection,
    /// Bytes that have been decrypted and not been read.
    decrypted: usize,
}

impl From<TcpStream> for Socket {
    fn from(tcp: TcpStream) -> Self {
        Self {
            tcp,
            tls: None,
            input: None,
        }
    }
}

impl From<tokio_rustls::server::TlsStream<TcpStream>> for Socket {
    fn from(stream: tokio_rustls::server::TlsStream<TcpStream>) -> Self {
        let (tcp, connection) = stream.into_inner();
        Self::secure(tcp, connection.into())
    }
}

impl From<tokio_rustls::client::TlsStream<TcpStream>> for Socket {
    fn from(stream: tokio_rustls::client::TlsStream<TcpStream>) -> Self {
        let (tcp, connection) = stream.into_inner();
        Self::secure(tcp, connection.into())
    }
}

impl Detached {
    /// Continues on the present runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn attach(self) -> io::Result<Socket> {
        Ok(Socket {
            tcp: TcpStream::from_std(self.tcp)?,
            tls: self.tls,
            input: match self.input {
                Some(input) => Some(Box::new(input.attach()?)),
                None => None,
            },
        })
    }
}

impl From<std::net::TcpStream> for Detached {
    fn from(tcp: std::net::TcpStream) -> Self {
        Self {
            tcp,
            tls: None,
            input: None,
        }
    }
}

impl Socket {
    fn secure(tcp: TcpStream, mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(MAX_ENCRYPTED));
        // What came with the end of the handshake.
        let state = connection.process_new_packets();
        let decrypted = state.map_or(0, |state| state.plaintext_bytes_to_read());
        let tls = Tls {
            connection,
            decrypted,
        };
        Self {
            tcp,
            tls: Some(Box::new(Mutex::new(tls))),
            input: None,
        }
    }

    /// Reads from the other connection from now on, and writes to this one as before.
    #[must_use]
    pub fn reading_from(self, input: Self) -> Self {
        Self {
            input: Some(Box::new(input)),
            ..self
        }
    }

    /// Leaves the present runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn detach(self) -> io::Result<Detached> {
        Ok(Detached {
            tcp: self.tcp.into_std()?,
            tls: self.tls,
            input: match self.input {
                Some(input) => Some(Box::new(input.detach()?)),
                None => None,
            },
        })
    }

    /// The TCP connection, for its options.
    pub const fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Waits until it may be worth reading or writing. Safe to cancel.
    ///
    /// # Errors
    /// What the system says.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let Some(input) = &self.input else {
            return self.own_ready(interest).await;
        };
        tokio::select! {
            ready = input.own_ready(Interest::READABLE), if interest.is_readable() => ready,
            ready = self.own_ready(Interest::WRITABLE), if interest.is_writable() => ready,
            else => std::future::pending().await,
        }
    }

    async fn own_ready(&self, interest: Interest) -> io::Result<Ready> {
        // What is ready is told at once: a peer that never stops would keep its task running, and all others waiting.
        consume_budget().await;
        if interest.is_readable() && self.tls().is_some_and(|tls| tls.decrypted > 0) {
            return Ok(Ready::READABLE);
        }
        self.tcp.ready(interest).await
    }

    /// Waits until it may be worth reading. Safe to cancel.
    ///
    /// # Errors
    /// What the system says.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until it may be worth writing. Safe to cancel.
    ///
    /// # Errors
    /// What the system says.
    pub async fn writable(&self) -> io::Result<()> {
        self.tcp.writable().await
    }

    /// Reads what comes next: 0 bytes at the end. Safe to cancel.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.readable().await?;
            match self.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        loop {
            let written = if bytes.is_empty() {
                self.try_flush().map(|()| 0)
            } else {
                self.try_write(bytes)
            };
            match written {
                Ok(_) if bytes.is_empty() => return Ok(()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads what is there: 0 bytes at the end.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing; anything else is final.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.as_deref().unwrap_or(self).own_try_read(buffer)
    }

    fn own_try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut tls) = self.tls() else {
            return self.tcp.try_read(buffer);
        };
        for _ in 0..MAX_EMPTY {
            match tls.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The far side closed the connection without saying so in TLS.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => {
                    tls.decrypted = tls.decrypted.saturating_sub(*read.as_ref().unwrap_or(&0));
                    return read;
                }
            }
            tls.connection.read_tls(&mut Raw(&self.tcp))?;
            let state = tls.connection.process_new_packets();
            let state = state.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            tls.decrypted = state.plaintext_bytes_to_read();
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Writes as much of `slices` as is taken.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is taken; anything else is final.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(mut tls) = self.tls() else {
            return self.tcp.try_write_vectored(slices);
        };
        let mut slices: smallvec::SmallVec<[IoSlice<'_>; 16]> = slices.iter().copied().collect();
        let mut rest = slices.as_mut_slice();
        let mut written = 0;
        loop {
            match tls.send(&self.tcp) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && written > 0 => {
                    return Ok(written);
                }
                Err(error) => return Err(error),
            }
            if rest.is_empty() {
                return Ok(written);
            }
            let taken = tls.connection.writer().write_vectored(rest)?;
            if taken == 0 {
                return Ok(written);
            }
            written += taken;
            IoSlice::advance_slices(&mut rest, taken);
        }
    }

    /// Writes as much of `bytes` as is taken.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is taken; anything else is final.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.tls {
            None => self.tcp.try_write(bytes),
            Some(_) => self.try_write_vectored(&[IoSlice::new(bytes)]),
        }
    }

    /// Hands what has been taken to the system.
    ///
    /// # Errors
    /// `WouldBlock` when some of it has to wait; anything else is final.
    pub fn try_flush(&self) -> io::Result<()> {
        self.tls().map_or(Ok(()), |mut tls| tls.send(&self.tcp))
    }

    /// Whether some of what has been taken waits for room in the system.
    pub fn has_unsent(&self) -> bool {
        self.tls().is_some_and(|tls| tls.connection.wants_write())
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// What the system says.
    pub fn shut_down(&self) -> io::Result<()> {
        if let Some(mut tls) = self.tls() {
            tls.connection.send_close_notify();
            // A peer that does not read it does not miss it.
            let _ = tls.send(&self.tcp);
        }
        socket2::SockRef::from(&self.tcp).shutdown(std::net::Shutdown::Write)
    }

    /// Says that nothing more will be sent, and lets the peer read what is on its way, for a bounded time: closing with
    /// something of it unread would reset the connection.
    pub async fn leave(&self) {
        if self.shut_down().is_err() {
            return;
        }
        let read = async {
            while self.readable().await.is_ok() {
                match self.try_read(&mut [0; PASSED_OVER]) {
                    Ok(0) => break,
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => break,
                    _ => {}
                }
            }
        };
        // A peer that keeps the connection has had its time.
        let _ = timeout(FAREWELL, read).await;
    }

    fn tls(&self) -> Option<MutexGuard<'_, Tls>> {
        let tls = self.tls.as_ref()?;
        Some(tls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tls {
    /// Hands over what is encrypted.
    fn send(&mut self, tcp: &TcpStream) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut Raw(tcp))?;
        }
        Ok(())
    }
}

/// The encrypted side.
struct Raw<'a>(&'a TcpStream);

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
