//! The demo picture: a mill wheel in its stream, the name, the time of day, colour bars, and a mark that
//! crosses the picture once a second. Everything but the text repeats each second.

use super::canvas::{Area, CODED_HEIGHT, Canvas, Colour, Patch, WIDTH, edge};
use super::font::Face;
use super::h264::FRAME_RATE;
use super::wheel::{self, Palette};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Top left of the texts that change.
const CLOCK: (usize, usize) = (256, 112);
const DATE: (usize, usize) = (257, 168);
/// The bars, in lines, and their colours: those of a test card, a little subdued.
const BARS: (f32, f32) = (264.0, 312.0);
const BAR_COLOURS: [u32; 8] = [
    0xc9_ced6, 0xc8_b45a, 0x4f_b3b8, 0x58_a866, 0xa0_68a8, 0xb8_5a55, 0x46_66b0, 0x1d_232c,
];
/// The middle of the sweep's track, in lines.
const TRACK: f32 = 336.0;
/// Radius of the mark that runs on it.
const MARK: f32 = 6.0;

/// Draws one picture after the other.
pub(super) struct Picture {
    canvas: Canvas,
    /// Wheel and water by picture of the second, drawn when first wanted.
    wheels: Vec<Option<[Patch; 2]>>,
    /// What stands still behind wheel and water.
    below_wheel: [Patch; 2],
    palette: Palette,
    ground: Colour,
    bright: Colour,
    soft: Colour,
    large: Face,
    small: Face,
    clock: Label,
    date: Label,
    /// What stands still below the last picture's mark.
    below_mark: Option<Patch>,
}

impl Picture {
    pub(super) fn new() -> Self {
        let night = Colour::rgb(0x11_1823);
        let bright = Colour::rgb(0xf2_f5f9);
        let soft = Colour::rgb(0x9f_b0c4);
        let palette = Palette {
            wood: Colour::rgb(0xd9_9a4e),
            spark: Colour::rgb(0xff_f4d0),
            water: Colour::rgb(0x1f_6f9c),
            foam: Colour::rgb(0x9a_d8ee),
        };
        let small = Face::new(14, 1.9, "0123456789:.-/ ABCDEFGHIKLMNOPRSTUXZ");
        let mut canvas = Canvas::filled(night);

        let whole = |top: f32, bottom: f32| Area::around(0.0, top, WIDTH as f32, bottom);
        let height = CODED_HEIGHT as f32;
        let deep = whole(wheel::WATER_LINE, BARS.0);
        canvas.paint(deep, palette.water, |_, y| edge(wheel::WATER_LINE - y));
        for (at, rgb) in BAR_COLOURS.into_iter().enumerate() {
            let width = WIDTH as f32 / BAR_COLOURS.len() as f32;
            let left = at as f32 * width;
            let bar = Area::around(left, BARS.0, left + width, BARS.1);
            canvas.paint(bar, Colour::rgb(rgb), |_, _| 1.0);
        }
        let track = Colour::rgb(0x3a_4656);
        canvas.paint(whole(BARS.1, height), track, |_, y| {
            edge((y - TRACK).abs() - 1.0)
        });

        let name = Face::new(38, 6.0, "MILLSTREAM");
        name.write(&mut canvas, (258, 42), "MILLSTREAM", bright);
        Self {
            below_wheel: wheel::areas().map(|area| canvas.cut(area)),
            canvas,
            wheels: vec![None; FRAME_RATE as usize],
            palette,
            ground: night,
            bright,
            soft,
            large: Face::new(36, 4.2, "0123456789:."),
            small,
            clock: Label::at(CLOCK),
            date: Label::at(DATE),
            below_mark: None,
        }
    }

    /// The picture as it is; before the first `draw`, what stands still.
    pub(super) fn canvas(&self) -> &Canvas {
        &self.canvas
    }

    /// The picture number `number` of the stream, shown at `wall`.
    pub(super) fn draw(&mut self, number: u64, wall: SystemTime) -> &Canvas {
        if let Some(patch) = self.below_mark.take() {
            self.canvas.paste(&patch);
        }
        let of_second = (number % u64::from(FRAME_RATE)) as usize;
        let phase = of_second as f32 / FRAME_RATE as f32;
        self.draw_wheel(of_second);

        let at = phase * WIDTH as f32;
        let mark = Area::around(
            at - MARK - 1.0,
            TRACK - MARK - 1.0,
            at + MARK + 1.0,
            TRACK + MARK + 1.0,
        );
        self.below_mark = Some(self.canvas.cut(mark));
        self.canvas.paint(mark, self.palette.foam, |x, y| {
            edge((x - at).hypot(y - TRACK) - MARK)
        });

        let (date, clock) = texts(wall);
        let date = format!("{date} UTC  FRAME {:06}", number % 1_000_000);
        self.clock.show(
            &mut self.canvas,
            &self.large,
            clock,
            [self.bright, self.ground],
        );
        self.date.show(
            &mut self.canvas,
            &self.small,
            date,
            [self.soft, self.ground],
        );
        &self.canvas
    }

    fn draw_wheel(&mut self, of_second: usize) {
        let Self {
            canvas,
            wheels,
            below_wheel,
            palette,
            ..
        } = self;
        let patches = wheels[of_second].get_or_insert_with(|| {
            for patch in below_wheel {
                canvas.paste(patch);
            }
            // The wheel moves in the even pictures and the water in the odd ones, which halves the bits.
            let phase = |of_second: usize| of_second as f32 / FRAME_RATE as f32;
            let water = (of_second + FRAME_RATE as usize - 1) | 1;
            wheel::draw(canvas, phase(of_second & !1), phase(water).fract(), palette);
            wheel::areas().map(|area| canvas.cut(area))
        });
        for patch in patches {
            canvas.paste(patch);
        }
    }
}

/// A text that changes, mostly at its end.
struct Label {
    place: (usize, usize),
    text: String,
}

impl Label {
    const fn at(place: (usize, usize)) -> Self {
        Self {
            place,
            text: String::new(),
        }
    }

    /// Writes `text` in the place of what was shown, on a ground of one colour. All texts of a label have
    /// the same width.
    fn show(&mut self, canvas: &mut Canvas, face: &Face, text: String, [ink, ground]: [Colour; 2]) {
        // What both begin with stands; letters are apart, so that the rest can be wiped out alone.
        let same = text
            .chars()
            .zip(self.text.chars())
            .take_while(|(new, old)| new == old)
            .count();
        let (kept, rest) = text.split_at(same);
        let place = (self.place.0 + face.width(kept), self.place.1);
        canvas.paint(face.area(place, rest), ground, |_, _| 1.0);
        face.write(canvas, place, rest, ink);
        self.text = text;
    }
}

/// The date and the time of day in UTC.
fn texts(wall: SystemTime) -> (String, String) {
    let since = wall.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = since.as_secs();
    let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
    let clock = format!(
        "{hours:02}:{minutes:02}:{:02}.{:03}",
        seconds % 60,
        since.subsec_millis()
    );
    let (year, month, day) = date(seconds / 86_400);
    (format!("{year:04}-{month:02}-{day:02}"), clock)
}

/// Year, month and day of a day counted from 1 January 1970, in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from 1 March of the year 0, so that the leap day ends a year, and 400 years an era.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_in_utc() {
        for (seconds, millis, expected) in [
            (0, 0, ("1970-01-01", "00:00:00.000")),
            (951_782_399, 999, ("2000-02-28", "23:59:59.999")),
            (951_782_400, 33, ("2000-02-29", "00:00:00.033")),
            (951_868_800, 0, ("2000-03-01", "00:00:00.000")),
            (1_767_225_599, 5, ("2025-12-31", "23:59:59.005")),
            (4_107_542_400, 0, ("2100-03-01", "00:00:00.000")),
        ] {
            let (date, clock) = texts(UNIX_EPOCH + Duration::new(seconds, millis * 1_000_000));
            assert_eq!((date.as_str(), clock.as_str()), expected);
        }
        assert_eq!(texts(UNIX_EPOCH - Duration::from_secs(1)).1, "00:00:00.000");
    }

    #[test]
    fn texts_that_replace_others_leave_nothing_of_them() {
        let second = Duration::from_secs(1);
        let mut used = Picture::new();
        for (number, at) in [
            (0, 0),
            (9, 59),
            (99_999, 951_782_399),
            (7, 3_599),
            (8, 3_599),
        ] {
            let wall = UNIX_EPOCH + second * at;
            let fresh = Picture::new().draw(number, wall).clone();
            assert!(*used.draw(number, wall) == fresh, "{number} at {wall:?}");
        }
    }
}
