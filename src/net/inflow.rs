//! Datagrams as they come, or where some milliseconds do not matter, together.
//!
//! Where they may gather, the socket is looked at every so often as long as some come, and all that have come are taken
//! then. The system is asked to wake the runtime only when none do: to be woken for each costs more than all that is
//! done with it.

use super::udp::{Arrivals, Socket, TOGETHER};
use quinn_udp::RecvMeta;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::task::coop::consume_budget;
use tokio::time::sleep;

/// How often nothing has to have come in the time in which datagrams gather, before the system is asked to tell.
const QUIET: u32 = 8;

/// System calls after which datagrams do not gather for a while: more would come than every system holds.
const MANY: u32 = 12;

/// How many system calls that is.
const HURRY: u32 = 1_000;

/// One who receives.
#[derive(Debug)]
pub struct Inflow {
    socket: Arc<Socket>,
    gather: Duration,
    buffer: Vec<u8>,
    meta: [RecvMeta; TOGETHER],
    /// While the runtime is to be woken.
    registered: Option<AsyncFd<Arc<UdpSocket>>>,
    /// Times in a row in which nothing came.
    quiet: u32,
    /// System calls since datagrams last gathered.
    taken: u32,
    /// System calls until they may gather again.
    hurry: u32,
}

impl Inflow {
    /// What comes to a socket, of which there is one such. Datagrams may gather for so long, or not at all.
    pub fn new(socket: Arc<Socket>, gather: Duration) -> Self {
        Self {
            socket,
            gather,
            buffer: Vec::new(),
            meta: [RecvMeta::default(); TOGETHER],
            registered: None,
            quiet: QUIET,
            taken: 0,
            hurry: 0,
        }
    }

    /// Waits for datagrams, and gives some of those that are there. Safe to cancel.
    ///
    /// # Errors
    /// What the system said; the socket can be used further.
    pub async fn receive(&mut self) -> io::Result<impl Iterator<Item = Arrivals<'_>>> {
        // A flood leaves others their time.
        consume_budget().await;
        let count = loop {
            match self.take()? {
                Some(count) => break count,
                None => self.wait().await?,
            }
        };
        Ok(self.arrivals(count))
    }

    /// Gives some of the datagrams that are there; `None` when none are, whereupon [`Self::wait`] waits for more. For who
    /// has something to do before that.
    ///
    /// # Errors
    /// What the system said; the socket can be used further.
    pub fn receive_now(&mut self) -> io::Result<Option<impl Iterator<Item = Arrivals<'_>>>> {
        let count = self.take()?;
        Ok(count.map(|count| self.arrivals(count)))
    }

    /// How many runs of datagrams the system has put into the buffer, if any were there.
    fn take(&mut self) -> io::Result<Option<usize>> {
        let count = match self.socket.try_receive(&mut self.buffer, &mut self.meta) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            result => result?,
        };
        self.quiet = 0;
        self.taken += 1;
        self.hurry = self.hurry.saturating_sub(1);
        if self.taken > MANY {
            self.hurry = HURRY;
        }
        Ok(Some(count))
    }

    fn arrivals(&self, count: usize) -> impl Iterator<Item = Arrivals<'_>> {
        let meta = self.meta.get(..count).unwrap_or_default();
        self.socket.arrivals(&self.buffer, meta)
    }

    /// Until datagrams may be there. Safe to cancel.
    ///
    /// # Errors
    /// What the system said; the socket can be used further.
    pub async fn wait(&mut self) -> io::Result<()> {
        self.taken = 0;
        if self.quiet < QUIET && self.hurry == 0 && !self.gather.is_zero() {
            self.registered = None;
            sleep(self.gather).await;
            self.quiet += 1;
            return Ok(());
        }
        let registered = match &mut self.registered {
            Some(registered) => registered,
            registered => registered.insert(self.socket.register()?),
        };
        registered.readable().await?.clear_ready();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr};

    const GATHER: Duration = Duration::from_millis(2);

    fn inflow() -> (Inflow, SocketAddr) {
        let socket = Socket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = socket.address();
        (Inflow::new(Arc::new(socket), GATHER), address)
    }

    #[tokio::test]
    async fn every_datagram_comes_once_and_in_order_at_any_pace() {
        let (mut inflow, to) = inflow();
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut next = 0_u32;
        // One after a silence, a few at a time, more than gather.
        for count in [1, 3, 1, 5, 40, 2, 150, 150, 1] {
            for number in next..next + count {
                far.send_to(&number.to_be_bytes(), to).unwrap();
            }
            let end = next + count;
            while next < end {
                for arrivals in inflow.receive().await.unwrap() {
                    assert_eq!(arrivals.source, far.local_addr().unwrap());
                    assert_eq!(arrivals.destination, to);
                    for datagram in arrivals.iter() {
                        assert_eq!(datagram, next.to_be_bytes());
                        next += 1;
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn that_nothing_is_left_is_told_and_not_waited_for() {
        let (mut inflow, to) = inflow();
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        // As many as one call of the system takes, neither more nor fewer.
        for _ in 0..TOGETHER {
            far.send_to(b"here", to).unwrap();
        }
        let mut count = 0;
        while let Some(arrivals) = inflow.receive_now().unwrap() {
            count += arrivals
                .map(|arrivals| arrivals.iter().count())
                .sum::<usize>();
        }
        assert_eq!(count, TOGETHER);
        far.send_to(b"more", to).unwrap();
        inflow.wait().await.unwrap();
        assert!(inflow.receive_now().unwrap().is_some());
    }

    #[tokio::test]
    async fn who_stops_waiting_loses_nothing() {
        let (mut inflow, to) = inflow();
        for _ in 0..2 {
            {
                let nothing = tokio::time::timeout(GATHER * 4, inflow.receive()).await;
                assert!(nothing.is_err());
            }
            let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            far.send_to(b"here", to).unwrap();
            let got = inflow.receive().await.unwrap();
            let got: Vec<_> = got.flat_map(|arrivals| arrivals.iter()).collect();
            assert_eq!(got, [b"here"]);
        }
    }
}
