//! The mill wheel and the water under it: shapes as functions of the phase of the second, without state.

use super::canvas::{Area, Canvas, Colour, WIDTH, edge};
use std::f32::consts::TAU;

/// Centre of the wheel, in samples.
const CENTRE: (f32, f32) = (128.0, 152.0);
/// From the hub to the tips of the paddles.
const RADIUS: f32 = 72.0;
const RIM: f32 = 54.0;
const HUB: f32 = 12.0;
/// Spokes, and paddles at their ends; the wheel turns by one of them in a second, and is then as it was.
const SPOKES: f32 = 6.0;

/// Mean height of the water surface, in lines.
pub(super) const WATER_LINE: f32 = 216.0;
/// How far waves reach up and down.
const WAVE: f32 = 3.5;
/// How far from the wheel the water moves.
const REACH: f32 = 144.0;
/// From crest to crest, which is also what they travel in a second.
const WAVE_LENGTH: f32 = 80.0;

/// Colours of the wheel, the spark that lights its hub at each second, and the water.
pub(super) struct Palette {
    pub(super) wood: Colour,
    pub(super) spark: Colour,
    pub(super) water: Colour,
    pub(super) foam: Colour,
}

/// What a drawing changes: the wheel, and the surface of the water.
pub(super) fn areas() -> [Area; 2] {
    [wheel(), surface()]
}

fn wheel() -> Area {
    let (x, y) = CENTRE;
    let reach = RADIUS + 2.0;
    Area::around(x - reach, y - reach, x + reach, y + reach)
}

fn surface() -> Area {
    let top = WATER_LINE - WAVE - 2.0;
    Area::around(0.0, top, WIDTH as f32, WATER_LINE + WAVE + 4.0)
}

/// The water that the wheel may stand in, and the surface.
fn water() -> Area {
    let top = WATER_LINE - WAVE - 2.0;
    Area::around(0.0, top, WIDTH as f32, CENTRE.1 + RADIUS + 2.0)
}

/// Draws wheel and surface as they are at two phases: parts of the second that is over (0 to 1).
pub(super) fn draw(canvas: &mut Canvas, phase: f32, water_phase: f32, palette: &Palette) {
    let (cx, cy) = CENTRE;
    let turn = phase / SPOKES * TAU;
    let sector = TAU / SPOKES;
    canvas.paint(wheel(), palette.wood, |x, y| {
        let (x, y) = (x - cx, y - cy);
        let radius = x.hypot(y);
        if radius > RADIUS + 1.0 {
            return 0.0;
        }
        // Every sector is the same: measured from its own spoke, which points up in the middle.
        let angle = (x.atan2(-y) - turn + sector / 2.0).rem_euclid(sector) - sector / 2.0;
        let (along, across) = (radius * angle.cos(), (radius * angle.sin()).abs());
        let rings = ((radius - RIM).abs() - 5.0).min((radius - HUB).abs() - 4.0);
        let spoke = (across - 3.5).max(HUB - along).max(along - RIM);
        let paddle = (across - 5.5).max(RIM - 6.0 - along).max(along - RADIUS);
        edge(rings.min(spoke).min(paddle))
    });
    // The spark goes out within a fifth of a second.
    let glow = (1.0 - phase * 5.0).max(0.0);
    let size = HUB - 4.0 + 14.0 * glow * glow;
    canvas.paint(
        wheel(),
        palette.spark.towards(palette.wood, 1.0 - glow.sqrt()),
        |x, y| edge((x - cx).hypot(y - cy) - size),
    );

    // The wheel makes the waves, so they grow small away from it; it stands in the water, not before it.
    let height = |x: f32| {
        let calm = (1.0 - (x - cx).abs() / REACH).max(0.0);
        WATER_LINE + WAVE * calm * ((x / WAVE_LENGTH - water_phase) * TAU).sin()
    };
    canvas.paint(water(), palette.water, |x, y| edge(height(x) - y));
    canvas.paint(surface(), palette.foam, |x, y| {
        edge((y - height(x) - 1.0).abs() - 1.2)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_stay_in_their_areas_and_differ() {
        let [wood, spark, foam] = [0x80_6020, 0xff_ffff, 0x60_a0ff].map(Colour::rgb);
        let water = Colour::rgb(0x20_4080);
        let palette = Palette {
            wood,
            spark,
            water,
            foam,
        };
        let mut before = Canvas::filled(Colour::rgb(0));
        let deep = Area::around(0.0, WATER_LINE, WIDTH as f32, 300.0);
        before.paint(deep, palette.water, |_, _| 1.0);
        let drawn = |phase, water_phase| {
            let mut canvas = before.clone();
            draw(&mut canvas, phase, water_phase, &palette);
            let with = canvas.clone();
            for area in areas() {
                canvas.paste(&before.cut(area));
            }
            assert_eq!(canvas, before);
            with
        };
        assert_ne!(drawn(0.0, 0.0), drawn(1.0 / 30.0, 0.0));
        assert_ne!(drawn(0.5, 0.0), drawn(0.5, 1.0 / 30.0));
    }
}
