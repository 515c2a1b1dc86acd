//! Data in PES packets: what one holds is one unit. Some is wrapped in cells (clause 2.12.4), which are taken off.

use super::{Mark, Output};
use crate::{DataFormat, Error};
use bytes::Bytes;
use media::{AccessUnit, Codec, TrackId};

/// Longest PES packet of data.
const MAX_DATA: usize = 65_535;

/// Takes units of data out of PES packets.
#[derive(Debug)]
pub(crate) struct Data {
    codec: Codec,
    /// What a unit begins with that is not wrapped, where it may be.
    label: Option<&'static [u8]>,
    data: Vec<u8>,
    mark: Option<Mark>,
    broken: bool,
}

impl Data {
    /// Of that format and codec.
    pub(crate) const fn new(format: DataFormat, codec: Codec) -> Self {
        Self {
            codec,
            label: format.label(),
            data: Vec::new(),
            mark: None,
            broken: false,
        }
    }

    pub(crate) fn codec(&self) -> Codec {
        self.codec.clone()
    }

    pub(crate) fn begin(&mut self, mark: Mark) {
        self.data.clear();
        self.broken = false;
        self.mark = Some(mark);
    }

    pub(crate) fn data(&mut self, bytes: &[u8], out: &mut Output<'_>) {
        if self.data.len().saturating_add(bytes.len()) <= MAX_DATA {
            self.data.extend_from_slice(bytes);
        } else if !std::mem::replace(&mut self.broken, true) {
            out.fault(Error::TooLong {
                limit: MAX_DATA,
                of: "bytes",
            });
        }
    }

    pub(crate) fn lost(&mut self, out: &mut Output<'_>) {
        // Between two units nothing is missing but perhaps a whole one.
        out.counts.damaged_units += u64::from(self.mark.is_some() && !self.broken);
        self.broken = true;
    }

    /// The PES packet is complete.
    pub(crate) fn end(&mut self, out: &mut Output<'_>) {
        let Some(mark) = self.mark.take().filter(|_| !self.broken) else {
            return;
        };
        let data = std::mem::take(&mut self.data);
        match self.label {
            Some(label) if !data.starts_with(label) => {
                let unwrapped = cells(&data, |unit| give(mark, unit, out));
                if let Err(what) = unwrapped {
                    out.fault(Error::Frame(what));
                }
            }
            _ => give(mark, &data, out),
        }
        self.data = data;
    }
}

fn give(mark: Mark, unit: &[u8], out: &mut Output<'_>) {
    let Some(times) = mark.times else {
        out.counts.units_without_time += 1;
        return;
    };
    if unit.is_empty() {
        return;
    }
    out.unit(AccessUnit {
        track: TrackId(0),
        dts: times.pts,
        pts: times.pts,
        random_access: true,
        disposable: false,
        discontinuity: false,
        capture: None,
        payload: Bytes::copy_from_slice(unit),
    });
}

/// Gives what is in metadata cells (clause 2.12.4.2), put together where it takes several.
fn cells(mut data: &[u8], mut give: impl FnMut(&[u8])) -> Result<(), &'static str> {
    const CUT: &str = "metadata cell that is cut off";
    let mut open: Option<Vec<u8>> = None;
    while !data.is_empty() {
        // Service, number, flags, length.
        let ([_, _, flags, high, low], rest) = data.split_first_chunk().ok_or(CUT)?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (cell, rest) = rest.split_at_checked(length).ok_or(CUT)?;
        data = rest;
        match flags >> 6 {
            3 => give(cell),
            2 => open = Some(cell.to_vec()),
            place => {
                let unit = open.as_mut().ok_or("metadata cell without a beginning")?;
                unit.extend_from_slice(cell);
                if place == 1 {
                    give(unit);
                    open = None;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_put_together() {
        let cell = |place: u8, body: &[u8]| {
            let mut cell = vec![0, 7, place << 6 | 0x1f, 0, body.len() as u8];
            cell.extend_from_slice(body);
            cell
        };
        let found = |data: &[u8]| {
            let mut found = Vec::new();
            let read = cells(data, |unit| found.push(unit.to_vec()));
            (found, read)
        };
        let data = [cell(3, b"one"), cell(2, b"t"), cell(0, b"w"), cell(1, b"o")].concat();
        let (units, read) = found(&data);
        assert_eq!(
            (units, read),
            (vec![b"one".to_vec(), b"two".to_vec()], Ok(()))
        );
        for cut in 1..data.len() {
            let (units, read) = found(&data[..cut]);
            assert!(units.len() <= 1 && units.iter().all(|unit| unit == b"one"));
            // Between two cells nothing shows that another was to come.
            assert!(read.is_err() || [8, 14, 20].contains(&cut), "{cut}");
        }
        assert!(found(&cell(1, b"o")).1.is_err());
    }
}
