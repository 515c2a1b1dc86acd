//! Sends a stream on: datagrams of seven packets, paced by the stream's clock, or one connection.

use super::address::{Address, Carrier};
use super::socket;
use crate::adapters::Feed;
use crate::net::round_trip;
use crate::transport::{Packaged, PackagedReader, Packagings};
use media::Timebase;
use mpegts::constant_rate::ConstantRate;
use mpegts::muxer::Chunk;
use mpegts::packet::SIZE;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until, timeout};

/// Seven packets: what fits into a datagram on every network.
const DATAGRAM: usize = 7 * SIZE;

/// A far side that takes nothing for so long is given up.
const STALLED: Duration = Duration::from_secs(30);

/// The stream's clock may run ahead of the time of sending, or behind, by so much; then it is followed anew.
const MAX_AHEAD: Duration = Duration::from_secs(2);

/// What has been put off is made up for by one part of so many: a source whose clock is faster than ours would else be
/// behind by more and more.
const MAKING_UP: u32 = 2_000;

/// Datagrams of one chunk are spread over the time to the next one, but not over more.
const MAX_SPREAD: Duration = Duration::from_millis(40);

/// At a constant rate, one that is no later than this is made up for: what timers and the network before it cost.
const SLACK: Duration = Duration::from_millis(5);

/// Size of the RTP header in bytes.
const RTP_HEADER: usize = 12;

/// Sends until the stream ends.
pub(super) async fn push(
    address: &Address,
    feed: &Feed,
    mut reader: PackagedReader,
) -> Result<(), String> {
    let (carried, refused) = Packagings::carried(&feed.stream.snapshot().tracks);
    if carried.is_empty() {
        return Err(format!(
            "nothing of the stream can be carried: {}",
            refused.join(", ")
        ));
    }
    if address.carrier == Carrier::Tcp && address.options.bitrate.is_some() {
        return Err("bitrate is for datagrams".to_owned());
    }
    let mut out = match address.carrier {
        Carrier::Udp => Out::Udp(Box::new(Datagrams::open(address, feed).await?)),
        Carrier::Tcp => {
            let policy = &feed.context.policy;
            let connected = policy.connect(&address.host, address.port, STALLED).await;
            let socket = connected.map_err(|error| error.to_string())?;
            feed.progress.set_connection(round_trip::ends(&socket));
            Out::Tcp(socket)
        }
    };
    feed.progress.set_live();
    loop {
        let waiting = reader.try_next();
        let is_new = waiting.is_none();
        let next = match waiting {
            Some(next) => next,
            None => reader.next().await,
        };
        match next {
            Packaged::Chunk(chunk) => {
                let sent = match &mut out {
                    Out::Udp(datagrams) => datagrams.send(&chunk, is_new).await,
                    Out::Tcp(socket) => match timeout(STALLED, socket.write_all(&chunk.data)).await
                    {
                        Ok(written) => written.map_err(|error| error.to_string()),
                        Err(_) => Err(format!("took nothing for {STALLED:?}")),
                    },
                };
                sent.map_err(|words| format!("{}: {words}", address.place()))?;
                feed.progress
                    .sent(chunk.units as u64, chunk.data.len() as u64);
            }
            Packaged::Skipped(skip) => {
                feed.progress.skipped(skip.entries);
                feed.stream
                    .note_skip("mpegts_target", &address.place(), &skip);
            }
            Packaged::Ended(_) => {
                return match out {
                    Out::Udp(mut datagrams) => datagrams.finish().await,
                    Out::Tcp(mut socket) => {
                        let _ = timeout(STALLED, socket.shutdown()).await;
                        Ok(())
                    }
                };
            }
        }
    }
}

enum Out {
    Udp(Box<Datagrams>),
    Tcp(tokio::net::TcpStream),
}

/// Datagrams to one address.
struct Datagrams {
    socket: UdpSocket,
    /// Packets that wait for more, and the time of the last chunk.
    rest: Vec<u8>,
    last: i64,
    pace: Pace,
    rtp: Option<Rtp>,
    constant: Option<ConstantRate>,
}

impl Datagrams {
    async fn open(address: &Address, feed: &Feed) -> Result<Self, String> {
        let resolved = feed
            .context
            .policy
            .resolve(&address.host, address.port)
            .await;
        let addresses = resolved.map_err(|error| error.to_string())?;
        let to = *addresses.first().ok_or("the name has no address")?;
        let socket = socket::sender(address, to);
        let socket = socket.map_err(|error| format!("cannot send to {to}: {error}"))?;
        Ok(Self {
            socket,
            rest: Vec::with_capacity(DATAGRAM),
            last: 0,
            pace: Pace {
                slack: address.options.bitrate.map_or(Duration::ZERO, |_| SLACK),
                ..Pace::default()
            },
            rtp: address.options.rtp.then(Rtp::new),
            constant: address.options.bitrate.map(ConstantRate::new),
        })
    }

    /// Sends a chunk when it is due, evenly until the next one or at the rate that is asked for. Whether it has just
    /// come, or was waiting.
    async fn send(&mut self, chunk: &Chunk, mut is_new: bool) -> Result<(), String> {
        if let Some(mut constant) = self.constant.take() {
            constant.push(chunk);
            while let Some(run) = constant.pull().map_err(|error| error.to_string())? {
                let is_new = std::mem::take(&mut is_new);
                let (due, _) = self.pace.next(Instant::now(), run.time, is_new);
                until(due).await;
                self.put_packets(run.time, &run.data).await?;
            }
            self.constant = Some(constant);
            return Ok(());
        }
        let (begin, spread) = self.pace.next(Instant::now(), chunk.time, is_new);
        let count = (self.rest.len() + chunk.data.len())
            .div_ceil(DATAGRAM)
            .max(1) as u32;
        let mut data = &chunk.data[..];
        let mut number = 0;
        while self.rest.len() + data.len() >= DATAGRAM {
            let due = begin + spread * number / count;
            number += 1;
            until(due).await;
            let (piece, behind) = data
                .split_at_checked(DATAGRAM - self.rest.len())
                .unwrap_or((data, &[]));
            data = behind;
            if self.rest.is_empty() && self.rtp.is_none() {
                self.put(piece).await?;
                continue;
            }
            self.rest.extend_from_slice(piece);
            let rest = std::mem::take(&mut self.rest);
            self.put_packets(chunk.time, &rest).await?;
            self.rest = rest;
            self.rest.clear();
        }
        self.rest.extend_from_slice(data);
        self.last = chunk.time;
        Ok(())
    }

    /// The stream is over: what waits for more is sent without.
    async fn finish(&mut self) -> Result<(), String> {
        let rest = std::mem::take(&mut self.rest);
        match rest.is_empty() {
            true => Ok(()),
            false => self.put_packets(self.last, &rest).await,
        }
    }

    /// Sends packets in a datagram, within RTP if that is asked for.
    async fn put_packets(&mut self, time: i64, packets: &[u8]) -> Result<(), String> {
        match &mut self.rtp {
            Some(rtp) => {
                let packet = rtp.packet(time, packets);
                self.put(&packet).await
            }
            None => self.put(packets).await,
        }
    }

    /// What the far side or the network refuses now is lost, as any datagram may be: nobody may listen yet.
    async fn put(&self, datagram: &[u8]) -> Result<(), String> {
        use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
        match self.socket.send(datagram).await {
            Err(error)
                if !matches!(
                    error.kind(),
                    ConnectionRefused | HostUnreachable | NetworkUnreachable
                ) =>
            {
                Err(error.to_string())
            }
            _ => Ok(()),
        }
    }
}

/// Waits until then; timers are no finer than a millisecond.
async fn until(due: Instant) {
    if due > Instant::now() + Duration::from_millis(1) {
        sleep_until(due).await;
    }
}

/// When chunks are due: as their clock says, counted from the first one. One that comes late puts off all that follow,
/// so that what jitters before it is sent is even afterwards. One that had come and was late to be taken does not, or
/// every delay of this machine's own would add up, until the stream has forgotten what is due.
#[derive(Debug, Default)]
struct Pace {
    /// A moment, and the clock then.
    anchor: Option<(Instant, i64)>,
    last: Option<i64>,
    /// How late one may come without putting off the others.
    slack: Duration,
}

impl Pace {
    /// When a chunk of that time is sent, and over which time it is spread.
    fn next(&mut self, now: Instant, time: i64, is_new: bool) -> (Instant, Duration) {
        let step = self.last.map_or(0, |last| time.saturating_sub(last));
        self.last = Some(time);
        let step = Timebase::VIDEO.duration(step).min(MAX_AHEAD);
        let late = if is_new { self.slack } else { MAX_AHEAD };
        let due = self.anchor.as_mut().map(|(moment, clock)| {
            *moment = moment.checked_sub(step / MAKING_UP).unwrap_or(*moment);
            *moment + Timebase::VIDEO.duration(time.saturating_sub(*clock))
        });
        let due = match due.filter(|due| *due + late >= now && *due <= now + MAX_AHEAD) {
            Some(due) => due,
            None => {
                self.anchor = Some((now, time));
                now
            }
        };
        (due, step.min(MAX_SPREAD))
    }
}

/// Numbers and times of RTP packets (RFC 2250 section 2).
#[derive(Debug)]
struct Rtp {
    sequence: u16,
    source: u32,
}

impl Rtp {
    fn new() -> Self {
        Self {
            sequence: rand::random(),
            source: rand::random(),
        }
    }

    fn packet(&mut self, time: i64, packets: &[u8]) -> Vec<u8> {
        let mut packet = Vec::with_capacity(RTP_HEADER + packets.len());
        packet.extend_from_slice(&[0x80, rtp::payload::mp2t::MP2T]);
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        // The clock of 90 kHz, of 32 bits.
        packet.extend_from_slice(&(time as u32).to_be_bytes());
        packet.extend_from_slice(&self.source.to_be_bytes());
        packet.extend_from_slice(packets);
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_clock_and_lateness_is_made_up_for_once() {
        let mut pace = Pace::default();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        // When it comes, its clock in milliseconds, when it is due and over what it is spread.
        let cases = [
            (0, 1_000, 0, 0),
            (1, 1_040, 40, 40),
            (90, 1_080, 90, 40),
            (91, 1_120, 130, 40),
            // Pictures that come seldom are spread no longer.
            (92, 1_320, 330, 40),
            // Another clock.
            (300, 90_000, 300, 40),
            (301, 90_040, 340, 40),
            (302, 10, 302, 0),
        ];
        for (now, clock, due, over) in cases {
            let (begin, spread) = pace.next(at(now), clock * 90, true);
            assert_eq!(
                begin.duration_since(start).as_micros().div_ceil(1_000),
                due,
                "{now}"
            );
            assert_eq!(spread, Duration::from_millis(over), "{now}");
        }
    }

    #[test]
    fn what_was_taken_late_puts_off_nothing() {
        let mut pace = Pace::default();
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        pace.next(at(0), 0, true);
        for number in 1..1_000u32 {
            // Every fiftieth is taken 30 ms after it was due.
            let lateness = if number % 50 == 0 { 30 } else { 0 };
            let now = at(u64::from(number) * 40 + lateness);
            let (due, _) = pace.next(now, i64::from(number) * 3_600, lateness == 0);
            assert!(due <= now, "{number}");
        }
        // What came late is made up for in time.
        pace.next(at(40_500), 1_000 * 3_600, true);
        let number = 21_000;
        let mut due = start;
        for number in 1_001..=number {
            due = pace.next(at(number * 40), number as i64 * 3_600, false).0;
        }
        assert!(
            due <= at(number * 40 + 110),
            "{:?}",
            due.duration_since(start)
        );
    }

    #[test]
    fn rtp_packets_are_read_back() {
        let mut packets = [0; 376];
        (packets[0], packets[188]) = (0x47, 0x47);
        let mut rtp = Rtp {
            sequence: u16::MAX,
            source: 7,
        };
        for sequence in [u16::MAX, 0] {
            let bytes = rtp.packet(1 << 32 | 5, &packets);
            let read = ::rtp::Packet::parse(&bytes).unwrap();
            assert_eq!((read.header.sequence, read.header.timestamp), (sequence, 5));
            assert_eq!(read.payload, packets);
        }
    }
}
