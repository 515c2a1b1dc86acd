//! The connections there are, with what each has counted last.

use super::link::Link;
use crate::adapters::Connection;
use crate::hub::{Packets, StreamName};
use srt::Stats;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How often a connection tells what it has counted.
const INTERVAL: Duration = Duration::from_millis(500);

/// All connections of the adapter.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    all: BTreeMap<u64, Record>,
}

#[derive(Debug)]
struct Record {
    stream: StreamName,
    state: &'static str,
    address: SocketAddr,
    since: SystemTime,
    stats: Stats,
}

/// One connection, in the list for as long as this lives.
#[derive(Debug)]
pub(super) struct Entry {
    connections: Arc<Connections>,
    number: u64,
    noted: Option<Instant>,
    /// What the stream has been told of its packets.
    told: Packets,
    /// In milliseconds, as it was noted last.
    round_trip: f64,
}

impl Connections {
    /// Puts a connection into the list. `state` is what it does, as its label in metrics.
    pub(super) fn enter(
        self: &Arc<Self>,
        stream: &StreamName,
        state: &'static str,
        address: SocketAddr,
    ) -> Entry {
        let mut all = self.lock();
        let number = all.next;
        all.next += 1;
        let record = Record {
            stream: stream.clone(),
            state,
            address,
            since: SystemTime::now(),
            stats: Stats::default(),
        };
        all.all.insert(number, record);
        Entry {
            connections: self.clone(),
            number,
            noted: None,
            told: Packets::default(),
            round_trip: 0.0,
        }
    }

    /// All of them, for people.
    pub(super) fn list(&self) -> Vec<Connection> {
        let all = self.lock();
        let shown = all.all.iter().map(|(number, record)| Connection {
            number: *number,
            stream: record.stream.clone(),
            state: record.state,
            address: record.address,
            since: record.since,
            figures: figures(&record.stats),
        });
        shown.collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Notes what a link has counted, now and then. Gives what has come and what was lost since the last time.
    pub(super) fn note(&mut self, link: &Link) -> Option<Packets> {
        if self.noted.is_some_and(|at| at.elapsed() < INTERVAL) {
            return None;
        }
        let stats = link.stats()?;
        self.noted = Some(Instant::now());
        self.round_trip = stats.ms_rtt;
        if let Some(record) = self.connections.lock().all.get_mut(&self.number) {
            record.stats = stats;
        }
        let now = Packets {
            received: stats.packets_received_unique,
            lost: stats.packets_received_drop,
        };
        let before = std::mem::replace(&mut self.told, now);
        Some(Packets {
            received: now.received.saturating_sub(before.received),
            lost: now.lost.saturating_sub(before.lost),
        })
    }
}

impl Entry {
    /// How long the way to the far side and back is, once that has been measured.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        let time = Duration::try_from_secs_f64(self.round_trip / 1_000.0).ok();
        time.filter(|time| !time.is_zero())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.connections.lock().all.remove(&self.number);
    }
}

/// By the names that MediaMTX gives them.
fn figures(stats: &Stats) -> Vec<(&'static str, f64)> {
    let counts = [
        ("packets_sent", stats.packets_sent),
        ("packets_received", stats.packets_received),
        ("packets_sent_unique", stats.packets_sent_unique),
        ("packets_received_unique", stats.packets_received_unique),
        ("packets_send_loss", stats.packets_send_loss),
        ("packets_received_loss", stats.packets_received_loss),
        ("packets_retrans", stats.packets_retrans),
        ("packets_received_retrans", stats.packets_received_retrans),
        ("packets_sent_ack", stats.packets_sent_ack),
        ("packets_received_ack", stats.packets_received_ack),
        ("packets_sent_nak", stats.packets_sent_nak),
        ("packets_received_nak", stats.packets_received_nak),
        ("packets_sent_km", stats.packets_sent_km),
        ("packets_received_km", stats.packets_received_km),
        ("packets_received_belated", stats.packets_received_belated),
        ("packets_send_drop", stats.packets_send_drop),
        ("packets_received_drop", stats.packets_received_drop),
        (
            "packets_received_undecrypt",
            stats.packets_received_undecrypt,
        ),
        ("bytes_sent", stats.bytes_sent),
        ("bytes_received", stats.bytes_received),
        ("bytes_sent_unique", stats.bytes_sent_unique),
        ("bytes_received_unique", stats.bytes_received_unique),
        ("bytes_retrans", stats.bytes_retrans),
        ("bytes_received_retrans", stats.bytes_received_retrans),
        ("bytes_received_belated", stats.bytes_received_belated),
        ("bytes_received_undecrypt", stats.bytes_received_undecrypt),
        ("bytes_send_drop", stats.bytes_send_drop),
        ("packets_flow_window", stats.packets_flow_window),
        ("packets_flight_size", stats.packets_flight_size),
        ("packets_send_buf", stats.packets_send_buf),
        ("bytes_send_buf", stats.bytes_send_buf),
        ("ms_send_buf", stats.ms_send_buf),
        ("packets_receive_buf", stats.packets_receive_buf),
        ("bytes_receive_buf", stats.bytes_receive_buf),
        ("ms_receive_buf", stats.ms_receive_buf),
        ("ms_send_tsb_pd_delay", stats.ms_send_tsb_pd_delay),
        ("ms_receive_tsb_pd_delay", stats.ms_receive_tsb_pd_delay),
    ];
    let measures = [
        ("ms_rtt", stats.ms_rtt),
        ("mbps_link_capacity", stats.mbps_link_capacity),
        ("mbps_receive_rate", stats.mbps_receive_rate),
        ("mbps_send_rate", stats.mbps_send_rate),
        ("mbps_max_bw", stats.mbps_max_bw),
        ("packets_send_loss_rate", stats.packets_send_loss_rate),
        (
            "packets_received_loss_rate",
            stats.packets_received_loss_rate,
        ),
        ("us_packets_send_period", stats.us_packets_send_period),
    ];
    #[expect(
        clippy::cast_precision_loss,
        reason = "counters of 2^53 packets are not reached"
    )]
    let counts = counts.map(|(name, count)| (name, count as f64));
    measures.into_iter().chain(counts).collect()
}
