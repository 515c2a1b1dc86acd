//! SRT's other implementations: ffmpeg, GStreamer and srt-live-transmit, each as either end.

use super::clips::Clip;
use super::tools::tool;
use std::process::Command;

/// ffmpeg sending a clip as MPEG-TS, without end.
pub(crate) fn sending(url: &str, clip: Clip) -> Command {
    sending_as(url, clip, &["-re", "-stream_loop", "-1"])
}

/// ffmpeg sending a clip as MPEG-TS, with options of its input.
pub(crate) fn sending_as(url: &str, clip: Clip, input: &[&str]) -> Command {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-hide_banner", "-v", "error"])
        .args(input)
        .arg("-i")
        .arg(clip.file())
        .args(["-c", "copy", "-f", "mpegts", url]);
    ffmpeg
}

/// srt-live-transmit from one URL to another, until one of them ends.
pub(crate) fn relaying(from: &str, to: &str) -> Command {
    let mut relay = tool("srt-live-transmit");
    relay.args(["-q", "-a:no", from, to]);
    relay
}

/// GStreamer sending a test picture and a tone by `srtsink`.
pub(crate) fn gstreamer_sending(uri: &str, properties: &[&str]) -> Command {
    let mut gst = tool("gst-launch-1.0");
    let pipeline = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=25/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! h264parse ! mpegtsmux name=mux alignment=7 \
         audiotestsrc is-live=true freq=440 ! audioconvert ! audioresample ! avenc_aac ! aacparse ! mux. mux. ! srtsink";
    gst.args(["--quiet", "-e"])
        .args(pipeline.split_whitespace())
        .arg(format!("uri={uri}"))
        .args(properties);
    gst
}

/// GStreamer decoding the pictures and the sound of `srtsrc`, until that ends or so many of its buffers have come.
pub(crate) fn gstreamer_receiving(uri: &str, properties: &[&str], buffers: u32) -> Command {
    let mut gst = tool("gst-launch-1.0");
    let decoding = "! tsdemux name=demux demux. ! queue ! h264parse ! avdec_h264 ! fakesink \
         demux. ! queue ! aacparse ! avdec_aac ! fakesink";
    gst.args(["--quiet", "srtsrc"])
        .arg(format!("uri={uri}"))
        .args(properties)
        .arg(format!("num-buffers={buffers}"))
        .args(decoding.split_whitespace());
    gst
}

/// Whether a UDP socket has the port.
pub(crate) fn is_bound(port: u16) -> bool {
    let suffix = format!(":{port:04X}");
    ["udp", "udp6"].iter().any(|table| {
        let table = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        let mut local = table
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1));
        local.any(|address| address.ends_with(&suffix))
    })
}
