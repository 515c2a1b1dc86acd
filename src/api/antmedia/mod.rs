//! The REST API of Ant Media Server, version 2, as a view of [`Control`].
//!
//! Most refusals are HTTP 200 with `success: false`, as that server's are and its clients expect.

mod broadcast;
mod cameras;
mod connections;
mod create;
mod endpoints;
mod envelope;
pub(super) mod hooks;
mod recording;
mod routes;
mod settings;
mod stream_tokens;
mod subscribers;
mod users;
mod vods;

pub(super) use broadcast::{millis, status_text};
pub use envelope::refusal;
pub use users::signs_in;

use crate::adapters::Listening;
use crate::api::words;
use crate::control::Control;
use crate::hub::Applications;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::map_response;
use axum::routing::{delete, get, post, put};

/// The protocol that `rtmpURL` is for, and the port that such a URL need not name.
const RTMP: &str = "rtmp";
const RTMP_PORT: u16 = 1935;

#[derive(Clone)]
struct Shared {
    control: Control,
    applications: Applications,
    /// Where RTMP is published, as it stands behind the host in a URL: nothing for the usual port.
    rtmp_port: String,
}

/// All of `/APP/rest/v2/` and `/rest/v2/`. Whether the caller may is not asked here.
pub fn router(control: Control, applications: Applications, listening: &[Listening]) -> Router {
    let rtmp = listening
        .iter()
        .find(|listening| listening.protocol == RTMP);
    let rtmp_port = rtmp
        .map(|rtmp| rtmp.address.port())
        .filter(|port| *port != RTMP_PORT)
        .map_or_else(String::new, |port| format!(":{port}"));
    let broadcasts = Router::new()
        .route("/create", post(create::create))
        .route("/list/{offset}/{size}", get(routes::list))
        .route("/count", get(routes::count))
        .route("/count/{search}", get(routes::count_found))
        .route("/active-live-stream-count", get(routes::count_active))
        .route("/total-broadcast-statistics", get(routes::total_statistics))
        .route(
            "/{id}",
            get(routes::read).put(routes::update).delete(routes::delete),
        )
        .route("/{id}/start", post(routes::start))
        .route("/{id}/stop", post(routes::stop))
        .route("/{id}/ip-camera-error", get(routes::camera_error))
        .route("/onvif-devices", get(cameras::discover))
        .nest("/{id}/ip-camera", cameras::router())
        .route("/{id}/broadcast-statistics", get(routes::statistics))
        .route("/{id}/connections", get(connections::list))
        .route(
            "/{id}/endpoint",
            post(endpoints::add)
                .put(endpoints::change)
                .delete(endpoints::remove),
        )
        .route(
            "/{id}/rtmp-endpoint",
            post(endpoints::add).delete(endpoints::remove),
        )
        .route("/{id}/recording/{record}", put(recording::set))
        .route("/{id}/token", get(stream_tokens::create))
        .route("/{id}/jwt-token", get(stream_tokens::sign))
        .route("/{id}/tokens", delete(stream_tokens::forget))
        .route(
            "/{id}/tokens/list/{offset}/{size}",
            get(stream_tokens::list),
        )
        .route("/validate-token", post(stream_tokens::validate))
        .route(
            "/{id}/subscribers",
            post(subscribers::add).delete(subscribers::forget_all),
        )
        .route(
            "/{id}/subscribers/list/{offset}/{size}",
            get(subscribers::list),
        )
        .route(
            "/{id}/subscribers/{subscriber}",
            delete(subscribers::forget),
        )
        .route(
            "/{id}/subscribers/{subscriber}/totp",
            get(subscribers::code),
        )
        .route(
            "/{id}/subscribers/{subscriber}/block/{seconds}/{kind}",
            put(subscribers::block),
        )
        .route(
            "/{id}/connection-events/{offset}/{size}",
            get(subscribers::events),
        )
        .route("/{id}/recordings", get(recording::timeline))
        .route("/{id}/recordings/export", get(recording::export));
    let vods = Router::new()
        .route("/list/{offset}/{size}", get(vods::list))
        .route("/count", get(vods::count))
        .route("/count/{search}", get(vods::count_found))
        // A file is as long as it is; `Upload` bounds it.
        .route(
            "/create",
            post(vods::create).layer(DefaultBodyLimit::disable()),
        )
        .route(
            "/directory",
            post(vods::import).delete(vods::forget_imported),
        )
        .route("/{id}", get(vods::read).delete(vods::delete));
    Router::new()
        .nest("/{app}/rest/v2/broadcasts", broadcasts)
        .nest("/{app}/rest/v2/vods", vods)
        .route("/{app}/rest/v2/vods", delete(vods::delete_many))
        .route("/{app}/rest/v2/vods/", delete(vods::delete_many))
        .route("/{app}/rest/v2/broadcasts", delete(routes::delete_many))
        .route("/{app}/rest/v2/broadcasts/", delete(routes::delete_many))
        .route("/{app}/rest/v2/version", get(routes::version))
        .route("/rest/v2/version", get(routes::version))
        .route("/rest/v2/applications", get(routes::applications))
        .route(
            "/rest/v2/applications/settings/{app}",
            get(settings::read).post(settings::write),
        )
        .route("/rest/v2/liveness", get(routes::liveness))
        .route("/rest/v2/users/authenticate", post(users::authenticate))
        .fallback(routes::not_found)
        .method_not_allowed_fallback(routes::method_not_allowed)
        .layer(map_response(async |response| {
            words::told(response, refusal).await
        }))
        .with_state(Shared {
            control,
            applications,
            rtmp_port,
        })
}
