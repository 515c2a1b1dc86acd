//! Splice information sections: data in sections, whose PID has no PES packets and so no times of its own. A unit has
//! the time of the program when it came, and the times in it count from that.

use super::Output;
use crate::psi::sections::Sections;
use crate::splice;
use bytes::Bytes;
use media::{AccessUnit, TrackId};

/// Takes sections out of packets.
#[derive(Debug, Default)]
pub(crate) struct Splices(Sections);

impl Splices {
    /// Takes the payload of a packet that came at `now`, in ticks of 90 kHz.
    pub(crate) fn push(
        &mut self,
        unit_start: bool,
        payload: &[u8],
        now: Option<i64>,
        out: &mut Output<'_>,
    ) {
        let mut malformed = false;
        let pushed = self.0.push(unit_start, payload, |section| {
            let Some(now) = now else {
                out.counts.units_without_time += 1;
                return;
            };
            match splice::later(section, now.wrapping_neg()) {
                Some(section) => out.unit(AccessUnit {
                    track: TrackId(0),
                    dts: now,
                    pts: now,
                    random_access: true,
                    disposable: false,
                    discontinuity: false,
                    capture: None,
                    payload: Bytes::from(section),
                }),
                None => malformed = true,
            }
        });
        if malformed {
            out.counts.malformed_sections += 1;
            out.fault(crate::Error::Frame(
                "splice information section that is damaged",
            ));
        }
        if let Err(error) = pushed {
            out.counts.malformed_sections += 1;
            out.fault(error);
        }
    }

    pub(crate) fn lost(&mut self) {
        self.0.lost();
    }
}
