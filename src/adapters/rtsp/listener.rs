//! A listener, plain or with TLS: accepts connections, a bounded number at a time, and begins a client on each.

use super::connection::Connection;
use super::multicast::Multicast;
use super::server::Client;
use super::sockets::Sockets;
use super::tunnel::{Begun, Tunnels};
use crate::adapters::Context;
use crate::net::listen;
use crate::net::places::{Place, Places};
use crate::net::socket::Socket;
use rtsp::auth::Random;
use rtsp::server::Config;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// A client has this long for the handshake of TLS.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// What a listener needs to know.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) context: Arc<Context>,
    /// Over TLS: the handshake.
    pub(super) tls: Option<TlsAcceptor>,
    /// For datagrams, if there may be any.
    pub(super) sockets: Option<Arc<Sockets>>,
    /// For datagrams to groups, if there may be any.
    pub(super) multicast: Option<Arc<Multicast>>,
    /// A publisher that sends nothing for so long is disconnected.
    pub(super) publisher_timeout: Duration,
}

/// Serves connections for ever.
pub(super) async fn serve(
    listener: Arc<TcpListener>,
    places: Places,
    max_connections: usize,
    shared: Shared,
) {
    let tunnels = Arc::new(Tunnels::default());
    loop {
        let (socket, address) = listen::accept(&listener).await;
        let Some(place) = places.take(max_connections) else {
            tracing::warn!(%address, limit = max_connections, "RTSP connection refused: too many");
            continue;
        };
        tokio::spawn(answer(
            socket,
            address,
            shared.clone(),
            tunnels.clone(),
            place,
        ));
    }
}

async fn answer(
    socket: TcpStream,
    address: SocketAddr,
    shared: Shared,
    tunnels: Arc<Tunnels>,
    place: Place,
) {
    // What is soon over lies apart, so that a connection takes no room for it as long as it lasts.
    let secured = Box::pin(secured(socket, address, shared.tls.as_ref()));
    let Some(socket) = secured.await else {
        return;
    };
    let beginning = Box::pin(tunnels.begin(socket, address.ip(), place));
    let Some(mut begun) = beginning.await else {
        return;
    };
    let places = std::mem::take(&mut begun.places);
    if let Err(closed) = client(begun, address, shared).run(places).await {
        tracing::info!(%address, reason = %closed.0, "RTSP connection closed");
    }
}

fn client(begun: Begun, address: SocketAddr, shared: Shared) -> Box<Client> {
    let sockets = shared.sockets.as_ref();
    let config = Config {
        random: Random(rand::random()),
        udp: sockets.map(|sockets| sockets.ports()),
        is_secure: shared.tls.is_some(),
        is_tunnel: begun.is_tunnel,
        ..Config::default()
    };
    let mut connection = Connection::new(begun.socket, address, config);
    connection.take(&begun.bytes);
    Client::new(connection, shared)
}

/// Does the handshake of TLS where there is one.
async fn secured(
    socket: TcpStream,
    address: SocketAddr,
    tls: Option<&TlsAcceptor>,
) -> Option<Socket> {
    let Some(tls) = tls else {
        return Some(socket.into());
    };
    match timeout(TLS_TIMEOUT, tls.accept(socket)).await {
        Ok(Ok(stream)) => Some(stream.into()),
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "no TLS with a client of RTSPS");
            None
        }
        Err(_) => None,
    }
}
