//! A network between two programs that loses, repeats, delays and reorders datagrams, by chance with a fixed seed.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What happens to datagrams, in both directions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    /// Of a thousand, how many are lost.
    pub(crate) loss: u32,
    /// Of those that follow a lost one, how many are lost with it.
    pub(crate) burst: u32,
    /// Of a thousand, how many come twice.
    pub(crate) repeat: u32,
    /// How long each is on its way.
    pub(crate) delay: Duration,
    /// How much longer at most, which also reorders them.
    pub(crate) jitter: Duration,
}

/// The network, until it is dropped.
pub(crate) struct Network {
    /// The port behind which the far program is.
    pub(crate) port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One direction.
struct Way {
    weather: Weather,
    random: StdRng,
    burst: u32,
    number: u64,
    waiting: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
}

impl Network {
    /// In front of a port of this machine.
    #[track_caller]
    pub(crate) fn start(to: u16, weather: Weather, seed: u64) -> Self {
        let near = UdpSocket::bind("127.0.0.1:0").unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").unwrap();
        far.connect(("127.0.0.1", to)).unwrap();
        for socket in [&near, &far] {
            socket.set_nonblocking(true).unwrap();
            let buffer = socket2::SockRef::from(socket).set_recv_buffer_size(4 << 20);
            buffer.unwrap();
        }
        let port = near.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let ways = [0, 1].map(|way| Way::new(weather, seed * 2 + way));
        let thread = std::thread::spawn(move || carry(&near, &far, ways, &stopped));
        Self {
            port,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Carries datagrams between whoever sent to `near` last and what `far` is connected to.
fn carry(near: &UdpSocket, far: &UdpSocket, mut ways: [Way; 2], stopped: &AtomicBool) {
    let mut caller: Option<SocketAddr> = None;
    let mut buffer = [0; 2_048];
    let [out, back] = &mut ways;
    while !stopped.load(Ordering::Relaxed) {
        let now = Instant::now();
        while let Ok((length, from)) = near.recv_from(&mut buffer) {
            caller = Some(from);
            out.take(now, &buffer[..length]);
        }
        // An error is that nobody listens yet.
        while let Ok(length) = far.recv(&mut buffer) {
            back.take(now, &buffer[..length]);
        }
        while let Some(datagram) = out.give(now) {
            let _ = far.send(&datagram);
        }
        while let Some(datagram) = back.give(now) {
            let _ = caller.map(|caller| near.send_to(&datagram, caller));
        }
        std::thread::sleep(Duration::from_micros(300));
    }
}

impl Way {
    fn new(weather: Weather, seed: u64) -> Self {
        Self {
            weather,
            random: StdRng::seed_from_u64(seed),
            burst: 0,
            number: 0,
            waiting: BinaryHeap::new(),
        }
    }

    fn take(&mut self, now: Instant, datagram: &[u8]) {
        let Weather {
            loss,
            burst,
            repeat,
            delay,
            jitter,
        } = self.weather;
        // As often for each, so that the pattern is the same whatever is sent.
        let [lost, twice] = [loss, repeat].map(|rate| self.random.random_range(0..1_000) < rate);
        let late = [0, 1].map(|_| jitter.mul_f64(self.random.random()));
        if lost {
            self.burst = burst + 1;
        }
        if self.burst > 0 {
            self.burst -= 1;
            return;
        }
        for late in late.iter().take(1 + usize::from(twice)) {
            self.number += 1;
            let at = now + delay + *late;
            let entry = (at, self.number, datagram.to_vec());
            self.waiting.push(Reverse(entry));
        }
    }

    fn give(&mut self, now: Instant) -> Option<Vec<u8>> {
        let Reverse((at, ..)) = self.waiting.peek()?;
        if *at > now {
            return None;
        }
        self.waiting.pop().map(|Reverse((.., datagram))| datagram)
    }
}
