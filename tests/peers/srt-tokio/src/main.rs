//! Relays between datagrams and SRT by `srt-tokio`, as `srt-live-transmit` does by libsrt.
//!
//!     srt-tokio-relay (send UDP-PORT | receive UDP-ADDRESS) MODE SRT-PORT LATENCY-MS KEY-LENGTH PASSPHRASE STREAM-ID
//!
//! Without a key its length is 0. It calls 127.0.0.1, or listens there; in rendezvous it is 127.0.0.2.

use bytes::Bytes;
use futures::StreamExt;
use srt_tokio::SrtSocket;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [direction, udp, terms @ ..] = arguments.as_slice() else {
        return Err("see the head of its source".into());
    };
    // Before anything else, so that nothing is missed.
    let (socket, to) = match direction.as_str() {
        "send" => (
            UdpSocket::bind((Ipv4Addr::LOCALHOST, udp.parse()?)).await?,
            None,
        ),
        _ => (
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?,
            Some(udp.parse::<SocketAddr>()?),
        ),
    };
    let mut connection = connect(terms).await?;
    if let Some(to) = to {
        while let Some(message) = connection.next().await {
            socket.send_to(&message?.1, to).await?;
        }
        return Ok(());
    }
    let mut buffer = [0; 2_048];
    // What has waited since before anybody was there would be too late, and all at once.
    while socket.try_recv(&mut buffer).is_ok() {}
    loop {
        let length = socket.recv(&mut buffer).await?;
        let message = Bytes::copy_from_slice(&buffer[..length]);
        if let Err((at, message)) = connection.try_send(Instant::now(), message) {
            // It has no room, or no peer any more.
            tokio::time::timeout(
                Duration::from_secs(5),
                futures::SinkExt::send(&mut connection, (at, message)),
            )
            .await??;
        }
    }
}

async fn connect(terms: &[String]) -> Result<SrtSocket> {
    let [mode, port, latency, key_length, passphrase, stream_id] = terms else {
        return Err("see the head of its source".into());
    };
    let far = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?));
    let mut builder = SrtSocket::builder().latency(Duration::from_millis(latency.parse()?));
    if key_length != "0" {
        builder = builder.encryption(key_length.parse()?, passphrase.clone());
    }
    Ok(match mode.as_str() {
        "caller" => {
            let stream_id = Some(stream_id.as_str()).filter(|id| !id.is_empty());
            builder.call(far, stream_id).await?
        }
        "listener" => builder.listen_on(far).await?,
        _ => {
            let near = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), far.port()));
            builder.local(near).rendezvous(far).await?
        }
    })
}
