//! Pulls from and pushes to far sides: as a caller, as a listener on a port of its own, or as a rendezvous.

use super::Srt;
use super::address::{Address, Mode};
use super::feed::{self, Told, feed};
use super::link::{Input, Link, PAUSE};
use super::port;
use crate::adapters::{Feed, Target};
use crate::hub::Origin;
use crate::net::inflow::Inflow;
use crate::net::policy::Policy;
use crate::net::udp::{Arrivals, Socket};
use crate::transport::{Intake, Packagings};
use mpegts::demuxer::ProgramSelection;
use srt::{CloseReason, Limits, Listener, ListenerOutput, Session};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Callers that may ask at a time where one is waited for.
const REQUESTS: usize = 8;

/// Pulls until the far side ends, or fails.
pub(super) async fn pull(srt: &Srt, url: &str, target: &Target) -> Result<(), String> {
    let address =
        Address::parse(url, srt.terms.get().latency()).map_err(|error| error.to_string())?;
    if address.mode == Mode::Listener {
        target.listening();
    }
    let mut link = open(&address, &target.context.policy).await?;
    target.connected();
    let peer = link.peer();
    let mut entry = srt.connections.enter(&target.name, "source", peer);
    let selection = address.program;
    let selection = selection.map_or(ProgramSelection::First, ProgramSelection::Number);
    let intake = Intake::new(selection, address.place());
    let mut intake = intake.keeping_all(target.context.hub.is_offline());
    let publish = || {
        target.publish(&Origin {
            protocol: "srt",
            address: peer.to_string(),
            agent: None,
        })
    };
    loop {
        let pumped = link.pump();
        if !link.received.is_empty() {
            intake.push(&link.received, publish)?;
            link.received.clear();
        }
        match pumped {
            Ok(()) => {}
            Err(CloseReason::Peer) => return intake.finish(publish),
            Err(reason) => return Err(format!("{}: {reason}", address.place())),
        }
        if let (Some(packets), Some(publisher)) = (entry.note(&link), intake.publisher()) {
            publisher.count_packets(packets);
        }
        link.wait().await;
    }
}

/// Pushes until the stream ends, or the connection.
pub(super) async fn push(srt: &Srt, url: &str, to: &Feed) -> Result<(), String> {
    let address =
        Address::parse(url, srt.terms.get().latency()).map_err(|error| error.to_string())?;
    let (carried, refused) = Packagings::carried(&to.stream.snapshot().tracks);
    if carried.is_empty() {
        let refused = refused.join(", ");
        return Err(format!("nothing of the stream can be carried: {refused}"));
    }
    let link = tokio::select! {
        link = open(&address, &to.context.policy) => link?,
        _ = to.stream.end() => return Ok(()),
    };
    to.progress.set_live();
    let place = address.place();
    let mut entry = srt
        .connections
        .enter(to.stream.name(), "target", link.peer());
    let reader = srt.packagings.reader(&to.stream, to.context.bounds());
    let tell = |told: Told<'_>| match told {
        Told::Sent(units, bytes) => to.progress.sent(units as u64, bytes as u64),
        Told::RoundTrip(time) => to.progress.set_round_trip(time),
        Told::Skipped(skip) => {
            to.progress.skipped(skip.entries);
            to.stream.note_skip("srt_target", &place, skip);
        }
    };
    match feed(link, reader, &mut entry, tell).await {
        feed::Over::Stream => Ok(()),
        feed::Over::Connection(reason) => Err(format!("{place}: {reason}")),
    }
}

/// Connects, or waits for a caller.
async fn open(address: &Address, policy: &Policy) -> Result<Link, String> {
    let opened = match address.mode {
        Mode::Listener => wait(address).await,
        Mode::Caller | Mode::Rendezvous => call(address, policy).await,
    };
    opened.map_err(|words| format!("{}: {words}", address.place()))
}

async fn call(address: &Address, policy: &Policy) -> Result<Link, String> {
    let resolved = policy.resolve(&address.host, address.port).await;
    call_one(address, &resolved.map_err(|error| error.to_string())?).await
}

/// Calls the addresses of a name, which are few, until one answers.
async fn call_one(address: &Address, peers: &[SocketAddr]) -> Result<Link, String> {
    let count = match address.mode {
        // The other end has to call us at the same time, and does so from one address.
        Mode::Rendezvous => 1,
        Mode::Caller | Mode::Listener => peers.len(),
    };
    let mut failure = "the name has no address".to_owned();
    for peer in peers.iter().take(count) {
        match call_at(address, *peer).await {
            Ok(link) => return Ok(link),
            Err(words) => failure = words,
        }
    }
    Err(failure)
}

async fn call_at(address: &Address, peer: SocketAddr) -> Result<Link, String> {
    // Both ends of a rendezvous are on the same port.
    let (port, is_rendezvous) = match address.mode {
        Mode::Rendezvous => (address.port, true),
        Mode::Caller | Mode::Listener => (0, false),
    };
    let local = address.local.unwrap_or(match peer {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    });
    let socket = Socket::bind((local, port).into()).map_err(|error| error.to_string())?;
    let (now, options, seed) = (Instant::now(), address.options.clone(), rand::random());
    let session = if is_rendezvous {
        Session::rendezvous(now, options, seed)
    } else {
        Session::caller(now, options, seed)
    };
    let session = session.map_err(|error| error.to_string())?;
    connected(session, Arc::new(socket), local, peer).await
}

async fn connected(
    session: Session,
    socket: Arc<Socket>,
    local: IpAddr,
    peer: SocketAddr,
) -> Result<Link, String> {
    let input = Input::Own(Box::new(Inflow::new(socket.clone(), Duration::ZERO)));
    let mut link = Link::new(session, socket, local, peer, input);
    let connected = link.connected().await;
    connected.map_err(|reason| reason.to_string())?;
    Ok(link)
}

/// Waits for a caller. The first one with the right passphrase is let in.
async fn wait(address: &Address) -> Result<Link, String> {
    let host = match address.host.as_str() {
        "" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        host => host
            .parse()
            .map_err(|_| "a listener's host is an address of this machine, or empty")?,
    };
    let socket = Socket::bind((host, address.port).into()).map_err(|error| error.to_string())?;
    let socket = Arc::new(socket);
    let mut inflow = Inflow::new(socket.clone(), Duration::ZERO);
    let limits = Limits {
        connections: 1,
        requests: REQUESTS,
        ..Limits::default()
    };
    let mut listener = Listener::new(Instant::now(), limits, rand::random());
    let mut out = Vec::new();
    loop {
        let mut accepted = None;
        let take = |arrivals: Arrivals<'_>| {
            let now = Instant::now();
            let local = arrivals.destination.ip();
            for datagram in arrivals.iter() {
                listener.handle_input(now, arrivals.source, datagram);
            }
            loop {
                out.clear();
                match listener.poll_output(&mut out) {
                    ListenerOutput::Transmit(peer) => port::send(&socket, local, peer, &out),
                    ListenerOutput::Request(request) => {
                        let options = address.options.clone();
                        match listener.accept(now, request.id, options) {
                            Ok(session) => accepted = Some((session, local, request.peer)),
                            Err(reason) => {
                                let (port, peer) = (address.port, request.peer);
                                tracing::info!(port, address = %peer, %reason, "SRT request refused");
                            }
                        }
                    }
                    ListenerOutput::Idle => return,
                }
            }
        };
        match inflow.receive().await {
            Ok(arrivals) => arrivals.for_each(take),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        if let Some((session, local, peer)) = accepted {
            return connected(session, socket, local, peer).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[tokio::test]
    async fn all_addresses_of_a_name_are_called() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        // The system gives it to nobody else.
        let port = u16::try_from(20_000 + std::process::id() % 10_000).unwrap();
        let address = |options: &str| {
            let url = format!("srt://127.0.0.1:{port}?{options}");
            Address::parse(&url, Duration::from_millis(20)).unwrap()
        };
        let peers = [
            silent.local_addr().unwrap(),
            (Ipv4Addr::LOCALHOST, port).into(),
        ];
        let (caller, listener) = (address("connect_timeout=2s"), address("mode=listener"));
        let meeting = async { tokio::join!(call_one(&caller, &peers), wait(&listener)) };
        let met = tokio::time::timeout(Duration::from_secs(20), meeting).await;
        let (called, heard) = met.unwrap();
        assert_eq!(called.unwrap().peer(), peers[1]);
        assert!(heard.is_ok());
    }
}
