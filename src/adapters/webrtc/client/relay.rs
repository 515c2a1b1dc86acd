//! An address at a TURN server, on the socket of a link.

use super::address::Turn;
use crate::adapters::Context;
use crate::net::udp::{Batch, Datagram, Socket};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::time::timeout_at;
use webrtc::turn::Relay;
use webrtc::{Certificate, Transmit};

/// How long an address is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The address, and who gives it.
pub(super) struct Relayed {
    pub(super) address: SocketAddr,
    server: SocketAddr,
    relay: Relay,
}

impl Relayed {
    /// Asks the server for an address.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn open(
        turn: &Turn,
        context: &Context,
        socket: &Socket,
        buffer: &mut Vec<u8>,
    ) -> Result<Self, String> {
        let (host, port) = &turn.place;
        let resolved = context.policy.resolve(host, *port).await;
        let servers = resolved.map_err(|error| error.to_string())?;
        let server = *servers.first().ok_or("the TURN server has no address")?;
        let certificate = Certificate::generate().map_err(|error| error.to_string())?;
        let login = (turn.username.clone(), turn.password.clone());
        let mut relay = Relay::new(certificate, login.0, login.1);
        let end = Instant::now() + PATIENCE;
        loop {
            let now = Instant::now();
            while let Some(question) = relay.poll(now) {
                send(socket, server, &question);
            }
            if let Some(address) = relay.address().map_err(|error| error.to_string())? {
                return Ok(Self {
                    address,
                    server,
                    relay,
                });
            }
            if now >= end {
                return Err(webrtc::turn::TurnError::Silent.to_string());
            }
            let due = relay.timeout().unwrap_or(end).min(end);
            let take = |datagram: Datagram| {
                if datagram.source == server {
                    relay.handle_input(datagram.at, &datagram.bytes);
                }
            };
            // What is not received is asked for again.
            let _ = timeout_at(due.into(), socket.receive(buffer, take)).await;
        }
    }

    /// Has the server let in what comes from there.
    pub(super) fn permit(&mut self, peer: SocketAddr) {
        self.relay.permit(Instant::now(), peer.ip());
    }

    /// Takes a datagram if it is from the server, and gives what that has passed on. None for what is from others.
    pub(super) fn take<'a>(
        &mut self,
        datagram: &'a Datagram,
    ) -> Option<Option<(SocketAddr, &'a [u8])>> {
        let is_ours = datagram.source == self.server;
        is_ours.then(|| self.relay.handle_input(datagram.at, &datagram.bytes))
    }

    /// Has the server pass that on.
    pub(super) fn send(&mut self, socket: &Socket, transmit: &Transmit) {
        for packet in transmit.datagrams() {
            let wrapped = self.relay.wrap(transmit.path.remote, packet);
            send(socket, self.server, &wrapped);
        }
    }

    /// Asks the server what is to be asked now, and gives when that is to be done again.
    ///
    /// # Errors
    /// When it no longer gives an address.
    pub(super) fn go_on(&mut self, socket: &Socket) -> Result<Option<Instant>, String> {
        while let Some(question) = self.relay.poll(Instant::now()) {
            send(socket, self.server, &question);
        }
        self.relay.address().map_err(|error| error.to_string())?;
        Ok(self.relay.timeout())
    }

    /// Gives the address back.
    pub(super) fn give_back(&mut self, socket: &Socket) {
        if let Some(words) = self.relay.give_back() {
            send(socket, self.server, &words);
        }
    }
}

fn send(socket: &Socket, to: SocketAddr, contents: &[u8]) {
    let batch = Batch {
        source: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        destination: to,
        contents,
        segment_size: None,
    };
    // A full socket loses it, as a network would.
    socket.send(&batch, 0);
}
