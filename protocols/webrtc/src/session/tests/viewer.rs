//! The other end: checks, handshake, decryption.

use super::super::*;
use crate::certificate::fingerprint;
use crate::ice::Transport;
use crate::stun::{self, Binding, Class, Message, Role};
use bytes::BytesMut;
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as DtlsProfile;
use rtc_shared::TransportProtocol;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_no_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;
use rtp::rtcp;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// What a viewer offers.
pub(super) struct Options {
    /// In the viewer's order.
    pub(super) profiles: Vec<DtlsProfile>,
    pub(super) rtx: bool,
    /// It publishes instead.
    pub(super) publishes: bool,
    pub(super) fingerprint: Option<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            profiles: vec![
                DtlsProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
                DtlsProfile::Srtp_Aead_Aes_128_Gcm,
            ],
            rtx: true,
            publishes: false,
            fingerprint: None,
        }
    }
}

pub(super) struct Viewer {
    pub(super) now: Instant,
    pub(super) session: Session,
    pub(super) events: Vec<Event>,
    /// Decrypted.
    pub(super) received: Vec<Received>,
    pub(super) control: Vec<rtcp::Packet>,
    pub(super) source: SocketAddr,
    pub(super) said_goodbye: bool,
    /// Every datagram of media by its source and sequence number, to see that none is used twice.
    datagrams: HashMap<(u32, u16, u64), Vec<u8>>,
    /// Which datagrams to lose, by their number.
    pub(super) lose: fn(u64) -> bool,
    pub(super) count: u64,
    dtls: Endpoint,
    profile: DtlsProfile,
    srtp: Option<(Context, Context)>,
    password: String,
    certificate: Certificate,
}

/// A packet as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) header: rtp::Header,
    pub(super) payload: Vec<u8>,
    pub(super) datagram: Vec<u8>,
}

pub(super) const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8_189);

impl Viewer {
    pub(super) fn new(options: Options) -> Self {
        let now = Instant::now();
        let provider = rtc_crypto::default_provider().unwrap();
        let own =
            rtc_dtls::crypto::Certificate::generate_self_signed(vec![], provider.crypto()).unwrap();
        let print = fingerprint(provider.crypto(), &own.certificate[0]).unwrap();
        let print = options.fingerprint.unwrap_or(&print);
        let certificate = Certificate::generate().unwrap();
        let config = Config {
            certificate: certificate.clone(),
            candidates: Vec::new(),
            video: Some(VideoFormat::H264 {
                profile_level_id: [0x42, 0xc0, 0x1f],
            }),
            audio: Some(AudioFormat::Opus { stereo: true }),
            wall_clock: WallClock {
                at: now,
                since_1970: Duration::from_secs(1_000),
            },
        };
        let offer = offer(print, &options);
        let made = match options.publishes {
            true => Session::receive(&offer, &config, now),
            false => Session::answer(&offer, &config, now),
        };
        let (session, answer) = made.unwrap();
        let source = SocketAddr::from(([127, 0, 0, 1], 40_000));
        let mut dtls = Endpoint::new(source, TransportProtocol::UDP, None);
        let profile = if options
            .profiles
            .contains(&DtlsProfile::Srtp_Aead_Aes_128_Gcm)
        {
            DtlsProfile::Srtp_Aead_Aes_128_Gcm
        } else {
            DtlsProfile::Srtp_Aes128_Cm_Hmac_Sha1_80
        };
        let handshake = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![own])
            .with_srtp_protection_profiles(options.profiles)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true)
            .build(true, Some(SERVER))
            .unwrap();
        dtls.connect(now, SERVER, Arc::new(handshake), None)
            .unwrap();
        let line = |name: &str| {
            let line = answer.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().to_owned()
        };
        let password = line("a=ice-pwd:");
        assert_eq!(line("a=ice-ufrag:"), session.ufrag());
        assert!(line("a=fingerprint:").ends_with(certificate.fingerprint()));
        Self {
            now,
            session,
            events: Vec::new(),
            received: Vec::new(),
            control: Vec::new(),
            source,
            said_goodbye: false,
            datagrams: HashMap::new(),
            lose: |_| false,
            count: 0,
            dtls,
            profile,
            srtp: None,
            password,
            certificate,
        }
    }

    /// A viewer that is connected.
    pub(super) fn connected(options: Options) -> Self {
        let mut viewer = Self::new(options);
        viewer.check();
        viewer.exchange();
        assert_eq!(viewer.events, [Event::Connected]);
        viewer.events.clear();
        viewer
    }

    /// Checks the path, asking to use it.
    pub(super) fn check(&mut self) {
        self.check_path(true);
    }

    /// Checks the path.
    pub(super) fn check_path(&mut self, use_candidate: bool) {
        let username = format!("{}:abcd", self.session.ufrag());
        let request = Message::Request {
            username: &username,
            priority: 100,
            use_candidate,
            role: Role::Controlling(1),
        };
        let crypto = self.certificate.crypto();
        let check = stun::write(crypto, &request, [7; 12], &self.password).unwrap();
        self.send(&check);
    }

    fn path(&self) -> Path {
        Path {
            transport: Transport::Udp,
            local: SERVER,
            remote: self.source,
        }
    }

    /// Sends a datagram to the session.
    pub(super) fn send(&mut self, datagram: &[u8]) {
        self.session.handle_input(self.now, self.path(), datagram);
    }

    /// Carries datagrams to and fro until both ends are silent.
    pub(super) fn exchange(&mut self) {
        loop {
            let mut silent = true;
            while let Some(transmit) = self.dtls.poll_transmit() {
                silent = false;
                self.count += 1;
                if !(self.lose)(self.count) {
                    self.send(&transmit.message);
                }
            }
            loop {
                match self.session.poll_output() {
                    Output::Timeout(_) => break,
                    Output::Event(event) => self.events.push(event),
                    Output::Transmit(transmit) => {
                        assert_eq!(transmit.path, self.path());
                        for datagram in transmit.datagrams() {
                            silent = false;
                            self.count += 1;
                            if !(self.lose)(self.count) {
                                self.receive(datagram);
                            }
                        }
                    }
                }
            }
            if silent {
                return;
            }
        }
    }

    /// Lets time pass, a little at a time.
    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(100);
            self.session.handle_timeout(self.now);
            let _ = self.dtls.handle_timeout(SERVER, self.now);
            self.exchange();
        }
    }

    fn receive(&mut self, datagram: &[u8]) {
        match datagram[0] {
            0..=3 => {
                let answer = Binding::parse(datagram).unwrap();
                assert!(answer.is_from(self.certificate.crypto(), &self.password));
                assert_eq!(
                    (answer.class, answer.mapped),
                    (Class::Success, Some(self.source))
                );
            }
            20..=63 => {
                let read = self
                    .dtls
                    .read(self.now, SERVER, None, BytesMut::from(datagram));
                for event in read.unwrap_or_default() {
                    match event {
                        EndpointEvent::HandshakeComplete => self.keys(),
                        EndpointEvent::PeerClosed => self.said_goodbye = true,
                        _ => {}
                    }
                }
            }
            _ => self.open(datagram),
        }
    }

    fn open(&mut self, datagram: &[u8]) {
        let (incoming, _) = self.srtp.as_mut().unwrap();
        if rtcp::is_rtcp(datagram) {
            let compound = incoming.decrypt_rtcp(datagram).unwrap();
            let packets: Result<Vec<_>, _> = rtcp::packets(&compound).collect();
            self.control.extend(packets.unwrap());
            return;
        }
        let packet = incoming.decrypt_rtp(datagram).unwrap();
        let packet = rtp::Packet::parse(&packet).unwrap();
        let received = Received {
            header: packet.header,
            payload: packet.payload.to_vec(),
            datagram: datagram.to_vec(),
        };
        // A sequence number comes again after 65,536 packets.
        let round = self.received.len() as u64 / 40_000;
        let key = (packet.header.ssrc, packet.header.sequence, round);
        let known = self
            .datagrams
            .entry(key)
            .or_insert_with(|| datagram.to_vec());
        assert_eq!(known, datagram, "one index for two packets");
        self.received.push(received);
    }

    fn keys(&mut self) {
        let state = self.dtls.get_connection_state(SERVER).unwrap();
        assert_eq!(state.srtp_protection_profile(), self.profile);
        let (profile, salt) = match self.profile {
            DtlsProfile::Srtp_Aead_Aes_128_Gcm => (ProtectionProfile::AeadAes128Gcm, 12),
            _ => (ProtectionProfile::Aes128CmHmacSha1_80, 14),
        };
        let length = 2 * (16 + salt);
        let keys = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], length);
        let keys = keys.unwrap().into_bytes();
        let provider = rtc_crypto::default_provider().unwrap();
        let context = |key: usize, salt_at: usize| {
            Context::new(
                &keys[key..key + 16],
                &keys[salt_at..salt_at + salt],
                profile,
                Some(srtp_no_replay_protection()),
                Some(srtcp_replay_protection(64)),
                provider.crypto(),
            )
            .unwrap()
        };
        self.srtp = Some((context(16, 32 + salt), context(0, 32)));
    }

    /// Protects a packet of media as a publisher would.
    pub(super) fn protect_media(&mut self, packet: &[u8]) -> Vec<u8> {
        let (_, outgoing) = self.srtp.as_mut().unwrap();
        outgoing.encrypt_rtp(packet).unwrap().to_vec()
    }

    /// Sends control packets as they are, one after the other.
    pub(super) fn report(&mut self, packets: &[rtcp::Packet]) {
        let mut compound = Vec::new();
        for packet in packets {
            packet.write(&mut compound);
        }
        let (_, outgoing) = self.srtp.as_mut().unwrap();
        let datagram = outgoing.encrypt_rtcp(&compound).unwrap().to_vec();
        self.send(&datagram);
        self.exchange();
    }

    /// Protects feedback as the viewer would.
    pub(super) fn protect(&mut self, packet: &rtcp::Packet) -> Vec<u8> {
        let mut compound = Vec::new();
        rtcp::Packet::ReceiverReport(rtcp::ReceiverReport {
            ssrc: 1,
            blocks: Vec::new(),
        })
        .write(&mut compound);
        packet.write(&mut compound);
        let (_, outgoing) = self.srtp.as_mut().unwrap();
        outgoing.encrypt_rtcp(&compound).unwrap().to_vec()
    }

    /// Sends feedback.
    pub(super) fn feed_back(&mut self, packet: &rtcp::Packet) {
        let datagram = self.protect(packet);
        self.send(&datagram);
        self.exchange();
    }

    /// Ends the handshake's connection.
    pub(super) fn leave(&mut self) {
        self.dtls.close(self.now).unwrap();
        self.exchange();
    }

    /// The payloads received from a source, in order.
    pub(super) fn payloads(&self, ssrc: u32) -> Vec<&[u8]> {
        let from = self
            .received
            .iter()
            .filter(|packet| packet.header.ssrc == ssrc);
        from.map(|packet| packet.payload.as_slice()).collect()
    }

    /// The source of a track, and that of its retransmissions.
    pub(super) fn sources(&self, kind: Kind) -> (u32, Option<u32>) {
        let mut tracks = self.session.tracks.iter();
        tracks.find(|track| track.kind() == kind).unwrap().sources()
    }
}

fn offer(fingerprint: &str, options: &Options) -> String {
    let direction = match options.publishes {
        true => "sendonly",
        false => "recvonly",
    };
    let rtx = if options.rtx {
        "a=rtpmap:98 rtx/90000\r\na=fmtp:98 apt=97\r\n"
    } else {
        ""
    };
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
        a=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=setup:actpass\r\n\
        a=fingerprint:sha-256 {fingerprint}\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 97 98\r\na=rtcp-mux\r\na=mid:0\r\na={direction}\r\n\
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
        a=rtcp-fb:97 transport-cc\r\n\
        a=rtpmap:97 H264/90000\r\na=fmtp:97 packetization-mode=1;profile-level-id=42e01f\r\n\
        a=rtcp-fb:97 nack\r\na=rtcp-fb:97 nack pli\r\n{rtx}\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtcp-mux\r\na=mid:1\r\na={direction}\r\n\
        a=rtpmap:111 opus/48000/2\r\n"
    )
}
