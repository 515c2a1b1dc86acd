//! Sockets that keep a record of what goes over them, and change what is sent where a session is mutated.

use crate::context::{Ended, Outcome, ensure, failed};
use crate::mutation::Mutator;
use crate::transcript::Transcript;
use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::rc::Rc;
use std::time::{Duration, Instant};

type Changes = Option<Rc<RefCell<Mutator>>>;

/// Most bytes that are waited for at once.
const LONGEST: usize = 64 << 20;

/// A connection.
pub(crate) struct Tcp {
    socket: TcpStream,
    /// Received and not taken.
    pub(crate) buffer: Vec<u8>,
    pub(crate) limit: Duration,
    transcript: Transcript,
    changes: Changes,
}

impl Tcp {
    pub(crate) fn connect(
        address: SocketAddr,
        limit: Duration,
        transcript: &Transcript,
        changes: Changes,
    ) -> Outcome<Self> {
        // Also where answers are not waited for, a connection is.
        let socket = TcpStream::connect_timeout(&address, limit.max(Duration::from_secs(2)))
            .map_err(|error| failed(format!("{address} takes no connection: {error}")))?;
        let set = socket
            .set_nodelay(true)
            .and_then(|()| socket.set_write_timeout(Some(limit.max(Duration::from_millis(200)))));
        set.map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            socket,
            buffer: Vec::new(),
            limit,
            transcript: transcript.clone(),
            changes,
        })
    }

    /// Sends all of it. That the other side has closed is an error.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Outcome {
        let pieces = match &self.changes {
            Some(mutator) => mutator.borrow_mut().change(bytes),
            None => vec![bytes.to_vec()],
        };
        for piece in pieces {
            self.transcript.sent(&piece);
            let sent = self.socket.write_all(&piece);
            sent.map_err(|error| failed(format!("cannot send: {error}")))?;
        }
        Ok(())
    }

    /// Sends without caring whether the other side takes it: true if it did.
    pub(crate) fn offer(&mut self, bytes: &[u8]) -> bool {
        self.send(bytes).is_ok()
    }

    /// Takes what comes within the time: how many bytes, 0 when none did, `None` when the connection is over.
    pub(crate) fn receive(&mut self, limit: Duration) -> Option<usize> {
        let limit = limit.max(Duration::from_millis(1));
        self.socket.set_read_timeout(Some(limit)).ok()?;
        let mut piece = [0; 16 << 10];
        match self.socket.read(&mut piece) {
            Ok(0) => {
                self.transcript.note("the server closed the connection");
                None
            }
            Ok(count) => {
                let piece = piece.get(..count)?;
                self.transcript.received(piece);
                self.buffer.extend_from_slice(piece);
                Some(count)
            }
            Err(error) if is_timeout(error.kind()) => Some(0),
            Err(error) => {
                self.transcript.note(&error.to_string());
                None
            }
        }
    }

    /// Waits until that many bytes are there, and takes them.
    pub(crate) fn take(&mut self, count: usize, what: &str) -> Outcome<Vec<u8>> {
        self.wait(what, |buffer| (buffer.len() >= count).then_some(count))
    }

    /// Waits until the buffer holds the bytes, and takes it up to and with them.
    pub(crate) fn take_until(&mut self, end: &[u8], what: &str) -> Outcome<Vec<u8>> {
        self.wait(what, |buffer| {
            let at = buffer.windows(end.len()).position(|window| window == end)?;
            Some(at + end.len())
        })
    }

    fn wait(&mut self, what: &str, ready: impl Fn(&[u8]) -> Option<usize>) -> Outcome<Vec<u8>> {
        let deadline = Instant::now() + self.limit;
        loop {
            if let Some(count) = ready(&self.buffer) {
                let rest = self.buffer.split_off(count);
                return Ok(std::mem::replace(&mut self.buffer, rest));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.buffer.len() > LONGEST {
                return Err(failed(format!(
                    "{what} did not come within {:?}",
                    self.limit
                )));
            }
            if self.receive(left).is_none() {
                return Err(failed(format!(
                    "the connection was closed where {what} should come"
                )));
            }
        }
    }

    /// Whether the other side ends the connection until then, whatever it says before.
    pub(crate) fn is_closed_by(&mut self, deadline: Instant) -> bool {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            if self.receive(left).is_none() {
                return true;
            }
            self.buffer.clear();
        }
    }
}

/// All of these are ended by the other side until then.
pub(crate) fn all_closed(wires: &mut [Tcp], deadline: Instant) -> Outcome {
    let begun = Instant::now();
    let left = wires
        .iter_mut()
        .filter_map(|wire| (!wire.is_closed_by(deadline)).then_some(()))
        .count();
    ensure!(
        left == 0,
        "{left} of {} are open after {:?}",
        wires.len(),
        begun.elapsed()
    );
    Ok(())
}

/// Datagrams to one address and from it.
pub(crate) struct Udp {
    socket: UdpSocket,
    pub(crate) limit: Duration,
    transcript: Transcript,
    changes: Changes,
}

impl Udp {
    pub(crate) fn connect(
        address: SocketAddr,
        limit: Duration,
        transcript: &Transcript,
        changes: Changes,
    ) -> Outcome<Self> {
        let here: SocketAddr = if address.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let socket = UdpSocket::bind(here)
            .and_then(|socket| socket.connect(address).map(|()| socket))
            .map_err(|error| Ended::Skipped(format!("no socket for datagrams: {error}")))?;
        Ok(Self {
            socket,
            limit,
            transcript: transcript.clone(),
            changes,
        })
    }

    pub(crate) fn send(&self, datagram: &[u8]) {
        let datagrams = match &self.changes {
            Some(mutator) => mutator.borrow_mut().change(datagram),
            None => vec![datagram.to_vec()],
        };
        for datagram in datagrams {
            self.transcript.sent(&datagram);
            // That nobody listens there shows in answers that do not come; longer ones than can be sent are changes.
            let _ = self.socket.send(&datagram);
        }
    }

    /// The next datagram within the time.
    pub(crate) fn receive(&self, limit: Duration) -> Option<Vec<u8>> {
        let limit = limit.max(Duration::from_millis(1));
        self.socket.set_read_timeout(Some(limit)).ok()?;
        let mut datagram = vec![0; 65_536];
        let count = self.socket.recv(&mut datagram).ok()?;
        datagram.truncate(count);
        self.transcript.received(&datagram);
        Some(datagram)
    }

    /// The first datagram that is one, within the limit.
    pub(crate) fn wait<T>(
        &self,
        what: &str,
        mut read: impl FnMut(&[u8]) -> Option<T>,
    ) -> Outcome<T> {
        let deadline = Instant::now() + self.limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(failed(format!(
                    "{what} did not come within {:?}",
                    self.limit
                )));
            }
            if let Some(found) = self.receive(left).and_then(|datagram| read(&datagram)) {
                return Ok(found);
            }
        }
    }
}

const fn is_timeout(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
