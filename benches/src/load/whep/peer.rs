//! The player's end of one session, without its socket: checks, handshake, decryption, reports.
//!
//! What a browser would do while all is well: it checks the path every 2.5 s and reports every second. It asks
//! for no packet again, so that what is lost shows.

use super::{Identity, Server, UFRAG};
use crate::error::{Context as _, Error, Result};
use bytes::BytesMut;
use rtc_crypto::RTCCryptoProvider;
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use rtp::rtcp::{self, ReceiverReport};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use webrtc::stun::{self, Binding, Class, Message, Role};

/// Between two checks until one is answered, and from then on.
const FIRST_CHECKS: Duration = Duration::from_millis(50);
const CHECKS: Duration = Duration::from_millis(2_500);
/// Between two reports.
const REPORTS: Duration = Duration::from_secs(1);
/// Key and salt of AES-128-GCM.
const KEY: usize = 16;
const SALT: usize = 12;

/// One player.
pub(super) struct Peer {
    provider: Arc<dyn RTCCryptoProvider>,
    server: Server,
    username: String,
    dtls: Endpoint,
    config: Option<Arc<rtc_dtls::config::HandshakeConfig>>,
    /// What comes in and goes out is protected with, after the handshake.
    srtp: Option<(Context, Context)>,
    next_check: Instant,
    checks: u32,
    next_report: Instant,
    outgoing: VecDeque<Vec<u8>>,
}

impl Peer {
    pub(super) fn new(now: Instant, identity: &Identity, server: Server) -> Result<Self> {
        let config = ConfigBuilder::default()
            .with_crypto_provider(identity.provider.clone())
            .with_certificates(vec![identity.certificate.clone()])
            .with_srtp_protection_profiles(vec![
                SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
                SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
            ])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            // Nobody is between the two.
            .with_insecure_skip_verify(true)
            .build(true, Some(server.address))
            .context("cannot set up a handshake")?;
        let own = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        Ok(Self {
            provider: identity.provider.clone(),
            username: format!("{}:{UFRAG}", server.ufrag),
            server,
            dtls: Endpoint::new(own, TransportProtocol::UDP, None),
            config: Some(Arc::new(config)),
            srtp: None,
            next_check: now,
            checks: 0,
            next_report: now,
            outgoing: VecDeque::new(),
        })
    }

    /// Takes a datagram; gives the packet that was in it.
    pub(super) fn handle_input(
        &mut self,
        now: Instant,
        datagram: &[u8],
    ) -> Result<Option<BytesMut>> {
        match datagram.first() {
            Some(0..=3) => self.checked(now, datagram)?,
            Some(20..=63) => self.handshake(now, datagram)?,
            _ if rtcp::is_rtcp(datagram) => {}
            _ => {
                if let Some((incoming, _)) = &mut self.srtp {
                    let packet = incoming.decrypt_rtp(datagram);
                    return packet.map(Some).context("a packet cannot be opened");
                }
            }
        }
        Ok(None)
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<()> {
        if now >= self.next_check {
            self.check()?;
            let answered = self.config.is_none();
            self.next_check = now + if answered { CHECKS } else { FIRST_CHECKS };
        }
        if let Some((_, outgoing)) = self.srtp.as_mut().filter(|_| now >= self.next_report) {
            let mut report = Vec::new();
            let empty = ReceiverReport {
                ssrc: 1,
                blocks: Vec::new(),
            };
            rtcp::Packet::ReceiverReport(empty).write(&mut report);
            let report = outgoing.encrypt_rtcp(&report).context("cannot report")?;
            self.outgoing.push_back(report.to_vec());
            self.next_report = now + REPORTS;
        }
        let due = self.dtls.poll_timeout(&self.server.address);
        if due.is_some_and(|due| due <= now) {
            self.dtls
                .handle_timeout(self.server.address, now)
                .context("the handshake failed")?;
        }
        Ok(())
    }

    /// When to call [`Self::handle_timeout`].
    pub(super) fn poll_timeout(&self) -> Instant {
        let report = self.srtp.as_ref().map(|_| self.next_report);
        let handshake = self.dtls.poll_timeout(&self.server.address);
        [report, handshake.filter(|_| report.is_none())]
            .into_iter()
            .flatten()
            .fold(self.next_check, Instant::min)
    }

    /// The next datagram to send.
    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let own = self.outgoing.pop_front();
        own.or_else(|| Some(self.dtls.poll_transmit()?.message.to_vec()))
    }

    fn check(&mut self) -> Result<()> {
        self.checks += 1;
        let mut transaction = [0; 12];
        for (to, from) in transaction.iter_mut().zip(self.checks.to_be_bytes()) {
            *to = from;
        }
        let request = Message::Request {
            username: &self.username,
            priority: 100,
            use_candidate: true,
            role: Role::Controlling(u64::from(self.checks)),
        };
        let crypto = self.provider.crypto();
        let check = stun::write(crypto, &request, transaction, &self.server.password);
        self.outgoing.push_back(check.context("cannot check")?);
        Ok(())
    }

    /// An answer to a check; the first begins the handshake.
    fn checked(&mut self, now: Instant, datagram: &[u8]) -> Result<()> {
        let answer = Binding::parse(datagram).context("the server sends bad STUN")?;
        if answer.class != Class::Success
            || !answer.is_from(self.provider.crypto(), &self.server.password)
        {
            return Err(Error::new("the server refuses a check"));
        }
        if let Some(config) = self.config.take() {
            self.dtls
                .connect(now, self.server.address, config, None)
                .context("cannot begin a handshake")?;
            self.next_check = now + CHECKS;
        }
        Ok(())
    }

    fn handshake(&mut self, now: Instant, datagram: &[u8]) -> Result<()> {
        let datagram = BytesMut::from(datagram);
        let events = self
            .dtls
            .read(now, self.server.address, None, datagram)
            .context("the handshake failed")?;
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => {
                    self.srtp = Some(self.keys()?);
                    self.next_report = now + REPORTS;
                }
                EndpointEvent::PeerClosed => {
                    return Err(Error::new("the server ended the session"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What protects packets from the server, and to it.
    fn keys(&self) -> Result<(Context, Context)> {
        let state = self.dtls.get_connection_state(self.server.address);
        let state = state.ok_or_else(|| Error::new("the handshake has no end"))?;
        if state.srtp_protection_profile() != SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm {
            return Err(Error::new("the server does not choose AES-128-GCM"));
        }
        let length = 2 * (KEY + SALT);
        let material = state
            .export_keying_material("EXTRACTOR-dtls_srtp", &[], length)
            .context("the handshake gives no keys")?
            .into_bytes();
        let context = |key: usize, salt: usize| {
            Context::new(
                material.get(key..key + KEY).unwrap_or_default(),
                material.get(salt..salt + SALT).unwrap_or_default(),
                ProtectionProfile::AeadAes128Gcm,
                None,
                None,
                self.provider.crypto(),
            )
            .context("the handshake's keys are of no use")
        };
        // The client's come first.
        Ok((context(KEY, 2 * KEY + SALT)?, context(0, 2 * KEY)?))
    }
}
