//! The release binary, as its users meet it: with real peers, a real browser, and hostile callers.
//!
//! One module for each behaviour. Every test starts a server of its own on free ports with a data folder of
//! its own (see [`support::server::Server`], which also sees to it that the server ends well), and waits for
//! conditions with a limit. A tool that is missing fails the test that needs it, by its name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "what cannot be done here is a failed test"
)]

mod access;
mod access_table;
mod acme;
mod addresses;
mod apivideo;
mod bad_input;
mod bad_rtmp;
mod browser;
mod camera_codecs;
mod camera_oracle;
mod camera_quirks;
mod camera_wires;
mod cameras;
mod changes;
mod configuration;
mod dash;
mod dead_sources;
mod evostream;
mod flv;
mod guides;
mod hls;
mod hls_codecs;
mod hls_packager;
mod hls_playlists;
mod hls_pull;
mod hls_readers;
mod hls_servers;
mod hls_ts;
mod hls_waiting;
mod hls_window;
mod https;
mod import;
mod library;
mod life_cycle;
mod logins;
mod metrics;
mod mpegts;
mod mpegts_multicast;
mod network;
mod onvif;
mod onvif_device;
mod openapi;
mod otlp;
mod panel;
mod probe;
mod proxies;
mod publish_and_play;
mod publishers;
mod record;
mod record_disk;
mod record_forms;
mod record_players;
mod record_s3;
mod reload;
mod remux;
mod rest;
mod rest_access;
mod rest_create;
mod rest_lifecycle;
mod restream;
mod restream_isolation;
mod rtmp_peers;
mod rtmps;
mod rtsp;
mod rtsp_access;
mod rtsp_multicast;
mod rtsp_push;
mod rtsp_tunnel;
mod rtsps;
mod server;
mod slate;
mod slow_reader;
mod soak;
mod sources;
mod srt;
mod srt_matrix;
mod srt_remote;
mod srt_weather;
mod starting;
mod subscribers;
mod support;
mod talk;
mod times;
mod web;
mod webhooks;
mod webrtc;
mod webrtc_client;
mod webrtc_publish;
mod webrtc_weather;
