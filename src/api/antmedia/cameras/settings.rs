//! How a camera sees, and how it encodes what it sees.

use super::{Place, Shared, answer, camera, outcome};
use crate::adapters::onvif::imaging::Settings;
use crate::adapters::onvif::profiles::Encoder;
use crate::api::antmedia::envelope::refusal;
use crate::api::json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Settings as they are read and written; what is absent stays.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Imaging {
    brightness: Option<f64>,
    color_saturation: Option<f64>,
    contrast: Option<f64>,
    sharpness: Option<f64>,
    backlight_compensation: Option<String>,
    exposure_mode: Option<String>,
    focus_mode: Option<String>,
    ir_cut_filter: Option<String>,
    white_balance_mode: Option<String>,
    wide_dynamic_range: Option<String>,
}

impl From<Settings> for Imaging {
    fn from(settings: Settings) -> Self {
        Self {
            brightness: settings.brightness,
            color_saturation: settings.color_saturation,
            contrast: settings.contrast,
            sharpness: settings.sharpness,
            backlight_compensation: settings.backlight_compensation,
            exposure_mode: settings.exposure_mode,
            focus_mode: settings.focus_mode,
            ir_cut_filter: settings.ir_cut_filter,
            white_balance_mode: settings.white_balance_mode,
            wide_dynamic_range: settings.wide_dynamic_range,
        }
    }
}

impl From<Imaging> for Settings {
    fn from(imaging: Imaging) -> Self {
        Self {
            brightness: imaging.brightness,
            color_saturation: imaging.color_saturation,
            contrast: imaging.contrast,
            sharpness: imaging.sharpness,
            backlight_compensation: imaging.backlight_compensation,
            exposure_mode: imaging.exposure_mode,
            focus_mode: imaging.focus_mode,
            ir_cut_filter: imaging.ir_cut_filter,
            white_balance_mode: imaging.white_balance_mode,
            wide_dynamic_range: imaging.wide_dynamic_range,
        }
    }
}

pub(super) async fn imaging(
    State(shared): State<Shared>,
    Path((app, id)): Place,
) -> Response<Body> {
    answer(
        async {
            let camera = camera(&shared, &app, &id)?;
            let settings = camera.lock().await.imaging().await?;
            Ok(Imaging::from(settings))
        }
        .await,
    )
}

pub(super) async fn set_imaging(
    State(shared): State<Shared>,
    Path((app, id)): Place,
    body: Bytes,
) -> Response<Body> {
    let imaging: Imaging = match json::read(&body) {
        Ok(imaging) => imaging,
        Err(error) => {
            let words = format!("the body is no settings of a lens: {error}");
            return refusal(StatusCode::BAD_REQUEST, &words);
        }
    };
    let result = async {
        let camera = camera(&shared, &app, &id)?;
        Ok(camera.lock().await.set_imaging(imaging.into()).await?)
    };
    outcome(result.await).into_response()
}

pub(super) async fn encoders(
    State(shared): State<Shared>,
    Path((app, id)): Place,
) -> Response<Body> {
    answer(
        async {
            let camera = camera(&shared, &app, &id)?;
            let mut camera = camera.lock().await;
            let profiles = camera.profiles().await?.iter();
            let mut encoders: Vec<_> = profiles
                .filter_map(|profile| profile.encoder.as_ref().map(encoder))
                .collect();
            // Profiles share them.
            encoders.dedup();
            Ok(encoders)
        }
        .await,
    )
}

/// What of an encoder is to be changed.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct EncoderChange {
    encoding: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    frame_rate: Option<f64>,
    bitrate: Option<u32>,
    quality: Option<f64>,
    gop_length: Option<u32>,
    profile: Option<String>,
}

impl EncoderChange {
    fn apply(self, encoder: &mut Encoder) {
        encoder.encoding = self.encoding.unwrap_or_else(|| encoder.encoding.clone());
        encoder.size.0 = self.width.unwrap_or(encoder.size.0);
        encoder.size.1 = self.height.unwrap_or(encoder.size.1);
        encoder.frame_rate = self.frame_rate.or(encoder.frame_rate);
        encoder.bitrate = self.bitrate.or(encoder.bitrate);
        encoder.quality = self.quality.or(encoder.quality);
        encoder.gop_length = self.gop_length.or(encoder.gop_length);
        encoder.profile = self.profile.or_else(|| encoder.profile.take());
    }
}

pub(super) async fn set_encoder(
    State(shared): State<Shared>,
    Path((app, id, token)): Path<(String, String, String)>,
    body: Bytes,
) -> Response<Body> {
    let change: EncoderChange = match json::read(&body) {
        Ok(change) => change,
        Err(error) => {
            let words = format!("the body is no video encoder: {error}");
            return refusal(StatusCode::BAD_REQUEST, &words);
        }
    };
    let result = async {
        let camera = camera(&shared, &app, &id)?;
        let mut camera = camera.lock().await;
        let apply = |encoder: &mut Encoder| change.apply(encoder);
        Ok(camera.set_encoder(&token, apply).await?)
    };
    outcome(result.await).into_response()
}

pub(super) fn encoder(encoder: &Encoder) -> Value {
    let (width, height) = encoder.size;
    json!({
        "token": encoder.token,
        "name": encoder.name,
        "encoding": encoder.encoding,
        "width": width,
        "height": height,
        "frameRate": encoder.frame_rate,
        "bitrate": encoder.bitrate,
        "quality": encoder.quality,
        "gopLength": encoder.gop_length,
        "profile": encoder.profile,
    })
}
