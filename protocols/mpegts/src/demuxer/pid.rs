//! Which PIDs are read, for what, and whether their packets follow each other.

use crate::packet::{PIDS, Packet};
use crate::psi::sections::Sections;

/// What the packets of a PID are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The list of programs.
    List,
    /// The description of the program of this place in the list.
    Program(usize),
    /// The stream of this place in the program.
    Stream(usize),
}

/// The PIDs that are read. Looking one up takes the same short time however many there are.
#[derive(Debug)]
pub(super) struct Pids {
    /// For each PID its place in `entries` and one more; 0 for none.
    places: Box<[u16]>,
    entries: Vec<(u16, Route, Continuity)>,
    /// The list of programs in the making.
    pub(super) list: Sections,
}

impl Pids {
    pub(super) fn new() -> Self {
        let mut pids = Self {
            places: vec![0; PIDS].into(),
            entries: Vec::new(),
            list: Sections::default(),
        };
        pids.set(&[(crate::psi::PAT_PID, Route::List)]);
        pids
    }

    /// These are read from now on. Of two with one PID the first counts. A PID that was read goes on where it was.
    pub(super) fn set(&mut self, routes: &[(u16, Route)]) {
        let before = std::mem::take(&mut self.entries);
        self.places.fill(0);
        for (pid, route) in routes {
            let known = before.iter().find(|(known, ..)| known == pid);
            let continuity = known
                .map(|(.., continuity)| *continuity)
                .unwrap_or_default();
            let Some(place) = self.places.get_mut(usize::from(*pid)) else {
                continue;
            };
            if *place == 0 {
                self.entries.push((*pid, *route, continuity));
                *place = u16::try_from(self.entries.len()).unwrap_or(0);
            }
        }
    }

    /// What a PID is for, if it is read.
    pub(super) fn get(&mut self, pid: u16) -> Option<(Route, &mut Continuity)> {
        let place = usize::from(*self.places.get(usize::from(pid))?).checked_sub(1)?;
        let (_, route, continuity) = self.entries.get_mut(place)?;
        Some((*route, continuity))
    }

    /// What begins next on each PID may be counted anew.
    pub(super) fn begin_anew(&mut self) {
        for (.., continuity) in &mut self.entries {
            continuity.may_leap = true;
        }
    }
}

/// What a packet is to the one before of its PID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Next,
    /// It is the one before, sent a second time.
    Duplicate,
    Lost {
        expected: u8,
    },
}

/// Follows the continuity counter of a PID (clause 2.4.3.3).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Continuity {
    last: Option<Last>,
    /// The next packet need not go on, if something begins in it.
    may_leap: bool,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    counter: u8,
    payload: Print,
}

/// The length and a few bytes of a payload, which two have in common only if they are the same.
type Print = (usize, Option<[u8; 16]>, Option<[u8; 16]>);

impl Continuity {
    pub(super) fn see(&mut self, packet: &Packet<'_>) -> Seen {
        let Some(payload) = packet.payload else {
            // Counters stand still in packets without payload.
            if packet.adaptation.discontinuity {
                self.last = None;
            }
            return Seen::Next;
        };
        let print = (
            payload.len(),
            payload.first_chunk().copied(),
            payload.last_chunk().copied(),
        );
        let counter = packet.continuity;
        let last = self.last.replace(Last {
            counter,
            payload: print,
        });
        let leaps = std::mem::take(&mut self.may_leap) && packet.unit_start;
        let Some(last) = last.filter(|_| !packet.adaptation.discontinuity && !leaps) else {
            return Seen::Next;
        };
        let expected = (last.counter + 1) & 0x0f;
        if counter == expected {
            Seen::Next
        } else if counter == last.counter && last.payload == print {
            Seen::Duplicate
        } else {
            Seen::Lost { expected }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_followed() {
        let packet = |continuity, payload: Option<&'static [u8]>, discontinuity| Packet {
            pid: 1,
            unit_start: false,
            scrambled: false,
            continuity,
            adaptation: crate::packet::Adaptation {
                discontinuity,
                ..Default::default()
            },
            payload,
        };
        let lost = |expected| Seen::Lost { expected };
        let (a, b): (Option<&[u8]>, Option<&[u8]>) = (Some(&[1; 20]), Some(&[2; 20]));
        let cases = [
            (packet(14, a, false), Seen::Next),
            (packet(15, b, false), Seen::Next),
            (packet(15, b, false), Seen::Duplicate),
            (packet(0, a, false), Seen::Next),
            // Sixteen are missing.
            (packet(0, b, false), lost(1)),
            (packet(0, None, false), Seen::Next),
            (packet(1, a, false), Seen::Next),
            (packet(4, a, false), lost(2)),
            (packet(9, a, true), Seen::Next),
            (packet(7, None, true), Seen::Next),
            (packet(3, a, false), Seen::Next),
        ];
        let mut continuity = Continuity::default();
        for (number, (packet, expected)) in cases.into_iter().enumerate() {
            assert_eq!(continuity.see(&packet), expected, "{number}");
        }
    }

    #[test]
    fn what_begins_in_another_segment_may_be_counted_anew() {
        let packet = |continuity, unit_start| Packet {
            pid: 1,
            unit_start,
            scrambled: false,
            continuity,
            adaptation: crate::packet::Adaptation::default(),
            payload: Some(&[1; 20]),
        };
        for (unit_start, expected) in [(true, Seen::Next), (false, Seen::Lost { expected: 10 })] {
            let mut continuity = Continuity::default();
            assert_eq!(continuity.see(&packet(9, true)), Seen::Next);
            continuity.may_leap = true;
            assert_eq!(continuity.see(&packet(0, unit_start)), expected);
            // And no further.
            let lost = Seen::Lost { expected: 1 };
            assert_eq!(continuity.see(&packet(5, true)), lost);
        }
    }

    #[test]
    fn pids_keep_their_counters() {
        let mut pids = Pids::new();
        assert_eq!(pids.get(0).map(|(route, _)| route), Some(Route::List));
        assert!(pids.get(256).is_none());
        let stream = Route::Stream(0);
        pids.set(&[(0, Route::List), (256, stream), (256, Route::Program(1))]);
        let (route, continuity) = pids.get(256).unwrap();
        assert_eq!(route, stream);
        continuity.last = Some(Last {
            counter: 5,
            payload: (0, None, None),
        });
        pids.set(&[(256, Route::Stream(1))]);
        let (route, continuity) = pids.get(256).unwrap();
        assert_eq!(route, Route::Stream(1));
        assert_eq!(continuity.last.unwrap().counter, 5);
        assert!(pids.get(0).is_none());
    }
}
