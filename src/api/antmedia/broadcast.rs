//! The broadcast object on the wire: every field of Ant Media's, null where there is nothing.

use crate::api::masking;
use crate::api::target_status::TargetStatus;
use crate::control::broadcast::Notes;
use crate::control::supervisor::Phase;
use crate::control::targets::TargetView;
use crate::control::{Broadcast, Kind, Patch, Status, View};
use crate::hub::Packets;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// What a caller sends to make or change a broadcast. Fields that the server sets itself are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) stream_id: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) name: Option<String>,
    pub(super) stream_url: Option<String>,
    pub(super) ip_addr: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    /// Ours: where it is pulled from while `streamUrl` cannot be had.
    pub(super) fallback_stream_urls: Option<Vec<String>>,
    pub(super) auto_start_stop_enabled: Option<bool>,
    #[serde(flatten)]
    pub(super) notes: Notes,
}

impl Request {
    /// The kind that is asked for; `None` for one that does not exist.
    pub(super) fn kind(&self) -> Option<Kind> {
        let Some(kind) = self.kind.as_deref().filter(|kind| !kind.is_empty()) else {
            return Some(Kind::LiveStream);
        };
        [
            Kind::LiveStream,
            Kind::IpCamera,
            Kind::StreamSource,
            Kind::Vod,
            Kind::Playlist,
        ]
        .into_iter()
        .find(|known| known.as_str() == kind)
    }

    pub(super) fn into_broadcast(self, kind: Kind) -> Broadcast {
        Broadcast {
            kind,
            name: self.name,
            created: SystemTime::now(),
            stream_url: self.stream_url,
            fallback_urls: self.fallback_stream_urls.unwrap_or_default(),
            ip_addr: self.ip_addr,
            username: self.username,
            password: self.password,
            auto_start_stop: self.auto_start_stop_enabled.unwrap_or_default(),
            notes: self.notes,
            ..Broadcast::default()
        }
    }

    /// Without what only comes back as it is shown to those who may not see it.
    pub(super) fn unmasked(mut self, kept: &Broadcast) -> Self {
        for (field, given, kept) in [
            ("streamUrl", &mut self.stream_url, &kept.stream_url),
            ("ipAddr", &mut self.ip_addr, &kept.ip_addr),
            ("password", &mut self.password, &kept.password),
        ] {
            let kept = kept.as_deref().unwrap_or_default();
            if given
                .as_deref()
                .is_some_and(|given| masking::is_shown_for(field, given, kept))
            {
                *given = None;
            }
        }
        let fallbacks = self.fallback_stream_urls.iter_mut().flatten();
        for (given, kept) in fallbacks.zip(&kept.fallback_urls) {
            if masking::is_shown_for("streamUrl", given, kept) {
                given.clone_from(kept);
            }
        }
        self
    }

    pub(super) fn into_patch(self) -> Patch {
        Patch {
            name: self.name,
            stream_url: self.stream_url,
            fallback_urls: self.fallback_stream_urls,
            ip_addr: self.ip_addr,
            username: self.username,
            password: self.password,
            auto_start_stop: self.auto_start_stop_enabled,
            notes: self.notes,
        }
    }
}

/// The broadcast object. Names and defaults are Ant Media's, `originAdress` included, but for the last five,
/// which are ours.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object {
    stream_id: String,
    status: &'static str,
    play_list_status: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    publish_type: Option<String>,
    name: Option<String>,
    description: Option<String>,
    publish: bool,
    date: u64,
    planned_start_date: i64,
    planned_end_date: i64,
    duration: u64,
    end_point_list: Option<Vec<EndpointObject>>,
    play_list_item_list: Option<Vec<()>>,
    public_stream: bool,
    is360: bool,
    #[serde(rename = "listenerHookURL")]
    listener_hook_url: Option<String>,
    category: Option<String>,
    ip_addr: Option<String>,
    username: Option<String>,
    password: Option<String>,
    quality: Option<String>,
    speed: f64,
    stream_url: Option<String>,
    #[serde(rename = "originAdress")]
    origin_address: String,
    mp4_enabled: i32,
    web_m_enabled: i32,
    seek_time_in_ms: i64,
    subtracks_limit: i32,
    #[serde(rename = "expireDurationMS")]
    expire_duration_ms: i32,
    #[serde(rename = "rtmpURL")]
    rtmp_url: String,
    zombi: bool,
    pending_packet_size: i32,
    hls_viewer_count: usize,
    dash_viewer_count: usize,
    #[serde(rename = "webRTCViewerCount")]
    web_rtc_viewer_count: usize,
    rtmp_viewer_count: usize,
    start_time: u64,
    received_bytes: u64,
    bitrate: u64,
    width: u32,
    height: u32,
    encoder_queue_size: i32,
    drop_packet_count_in_ingestion: i32,
    drop_frame_count_in_encoding: i32,
    packet_lost_ratio: f64,
    packets_lost: u64,
    jitter_ms: i32,
    rtt_ms: i32,
    user_agent: String,
    remote_ip: Option<String>,
    latitude: Option<String>,
    longitude: Option<String>,
    altitude: Option<String>,
    main_track_stream_id: Option<String>,
    absolute_start_time_ms: u64,
    #[serde(rename = "webRTCViewerLimit")]
    web_rtc_viewer_limit: i32,
    hls_viewer_limit: i32,
    dash_viewer_limit: i32,
    sub_folder: Option<String>,
    current_play_index: i32,
    meta_data: Option<String>,
    playlist_loop_enabled: bool,
    update_time: u64,
    role: Option<String>,
    hls_parameters: Option<()>,
    auto_start_stop_enabled: bool,
    encoder_settings_list: Option<Vec<()>>,
    #[serde(rename = "virtual")]
    is_virtual: bool,
    max_idle_time: i32,
    anyone_watching: bool,
    /// Ours: repairs of the source's times, by kind.
    time_repairs: Option<BTreeMap<&'static str, u64>>,
    fallback_stream_urls: Vec<String>,
    /// Which URL is live or was tried last: 0 for `streamUrl`.
    active_source: Option<usize>,
    /// Why the source is not live, in words.
    last_error: Option<String>,
    /// `file`, `api` or `publisher`.
    made_by: &'static str,
}

/// An endpoint on the wire. Ours is what its [`TargetStatus`] tells beyond the one word.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndpointObject {
    status: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    endpoint_url: String,
    endpoint_service_id: String,
    #[serde(flatten)]
    target: TargetStatus,
}

impl EndpointObject {
    fn new(view: TargetView) -> Self {
        let status = match view.state.phase {
            Phase::Waiting => "created",
            Phase::Connecting => "preparing",
            Phase::Live => "broadcasting",
            Phase::Backoff | Phase::Failed => "failed",
            Phase::Finished | Phase::Paused => "finished",
        };
        let target = TargetStatus::new(&view);
        Self {
            status,
            kind: "generic",
            endpoint_url: view.endpoint.url,
            endpoint_service_id: view.endpoint.id,
            target,
        }
    }
}

impl Object {
    /// A view of a broadcast; `host` is the name by which the caller reached the server, without port, and
    /// `rtmp_port` what stands behind it in a URL for publishing by RTMP.
    pub(super) fn new(view: View, host: &str, rtmp_port: &str) -> Self {
        let made_by = view.made_by();
        let View {
            name,
            broadcast,
            temporary,
            status,
            stream,
            viewers,
            targets,
            source,
            pulled,
            ..
        } = view;
        let live = stream.as_ref().filter(|_| {
            matches!(
                status,
                Status::Broadcasting | Status::TerminatedUnexpectedly
            )
        });
        let started = live.map(|stream| stream.since).or(broadcast.started);
        let now = SystemTime::now();
        let size = stream.as_ref().and_then(|stream| {
            let mut tracks = stream.tracks.tracks.iter();
            tracks.find_map(|track| track.codec.size())
        });
        let (width, height) = size.unwrap_or_default();
        let viewer_count = |protocol| viewers.get(protocol).copied().unwrap_or(0);
        let packets = stream.as_ref().map(|stream| stream.packets);
        let packets = packets.unwrap_or_default();
        let notes = broadcast.notes;
        let origin = stream.as_ref().map(|stream| stream.origin.clone());
        Self {
            status: status_text(status),
            play_list_status: None,
            kind: broadcast.kind.as_str(),
            publish_type: origin
                .as_ref()
                .map(|origin| publish_type(pulled && broadcast.kind.is_pulled(), origin.protocol)),
            name: broadcast.name,
            description: notes.description,
            publish: notes.publish.unwrap_or(true),
            date: millis(broadcast.created),
            planned_start_date: notes.planned_start_date.unwrap_or(0),
            planned_end_date: notes.planned_end_date.unwrap_or(0),
            duration: live.map_or(0, |stream| {
                whole_millis(now.duration_since(stream.since).unwrap_or_default())
            }),
            end_point_list: (!targets.is_empty())
                .then(|| targets.into_iter().map(EndpointObject::new).collect()),
            play_list_item_list: None,
            public_stream: notes.public_stream.unwrap_or(true),
            is360: notes.is360.unwrap_or(false),
            listener_hook_url: notes.listener_hook_url,
            category: notes.category,
            ip_addr: broadcast.ip_addr,
            username: broadcast.username,
            password: broadcast.password,
            quality: None,
            speed: live.map_or(0.0, |stream| (stream.speed * 100.0).round() / 100.0),
            stream_url: broadcast.stream_url,
            origin_address: host.to_owned(),
            mp4_enabled: match broadcast.record {
                Some(true) => 1,
                Some(false) => -1,
                None => 0,
            },
            web_m_enabled: 0,
            seek_time_in_ms: 0,
            subtracks_limit: -1,
            expire_duration_ms: 0,
            rtmp_url: format!("rtmp://{host}{rtmp_port}/{name}"),
            zombi: temporary,
            pending_packet_size: 0,
            hls_viewer_count: viewer_count("hls"),
            dash_viewer_count: viewer_count("dash"),
            web_rtc_viewer_count: viewer_count("webrtc"),
            rtmp_viewer_count: viewer_count("rtmp"),
            start_time: started.map_or(0, millis),
            received_bytes: stream.as_ref().map_or(0, |stream| stream.bytes),
            bitrate: stream.as_ref().map_or(0, |stream| stream.bits_per_second),
            width,
            height,
            encoder_queue_size: 0,
            drop_packet_count_in_ingestion: 0,
            drop_frame_count_in_encoding: 0,
            packet_lost_ratio: lost_ratio(packets),
            packets_lost: packets.lost,
            jitter_ms: 0,
            rtt_ms: 0,
            user_agent: origin
                .as_ref()
                .and_then(|origin| origin.agent.clone())
                .unwrap_or_else(|| "N/A".into()),
            remote_ip: origin.map(|origin| host_of(&origin.address)),
            latitude: notes.latitude,
            longitude: notes.longitude,
            altitude: notes.altitude,
            main_track_stream_id: notes.main_track_stream_id,
            absolute_start_time_ms: live.map_or(0, |stream| millis(stream.since)),
            web_rtc_viewer_limit: -1,
            hls_viewer_limit: -1,
            dash_viewer_limit: -1,
            sub_folder: notes.sub_folder,
            current_play_index: 0,
            meta_data: notes.meta_data,
            playlist_loop_enabled: true,
            update_time: stream.as_ref().map_or(0, |_| millis(now)),
            role: notes.role,
            hls_parameters: None,
            auto_start_stop_enabled: broadcast.auto_start_stop,
            encoder_settings_list: None,
            is_virtual: false,
            max_idle_time: 0,
            anyone_watching: viewers.values().any(|count| *count > 0),
            time_repairs: stream
                .as_ref()
                .map(|stream| stream.repairs.by_kind().into_iter().collect()),
            fallback_stream_urls: broadcast.fallback_urls,
            active_source: source.as_ref().map(|source| source.url),
            last_error: source.and_then(|source| source.last_error),
            made_by,
            stream_id: name.id().to_owned(),
        }
    }
}

pub(in crate::api) const fn status_text(status: Status) -> &'static str {
    match status {
        Status::Created => "created",
        Status::Preparing => "preparing",
        Status::Broadcasting => "broadcasting",
        Status::TerminatedUnexpectedly => "terminated_unexpectedly",
        Status::Finished => "finished",
    }
}

/// `Pull` for what the server fetches, the protocol's name in capitals for what is published.
fn publish_type(pulled: bool, protocol: &str) -> String {
    if pulled {
        "Pull".into()
    } else {
        protocol.to_ascii_uppercase()
    }
}

/// Of the packets that were sent; 0 where the source does not count those that came.
fn lost_ratio(packets: Packets) -> f64 {
    if packets.received == 0 {
        return 0.0;
    }
    packets.lost as f64 / packets.received.saturating_add(packets.lost) as f64
}

pub(in crate::api) fn millis(time: SystemTime) -> u64 {
    whole_millis(
        time.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

pub(super) fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The address without its port, where it has one; the host of a URL.
fn host_of(address: &str) -> String {
    if let Ok(socket) = address.parse::<std::net::SocketAddr>() {
        return socket.ip().to_string();
    }
    let url = url::Url::parse(address).ok();
    let host = url.as_ref().and_then(|url| url.host_str());
    host.unwrap_or(address).to_owned()
}
