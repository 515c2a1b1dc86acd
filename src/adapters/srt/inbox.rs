//! Datagrams on their way from the port to the connection they are for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bytes that may wait for one connection; what is beyond is lost, as in a network.
const MAX_BYTES: usize = 4 << 20;

/// Room that is kept for what comes next.
const KEPT: usize = 256 << 10;

/// Filled by the port, emptied by the connection.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

/// Datagrams, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bytes: Vec<u8>,
    lengths: Vec<usize>,
}

impl Inbox {
    /// Puts datagrams in, as many as there is room for. Nobody is told: see [`Self::wake`].
    pub(super) fn put<'a>(&self, datagrams: impl Iterator<Item = &'a [u8]>) {
        let mut waiting = self.lock();
        for datagram in datagrams {
            if waiting.bytes.len() + datagram.len() > MAX_BYTES {
                break;
            }
            waiting.bytes.extend_from_slice(datagram);
            waiting.lengths.push(datagram.len());
        }
    }

    /// Tells the connection that there are datagrams.
    pub(super) fn wake(&self) {
        self.filled.notify_one();
    }

    /// Waits for datagrams, and changes what there are for an empty `other`. Safe to cancel.
    pub(super) async fn take(&self, other: &mut Waiting) {
        loop {
            self.filled.notified().await;
            let mut waiting = self.lock();
            if !waiting.lengths.is_empty() {
                std::mem::swap(&mut *waiting, other);
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Gives the datagrams to `take`, one by one, and is empty then.
    pub(super) fn drain(&mut self, mut take: impl FnMut(&[u8])) {
        let mut rest = self.bytes.as_slice();
        for length in self.lengths.drain(..) {
            let Some((datagram, behind)) = rest.split_at_checked(length) else {
                break;
            };
            take(datagram);
            rest = behind;
        }
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.lengths.shrink_to(KEPT / 1_024);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_put_in_comes_out_and_no_more_than_there_is_room_for() {
        let inbox = Inbox::default();
        let mut waiting = Waiting::default();
        let big = vec![7; 1 << 20];
        inbox.put([&b"one"[..], b"", b"three"].into_iter());
        inbox.wake();
        inbox.take(&mut waiting).await;
        inbox.put(std::iter::repeat_n(&big[..], 100));
        inbox.wake();
        let mut got = Vec::new();
        waiting.drain(|datagram| got.push(datagram.to_vec()));
        assert_eq!(got, [&b"one"[..], b"", b"three"]);
        inbox.take(&mut waiting).await;
        let mut count = 0;
        waiting.drain(|datagram| count += usize::from(datagram == big));
        assert_eq!(count, 4);
        assert!(waiting.bytes.capacity() <= KEPT);
    }
}
