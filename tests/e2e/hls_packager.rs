//! Presentations of shaka-packager, with sound apart and samples encrypted one by one: read without a difference.

use crate::support::frames::{Codecs, assert_alike};
use crate::support::nginx::Nginx;
use crate::support::program;
use crate::support::seconds;
use crate::support::tools::{packager, tool};
use std::path::Path;

const AVC: Codecs = Codecs {
    video: "h264",
    audio: "aac",
};

const KEY: [u8; 16] = [
    1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
];

/// Samples are encrypted in transport streams and packed audio as Apple's "MPEG-2 Stream Encryption Format" has it, and in
/// MP4 by `cbcs` of ISO/IEC 23001-7.
const ENCRYPTED: [&str; 9] = [
    "--enable_raw_key_encryption",
    "--keys=label=:key_id=00112233445566778899aabbccddeeff:key=0123456789abcdef0123456789abcdef",
    "--iv=11223344556677889900112233445566",
    "--protection_scheme=cbcs",
    "--clear_lead=0",
    "--hls_key_uri=key",
    "--segment_duration=2",
    "--hls_master_playlist_output=main.m3u8",
    "--quiet",
];

/// Packs a clip, and copies it from there.
#[track_caller]
fn packed(folder: &Path, clip: &Path, video: &str, audio: &str, more: &[&str]) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("key"), KEY).unwrap();
    let clip_name = clip.display();
    let mut packager = packager();
    packager
        .current_dir(folder)
        .arg(format!(
            "in={clip_name},stream=video,{video},playlist_name=v.m3u8"
        ))
        .arg(format!(
            "in={clip_name},stream=audio,{audio},playlist_name=a.m3u8,hls_group_id=sound"
        ))
        .args(more);
    let output = program::run_to_end(&mut packager, seconds(60));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let nginx = Nginx::serving(folder);
    let copy = folder.join("copy.mp4");
    let mut remux = program::command();
    remux.arg("remux").arg(nginx.file("main.m3u8")).arg(&copy);
    let output = program::run_to_end(&mut remux, seconds(60));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_alike(clip, &copy, AVC, 1.0 / 90_000.0);
}

#[test]
fn samples_that_are_encrypted_are_read_from_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.mp4");
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args("-nostdin -v error -f lavfi -i testsrc2=size=640x360:rate=30".split(' '));
    ffmpeg.args("-f lavfi -i sine=sample_rate=48000 -t 7 -pix_fmt yuv420p".split(' '));
    ffmpeg
        .args("-c:v libx264 -preset veryfast -g 60 -c:a aac".split(' '))
        .arg(&clip);
    assert!(
        program::run_to_end(&mut ffmpeg, seconds(60))
            .status
            .success()
    );
    let made = |name: &str, video: &str, audio: &str, more: &[&str]| {
        packed(&folder.path().join(name), &clip, video, audio, more);
    };
    let ts = "segment_template=v$Number$.ts";
    made("ts", ts, "segment_template=a$Number$.ts", &ENCRYPTED);
    made("packed", ts, "segment_template=a$Number$.aac", &ENCRYPTED);
    let (video, audio) = (
        "init_segment=v.mp4,segment_template=v$Number$.m4s",
        "init_segment=a.mp4,segment_template=a$Number$.m4s",
    );
    made("mp4", video, audio, &ENCRYPTED);
    // Each track in one file, of which the playlists name ranges; not encrypted.
    made("ranges", "output=v.mp4", "output=a.mp4", &ENCRYPTED[6..]);
}
