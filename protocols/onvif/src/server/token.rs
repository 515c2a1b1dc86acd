//! A user and a proof of a password in the header of an envelope (WS-Security UsernameToken Profile 1.0 section 3.1).

use crate::device::instant;
use crate::security::digest;
use crate::xml::Element;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, SystemTime};

/// A proof may be so old, or so far in the future, by our clock. Recorders ask for our time before they make one.
const FRESH: Duration = Duration::from_secs(300);

/// Most proofs that are kept so that nobody makes them twice; with one more the oldest is forgotten.
const MAX_NONCES: usize = 4_096;

/// Who asks. Not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct UsernameToken {
    user: String,
    password: String,
    /// What the digest was made with; none where the password is told as it is.
    digested: Option<(Vec<u8>, String)>,
}

impl fmt::Debug for UsernameToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UsernameToken(***)")
    }
}

impl UsernameToken {
    pub(super) fn read(element: &Element) -> Self {
        let text = |name| element.text_at(&[name]).unwrap_or_default();
        let password = element.child("Password");
        let kind = password.and_then(|password| password.attribute("Type"));
        let is_digest = kind.is_some_and(|kind| kind.ends_with("#PasswordDigest"));
        let digested = is_digest.then(|| {
            // What is no base64 proves nothing.
            let nonce = STANDARD.decode(text("Nonce")).unwrap_or_default();
            (nonce, text("Created").to_owned())
        });
        Self {
            user: text("Username").to_owned(),
            password: password
                .map(|password| password.text.clone())
                .unwrap_or_default(),
            digested,
        }
    }

    /// User and password, where it tells them as they are.
    pub fn told(&self) -> Option<(&str, &str)> {
        let is_told = self.digested.is_none();
        is_told.then_some((self.user.as_str(), self.password.as_str()))
    }

    /// Whether it is about this user, and shows that this is the password.
    pub fn proves(&self, user: &str, password: &str) -> bool {
        let is_password = match &self.digested {
            Some((nonce, created)) => same(&self.password, &digest(nonce, created, password)),
            // Digested, so that comparing takes the same time for all lengths.
            None => same(&digest(&[], &self.password, ""), &digest(&[], password, "")),
        };
        is_password && same(&digest(&[], &self.user, ""), &digest(&[], user, ""))
    }
}

/// The proofs that were made, each of which is good once.
#[derive(Clone, Debug, Default)]
pub struct Nonces {
    seen: VecDeque<([u8; 20], SystemTime)>,
}

impl Nonces {
    /// Takes a proof at that time. False for one that is not of the last minutes, or was made before. A password that is
    /// told as it is is always good.
    pub fn take(&mut self, token: &UsernameToken, now: SystemTime) -> bool {
        let Some((nonce, created)) = &token.digested else {
            return true;
        };
        let Some(made) = time_of(created) else {
            return false;
        };
        let distance = match now.duration_since(made) {
            Ok(distance) => distance,
            Err(ahead) => ahead.duration(),
        };
        if distance > FRESH || nonce.is_empty() {
            return false;
        }
        let is_old = |made: &SystemTime| now.duration_since(*made).is_ok_and(|age| age > FRESH);
        self.seen.retain(|(_, made)| !is_old(made));
        let hash = Sha1::new().chain_update(nonce).chain_update(created);
        let hash: [u8; 20] = hash.finalize().into();
        if self.seen.iter().any(|(known, _)| *known == hash) {
            return false;
        }
        if self.seen.len() >= MAX_NONCES {
            self.seen.pop_front();
        }
        self.seen.push_back((hash, made));
        true
    }
}

/// A time of XML Schema (part 2 section 3.2.7) from 1970 on; none is told without a zone, which is taken for UTC.
fn time_of(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once('T')?;
    let (time, offset) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at_checked(at)?,
        None => (time, "Z"),
    };
    let numbers = |text: &str, mark| -> Option<[u64; 3]> {
        let mut parts = text.split(mark).map(|part| part.parse::<u64>().ok());
        let all = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(all)
    };
    let whole = time.split_once('.').map_or(time, |(whole, _)| whole);
    let ([year, month, day], [hour, minute, second]) = (numbers(date, '-')?, numbers(whole, ':')?);
    let is_in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour <= 24
        && minute < 60
        && second <= 60;
    let time = is_in_range.then(|| instant([year, month, day], [hour, minute, second]))??;
    let (sign, zone) = offset.split_at_checked(1)?;
    if sign == "Z" {
        return Some(time);
    }
    let (hours, minutes) = zone.split_once(':')?;
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    let zone = Duration::from_secs(hours * 3_600 + minutes * 60);
    match sign {
        "+" => time.checked_sub(zone),
        _ => time.checked_add(zone),
    }
}

/// Takes the same time wherever texts of one length differ.
fn same(one: &str, other: &str) -> bool {
    let pairs = one.bytes().zip(other.bytes());
    let differences = pairs.fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::header;
    use http_auth::Credentials;

    /// 2026-11-27T11:30:05Z.
    const NOW: u64 = 1_795_779_005;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn ours(nonce: &[u8], created: SystemTime) -> UsernameToken {
        let credentials = Credentials {
            user: "joe".to_owned(),
            password: "s&cret".to_owned(),
        };
        let text = header(&credentials, nonce, created);
        let security = Element::parse(&text).unwrap();
        UsernameToken::read(security.child("UsernameToken").unwrap())
    }

    #[test]
    fn what_our_client_shows_is_taken_once() {
        let token = ours(&[1; 16], at(NOW));
        assert!(token.proves("joe", "s&cret"));
        assert!(!token.proves("joe", "secret") && !token.proves("jo", "s&cret"));
        assert_eq!(token.told(), None);
        let mut nonces = Nonces::default();
        assert!(nonces.take(&token, at(NOW + 10)));
        assert!(!nonces.take(&token, at(NOW + 10)));
        assert!(nonces.take(&ours(&[2; 16], at(NOW)), at(NOW + 10)));
        // Before and after its time.
        for now in [NOW - 301, NOW + 301] {
            assert!(!nonces.take(&ours(&[3; 16], at(NOW)), at(now)), "{now}");
        }
        assert!(!nonces.take(&ours(&[], at(NOW)), at(NOW)));
        assert!(!format!("{token:?}").contains("joe"));
    }

    #[test]
    fn a_password_as_it_is() {
        let text =
            "<T><Username>joe</Username><Password Type='x#PasswordText'>a&amp;b</Password></T>";
        let token = UsernameToken::read(&Element::parse(text).unwrap());
        assert_eq!(token.told(), Some(("joe", "a&b")));
        assert!(token.proves("joe", "a&b") && !token.proves("joe", "a"));
        assert!(Nonces::default().take(&token, at(NOW)));
        let nothing = UsernameToken::read(&Element::parse("<T/>").unwrap());
        assert!(!nothing.proves("joe", "a&b"));
    }

    #[test]
    fn times() {
        let cases = [
            ("2026-11-27T11:30:05Z", Some(NOW)),
            ("2026-11-27T11:30:05.987Z", Some(NOW)),
            ("2026-11-27T11:30:05", Some(NOW)),
            ("2026-11-27T12:30:05+01:00", Some(NOW)),
            ("2026-11-27T08:00:05.1-03:30", Some(NOW)),
            ("2026-11-27", None),
            ("2026-13-27T11:30:05Z", None),
            ("2026-11-27T11:30Z", None),
            ("2026-11-27T11:30:05+99:00", None),
            ("2026-11-27T11:30:05+1", None),
            ("99999999999999999999-11-27T11:30:05Z", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(time_of(text), expected.map(at), "{text}");
        }
    }

    #[test]
    fn the_oldest_proof_is_forgotten() {
        let mut nonces = Nonces::default();
        for number in 0..=MAX_NONCES {
            assert!(nonces.take(&ours(&number.to_be_bytes(), at(NOW)), at(NOW)));
        }
        assert_eq!(nonces.seen.len(), MAX_NONCES);
        // Those whose time is over need not be kept.
        assert!(nonces.take(&ours(&[1], at(NOW + 600)), at(NOW + 600)));
        assert_eq!(nonces.seen.len(), 1);
    }
}
