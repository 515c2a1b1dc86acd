//! Files as the two servers document them.

use super::*;
use crate::adapters;
use crate::config::{Overrides, load};

/// In the form of MediaMTX's own example: settings of the server first, then those of paths.
const MEDIAMTX: &str = r#"###############################################
# Global settings -> General
logLevel: info
logDestinations: [stdout]
authMethod: internal
authInternalUsers:
- user: any
  pass:
  ips: []
  permissions:
  - action: publish
    path:
  - action: read
    path:
rtsp: yes
rtspTransports: [udp, multicast, tcp]
rtspAddress: :8554
hls: yes
webrtc: yes
webrtcAdditionalHosts: []
###############################################
# Default path settings
pathDefaults:
  source: publisher
  sourceFingerprint:
  sourceOnDemand: no
  sourceOnDemandStartTimeout: 10s
  record: no
  recordPath: ./recordings/%path/%Y-%m-%d_%H-%M-%S-%f
  rtspTransport: automatic
  runOnReady:
###############################################
# Path settings
paths:
  # plain publisher
  studio:
  cam1:
    source: rtsp://admin:p%40ss@192.168.1.20:554/Streaming/Channels/101
    rtspTransport: tcp
    record: yes
  house/garden:
    source: rtsps://192.168.1.21/1
    sourceFingerprint: 33949e05fffb5ff3e8aa16f8213a6251b4d9363804ba53233c4da9a46d6f2739
    sourceOnDemand: yes
    sourceOnDemandCloseAfter: 20s
  mcast:
    source: udp+mpegts://238.0.0.1:1234
  other:
    source: whep://other:8889/cam/whep
    runOnReady: ffmpeg -i rtsp://localhost:$RTSP_PORT/$MTX_PATH -c copy -f flv rtmp://a/b
    runOnReadyRestart: yes
  pi:
    source: rpiCamera
  '~^dyn/(.+)$':
    source: rtsp://$G1/x
  all_others:
"#;

const GO2RTC: &str = r#"
api:
  listen: ":1984"
streams:
  sonoff_camera: rtsp://rtsp:12345678@192.168.1.123/av_stream/ch0
  dahua_camera:
    - rtsp://admin:password@192.168.1.123/cam/realmonitor?channel=1&subtype=0#backchannel=0
    - rtsp://admin:password@192.168.1.123/cam/realmonitor?channel=1&subtype=1#transport=udp
    - ffmpeg:dahua_camera#audio=opus
  onvif: onvif://user:pass@192.168.10.90:80
  rtmp: rtmp://192.168.1.123/bcs/channel0_main.bcs?channel=0
  hls: https://devstreaming.example/master.m3u8
  rotated: ffmpeg:rtsp://cam/1#video=h264#rotate=90
  copied: ffmpeg:rtsp://cam/2#video=copy#audio=copy
  whep: webrtc:https://192.168.1.123/cam/whep
  pipe: exec:gst-launch-1.0 -q videotestsrc ! fdsink
  tapo: tapo://cloud-password@192.168.1.123
  secret: rtsp://${CAM_USER}:${CAM_PASS}@192.168.1.9/
  camera.mp4: rtsp://cam/3
  empty:
publish:
  rtmp:
    - rtmps://a.rtmps.youtube.com/live2/KEY
    - "telegram:x"
  nobody: rtmp://a/b/c
preload:
  hls:
"#;

fn found(text: &str) -> Found {
    let config = load(None, &Overrides::default(), &adapters::names()).unwrap();
    read(&config, "file", text).unwrap_or_else(|error| panic!("{error}"))
}

fn taken(found: &Found) -> Vec<String> {
    let mut all = Vec::new();
    for (name, stream) in &found.streams {
        let urls = stream.source.iter().map(Secret::reveal).collect::<Vec<_>>();
        let targets = stream
            .targets
            .iter()
            .map(Secret::reveal)
            .collect::<Vec<_>>();
        let flags = (stream.on_demand, stream.record);
        all.push(format!("{name} {urls:?} {targets:?} {flags:?}"));
    }
    all
}

fn left(found: &Found, matters: bool) -> Vec<String> {
    let left = found.left.iter().filter(|left| left.matters == matters);
    left.map(|left| format!("{}: {}", left.line, left.key))
        .collect()
}

#[test]
fn paths_of_mediamtx() {
    let found = found(MEDIAMTX);
    let print = "33949e05fffb5ff3e8aa16f8213a6251b4d9363804ba53233c4da9a46d6f2739";
    assert_eq!(
        taken(&found),
        [
            "LiveApp/cam1 [\"rtsp://admin:p%40ss@192.168.1.20:554/Streaming/Channels/101#transport=tcp\"] [] (false, Some(true))".to_owned(),
            format!("LiveApp/house-garden [\"rtsps://192.168.1.21/1#tls_fingerprint={print}\"] [] (true, None)"),
            "LiveApp/mcast [\"udp://238.0.0.1:1234\"] [] (false, None)".to_owned(),
            "LiveApp/other [\"whep://other:8889/cam/whep\"] [] (false, None)".to_owned(),
            "LiveApp/studio [] [] (false, None)".to_owned(),
        ]
    );
    assert_eq!(
        left(&found, true),
        ["53: paths.pi.source", "54: paths.~^dyn/(.+)$"]
    );
    let settings = left(&found, false);
    for key in [
        "3: logLevel",
        "29: pathDefaults.recordPath",
        "45: paths.house/garden.sourceOnDemandCloseAfter",
        "50: paths.other.runOnReady",
    ] {
        assert!(
            settings.iter().any(|left| left == key),
            "{key} {settings:?}"
        );
    }
    assert_eq!(found.renamed[0].0, "house/garden");
}

#[test]
fn streams_of_go2rtc() {
    let found = found(GO2RTC);
    assert_eq!(
        taken(&found),
        [
            "LiveApp/copied [\"rtsp://cam/2\"] [] (true, None)",
            "LiveApp/dahua_camera [\"rtsp://admin:password@192.168.1.123/cam/realmonitor?channel=1&subtype=0\", \"rtsp://admin:password@192.168.1.123/cam/realmonitor?channel=1&subtype=1#transport=udp\"] [] (true, None)",
            "LiveApp/empty [] [] (false, None)",
            "LiveApp/hls [\"https://devstreaming.example/master.m3u8\"] [] (false, None)",
            "LiveApp/onvif [\"onvif://user:pass@192.168.10.90:80\"] [] (true, None)",
            "LiveApp/rtmp [\"rtmp://192.168.1.123/bcs/channel0_main.bcs?channel=0\"] [\"rtmps://a.rtmps.youtube.com/live2/KEY\"] (false, None)",
            "LiveApp/sonoff_camera [\"rtsp://rtsp:12345678@192.168.1.123/av_stream/ch0\"] [] (true, None)",
            "LiveApp/whep [\"wheps://192.168.1.123/cam/whep\"] [] (true, None)",
        ]
    );
    let missed = left(&found, true);
    for key in [
        "13: streams.rotated",
        "16: streams.pipe",
        "17: streams.tapo",
        "18: streams.secret",
        "19: streams.camera.mp4",
        "24: publish.rtmp",
        "25: publish.nobody",
    ] {
        assert!(missed.iter().any(|left| left == key), "{key} {missed:?}");
    }
    let settings = left(&found, false);
    assert!(settings.contains(&"2: api".to_owned()), "{settings:?}");
    assert!(
        settings.contains(&"9: streams.dahua_camera[2]".to_owned()),
        "{settings:?}"
    );
}

#[test]
fn tables_are_a_good_configuration_and_say_the_same() {
    let found = found(&GO2RTC.replace("empty:", "\"a\\nb\": rtsp://cam/4\n  \"c\\nd\": exec:x"));
    let text = toml("go2rtc.yaml", &found);
    assert!(text.contains("streams.c d: exec: is no source"), "{text}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &text).unwrap();
    let config = load(Some(file.path()), &Overrides::default(), &adapters::names()).unwrap();
    crate::server::protocols(&config).unwrap();
    let again = config.static_streams().unwrap();
    let again = again
        .into_iter()
        .map(|(name, (_, stream))| (name, stream.clone()));
    assert_eq!(
        again.collect::<std::collections::BTreeMap<_, _>>(),
        found.streams
    );
}

#[test]
fn no_secret_is_shown() {
    for text in [MEDIAMTX, GO2RTC] {
        let found = found(text);
        let mut said = notes("file", &found).join("\n");
        for (name, stream) in &found.streams {
            said.push_str(&in_words(name, stream));
        }
        for secret in [
            "p%40ss",
            "12345678",
            "password",
            "KEY",
            "user:pass",
            "cloud",
        ] {
            assert!(!said.contains(secret), "{secret} in {said}");
        }
    }
}

#[test]
fn what_is_no_such_file_is_refused_with_its_line() {
    let config = load(None, &Overrides::default(), &adapters::names()).unwrap();
    for (text, words) in [
        ("a: 1\n", "file: has neither"),
        ("paths:\n  a: [\n", "file:"),
        ("paths:\n  a: *b\n", "file:2: "),
    ] {
        let refused = read(&config, "file", text).err().unwrap().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}
