//! The fuzz targets: one per entry by which bytes from the network reach a protocol crate.
//!
//! The bodies live in the crates (their hidden `fuzz` modules), beside the code that they exercise; those
//! of the vocabulary are in [`media`], those of crates without one in [`auth`] and [`differential`]. Here is only the list, [`TARGETS`], so that libFuzzer
//! (`fuzz_targets/`), the replay of seeds and past crashes (`tests/replay.rs`) and the writing of seeds
//! (`examples/seeds.rs`) go through the same entries.

#![forbid(unsafe_code)]

pub mod auth;
pub mod differential;
pub mod media;

use peak_alloc::PeakAlloc;
use std::time::{Instant, SystemTime};

/// Counts what is allocated, in everything that uses this library.
#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Most memory that one input may take at once, in bytes, whatever it says of itself: an access unit of 8 MiB and what is
/// made of it.
pub const MAX_MEMORY: usize = 128 << 20;

/// The same where all that a stream keeps is bounded to some hundred kilobytes ([`millstream::fuzz::way`]).
const OF_A_STREAM: usize = 4 << 20;

/// One entry that takes any bytes. Run it by [`Target::check`].
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// `CRATE_ENTRY`, as in the folders and in `cargo xtask fuzz`.
    pub name: &'static str,
    /// Panics when an assertion about the code under test does not hold.
    pub run: fn(&[u8]),
    /// Most memory that one input may take at once, in bytes: [`MAX_MEMORY`], or less.
    pub memory: usize,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("media_aac_config", media::aac_config),
    target("media_audio_config", media::audio_config),
    target("media_audio_frames", media::audio_frames),
    target("media_av1", media::av1),
    target("media_av1c", media::av1c),
    target("media_avcc", media::avcc),
    target("media_h265_sps", media::h265_sps),
    target("media_hvcc", media::hvcc),
    target("media_jpeg", media::jpeg),
    target("media_nal", media::nal),
    target("media_opus_head", media::opus_head),
    target("media_picture_order", media::picture_order),
    target("media_sps", media::sps),
    target("media_vp8", media::vp8),
    target("media_vp9", media::vp9),
    target("rtmp_amf0", rtmp::fuzz::amf0),
    target("rtmp_amf0_differential", differential::amf0),
    target("rtmp_chunk_reader", rtmp::fuzz::chunk_reader),
    target("rtmp_server_session", |data| {
        rtmp::fuzz::server_session(Instant::now(), data)
    }),
    target("rtmp_client_session", |data| {
        rtmp::fuzz::client_session(Instant::now(), data)
    }),
    target("rtmp_login", rtmp::fuzz::login),
    target("flv_demuxer", flv::fuzz::demuxer),
    target("flv_file_reader", flv::fuzz::file_reader),
    target("mp4_files", mp4::fuzz::files),
    target("mp4_fragment", mp4::fuzz::fragment),
    target("mp4_index", mp4::fuzz::index),
    target("mp4_reader", mp4::fuzz::reader),
    target("mp4_tracks", mp4::fuzz::tracks),
    target("mp4_excerpt", mp4::fuzz::excerpt),
    target("mpegts_aligner", mpegts::fuzz::aligner),
    target("mpegts_sections", mpegts::fuzz::sections),
    target("mpegts_splice", mpegts::fuzz::splices),
    target("mpegts_pes", mpegts::fuzz::pes),
    target("mpegts_demuxer", mpegts::fuzz::demuxer),
    target("mpegts_programs", mpegts::fuzz::programs),
    target("mpegts_muxer", mpegts::fuzz::muxer),
    target("mpegts_constant_rate", mpegts::fuzz::constant_rate),
    target("hls_client", |data| hls::fuzz::client(Instant::now(), data)),
    target("hls_directives", hls::fuzz::directives),
    target("hls_packed", hls::fuzz::packed),
    target("hls_playlist", hls::fuzz::playlist),
    target("hls_read", hls::fuzz::read),
    target("hls_samples", hls::fuzz::samples),
    target("rtp_packet", rtp::fuzz::packet),
    target("rtp_packet_differential", differential::rtp),
    target("rtp_rtcp", rtp::fuzz::rtcp),
    target("rtp_rtcp_differential", differential::rtcp),
    target("rtp_h264_packetizer", rtp::fuzz::h264_packetizer),
    target("rtp_audio", rtp::fuzz::audio),
    target("rtp_reorder", |data| {
        rtp::fuzz::reorder(Instant::now(), data)
    }),
    target("rtp_format", rtp::fuzz::format),
    target("rtp_h264_depacketizer", rtp::fuzz::h264_depacketizer),
    target("rtp_h265_depacketizer", rtp::fuzz::h265_depacketizer),
    target("rtp_picture_depacketizer", rtp::fuzz::picture_depacketizer),
    target("rtp_sound_depacketizer", rtp::fuzz::sound_depacketizer),
    target("rtp_packetizer", rtp::fuzz::packetizer),
    target("rtp_h265_packetizer", rtp::fuzz::h265_packetizer),
    target("rtp_aac_depacketizer", rtp::fuzz::aac_depacketizer),
    target("rtp_latm_depacketizer", rtp::fuzz::latm_depacketizer),
    target("auth_authorization", |data| {
        auth::authorization(Instant::now(), data)
    }),
    target("auth_challenge", auth::challenge),
    target("sdp_description", sdp::fuzz::description),
    target("sdp_description_differential", differential::sdp),
    target("rtsp_message", rtsp::fuzz::message),
    target("rtsp_server_session", |data| {
        rtsp::fuzz::server_session(Instant::now(), data)
    }),
    target("rtsp_client_session", |data| {
        rtsp::fuzz::client_session(Instant::now(), data)
    }),
    target("rtsp_pair", |data| rtsp::fuzz::pair(Instant::now(), data)),
    target("onvif_xml", onvif::fuzz::xml),
    target("onvif_discovery", onvif::fuzz::discovery),
    target("onvif_device", |data| {
        onvif::fuzz::device(SystemTime::UNIX_EPOCH, data)
    }),
    target("onvif_questions", onvif::fuzz::questions),
    target("onvif_session", |data| {
        onvif::fuzz::session(SystemTime::UNIX_EPOCH, data)
    }),
    target("srt_packet", srt::fuzz::packet),
    target("srt_handshake", srt::fuzz::handshake),
    target("srt_listener", |data| {
        srt::fuzz::listener(Instant::now(), data)
    }),
    target("srt_session", |data| {
        srt::fuzz::session(Instant::now(), data)
    }),
    target("webrtc_framing", webrtc::fuzz::framing),
    target("webrtc_stun", webrtc::fuzz::stun),
    target("webrtc_turn", |data| {
        webrtc::fuzz::turn(Instant::now(), data)
    }),
    target("webrtc_offer", |data| {
        webrtc::fuzz::offer(Instant::now(), data)
    }),
    target("webrtc_answer", |data| {
        webrtc::fuzz::answer(Instant::now(), data)
    }),
    target("webrtc_session", |data| {
        webrtc::fuzz::session(Instant::now(), data)
    }),
    target("webrtc_received", |data| {
        webrtc::fuzz::received(Instant::now(), data)
    }),
    target("webrtc_srtp", webrtc::fuzz::srtp),
    target("webrtc_ends", |data| {
        webrtc::fuzz::ends(Instant::now(), data)
    }),
    target("webrtc_handshake", |data| {
        webrtc::fuzz::handshake(Instant::now(), data)
    }),
    target("server_stream_name", millstream::fuzz::stream_name),
    target("server_hls_file", millstream::fuzz::hls_file),
    target("server_range", millstream::fuzz::range),
    target("server_redirect", millstream::fuzz::redirect),
    target("server_websocket", millstream::fuzz::websocket),
    target("server_json", millstream::fuzz::json),
    target("server_recording", millstream::fuzz::recording),
    target("server_sound", millstream::fuzz::sound),
    target("server_player", |data| {
        millstream::fuzz::player(Instant::now(), data)
    }),
    target("server_received", |data| {
        millstream::fuzz::received(Instant::now(), data)
    }),
    Target {
        memory: OF_A_STREAM,
        ..target("server_way", millstream::fuzz::way)
    },
    target("server_command_lines", millstream::fuzz::command_lines),
    target("server_command_url", millstream::fuzz::command_url),
    target("server_jwt", millstream::fuzz::access::jwt),
    target("server_jwks", millstream::fuzz::access::jwks),
    target("server_cookies", millstream::fuzz::access::cookies),
    target("server_forwarding", millstream::fuzz::access::forwarding),
    target(
        "server_authorization",
        millstream::fuzz::access::authorization,
    ),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target {
        name,
        run,
        memory: MAX_MEMORY,
    }
}

/// A seed: the target it is for, its name among that target's seeds, and its bytes.
pub type Seed = (&'static str, String, Vec<u8>);

/// The seeds that the crates make, the same ones on every call.
///
/// # Panics
/// When a crate makes seeds for an entry that is not listed.
pub fn seeds() -> Vec<Seed> {
    let crates = [
        ("media", named(media::seeds())),
        ("rtmp", numbered(rtmp::fuzz::seeds())),
        ("auth", named(auth::seeds())),
        ("flv", named(flv::fuzz::seeds())),
        ("mp4", named(mp4::fuzz::seeds())),
        ("mpegts", named(mpegts::fuzz::seeds())),
        ("hls", named(hls::fuzz::seeds())),
        ("rtp", numbered(rtp::fuzz::seeds())),
        ("sdp", named(sdp::fuzz::seeds())),
        ("rtsp", numbered(rtsp::fuzz::seeds())),
        ("onvif", named(onvif::fuzz::seeds())),
        ("srt", numbered(srt::fuzz::seeds(Instant::now()))),
        ("webrtc", numbered(webrtc::fuzz::seeds(Instant::now()))),
        ("server", named(millstream::fuzz::seeds())),
    ];
    let mut all = Vec::new();
    for (crate_name, seeds) in crates {
        for (entry, name, bytes) in seeds {
            let wanted = format!("{crate_name}_{entry}");
            let Some(target) = TARGETS.iter().find(|target| target.name == wanted) else {
                panic!("{wanted}: there are seeds for it, but it is in no line of TARGETS");
            };
            // Where there is another reader to compare with, it starts from the same ones.
            let wanted = format!("{wanted}_differential");
            let compared = TARGETS.iter().find(|target| target.name == wanted);
            all.extend(compared.map(|target| (target.name, name.clone(), bytes.clone())));
            all.push((target.name, name, bytes));
        }
    }
    all
}

/// Runs the target of that name.
///
/// # Panics
/// When there is none, or when what it found is wrong.
pub fn run(name: &str, input: &[u8]) {
    match TARGETS.iter().find(|target| target.name == name) {
        Some(target) => target.check(input),
        None => panic!("there is no fuzz target {name}"),
    }
}

impl Target {
    /// Runs it; the memory that it took is part of the verdict. (The time is the caller's to limit.)
    ///
    /// # Panics
    /// When an assertion about the code under test does not hold, or the input took more memory than it may.
    pub fn check(&self, input: &[u8]) {
        let before = ALLOCATED.current_usage();
        ALLOCATED.reset_peak_usage();
        (self.run)(input);
        let taken = ALLOCATED.peak_usage().saturating_sub(before);
        assert!(
            taken <= self.memory,
            "{} bytes of input took {} MiB of memory",
            input.len(),
            taken >> 20
        );
    }
}

/// The seeds of a crate that names them.
fn named(seeds: Vec<(&'static str, &'static str, Vec<u8>)>) -> Vec<Seed> {
    let seeds = seeds.into_iter();
    seeds
        .map(|(entry, name, bytes)| (entry, name.to_owned(), bytes))
        .collect()
}

/// The seeds of a crate that does not: they are counted, for each entry from 0.
fn numbered(seeds: Vec<(&'static str, Vec<u8>)>) -> Vec<Seed> {
    let mut all: Vec<Seed> = Vec::new();
    for (entry, bytes) in seeds {
        let number = all.iter().filter(|seed| seed.0 == entry).count();
        all.push((entry, number.to_string(), bytes));
    }
    all
}
