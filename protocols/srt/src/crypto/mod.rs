//! The keys of one connection: how they are made, exchanged, changed and used (section 6).
//!
//! A stream encrypting key (SEK) encrypts payloads; it travels wrapped in a key that the passphrase gives
//! (KEK). Both directions begin with the initiator's SEK, and each sender changes its own afterwards: the new
//! key takes the place, even or odd, that is not in use.

mod cipher;
mod key_material;

pub(crate) use key_material::KeyError;

use crate::options::{Options, Passphrase};
use crate::packet::Key;
use crate::sequence::Sequence;
use aes_kw::KekAes128;
use aes_kw::KekAes192;
use aes_kw::KekAes256;
use cipher::Cipher;
use hmac::Hmac;
use key_material::{KeyMaterial, SALT};
use rand::RngCore;
use rand::rngs::StdRng;
use sha1::Sha1;

/// Rounds of the derivation of the KEK (section 6.1.5).
const ITERATIONS: u32 = 2_048;

/// Packets after which a key is left whatever the peer says: before sequence numbers come again.
const EXHAUSTED: u32 = 1 << 30;

/// What a peer without the key, and one with another, answers instead of key material (section 3.2.1.2).
const NO_SECRET: [u8; 4] = [0, 0, 0, 3];
const BAD_SECRET: [u8; 4] = [0, 0, 0, 4];

/// How long keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyLength {
    /// 16 bytes.
    Aes128,
    /// 24 bytes.
    Aes192,
    /// 32 bytes.
    Aes256,
}

impl KeyLength {
    /// From its length in bytes.
    pub const fn from_bytes(bytes: usize) -> Option<Self> {
        match bytes {
            16 => Some(Self::Aes128),
            24 => Some(Self::Aes192),
            32 => Some(Self::Aes256),
            _ => None,
        }
    }

    /// Its length in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// From the Encryption Field of a handshake.
    pub(crate) const fn from_field(field: u16) -> Option<Self> {
        Self::from_bytes(field as usize * 8)
    }

    /// The Encryption Field of a handshake.
    pub(crate) const fn field(self) -> u16 {
        match self {
            Self::Aes128 => 2,
            Self::Aes192 => 3,
            Self::Aes256 => 4,
        }
    }

    const fn from_words(words: u8) -> Option<Self> {
        Self::from_bytes(words as usize * 4)
    }

    const fn words(self) -> u8 {
        match self {
            Self::Aes128 => 4,
            Self::Aes192 => 6,
            Self::Aes256 => 8,
        }
    }
}

/// A key that was made here, and what was made of it.
struct Sending {
    key: Vec<u8>,
    cipher: Cipher,
}

/// Where a change of the sender's key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Nothing to do until the packets of a key run out.
    None,
    /// The next key is told to the peer.
    Announced,
    /// The peer has it.
    Confirmed,
    /// It is in use; the old one may still be needed for packets that are sent again.
    Done,
}

/// The keys of one connection.
pub(crate) struct Crypto {
    passphrase: Passphrase,
    length: KeyLength,
    gcm: bool,
    kek: Kek,
    sending: [Option<Sending>; 2],
    receiving: [Option<Cipher>; 2],
    current: Key,
    /// Packets that were encrypted with the current key.
    count: u32,
    refresh: u32,
    announce: u32,
    change: Change,
    /// The last request for key material that was answered, which peers repeat.
    answered: Vec<u8>,
}

/// The key of keys, for one salt.
struct Kek {
    salt: [u8; SALT],
    key: Vec<u8>,
}

impl Crypto {
    /// The initiator's: draws salt and key. The second is the key material to send.
    pub(crate) fn initiate(
        passphrase: &Passphrase,
        length: KeyLength,
        options: &Options,
        random: &mut StdRng,
    ) -> Option<(Self, Vec<u8>)> {
        let mut salt = [0; SALT];
        random.fill_bytes(&mut salt);
        let mut key = vec![0; length.bytes()];
        random.fill_bytes(&mut key);
        let kek = Kek::derive(passphrase, salt, length);
        let mut crypto = Self::new(passphrase, length, options.gcm, kek, options);
        crypto.sending = [crypto.sending(key.clone()), None];
        crypto.receiving = [Cipher::new(&key, length, options.gcm, salt), None];
        let message = crypto.message(Key::Even)?;
        Some((crypto, message))
    }

    /// The responder's: from what the initiator sent.
    pub(crate) fn respond(
        passphrase: &Passphrase,
        message: &[u8],
        options: &Options,
    ) -> Result<Self, KeyError> {
        let material = KeyMaterial::parse(message)?;
        let kek = Kek::derive(passphrase, material.salt, material.length);
        let mut crypto = Self::new(passphrase, material.length, material.gcm, kek, options);
        let keys = crypto.unwrap(&material)?;
        crypto.current = match material.keys {
            Key::Odd => Key::Odd,
            _ => Key::Even,
        };
        for (key, sending) in keys.into_iter().zip([0, 1]) {
            if let (Some(key), true) = (key, Some(sending) == slot(crypto.current)) {
                let made = crypto.sending(key);
                if let Some(place) = crypto.sending.get_mut(sending) {
                    *place = made;
                }
            }
        }
        message.clone_into(&mut crypto.answered);
        Ok(crypto)
    }

    fn new(
        passphrase: &Passphrase,
        length: KeyLength,
        gcm: bool,
        kek: Kek,
        options: &Options,
    ) -> Self {
        Self {
            passphrase: passphrase.clone(),
            length,
            gcm,
            kek,
            sending: [None, None],
            receiving: [None, None],
            current: Key::Even,
            count: 0,
            refresh: options.key_refresh.max(2),
            announce: options.key_announce.min(options.key_refresh / 2),
            change: Change::None,
            answered: Vec::new(),
        }
    }

    /// Bytes that encryption makes a payload longer.
    pub(crate) const fn overhead(&self) -> usize {
        if self.gcm { cipher::TAG } else { 0 }
    }

    /// How long the keys are.
    pub(crate) const fn length(&self) -> KeyLength {
        self.length
    }

    fn sending(&self, key: Vec<u8>) -> Option<Sending> {
        let cipher = Cipher::new(&key, self.length, self.gcm, self.kek.salt)?;
        Some(Sending { key, cipher })
    }

    /// Takes the keys of a message for receiving, and gives them.
    fn unwrap(&mut self, material: &KeyMaterial<'_>) -> Result<[Option<Vec<u8>>; 2], KeyError> {
        let unwrapped = self.kek.unwrap(material.wrapped, material.length)?;
        let mut keys = unwrapped
            .chunks_exact(material.length.bytes())
            .map(<[u8]>::to_vec);
        let keys = match material.keys {
            Key::Odd => [None, keys.next()],
            Key::Even | Key::None => [keys.next(), None],
            Key::Both => [keys.next(), keys.next()],
        };
        for (place, key) in self.receiving.iter_mut().zip(&keys) {
            let Some(key) = key else { continue };
            let cipher = Cipher::new(key, material.length, material.gcm, material.salt);
            *place = Some(cipher.ok_or(KeyError::Cipher)?);
        }
        Ok(keys)
    }

    /// The message with these keys of the sender's.
    fn message(&self, keys: Key) -> Option<Vec<u8>> {
        let wanted: &[Option<Sending>] = match keys {
            Key::Both => &self.sending,
            one => std::slice::from_ref(self.sending.get(slot(one)?)?),
        };
        let mut plain = Vec::new();
        for key in wanted {
            plain.extend_from_slice(&key.as_ref()?.key);
        }
        let material = KeyMaterial {
            keys,
            gcm: self.gcm,
            length: self.length,
            salt: self.kek.salt,
            wrapped: &self.kek.wrap(&plain)?,
        };
        Some(material.write())
    }

    /// A request for key material came: gives the answer.
    pub(crate) fn answer(&mut self, message: &[u8]) -> Vec<u8> {
        if message == self.answered {
            return message.to_vec();
        }
        match self.take(message) {
            Ok(()) => {
                message.clone_into(&mut self.answered);
                message.to_vec()
            }
            Err(_) => BAD_SECRET.to_vec(),
        }
    }

    /// Whether the answer to this request is known, so that nothing has to be computed for it.
    pub(crate) fn knows(&self, message: &[u8]) -> bool {
        message == self.answered
    }

    fn take(&mut self, message: &[u8]) -> Result<(), KeyError> {
        let material = KeyMaterial::parse(message)?;
        if material.length != self.length || material.gcm != self.gcm {
            return Err(KeyError::Cipher);
        }
        if material.salt == self.kek.salt {
            return self.unwrap(&material).map(drop);
        }
        let other = Kek::derive(&self.passphrase, material.salt, self.length);
        let own = std::mem::replace(&mut self.kek, other);
        let taken = self.unwrap(&material).map(drop);
        // What is sent keeps its salt.
        self.kek = own;
        taken
    }

    /// What a connection without a passphrase answers.
    pub(crate) fn no_secret() -> Vec<u8> {
        NO_SECRET.to_vec()
    }

    /// The peer has answered an announcement.
    pub(crate) fn confirm(&mut self, message: &[u8]) {
        // A state of one word means that it could not be read; then it is announced again.
        if self.change == Change::Announced && message.len() > NO_SECRET.len() {
            self.change = Change::Confirmed;
        }
    }

    /// A new packet is about to be sent: gives the key for it, and draws the next one in time.
    pub(crate) fn next_key(&mut self, random: &mut StdRng) -> Key {
        self.count = self.count.saturating_add(1);
        match self.change {
            Change::None if self.count >= self.refresh - self.announce => {
                let mut key = vec![0; self.length.bytes()];
                random.fill_bytes(&mut key);
                let made = self.sending(key);
                if let Some(place) =
                    slot(other(self.current)).and_then(|at| self.sending.get_mut(at))
                {
                    *place = made;
                    self.change = Change::Announced;
                }
            }
            Change::Announced if self.count >= EXHAUSTED => self.switch(),
            Change::Confirmed if self.count >= self.refresh => self.switch(),
            Change::Done if self.count >= self.announce => {
                if let Some(place) =
                    slot(other(self.current)).and_then(|at| self.sending.get_mut(at))
                {
                    *place = None;
                }
                self.change = Change::None;
            }
            _ => {}
        }
        self.current
    }

    fn switch(&mut self) {
        self.current = other(self.current);
        self.count = 0;
        self.change = Change::Done;
    }

    /// What has to be told to the peer until it confirms it.
    pub(crate) fn announcement(&self) -> Option<Vec<u8>> {
        (self.change == Change::Announced)
            .then(|| self.message(Key::Both))
            .flatten()
    }

    /// Whether there is an announcement.
    pub(crate) fn announces(&self) -> bool {
        self.change == Change::Announced
    }

    /// The key to send a packet with, which was first sent with this one.
    pub(crate) fn usable(&self, key: Key) -> Key {
        let there = slot(key).and_then(|at| self.sending.get(at)?.as_ref());
        if there.is_some() { key } else { self.current }
    }

    /// Encrypts the packet that begins at `start`.
    pub(crate) fn encrypt(
        &self,
        key: Key,
        sequence: Sequence,
        packet: &mut Vec<u8>,
        start: usize,
    ) -> Option<()> {
        let sending = self.sending.get(slot(key)?)?.as_ref()?;
        sending.cipher.encrypt(sequence, packet, start)
    }

    /// Decrypts a payload; `None` when there is no key for it, or it is not authentic.
    pub(crate) fn decrypt(
        &self,
        key: Key,
        sequence: Sequence,
        header: &[u8],
        payload: &mut Vec<u8>,
    ) -> Option<()> {
        let cipher = self.receiving.get(slot(key)?)?.as_ref()?;
        cipher.decrypt(sequence, header, payload)
    }
}

const fn slot(key: Key) -> Option<usize> {
    match key {
        Key::Even => Some(0),
        Key::Odd => Some(1),
        Key::None | Key::Both => None,
    }
}

const fn other(key: Key) -> Key {
    match key {
        Key::Even => Key::Odd,
        _ => Key::Even,
    }
}

impl Kek {
    /// PBKDF2 over the last 8 bytes of the salt.
    fn derive(passphrase: &Passphrase, salt: [u8; SALT], length: KeyLength) -> Self {
        let mut key = vec![0; length.bytes()];
        let [.., a, b, c, d, e, f, g, h] = salt;
        let short = [a, b, c, d, e, f, g, h];
        // It fails for keys of no length alone.
        let _ = pbkdf2::pbkdf2::<Hmac<Sha1>>(passphrase.bytes(), &short, ITERATIONS, &mut key);
        Self { salt, key }
    }

    fn wrap(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut out = vec![0; plain.len().checked_add(8)?];
        match *self.key.as_slice() {
            ref key if key.len() == 16 => KekAes128::try_from(key).ok()?.wrap(plain, &mut out),
            ref key if key.len() == 24 => KekAes192::try_from(key).ok()?.wrap(plain, &mut out),
            ref key => KekAes256::try_from(key).ok()?.wrap(plain, &mut out),
        }
        .ok()?;
        Some(out)
    }

    fn unwrap(&self, wrapped: &[u8], length: KeyLength) -> Result<Vec<u8>, KeyError> {
        let plain = wrapped.len().checked_sub(8).ok_or(KeyError::Malformed)?;
        let mut out = vec![0; plain];
        let key = self.key.as_slice();
        let wrong = |_| KeyError::Secret;
        match length {
            KeyLength::Aes128 => KekAes128::try_from(key)
                .map_err(wrong)?
                .unwrap(wrapped, &mut out),
            KeyLength::Aes192 => KekAes192::try_from(key)
                .map_err(wrong)?
                .unwrap(wrapped, &mut out),
            KeyLength::Aes256 => KekAes256::try_from(key)
                .map_err(wrong)?
                .unwrap(wrapped, &mut out),
        }
        .map_err(wrong)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::HEADER_LEN;
    use rand::SeedableRng;

    fn pair(length: KeyLength, options: &Options) -> (Crypto, Crypto, StdRng) {
        let mut random = StdRng::seed_from_u64(1);
        let secret = Passphrase::new("correct horse").unwrap();
        let (sender, message) = Crypto::initiate(&secret, length, options, &mut random).unwrap();
        let receiver = Crypto::respond(&secret, &message, options).unwrap();
        (sender, receiver, random)
    }

    fn carry(
        sender: &mut Crypto,
        receiver: &Crypto,
        random: &mut StdRng,
        number: u32,
    ) -> Option<Vec<u8>> {
        let sequence = Sequence::new(number);
        let key = sender.next_key(random);
        let mut packet = vec![0; HEADER_LEN];
        packet.extend_from_slice(b"payload");
        sender.encrypt(key, sequence, &mut packet, 0)?;
        let (header, payload) = packet.split_at(HEADER_LEN);
        let mut payload = payload.to_vec();
        assert_ne!(payload, b"payload");
        let mut again = header.to_vec();
        again[4] |= 4;
        receiver.decrypt(key, sequence, &again, &mut payload)?;
        Some(payload)
    }

    #[test]
    fn keys_of_every_length_change_under_way() {
        use KeyLength::{Aes128, Aes192, Aes256};
        for (length, gcm) in [
            (Aes128, false),
            (Aes192, false),
            (Aes256, false),
            (Aes128, true),
            (Aes256, true),
        ] {
            let options = Options {
                gcm,
                key_refresh: 100,
                key_announce: 20,
                ..Options::default()
            };
            let (mut sender, mut receiver, mut random) = pair(length, &options);
            let mut changes = 0;
            for number in 0..1_000 {
                let payload = carry(&mut sender, &receiver, &mut random, number);
                assert_eq!(
                    payload.as_deref(),
                    Some(&b"payload"[..]),
                    "{length:?} {number}"
                );
                if let Some(message) = sender.announcement() {
                    let answer = receiver.answer(&message);
                    assert!(receiver.knows(&message));
                    sender.confirm(&answer);
                    changes += 1;
                }
            }
            assert!(changes > 8, "{changes}");
        }
    }

    #[test]
    fn without_an_answer_the_key_stays() {
        let options = Options {
            key_refresh: 100,
            key_announce: 20,
            ..Options::default()
        };
        let (mut sender, receiver, mut random) = pair(KeyLength::Aes128, &options);
        for number in 0..1_000 {
            assert!(carry(&mut sender, &receiver, &mut random, number).is_some());
            sender.confirm(&BAD_SECRET);
        }
        assert!(sender.announces());
    }

    #[test]
    fn the_wrong_secret_opens_nothing() {
        let options = Options::default();
        let mut random = StdRng::seed_from_u64(1);
        let [right, wrong] =
            ["correct horse", "battery staple"].map(|text| Passphrase::new(text).unwrap());
        let (_, message) =
            Crypto::initiate(&right, KeyLength::Aes192, &options, &mut random).unwrap();
        assert_eq!(
            Crypto::respond(&wrong, &message, &options).err(),
            Some(KeyError::Secret)
        );
        let (_, mut receiver, _) = pair(KeyLength::Aes128, &options);
        assert_eq!(receiver.answer(&message), BAD_SECRET);
        assert_eq!(receiver.answer(b"nonsense"), BAD_SECRET);
    }
}
