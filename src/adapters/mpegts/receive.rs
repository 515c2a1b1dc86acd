//! Receives a stream: datagrams from one sender or a group, within RTP or without, or one connection.

use super::address::{Address, Carrier};
use super::socket;
use crate::adapters::Target;
use crate::hub::{Origin, Publisher, Taken};
use crate::net::udp::Arrivals;
use crate::transport::Intake;
use bytes::Bytes;
use mpegts::demuxer::ProgramSelection;
use rtp::payload::mp2t;
use rtp::{Packet, Reorder};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::time::sleep_until;

/// Bytes read from a connection at a time.
const PIECE: usize = 65_536;

/// A connection that acknowledges nothing for so long is given up.
const STALLED: Duration = Duration::from_secs(30);

/// Receives until the far side ends the stream, or for ever.
pub(super) async fn pull(address: &Address, target: &Target) -> Result<(), String> {
    let selection = address.options.program;
    let selection = selection.map_or(ProgramSelection::First, ProgramSelection::Number);
    let intake = Intake::new(selection, address.place());
    let intake = intake.keeping_all(target.context.hub.is_offline());
    match address.carrier {
        Carrier::Udp => datagrams(address, target, intake).await,
        Carrier::Tcp => connection(address, target, intake).await,
    }
}

fn publish(address: &Address, from: String, target: &Target) -> Result<Publisher, Taken> {
    let protocol = match address.carrier {
        Carrier::Udp => "udp",
        Carrier::Tcp => "tcp",
    };
    target.publish(&Origin {
        protocol,
        address: from,
        agent: None,
    })
}

async fn connection(address: &Address, target: &Target, mut intake: Intake) -> Result<(), String> {
    let policy = &target.context.policy;
    let connected = policy.connect(&address.host, address.port, STALLED).await;
    let mut socket = connected.map_err(|error| error.to_string())?;
    target.connected();
    let mut buffer = vec![0; PIECE];
    loop {
        let read = socket.read(&mut buffer).await;
        let length = read.map_err(|error| format!("{}: {error}", address.place()))?;
        let publish = || publish(address, address.place(), target);
        match buffer.get(..length) {
            Some([]) | None => return intake.finish(publish),
            Some(bytes) => intake.push(bytes, publish)?,
        }
        intake.room().await;
    }
}

async fn datagrams(address: &Address, target: &Target, mut intake: Intake) -> Result<(), String> {
    let place = address.place();
    let bound = socket::receiver(address);
    let mut inflow = bound.map_err(|error| format!("cannot listen to {place}: {error}"))?;
    target.connected();
    let mut order: Reorder<Bytes> = Reorder::default();
    let mut last_sender = IpAddr::from([0; 4]);
    loop {
        let timeout = order.timeout();
        let due = timeout.unwrap_or_else(Instant::now).into();
        let received = tokio::select! {
            received = inflow.receive() => Some(received),
            () = sleep_until(due), if timeout.is_some() => None,
        };
        let now = Instant::now();
        let arrivals = received
            .transpose()
            .map_err(|error| format!("{place}: {error}"))?;
        if arrivals.is_none() {
            order.expire(now);
        }
        let wanted =
            |arrivals: &Arrivals<'_>| is_from(arrivals.source.ip(), address.options.source);
        for arrivals in arrivals.into_iter().flatten().filter(wanted) {
            last_sender = arrivals.source.ip();
            for datagram in arrivals.iter() {
                match within_rtp(datagram) {
                    Some(packet) => {
                        let payload = Bytes::copy_from_slice(packet.payload);
                        order.push(now, &packet.header, payload);
                    }
                    None => intake.push(datagram, || {
                        publish(address, last_sender.to_string(), target)
                    })?,
                }
            }
        }
        while let Some(arrival) = order.pull() {
            intake.push(&arrival.packet, || {
                publish(address, last_sender.to_string(), target)
            })?;
        }
    }
}

/// Whether a datagram is from the sender that is listened to.
fn is_from(sender: IpAddr, wanted: Option<IpAddr>) -> bool {
    wanted.is_none_or(|wanted| sender.to_canonical() == wanted)
}

/// The RTP packet that a datagram is, if it is one of transport packets; what begins with a sync byte is none.
fn within_rtp(datagram: &[u8]) -> Option<Packet<'_>> {
    let packet = Packet::parse(datagram).ok()?;
    mp2t::packets(packet.payload)
        .is_ok_and(|packets| !packets.is_empty())
        .then_some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transport_packets_are_found_within_rtp_by_their_content() {
        let mut transport = [0xff; 376];
        (transport[0], transport[188]) = (0x47, 0x47);
        // Whatever its payload type says.
        for kind in [33, 0x80 | 33, 96] {
            let header = [0x80, kind, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
            let datagram = [&header[..], &transport].concat();
            let packet = within_rtp(&datagram).unwrap();
            assert_eq!((packet.header.sequence, packet.payload.len()), (1, 376));
        }
        assert!(within_rtp(&transport).is_none());
        assert!(within_rtp(&[0x80; 200]).is_none());
        assert!(within_rtp(&[0x80, 33, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]).is_none());
    }

    #[test]
    fn other_senders_are_not_listened_to() {
        let address: IpAddr = "10.0.0.9".parse().unwrap();
        let mapped: IpAddr = "::ffff:10.0.0.9".parse().unwrap();
        assert!(is_from(address, None) && is_from(mapped, Some(address)));
        assert!(!is_from("10.0.0.8".parse().unwrap(), Some(address)));
    }
}
