//! Readers by WHEP: an offer by HTTP, then everything over one UDP socket each.

mod peer;

use super::Shared;
use super::datagrams;
use super::http::Client;
use super::pictures::{PICTURES, Pictures, SOUND};
use super::viewer::Viewer;
use crate::error::{Context as _, Error, Result};
use crate::servers::whep_path;
use peer::Peer;
use rtc_crypto::{HashAlgorithm, RTCCryptoProvider};
use rtc_dtls::crypto::Certificate;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// The name under which a reader knows itself in checks.
const UFRAG: &str = "load";

/// What all readers of a process show the server.
pub(super) struct Identity {
    provider: Arc<dyn RTCCryptoProvider>,
    certificate: Certificate,
    fingerprint: String,
}

/// What the answer says of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    address: SocketAddr,
    ufrag: String,
    password: String,
}

/// Watches until the session ends, which is an error.
pub(super) async fn view(shared: &Shared) -> Result<()> {
    let mut pictures = Pictures::new(Viewer::new(&shared.tally));
    let identity = shared.identity.as_ref();
    let identity = identity.ok_or_else(|| Error::new("there is no certificate"))?;
    let mut client = Client::connect(shared).await?;
    let offer = offer(&identity.fingerprint);
    let answer = client.post(&whep_path(), "application/sdp", &offer).await?;
    drop(client);
    let server = Server::read(&answer)?;
    let socket = datagrams::connect(server.address).await?;
    let mut peer = Peer::new(Instant::now(), identity, server)?;
    loop {
        peer.handle_timeout(Instant::now())?;
        while let Some(datagram) = peer.poll_transmit() {
            socket.send(&datagram).await.context("the socket broke")?;
        }
        datagrams::receive(shared, &socket, peer.poll_timeout(), |datagram| {
            if let Some(packet) = peer.handle_input(Instant::now(), datagram)? {
                pictures.packet(&packet);
            }
            Ok(())
        })
        .await?;
    }
}

impl Identity {
    /// With a certificate of its own.
    pub(super) fn generate() -> Result<Self> {
        let what = "cannot make a certificate";
        let provider = rtc_crypto::default_provider().context(what)?;
        let names = vec!["load".to_owned()];
        let certificate =
            Certificate::generate_self_signed(names, provider.crypto()).context(what)?;
        let der = certificate.certificate.first();
        let hash = provider
            .crypto()
            .hash(HashAlgorithm::Sha256, der.map_or(&[], |der| der.as_ref()))
            .context(what)?;
        let bytes: Vec<_> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(Self {
            provider,
            certificate,
            fingerprint: bytes.join(":"),
        })
    }
}

impl Server {
    fn read(answer: &str) -> Result<Self> {
        let value = |name: &str| {
            let value = answer.lines().find_map(|line| line.strip_prefix(name));
            value.ok_or_else(|| Error::new(format!("the answer has no {name}")))
        };
        // Foundation, component, protocol, priority, address, port, …
        let mut candidate = value("a=candidate:")?.split(' ').skip(4);
        let (ip, port) = (candidate.next(), candidate.next());
        let address = format!("{}:{}", ip.unwrap_or_default(), port.unwrap_or_default());
        Ok(Self {
            address: address
                .parse()
                .context("the answer's candidate is no address")?,
            ufrag: value("a=ice-ufrag:")?.to_owned(),
            password: value("a=ice-pwd:")?.to_owned(),
        })
    }
}

/// As a browser offers it, with less to choose from.
fn offer(fingerprint: &str) -> String {
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
        a=ice-ufrag:{UFRAG}\r\na=ice-pwd:0123456789abcdef01234567\r\na=setup:actpass\r\n\
        a=fingerprint:sha-256 {fingerprint}\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF {PICTURES} 98\r\na=rtcp-mux\r\na=mid:0\r\na=recvonly\r\n\
        a=rtpmap:{PICTURES} H264/90000\r\n\
        a=fmtp:{PICTURES} packetization-mode=1;profile-level-id=42e01f\r\n\
        a=rtcp-fb:{PICTURES} nack\r\na=rtcp-fb:{PICTURES} nack pli\r\n\
        a=rtpmap:98 rtx/90000\r\na=fmtp:98 apt={PICTURES}\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF {SOUND}\r\na=rtcp-mux\r\na=mid:1\r\na=recvonly\r\n\
        a=rtpmap:{SOUND} opus/48000/2\r\na=fmtp:{SOUND} stereo=1\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_of_an_answer_is_found() {
        let answer = "v=0\r\na=ice-ufrag:one\r\na=ice-pwd:two\r\n\
            a=candidate:1 1 udp 2130706431 127.0.0.1 8189 typ host\r\n\
            a=candidate:2 1 udp 2130706175 10.0.0.1 8189 typ host\r\n";
        let server = Server::read(answer).unwrap();
        assert_eq!(server.address, SocketAddr::from(([127, 0, 0, 1], 8189)));
        assert_eq!((&*server.ufrag, &*server.password), ("one", "two"));
        assert!(Server::read("v=0\r\n").is_err());
    }
}
