//! The imaging service (ONVIF Imaging Service Specification): how a lens sees.

use crate::Error;
use crate::operation::Operation;
use crate::service::{Service, Services};
use crate::xml::{Element, escape};

/// Settings of a lens; none where the camera does not have it, or it is not to be changed. Numbers are of the
/// camera's own scales, words those of the standard: `AUTO`, `MANUAL`, `ON`, `OFF`.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the names of the standard (section 5.1.1)")]
pub struct Settings {
    pub brightness: Option<f64>,
    pub color_saturation: Option<f64>,
    pub contrast: Option<f64>,
    pub sharpness: Option<f64>,
    pub backlight_compensation: Option<String>,
    pub exposure_mode: Option<String>,
    pub focus_mode: Option<String>,
    pub ir_cut_filter: Option<String>,
    pub white_balance_mode: Option<String>,
    pub wide_dynamic_range: Option<String>,
}

/// The settings of a lens (section 5.2.1).
#[derive(Clone, Debug)]
pub struct GetImagingSettings {
    /// The token of the video source.
    pub source: String,
}

impl Operation for GetImagingSettings {
    type Answer = Settings;

    fn service(&self, _: &Services) -> Service {
        Service::Imaging
    }

    fn name(&self) -> &'static str {
        "GetImagingSettings"
    }

    fn parameters(&self, _: &Services) -> String {
        format!(
            "<VideoSourceToken>{}</VideoSourceToken>",
            escape(&self.source)
        )
    }

    fn read(&self, answer: &Element, _: &Services) -> Result<Settings, Error> {
        let number = |name: &str| {
            let value = answer.value_at::<f64>(&["ImagingSettings", name]);
            value.filter(|value| value.is_finite())
        };
        let word = |path: &[&str]| {
            let settings = answer.child("ImagingSettings")?;
            settings.text_at(path).map(str::to_owned)
        };
        Ok(Settings {
            brightness: number("Brightness"),
            color_saturation: number("ColorSaturation"),
            contrast: number("Contrast"),
            sharpness: number("Sharpness"),
            backlight_compensation: word(&["BacklightCompensation", "Mode"]),
            exposure_mode: word(&["Exposure", "Mode"]),
            focus_mode: word(&["Focus", "AutoFocusMode"]),
            ir_cut_filter: word(&["IrCutFilter"]),
            white_balance_mode: word(&["WhiteBalance", "Mode"]),
            wide_dynamic_range: word(&["WideDynamicRange", "Mode"]),
        })
    }
}

/// Changes those that are given (section 5.2.2).
#[derive(Clone, Debug)]
pub struct SetImagingSettings {
    /// The token of the video source.
    pub source: String,
    /// The new ones.
    pub settings: Settings,
}

impl Operation for SetImagingSettings {
    type Answer = ();

    fn service(&self, _: &Services) -> Service {
        Service::Imaging
    }

    fn name(&self) -> &'static str {
        "SetImagingSettings"
    }

    fn parameters(&self, _: &Services) -> String {
        let Settings {
            brightness,
            color_saturation,
            contrast,
            sharpness,
            backlight_compensation,
            exposure_mode,
            focus_mode,
            ir_cut_filter,
            white_balance_mode,
            wide_dynamic_range,
        } = &self.settings;
        let number = |name: &str, value: &Option<f64>| {
            let value = value.filter(|value| value.is_finite());
            value.map(|value| format!("<tt:{name}>{value}</tt:{name}>"))
        };
        let word = |name: &str, inner: &str, word: &Option<String>| {
            let word = escape(word.as_ref()?);
            Some(match inner {
                "" => format!("<tt:{name}>{word}</tt:{name}>"),
                _ => format!("<tt:{name}><tt:{inner}>{word}</tt:{inner}></tt:{name}>"),
            })
        };
        // The order is the schema's (ImagingSettings20).
        let parts = [
            word("BacklightCompensation", "Mode", backlight_compensation),
            number("Brightness", brightness),
            number("ColorSaturation", color_saturation),
            number("Contrast", contrast),
            word("Exposure", "Mode", exposure_mode),
            word("Focus", "AutoFocusMode", focus_mode),
            word("IrCutFilter", "", ir_cut_filter),
            number("Sharpness", sharpness),
            word("WideDynamicRange", "Mode", wide_dynamic_range),
            word("WhiteBalance", "Mode", white_balance_mode),
        ];
        let settings: String = parts.into_iter().flatten().collect();
        let source = escape(&self.source);
        format!(
            "<VideoSourceToken>{source}</VideoSourceToken><ImagingSettings>{settings}</ImagingSettings>\
             <ForcePersistence>true</ForcePersistence>"
        )
    }

    fn read(&self, _: &Element, _: &Services) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_read() {
        let settings = Settings {
            brightness: Some(50.5),
            contrast: Some(0.0),
            focus_mode: Some("AUTO".to_owned()),
            ir_cut_filter: Some("<ON>".to_owned()),
            ..Settings::default()
        };
        let none = Services::default();
        let set = SetImagingSettings {
            source: "v".to_owned(),
            settings: settings.clone(),
        };
        let text = format!("<R>{}</R>", set.parameters(&none));
        let get = GetImagingSettings {
            source: "v".to_owned(),
        };
        assert_eq!(
            get.read(&Element::parse(&text).unwrap(), &none),
            Ok(settings)
        );
    }
}
