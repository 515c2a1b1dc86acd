//! Slows those who try passwords: by where they come from, and by the account they try.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Networks and accounts that are remembered; those that were tried longest ago go.
const MAX_ENTRIES: usize = 16_384;

/// After so long without an attempt all is forgotten.
const FORGET: Duration = Duration::from_secs(15 * 60);

/// Attempts that go wrong before waiting begins, and the longest wait: of a network.
const NETWORK: (u32, Duration) = (5, Duration::from_secs(60));

/// The same of an account. Its owner waits too while others try: not for long.
const ACCOUNT: (u32, Duration) = (10, Duration::from_secs(10));

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Network(IpAddr),
    Account(String),
}

struct Entry {
    failures: u32,
    last: Instant,
    until: Instant,
}

/// Counts attempts.
#[derive(Default)]
pub(super) struct Throttle {
    entries: Mutex<HashMap<Key, Entry>>,
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Throttle")
    }
}

impl Throttle {
    /// Whether an attempt may be made now, or how long to wait. It counts as one that went wrong until it is told
    /// otherwise, so that many at a time are no way around.
    pub(super) fn attempt(
        &self,
        address: IpAddr,
        account: &str,
        now: Instant,
    ) -> Result<(), Duration> {
        let keys = [
            (Key::Network(network(address)), NETWORK),
            (Key::Account(account.to_owned()), ACCOUNT),
        ];
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let until = |key: &Key| {
            let entry = entries.get(key);
            entry.map_or(now, |entry| entry.until)
        };
        let until = keys.iter().map(|(key, _)| until(key)).max();
        let wait = until.map(|until| until.saturating_duration_since(now));
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        for (key, (free, longest)) in keys {
            make_room(&mut entries, &key, now);
            let entry = entries.entry(key).or_insert(Entry {
                failures: 0,
                last: now,
                until: now,
            });
            if now.saturating_duration_since(entry.last) >= FORGET {
                entry.failures = 0;
            }
            entry.failures = entry.failures.saturating_add(1);
            entry.last = now;
            let beyond = entry.failures.saturating_sub(free).min(16);
            let seconds = 1u64.checked_shl(beyond).unwrap_or(u64::MAX) / 2;
            entry.until = now + Duration::from_secs(seconds).min(longest);
        }
        Ok(())
    }

    /// The attempt was right. Whoever has an account of their own cannot buy themselves more attempts at others with it.
    pub(super) fn was_right(&self, address: IpAddr, account: &str, now: Instant) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.remove(&Key::Account(account.to_owned()));
        if let Some(entry) = entries.get_mut(&Key::Network(network(address))) {
            entry.failures = entry.failures.saturating_sub(1);
            entry.until = now;
        }
    }
}

fn make_room(entries: &mut HashMap<Key, Entry>, key: &Key, now: Instant) {
    if entries.len() < MAX_ENTRIES || entries.contains_key(key) {
        return;
    }
    entries.retain(|_, entry| now.saturating_duration_since(entry.last) < FORGET);
    if entries.len() >= MAX_ENTRIES {
        // Many at once, so that this is not done for each.
        let mut lasts: Vec<Instant> = entries.values().map(|entry| entry.last).collect();
        let (_, oldest, _) = lasts.select_nth_unstable(MAX_ENTRIES / 8);
        let oldest = *oldest;
        entries.retain(|_, entry| entry.last > oldest);
    }
}

/// An address of IPv6 stands for the 2^64 that one customer has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_grow_with_what_goes_wrong() {
        let (throttle, mut now) = (Throttle::default(), Instant::now());
        let here = at("192.0.2.1");
        let mut waits = Vec::new();
        for number in 0..13 {
            // Another account each time: it is where the attempts come from that counts.
            let account = format!("a{number}");
            assert_eq!(throttle.attempt(here, &account, now), Ok(()));
            let wait = throttle.attempt(here, &account, now).err();
            waits.push(wait.unwrap_or_default().as_secs());
            now += wait.unwrap_or_default();
            if wait.is_none() {
                // That was one more attempt.
                throttle.was_right(here, &account, now);
            }
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
        // Nobody else waits for it.
        assert_eq!(throttle.attempt(at("192.0.2.2"), "b", now), Ok(()));
        assert_eq!(throttle.attempt(here, "b", now + FORGET), Ok(()));
        assert_eq!(throttle.attempt(here, "b", now + FORGET), Ok(()));
    }

    #[test]
    fn an_account_is_slowed_wherever_attempts_come_from() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..11 {
            let address = at(&format!("198.51.100.{number}"));
            assert_eq!(throttle.attempt(address, "admin", now), Ok(()), "{number}");
        }
        let refused = throttle.attempt(at("203.0.113.1"), "admin", now);
        assert_eq!(refused, Err(SECOND));
        assert_eq!(throttle.attempt(at("203.0.113.1"), "joe", now), Ok(()));
        let later = now + SECOND;
        assert_eq!(throttle.attempt(at("203.0.113.1"), "admin", later), Ok(()));
        throttle.was_right(at("203.0.113.1"), "admin", later);
        assert_eq!(throttle.attempt(at("203.0.113.1"), "admin", later), Ok(()));
    }

    #[test]
    fn many_at_a_time_are_no_way_around() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let allowed = (0..100).filter(|_| throttle.attempt(at("::1"), "a", now).is_ok());
        assert_eq!(allowed.count(), 6);
        // A whole network of IPv6 is one.
        let neighbour = throttle.attempt(at("::ffff"), "b", now);
        assert!(neighbour.is_err());
        assert!(throttle.attempt(at("0:0:0:1::1"), "b", now).is_ok());
    }

    #[test]
    fn the_table_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..MAX_ENTRIES as u32 {
            let address = IpAddr::from(number.to_be_bytes());
            let account = number.to_string();
            let _ = throttle.attempt(
                address,
                &account,
                now + Duration::from_micros(number.into()),
            );
        }
        assert!(throttle.entries.lock().unwrap().len() <= MAX_ENTRIES);
    }
}
