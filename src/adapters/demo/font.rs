//! A small typeface: every letter is a few strokes of one width with round ends (see
//! [`letters`](super::letters)), drawn once per size with smooth edges. There is no kerning and no line
//! breaking here.

use super::canvas::{Area, Canvas, Colour, edge};
use super::letters::Stroke::{self, Curve, Line, Ring};
use super::letters::letter;
use std::collections::BTreeMap;

/// Space between letters, in units of the grid.
const GAP: f32 = 1.9;

/// A letter at a size, as coverage.
struct Mask {
    advance: usize,
    width: usize,
    coverage: Vec<u8>,
}

/// The typeface at one size, its letters drawn once.
pub(super) struct Face {
    /// Height of a capital, in samples, and the margin around masks for the width of the stroke.
    height: usize,
    margin: usize,
    masks: BTreeMap<char, Mask>,
}

impl Face {
    /// Capitals `height` samples high in strokes of `weight` samples, for the letters of `alphabet`.
    pub(super) fn new(height: usize, weight: f32, alphabet: &str) -> Self {
        let margin = (weight / 2.0).ceil() as usize + 1;
        let unit = height as f32 / 6.0;
        let mask = |name: char| {
            let (width, strokes) = letter(name);
            let lines: Vec<Vec<(f32, f32)>> = strokes.iter().map(Stroke::points).collect();
            let columns = (width * unit).ceil() as usize + 2 * margin;
            let distance = |x: f32, y: f32| {
                let segments = lines.iter().flat_map(|line| line.windows(2));
                segments.fold(f32::INFINITY, |least, ends| {
                    least.min(to_segment((x, y), ends[0], ends[1]))
                })
            };
            let coverage = (0..(height + 2 * margin) * columns).map(|at| {
                let (x, y) = (at % columns, at / columns);
                let on_grid = |at: usize| (at as f32 + 0.5 - margin as f32) / unit;
                let share = edge(distance(on_grid(x), on_grid(y)) * unit - weight / 2.0);
                (share * 255.0).round() as u8
            });
            Mask {
                advance: ((width + GAP) * unit).round() as usize,
                width: columns,
                coverage: coverage.collect(),
            }
        };
        Self {
            height,
            margin,
            masks: alphabet.chars().map(|name| (name, mask(name))).collect(),
        }
    }

    /// The samples from the start of `text` to the start of what would follow it.
    pub(super) fn width(&self, text: &str) -> usize {
        text.chars()
            .filter_map(|name| self.masks.get(&name))
            .map(|mask| mask.advance)
            .sum()
    }

    /// Writes `text` with the top left of its first letter at (`x`, `y`), which leave room for the margin.
    pub(super) fn write(
        &self,
        canvas: &mut Canvas,
        (x, y): (usize, usize),
        text: &str,
        colour: Colour,
    ) {
        let (mut left, top) = (x - self.margin, y - self.margin);
        for mask in text.chars().filter_map(|name| self.masks.get(&name)) {
            let bottom = top + self.height + 2 * self.margin;
            let area = Area::around(
                left as f32,
                top as f32,
                (left + mask.width) as f32,
                bottom as f32,
            );
            canvas.paint(area, colour, |x, y| {
                let (Some(x), Some(y)) = (
                    (x as usize).checked_sub(left),
                    (y as usize).checked_sub(top),
                ) else {
                    return 0.0;
                };
                if x >= mask.width {
                    return 0.0;
                }
                mask.coverage
                    .get(y * mask.width + x)
                    .map_or(0.0, |share| f32::from(*share) / 255.0)
            });
            left += mask.advance;
        }
    }

    /// What `write` at the same place may change.
    pub(super) fn area(&self, (x, y): (usize, usize), text: &str) -> Area {
        let (left, top) = ((x - self.margin) as f32, (y - self.margin) as f32);
        let right = x + self.width(text) + self.margin;
        Area::around(
            left,
            top,
            right as f32,
            (y + self.height + self.margin) as f32,
        )
    }
}

impl Stroke {
    /// The stroke as straight pieces.
    fn points(&self) -> Vec<(f32, f32)> {
        let (control, closed) = match self {
            Line(points) => return points.to_vec(),
            Curve(points) => (points, false),
            Ring(points) => (points, true),
        };
        // Cutting the corners off again and again leads to the spline (Chaikin).
        let mut points = control.to_vec();
        for _ in 0..4 {
            let mut finer = Vec::with_capacity(points.len() * 2 + 2);
            let next = points.iter().skip(1).chain(closed.then(|| &points[0]));
            for (a, b) in points.iter().zip(next) {
                finer.push((0.75 * a.0 + 0.25 * b.0, 0.75 * a.1 + 0.25 * b.1));
                finer.push((0.25 * a.0 + 0.75 * b.0, 0.25 * a.1 + 0.75 * b.1));
            }
            if let (false, [first, .., last]) = (closed, control) {
                finer.insert(0, *first);
                finer.push(*last);
            }
            points = finer;
        }
        if closed {
            points.push(points[0]);
        }
        points
    }
}

fn to_segment((x, y): (f32, f32), a: (f32, f32), b: (f32, f32)) -> f32 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 {
        ((x - a.0) * dx + (y - a.1) * dy) / length
    } else {
        0.0
    };
    let along = along.clamp(0.0, 1.0);
    (x - a.0 - along * dx).hypot(y - a.1 - along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_equally_wide_and_all_different() {
        let face = Face::new(24, 3.0, "0123456789");
        assert_eq!(face.masks.len(), 10);
        let masks: Vec<&Mask> = face.masks.values().collect();
        for (at, mask) in masks.iter().enumerate() {
            assert_eq!(mask.advance, masks[0].advance);
            assert!(
                masks[..at]
                    .iter()
                    .all(|other| other.coverage != mask.coverage)
            );
            assert!(mask.coverage.contains(&255) && mask.coverage.contains(&0));
        }
    }

    #[test]
    fn writing_stays_in_the_area_it_names() {
        let face = Face::new(20, 2.5, "MILSTREA ");
        let before = Canvas::filled(Colour::rgb(0));
        let mut canvas = before.clone();
        let patch = before.cut(face.area((33, 41), "MILL STREAM"));
        face.write(&mut canvas, (33, 41), "MILL STREAM", Colour::rgb(0xff_ffff));
        assert_ne!(canvas, before);
        canvas.paste(&patch);
        assert_eq!(canvas, before);
    }
}
