//! The floor of WebRTC: sends the signal to every reader in the datagrams in which a server sends it, with one
//! system call for each run of datagrams of a size (UDP GSO), encrypted for each reader on its own or not at all.
//!
//! There is no handshake: a reader says hello with its key, or with less than a key for datagrams as they are.
//! Sound goes as packets of the size and rate of the Opus that Millstream makes of the signal's AAC.

use crate::clock;
use crate::error::{Context as _, Error, Result};
use crate::helper;
use crate::load::pictures::{PICTURES, SOUND};
use crate::signal::{self, Schedule, Sound, Unit};
use quinn_udp::{Transmit, UdpSocketState};
use rtc_crypto::{AeadAlgorithm, AeadCipher, RTCCryptoProvider};
use rtp::payload::h264;
use rtp::{HEADER_LEN, Header, Payloads};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest payload: Millstream's.
const MAX_PAYLOAD: usize = 1_180;
/// Bytes behind an encrypted packet.
const TAG: usize = 16;
/// Bytes of a reader's key.
const KEY: usize = 16;
/// Most bytes in one system call.
const MAX_BYTES: usize = 60_000;
/// Sound: 20 ms in a packet, at 128 kbit/s.
const SOUND_INTERVAL: Duration = Duration::from_millis(20);
const SOUND_BYTES: usize = 320;

/// A reader, and what it has been sent.
struct Reader {
    address: SocketAddr,
    cipher: Option<Box<dyn AeadCipher>>,
    pictures: Header,
    sound: Header,
}

/// Where datagrams go out, and those that are to go out together.
struct Outgoing {
    socket: UdpSocket,
    state: UdpSocketState,
    bytes: Vec<u8>,
    segment: usize,
    last: usize,
    count: usize,
}

/// Plays the role.
///
/// # Errors
/// When it has no socket or no cipher.
pub fn run() -> Result<()> {
    helper::leave_with_the_benchmark();
    let provider = rtc_crypto::default_provider().context("no cipher")?;
    let mut out = Outgoing::new()?;
    let address = out.socket.local_addr().context("a socket has no address")?;
    helper::say(&format!("ready {address}"))?;
    let config = signal::video_config().context("the signal is wrong")?;
    let sound = Payloads::single(&[7; SOUND_BYTES]);
    let mut readers: Vec<Reader> = Vec::new();
    let mut sound_at = Duration::ZERO;
    let start = Instant::now();
    let wait = |at: Duration| {
        std::thread::sleep((start + at).saturating_duration_since(Instant::now()));
    };
    for due in Schedule::default().filter(|due| due.unit != Unit::Audio) {
        while sound_at <= due.at {
            wait(sound_at);
            let timestamp = (sound_at.as_micros() * 48 / 1_000) as u32;
            for reader in &mut readers {
                reader.sound.timestamp = timestamp;
                let Reader { sound: header, .. } = reader;
                out.send(reader.address, &mut reader.cipher, header, &sound)?;
            }
            sound_at += SOUND_INTERVAL;
        }
        wait(due.at);
        let unit = signal::payload(&due, Sound::Aac, clock::now());
        let payloads = h264::packetize(&unit, Some(&config), MAX_PAYLOAD)
            .context("cannot cut an access unit")?;
        let timestamp = (due.at.as_micros() * 90 / 1_000) as u32;
        for reader in &mut readers {
            reader.pictures.timestamp = timestamp;
            let header = &mut reader.pictures;
            out.send(reader.address, &mut reader.cipher, header, &payloads)?;
        }
        out.welcome(&provider, &mut readers)?;
    }
    Ok(())
}

/// The plain packet in a datagram.
///
/// # Errors
/// When it is not authentic.
pub fn open<'a>(cipher: &mut dyn AeadCipher, datagram: &'a mut [u8]) -> Result<&'a [u8]> {
    let short = || Error::new("the floor sends less than a packet");
    let length = datagram.len().checked_sub(TAG).ok_or_else(short)?;
    let (packet, tag) = datagram.split_at_mut(length);
    let (head, body) = packet.split_at_mut_checked(HEADER_LEN).ok_or_else(short)?;
    cipher
        .open_in_place(head, head, body, tag)
        .context("the floor sends what cannot be opened")?;
    Ok(packet)
}

impl Outgoing {
    fn new() -> Result<Self> {
        let what = "cannot open a UDP socket";
        let socket = UdpSocket::bind(("127.0.0.1", 0)).context(what)?;
        let state = UdpSocketState::new((&socket).into()).context(what)?;
        // Less is datagrams that are lost, which readers count.
        let _ = state.set_send_buffer_size((&socket).into(), 4 << 20);
        socket.set_nonblocking(true).context(what)?;
        Ok(Self {
            socket,
            state,
            bytes: Vec::new(),
            segment: 0,
            last: 0,
            count: 0,
        })
    }

    /// Takes new readers in.
    fn welcome(
        &self,
        provider: &Arc<dyn RTCCryptoProvider>,
        readers: &mut Vec<Reader>,
    ) -> Result<()> {
        let mut hello = [0; 64];
        while let Ok((count, address)) = self.socket.recv_from(&mut hello) {
            if readers.iter().any(|reader| reader.address == address) {
                continue;
            }
            let key = hello.get(..KEY).filter(|_| count == KEY);
            let new = |key| provider.crypto().new_aead(AeadAlgorithm::Aes128Gcm, key);
            let header = |payload_type| Header {
                payload_type,
                ssrc: payload_type.into(),
                ..Header::default()
            };
            readers.push(Reader {
                address,
                cipher: key.map(new).transpose().context("no cipher")?,
                pictures: header(PICTURES),
                sound: header(SOUND),
            });
        }
        Ok(())
    }

    /// Sends an access unit.
    fn send(
        &mut self,
        to: SocketAddr,
        cipher: &mut Option<Box<dyn AeadCipher>>,
        header: &mut Header,
        payloads: &Payloads,
    ) -> Result<()> {
        let tag = if cipher.is_some() { TAG } else { 0 };
        for (index, payload) in payloads.iter().enumerate() {
            self.make_room(to, HEADER_LEN + payload.len() + tag);
            header.marker = header.payload_type == PICTURES && index + 1 == payloads.len();
            let head = header.bytes();
            header.sequence = header.sequence.wrapping_add(1);
            self.bytes.extend_from_slice(&head);
            let start = self.bytes.len();
            self.bytes.extend_from_slice(payload);
            if let Some(cipher) = cipher {
                let mut tag = [0; TAG];
                let body = self.bytes.get_mut(start..).unwrap_or_default();
                // No header comes twice, so that it serves as nonce where nothing is secret.
                cipher
                    .seal_in_place(&head, &head, body, &mut tag)
                    .context("the cipher fails")?;
                self.bytes.extend_from_slice(&tag);
            }
        }
        self.flush(to);
        Ok(())
    }

    /// Sends what is there unless a datagram of this size can go with it: all but the last are of one size.
    fn make_room(&mut self, to: SocketAddr, size: usize) {
        let fits = self.count < self.state.max_gso_segments()
            && self.bytes.len() + size <= MAX_BYTES
            && self.last == self.segment
            && size <= self.segment;
        if !fits {
            self.flush(to);
        }
        if self.count == 0 {
            self.segment = size;
        }
        self.last = size;
        self.count += 1;
    }

    fn flush(&mut self, destination: SocketAddr) {
        if self.count > 0 {
            let transmit = Transmit {
                destination,
                ecn: None,
                contents: &self.bytes,
                segment_size: (self.count > 1).then_some(self.segment),
                src_ip: None,
            };
            // What is not taken is lost, and counted by who misses it.
            let _ = self.state.try_send((&self.socket).into(), &transmit);
        }
        self.bytes.clear();
        self.count = 0;
    }
}
