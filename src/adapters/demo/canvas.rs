//! A picture of three planes (4:2:0, 8 bits) and the one way to draw on it: a colour through a coverage.
//! Shapes and letters are coverages; this file knows neither.

use std::ops::Range;

/// Luma samples per line.
pub(super) const WIDTH: usize = 640;
/// Lines that are shown.
pub(super) const HEIGHT: usize = 360;
/// Lines that are coded: whole macroblocks.
pub(super) const CODED_HEIGHT: usize = HEIGHT.next_multiple_of(16);

/// One component of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plane {
    /// Samples per line, and so from one line to the next.
    pub(super) width: usize,
    /// The samples, line by line.
    pub(super) samples: Vec<u8>,
}

impl Plane {
    fn new(width: usize, height: usize, value: u8) -> Self {
        Self {
            width,
            samples: vec![value; width * height],
        }
    }

    /// `count` samples of line `y` from `x` on.
    pub(super) fn line(&self, x: usize, y: usize, count: usize) -> &[u8] {
        let at = y * self.width + x;
        &self.samples[at..at + count]
    }

    /// The same, to be changed.
    pub(super) fn line_mut(&mut self, x: usize, y: usize, count: usize) -> &mut [u8] {
        let at = y * self.width + x;
        &mut self.samples[at..at + count]
    }
}

/// Luma and the two chroma planes, of the coded size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Canvas {
    /// Y, Cb, Cr.
    pub(super) planes: [Plane; 3],
}

/// A colour as its Y, Cb and Cr samples (BT.709, limited range).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Colour(pub(super) [f32; 3]);

impl Colour {
    /// From 0xRRGGBB.
    pub(super) fn rgb(rgb: u32) -> Self {
        let part = |shift: u32| (rgb >> shift & 0xff) as f32 / 255.0;
        let (r, g, b) = (part(16), part(8), part(0));
        let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        Self([
            16.0 + 219.0 * y,
            128.0 + 224.0 * (b - y) / 1.8556,
            128.0 + 224.0 * (r - y) / 1.5748,
        ])
    }

    /// `share` (0 to 1) of the way to `other`.
    pub(super) fn towards(self, other: Self, share: f32) -> Self {
        Self(std::array::from_fn(|at| {
            self.0[at] + (other.0[at] - self.0[at]) * share
        }))
    }
}

/// A part of the picture in luma samples; corners are even, so that chroma is cut alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

/// A copy of a part of a picture.
#[derive(Clone, Debug)]
pub(super) struct Patch {
    area: Area,
    /// Plane by plane, line by line.
    samples: Vec<u8>,
}

impl Area {
    /// First sample of a line, the lines, and the samples of a line that the area has in `plane`.
    fn of(self, plane: &Plane) -> (usize, Range<usize>, usize) {
        let part = WIDTH / plane.width;
        let count = (self.right - self.left) / part;
        (self.left / part, self.top / part..self.bottom / part, count)
    }

    /// The smallest even area around a rectangle, cut at the edge of the picture.
    pub(super) fn around(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        let low = |value: f32| value.max(0.0) as usize & !1;
        let high = |value: f32, end: usize| {
            (value.ceil().max(0.0) as usize)
                .next_multiple_of(2)
                .min(end)
        };
        Self {
            left: low(left),
            top: low(top),
            right: high(right, WIDTH),
            bottom: high(bottom, CODED_HEIGHT),
        }
    }
}

impl Canvas {
    /// All of one colour.
    pub(super) fn filled(colour: Colour) -> Self {
        let [y, cb, cr] = colour.0.map(|value| value.round() as u8);
        Self {
            planes: [
                Plane::new(WIDTH, CODED_HEIGHT, y),
                Plane::new(WIDTH / 2, CODED_HEIGHT / 2, cb),
                Plane::new(WIDTH / 2, CODED_HEIGHT / 2, cr),
            ],
        }
    }

    /// Lays `colour` over `area` as far as `coverage` (0 to 1) says for the centre of each luma sample; a
    /// chroma sample takes the mean of its four.
    pub(super) fn paint(&mut self, area: Area, colour: Colour, coverage: impl Fn(f32, f32) -> f32) {
        for y in (area.top..area.bottom).step_by(2) {
            for x in (area.left..area.right).step_by(2) {
                let mut sum = 0.0;
                for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    let (x, y) = (x + dx, y + dy);
                    let share = coverage(x as f32 + 0.5, y as f32 + 0.5);
                    if share > 0.0 {
                        let luma = &mut self.planes[0].samples[y * WIDTH + x];
                        mix(luma, colour.0[0], share);
                        sum += share;
                    }
                }
                if sum > 0.0 {
                    for plane in 1..3 {
                        let chroma = &mut self.planes[plane].samples[y / 2 * (WIDTH / 2) + x / 2];
                        mix(chroma, colour.0[plane], sum / 4.0);
                    }
                }
            }
        }
    }

    /// A copy of what is in `area`.
    pub(super) fn cut(&self, area: Area) -> Patch {
        let samples = self.planes.iter().flat_map(|plane| {
            let (x, lines, count) = area.of(plane);
            lines.flat_map(move |y| plane.line(x, y, count).iter().copied())
        });
        Patch {
            area,
            samples: samples.collect(),
        }
    }

    /// Puts a copy back to where it was cut.
    pub(super) fn paste(&mut self, patch: &Patch) {
        let mut samples = &patch.samples[..];
        for plane in &mut self.planes {
            let (x, lines, count) = patch.area.of(plane);
            for y in lines {
                let (line, rest) = samples.split_at(count);
                plane.line_mut(x, y, count).copy_from_slice(line);
                samples = rest;
            }
        }
    }
}

fn mix(sample: &mut u8, value: f32, share: f32) {
    let old = f32::from(*sample);
    *sample = (old + (value - old) * share.min(1.0)).round() as u8;
}

/// How much of a sample a shape covers whose edge is `distance` samples away, negative inside.
pub(super) fn edge(distance: f32) -> f32 {
    (0.5 - distance).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_the_bars() {
        for (rgb, samples) in [
            (0x00_0000, [16, 128, 128]),
            (0xff_ffff, [235, 128, 128]),
            (0xff_0000, [63, 102, 240]),
            (0x00_00ff, [32, 240, 118]),
        ] {
            assert_eq!(
                Colour::rgb(rgb).0.map(|value| value.round() as i32),
                samples
            );
        }
    }

    #[test]
    fn painting_stays_in_its_area_and_can_be_taken_back() {
        let before = Canvas::filled(Colour::rgb(0x20_2830));
        let mut canvas = before.clone();
        let area = Area::around(630.5, 350.0, 700.0, 400.0);
        let patch = canvas.cut(area);
        canvas.paint(area, Colour::rgb(0xff_ffff), |_, _| 1.0);
        let dark = before.planes[0].samples[0];
        assert_eq!(canvas.planes[0].line(628, 350, 4), [dark, dark, 235, 235]);
        assert_eq!(canvas.planes[0].samples.last(), Some(&235));
        canvas.paste(&patch);
        assert_eq!(canvas, before);
    }
}
