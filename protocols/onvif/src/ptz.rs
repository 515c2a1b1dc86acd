//! The PTZ service (ONVIF PTZ Service Specification): moving a camera, and places that it remembers.
//!
//! Callers give pan and tilt from −1 to 1 and zoom from −1 to 1, or from 0 to 1 where it is a position. [`Ranges`] turns
//! that into what the camera's spaces have, which are not always those of the generic space (section 5.7).

use crate::Error;
use crate::operation::{Operation, missing};
use crate::service::{Service, Services};
use crate::xml::{Element, escape};
use std::time::Duration;

/// Most presets that are looked at.
pub const MAX_PRESETS: usize = 1_024;

/// Pan, tilt and zoom.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vector {
    /// To the right.
    pub pan: f64,
    /// Upwards.
    pub tilt: f64,
    /// Closer.
    pub zoom: f64,
}

impl Vector {
    fn is_still(self) -> bool {
        self == Self::default()
    }
}

/// How a camera is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// By so much (section 5.3.2).
    Relative,
    /// So fast, until it is stopped (section 5.3.3).
    Continuous,
    /// To a place (section 5.3.1).
    Absolute,
}

/// The ends of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    min: f64,
    max: f64,
}

impl Range {
    fn read(element: Option<&Element>) -> Option<Self> {
        let element = element?;
        let end = |name| {
            let value = element.value_at::<f64>(&[name]);
            value.filter(|value| value.is_finite())
        };
        let (min, max) = (end("Min")?, end("Max")?);
        (min < max).then_some(Self { min, max })
    }

    /// What lies at `value` from −1 to 1. A speed or a way of 0 is one whatever the ends are.
    fn at(self, value: f64, motion: Motion) -> f64 {
        let value = bounded(value, -1.0);
        let Self { min, max } = self;
        match motion {
            Motion::Absolute => {
                // The way from one end to the other may be more than a number can be.
                let part = (value + 1.0) / 2.0;
                min * (1.0 - part) + max * part
            }
            _ if value >= 0.0 => value * max.max(0.0),
            _ => value * min.min(0.0).abs(),
        }
    }
}

fn bounded(value: f64, least: f64) -> f64 {
    if value.is_finite() {
        value.clamp(least, 1.0)
    } else {
        0.0
    }
}

/// A space that a camera moves in.
#[derive(Clone, Debug, Default, PartialEq)]
struct Space {
    /// Named only where there are several: the others are known to the camera.
    uri: Option<String>,
    ranges: Vec<Range>,
}

impl Space {
    /// Of those of a name the generic one, or the first.
    fn read(spaces: &Element, name: &str, axes: &[&str]) -> Option<Self> {
        let uri = |space: &Element| space.text_at(&["URI"]).unwrap_or_default().to_owned();
        let is_generic = |space: &&Element| uri(space).contains("Generic");
        let chosen = spaces.all(name).find(is_generic);
        let chosen = chosen.or_else(|| spaces.child(name))?;
        let several = spaces.all(name).nth(1).is_some();
        Some(Self {
            uri: Some(uri(chosen)).filter(|uri| several && !uri.is_empty()),
            ranges: axes
                .iter()
                .filter_map(|axis| Range::read(chosen.child(axis)))
                .collect(),
        })
    }

    fn attribute(&self) -> String {
        let uri = self.uri.as_deref().map(escape);
        uri.map_or_else(String::new, |uri| format!(" space=\"{uri}\""))
    }

    fn at(&self, axis: usize, value: f64, motion: Motion) -> f64 {
        let unit = Range {
            min: -1.0,
            max: 1.0,
        };
        let range = self.ranges.get(axis).copied();
        range.unwrap_or(unit).at(value, motion)
    }
}

/// What a camera can do, by kind of motion.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranges {
    /// Pan and tilt, and zoom, of relative, continuous and absolute motion.
    spaces: [(Option<Space>, Option<Space>); 3],
}

impl Ranges {
    const fn place(motion: Motion) -> usize {
        match motion {
            Motion::Relative => 0,
            Motion::Continuous => 1,
            Motion::Absolute => 2,
        }
    }

    fn of(&self, motion: Motion) -> (Option<&Space>, Option<&Space>) {
        let found = self.spaces.get(Self::place(motion));
        found.map_or((None, None), |(pan_tilt, zoom)| {
            (pan_tilt.as_ref(), zoom.as_ref())
        })
    }

    /// Whether the camera has said anything of itself.
    pub fn is_known(&self) -> bool {
        self.spaces
            .iter()
            .any(|(pan_tilt, zoom)| pan_tilt.is_some() || zoom.is_some())
    }

    /// Whether it can be moved so; one that says nothing is believed to.
    pub fn allows(&self, motion: Motion) -> bool {
        let (pan_tilt, zoom) = self.of(motion);
        pan_tilt.is_some() || zoom.is_some() || !self.is_known()
    }

    fn write(&self, motion: Motion, vector: Vector) -> String {
        let unit = Space::default();
        let (pan_tilt, zoom) = match self.of(motion) {
            (None, None) => (Some(&unit), (vector.zoom != 0.0).then_some(&unit)),
            found => found,
        };
        // A position is told on all axes; of speeds and ways those that are none may be left out.
        let all = motion == Motion::Absolute || vector.is_still();
        let mut out = String::new();
        if let Some(space) = pan_tilt
            && (all || vector.pan != 0.0 || vector.tilt != 0.0 || zoom.is_none())
        {
            let (x, y) = (
                space.at(0, vector.pan, motion),
                space.at(1, vector.tilt, motion),
            );
            let space = space.attribute();
            out += &format!("<tt:PanTilt x=\"{x}\" y=\"{y}\"{space}/>");
        }
        if let Some(space) = zoom
            && (all || vector.zoom != 0.0)
        {
            // A position is from 0 to 1.
            let value = match motion {
                Motion::Absolute => 2.0 * bounded(vector.zoom, 0.0) - 1.0,
                _ => vector.zoom,
            };
            let range = space.ranges.first().copied();
            let range = range.unwrap_or(Range {
                min: if motion == Motion::Absolute {
                    0.0
                } else {
                    -1.0
                },
                max: 1.0,
            });
            let x = range.at(value, motion);
            out += &format!("<tt:Zoom x=\"{x}\"{}/>", space.attribute());
        }
        out
    }
}

/// What the spaces of a configuration are (section 5.2.4).
#[derive(Clone, Debug)]
pub struct GetConfigurationOptions {
    /// The configuration's token.
    pub configuration: String,
}

impl Operation for GetConfigurationOptions {
    type Answer = Ranges;

    fn service(&self, _: &Services) -> Service {
        Service::Ptz
    }

    fn name(&self) -> &'static str {
        "GetConfigurationOptions"
    }

    fn parameters(&self, _: &Services) -> String {
        let token = escape(&self.configuration);
        format!("<ConfigurationToken>{token}</ConfigurationToken>")
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<Ranges, Error> {
        let spaces = answer.at(&["PTZConfigurationOptions", "Spaces"]);
        let Some(spaces) = spaces else {
            return Ok(Ranges::default());
        };
        let pair = |pan_tilt: &str, zoom: &str| {
            (
                Space::read(spaces, pan_tilt, &["XRange", "YRange"]),
                Space::read(spaces, zoom, &["XRange"]),
            )
        };
        Ok(Ranges {
            spaces: [
                pair(
                    "RelativePanTiltTranslationSpace",
                    "RelativeZoomTranslationSpace",
                ),
                pair(
                    "ContinuousPanTiltVelocitySpace",
                    "ContinuousZoomVelocitySpace",
                ),
                pair("AbsolutePanTiltPositionSpace", "AbsoluteZoomPositionSpace"),
            ],
        })
    }
}

/// Moves the camera.
#[derive(Clone, Debug)]
pub struct Move {
    /// The profile's token.
    pub profile: String,
    /// How.
    pub motion: Motion,
    /// How far, how fast or where to.
    pub vector: Vector,
    /// What the camera can do.
    pub ranges: Ranges,
    /// A continuous motion ends by itself after this; not all cameras heed it.
    pub timeout: Duration,
}

impl Operation for Move {
    type Answer = ();

    fn service(&self, _: &Services) -> Service {
        Service::Ptz
    }

    fn name(&self) -> &'static str {
        match self.motion {
            Motion::Relative => "RelativeMove",
            Motion::Continuous => "ContinuousMove",
            Motion::Absolute => "AbsoluteMove",
        }
    }

    fn parameters(&self, _: &Services) -> String {
        let token = escape(&self.profile);
        let name = match self.motion {
            Motion::Relative => "Translation",
            Motion::Continuous => "Velocity",
            Motion::Absolute => "Position",
        };
        let vector = self.ranges.write(self.motion, self.vector);
        let timeout = match (self.motion, self.vector.is_still()) {
            (Motion::Continuous, false) => {
                format!("<Timeout>PT{}S</Timeout>", self.timeout.as_secs().max(1))
            }
            _ => String::new(),
        };
        format!("<ProfileToken>{token}</ProfileToken><{name}>{vector}</{name}>{timeout}")
    }

    fn read(&self, _: &Element, _: &Services) -> Result<(), Error> {
        Ok(())
    }
}

/// What is asked of the PTZ service by a profile, and answered with nothing.
#[derive(Clone, Debug)]
pub struct Command {
    /// The profile's token.
    pub profile: String,
    /// What is to be done.
    pub action: Action,
}

/// What a [`Command`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ends all motion (section 5.3.5).
    Stop,
    /// Goes to the preset of that token (section 5.4.3).
    GotoPreset(String),
    /// Forgets it (section 5.4.4).
    RemovePreset(String),
    /// Goes home (section 5.5.1).
    GotoHome,
    /// Is at home now (section 5.5.2).
    SetHome,
}

impl Operation for Command {
    type Answer = ();

    fn service(&self, _: &Services) -> Service {
        Service::Ptz
    }

    fn name(&self) -> &'static str {
        match self.action {
            Action::Stop => "Stop",
            Action::GotoPreset(_) => "GotoPreset",
            Action::RemovePreset(_) => "RemovePreset",
            Action::GotoHome => "GotoHomePosition",
            Action::SetHome => "SetHomePosition",
        }
    }

    fn parameters(&self, _: &Services) -> String {
        let mut out = format!("<ProfileToken>{}</ProfileToken>", escape(&self.profile));
        match &self.action {
            // Some cameras do nothing without both.
            Action::Stop => out += "<PanTilt>true</PanTilt><Zoom>true</Zoom>",
            Action::GotoPreset(token) | Action::RemovePreset(token) => {
                out += &format!("<PresetToken>{}</PresetToken>", escape(token));
            }
            Action::GotoHome | Action::SetHome => {}
        }
        out
    }

    fn read(&self, _: &Element, _: &Services) -> Result<(), Error> {
        Ok(())
    }
}

/// A place that the camera remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preset {
    /// What the camera knows it by.
    pub token: String,
    /// For people.
    pub name: String,
}

/// The places that it remembers (section 5.4.1).
#[derive(Clone, Debug)]
pub struct GetPresets {
    /// The profile's token.
    pub profile: String,
}

impl Operation for GetPresets {
    type Answer = Vec<Preset>;

    fn service(&self, _: &Services) -> Service {
        Service::Ptz
    }

    fn name(&self) -> &'static str {
        "GetPresets"
    }

    fn parameters(&self, _: &Services) -> String {
        format!("<ProfileToken>{}</ProfileToken>", escape(&self.profile))
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<Self::Answer, Error> {
        let preset = |element: &Element| {
            Some(Preset {
                token: element.attribute("token")?.to_owned(),
                name: element.text_at(&["Name"]).unwrap_or_default().to_owned(),
            })
        };
        let all = answer.all("Preset").take(MAX_PRESETS);
        Ok(all.filter_map(preset).collect())
    }
}

/// Remembers where the camera looks now (section 5.4.2).
#[derive(Clone, Debug)]
pub struct SetPreset {
    /// The profile's token.
    pub profile: String,
    /// For people.
    pub name: String,
    /// The one that it replaces.
    pub token: Option<String>,
}

impl Operation for SetPreset {
    /// The token of it.
    type Answer = String;

    fn service(&self, _: &Services) -> Service {
        Service::Ptz
    }

    fn name(&self) -> &'static str {
        "SetPreset"
    }

    fn parameters(&self, _: &Services) -> String {
        let token = self.token.as_deref().map(escape);
        let token = token.map_or_else(String::new, |token| {
            format!("<PresetToken>{token}</PresetToken>")
        });
        let (profile, name) = (escape(&self.profile), escape(&self.name));
        format!("<ProfileToken>{profile}</ProfileToken><PresetName>{name}</PresetName>{token}")
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<String, Error> {
        let token = answer.text_at(&["PresetToken"]).map(str::to_owned);
        let token = token.or_else(|| self.token.clone());
        token.ok_or_else(|| missing(self.name(), "a token"))
    }
}

/// Where the camera looks (section 5.3.4).
#[derive(Clone, Debug)]
pub struct GetStatus {
    /// The profile's token.
    pub profile: String,
}

/// Where a camera looks, in its own units, and whether it moves; none where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Status {
    /// To the right.
    pub pan: Option<f64>,
    /// Upwards.
    pub tilt: Option<f64>,
    /// Closer.
    pub zoom: Option<f64>,
    /// Whether any axis moves.
    pub moving: Option<bool>,
}

impl Operation for GetStatus {
    type Answer = Status;

    fn service(&self, _: &Services) -> Service {
        Service::Ptz
    }

    fn name(&self) -> &'static str {
        "GetStatus"
    }

    fn parameters(&self, _: &Services) -> String {
        format!("<ProfileToken>{}</ProfileToken>", escape(&self.profile))
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<Status, Error> {
        let number = |place: &str, axis: &str| {
            let element = answer.at(&["PTZStatus", "Position", place])?;
            let value: f64 = element.attribute(axis)?.trim().parse().ok()?;
            value.is_finite().then_some(value)
        };
        let moving = |axis: &str| {
            let text = answer.text_at(&["PTZStatus", "MoveStatus", axis])?;
            match text.to_ascii_uppercase().as_str() {
                "MOVING" => Some(true),
                "IDLE" => Some(false),
                _ => None,
            }
        };
        let moving = match (moving("PanTilt"), moving("Zoom")) {
            (None, None) => None,
            (one, other) => Some(one == Some(true) || other == Some(true)),
        };
        Ok(Status {
            pan: number("PanTilt", "x"),
            tilt: number("PanTilt", "y"),
            zoom: number("Zoom", "x"),
            moving,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(name: &str, uri: &str, ranges: &[(f64, f64)]) -> String {
        let axes = ["XRange", "YRange"].iter().zip(ranges);
        let axes = axes
            .map(|(axis, (min, max))| format!("<{axis}><Min>{min}</Min><Max>{max}</Max></{axis}>"));
        format!(
            "<{name}><URI>{uri}</URI>{}</{name}>",
            axes.collect::<String>()
        )
    }

    fn ranges(spaces: &[String]) -> Ranges {
        let text = format!(
            "<R><PTZConfigurationOptions><Spaces>{}</Spaces></PTZConfigurationOptions></R>",
            spaces.concat()
        );
        let ask = GetConfigurationOptions {
            configuration: "p".to_owned(),
        };
        ask.read(&Element::parse(&text).unwrap(), &Services::default())
            .unwrap()
    }

    fn vector(pan: f64, tilt: f64, zoom: f64) -> Vector {
        Vector { pan, tilt, zoom }
    }

    #[test]
    fn values_are_those_of_the_camera() {
        let odd = ranges(&[
            space(
                "ContinuousPanTiltVelocitySpace",
                "Generic",
                &[(-100.0, 100.0), (-50.0, 100.0)],
            ),
            space("ContinuousZoomVelocitySpace", "Generic", &[(-7.0, 7.0)]),
            space(
                "AbsolutePanTiltPositionSpace",
                "Generic",
                &[(-180.0, 180.0), (-90.0, 0.0)],
            ),
            space("AbsoluteZoomPositionSpace", "Generic", &[(1.0, 3.0)]),
        ]);
        let cases = [
            (
                Motion::Continuous,
                vector(0.5, -1.0, 0.0),
                "<tt:PanTilt x=\"50\" y=\"-50\"/>",
            ),
            (
                Motion::Continuous,
                vector(0.0, 0.0, -1.0),
                "<tt:Zoom x=\"-7\"/>",
            ),
            (
                Motion::Continuous,
                vector(0.0, 0.0, 0.0),
                "<tt:PanTilt x=\"0\" y=\"0\"/><tt:Zoom x=\"0\"/>",
            ),
            (
                Motion::Absolute,
                vector(-1.0, 1.0, 0.5),
                "<tt:PanTilt x=\"-180\" y=\"0\"/><tt:Zoom x=\"2\"/>",
            ),
            (
                Motion::Absolute,
                vector(9.0, f64::NAN, -4.0),
                "<tt:PanTilt x=\"180\" y=\"-45\"/><tt:Zoom x=\"1\"/>",
            ),
        ];
        for (motion, vector, text) in cases {
            assert_eq!(odd.write(motion, vector), text);
        }
        assert!(odd.allows(Motion::Absolute) && !odd.allows(Motion::Relative));
    }

    #[test]
    fn ends_that_are_far_apart_have_a_middle() {
        let ends = [(-f64::MAX, f64::MAX), (-1.0, f64::MAX)];
        let far = ranges(&[space("AbsolutePanTiltPositionSpace", "Generic", &ends)]);
        let text = far.write(Motion::Absolute, vector(0.0, -1.0, 0.0));
        assert_eq!(text, "<tt:PanTilt x=\"0\" y=\"-1\"/>");
    }

    #[test]
    fn a_camera_that_says_nothing_is_believed_to_be_an_ordinary_one() {
        let none = ranges(&[]);
        assert!(none.allows(Motion::Relative) && !none.is_known());
        let text = none.write(Motion::Relative, vector(0.1, 0.0, 0.0));
        assert_eq!(text, "<tt:PanTilt x=\"0.1\" y=\"0\"/>");
        let text = none.write(Motion::Absolute, vector(0.0, 0.0, 1.0));
        assert_eq!(text, "<tt:PanTilt x=\"0\" y=\"0\"/><tt:Zoom x=\"1\"/>");
    }

    #[test]
    fn the_generic_space_comes_before_that_of_the_view() {
        let name = "RelativePanTiltTranslationSpace";
        let both = ranges(&[
            space(
                name,
                "http://x/TranslationSpaceFov",
                &[(-1.0, 1.0), (-1.0, 1.0)],
            ),
            space(
                name,
                "http://x/TranslationGenericSpace",
                &[(-2.0, 2.0), (-2.0, 2.0)],
            ),
        ]);
        assert_eq!(
            both.write(Motion::Relative, vector(1.0, 0.0, 1.0)),
            "<tt:PanTilt x=\"2\" y=\"0\" space=\"http://x/TranslationGenericSpace\"/>"
        );
    }

    #[test]
    fn commands() {
        let mut request = Move {
            profile: "a".to_owned(),
            motion: Motion::Continuous,
            vector: vector(1.0, 0.0, 0.0),
            ranges: Ranges::default(),
            timeout: Duration::from_millis(300),
        };
        let none = Services::default();
        assert!(
            request
                .parameters(&none)
                .ends_with("</Velocity><Timeout>PT1S</Timeout>")
        );
        request.vector = Vector::default();
        assert!(request.parameters(&none).ends_with("</Velocity>"));
        let stop = Command {
            profile: "a".to_owned(),
            action: Action::Stop,
        };
        let all = "<ProfileToken>a</ProfileToken><PanTilt>true</PanTilt><Zoom>true</Zoom>";
        assert_eq!(stop.parameters(&none), all);
    }

    #[test]
    fn status_of_a_camera_that_moves() {
        let text = "<R><PTZStatus><Position><PanTilt x='0.5' y='-1' space='s'/><Zoom x='nan'/></Position>\
            <MoveStatus><PanTilt>MOVING</PanTilt><Zoom>UNKNOWN</Zoom></MoveStatus></PTZStatus></R>";
        let ask = GetStatus {
            profile: "a".to_owned(),
        };
        let status = ask.read(&Element::parse(text).unwrap(), &Services::default());
        let expected = Status {
            pan: Some(0.5),
            tilt: Some(-1.0),
            zoom: None,
            moving: Some(true),
        };
        assert_eq!(status, Ok(expected));
    }
}
