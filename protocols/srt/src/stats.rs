//! What a connection counts. The names are those that MediaMTX gives them (`srt_conns_…`), so that panels fit.

/// Counters since the beginning, and the state of the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Data packets sent, repetitions included.
    pub packets_sent: u64,
    /// Data packets received, repetitions included.
    pub packets_received: u64,
    /// Data packets sent for the first time.
    pub packets_sent_unique: u64,
    /// Data packets that were not there yet.
    pub packets_received_unique: u64,
    /// Packets that the peer reported missing.
    pub packets_send_loss: u64,
    /// Packets that were found missing.
    pub packets_received_loss: u64,
    /// Packets sent again.
    pub packets_retrans: u64,
    /// Packets received that had been sent before.
    pub packets_received_retrans: u64,
    /// Acknowledgements sent, light ones included.
    pub packets_sent_ack: u64,
    /// Acknowledgements received.
    pub packets_received_ack: u64,
    /// Loss reports sent.
    pub packets_sent_nak: u64,
    /// Loss reports received.
    pub packets_received_nak: u64,
    /// Key material sent.
    pub packets_sent_km: u64,
    /// Key material received.
    pub packets_received_km: u64,
    /// Packets that came after their time, or twice.
    pub packets_received_belated: u64,
    /// Packets that were never acknowledged, and too late to be sent again.
    pub packets_send_drop: u64,
    /// Packets that did not come in time.
    pub packets_received_drop: u64,
    /// Packets that could not be decrypted.
    pub packets_received_undecrypt: u64,
    /// Bytes of data packets sent, headers included.
    pub bytes_sent: u64,
    /// Bytes of data packets received, headers included.
    pub bytes_received: u64,
    /// Of those, what was sent for the first time.
    pub bytes_sent_unique: u64,
    /// Of those, what was not there yet.
    pub bytes_received_unique: u64,
    /// Of those, what was sent again.
    pub bytes_retrans: u64,
    /// Bytes of packets received that had been sent before.
    pub bytes_received_retrans: u64,
    /// Bytes of packets that came after their time, or twice.
    pub bytes_received_belated: u64,
    /// Bytes of packets that could not be decrypted.
    pub bytes_received_undecrypt: u64,
    /// Bytes of packets that were too late to be sent again.
    pub bytes_send_drop: u64,
    /// Round-trip time, in milliseconds.
    pub ms_rtt: f64,
    /// What the link could carry, as the peer estimates it (as a sender), or as we do, in Mbit/s.
    pub mbps_link_capacity: f64,
    /// What goes out, in Mbit/s.
    pub mbps_send_rate: f64,
    /// What may go out at most, in Mbit/s.
    pub mbps_max_bw: f64,
    /// Of a hundred packets sent for the first time, how many the peer reported missing.
    pub packets_send_loss_rate: f64,
    /// Of a hundred packets that were to come, how many were found missing.
    pub packets_received_loss_rate: f64,
    /// What comes in, in Mbit/s.
    pub mbps_receive_rate: f64,
    /// Shortest time between two packets, in microseconds.
    pub us_packets_send_period: f64,
    /// Packets that the peer has room for.
    pub packets_flow_window: u64,
    /// Packets sent and not acknowledged.
    pub packets_flight_size: u64,
    /// Packets that wait to be sent or acknowledged.
    pub packets_send_buf: u64,
    /// Their bytes.
    pub bytes_send_buf: u64,
    /// From the oldest to the newest of them, in milliseconds.
    pub ms_send_buf: u64,
    /// Packets that wait for delivery.
    pub packets_receive_buf: u64,
    /// Their bytes.
    pub bytes_receive_buf: u64,
    /// From the oldest to the newest of them, in milliseconds.
    pub ms_receive_buf: u64,
    /// The peer's latency for what is sent, in milliseconds.
    pub ms_send_tsb_pd_delay: u64,
    /// The latency of what is received, in milliseconds.
    pub ms_receive_tsb_pd_delay: u64,
}
