//! Clips to publish, made once by ffmpeg and kept in the build folder, so that publishing costs no encoder.
//!
//! Pictures are `testsrc2`, which never stands still; the sound is a tone of 440 Hz.

use super::tools::tool;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What there is to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clip {
    /// H.264 640x360 at 30 pictures/s, a key frame each second, no B-frames; AAC 48 kHz stereo.
    Standard,
    /// The same with three B-frames between others, and a key frame every two seconds.
    BFrames,
    /// Pictures of `BFrames` in open groups: behind the first, key frames are recovery points, followed by pictures
    /// that are shown before them.
    OpenGop,
    /// No key frame but the first: a column of intra blocks runs through the picture each second.
    IntraRefresh,
    /// The pictures and the sound of `Standard` with one key frame, the first.
    OneKeyFrame,
    /// 320x240 at 25 pictures/s; AAC 44.1 kHz mono.
    Small,
    /// About 30 Mbit/s of noise at 640x360, a key frame each second; ten seconds.
    Heavy,
    /// No pictures: AAC 48 kHz.
    SoundOnly,
    /// H.264 without sound.
    Silent,
    /// Each second a white picture for 0.12 s and a tone with it, else black and silence.
    Flash,
    /// The same pictures as in `Silent` with MP3.
    Mp3,
    /// The same with ADPCM, which the server does not carry.
    Adpcm,
}

impl Clip {
    /// Length of a clip in seconds; longer than most tests need, so that they do not see the place where it repeats.
    pub(crate) const SECONDS: u32 = 60;

    /// The FLV file, made if it is not there.
    pub(crate) fn file(self) -> PathBuf {
        static MAKING: Mutex<()> = Mutex::new(());
        // A test that failed to make one leaves nothing half done.
        let _making = MAKING
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let file = folder.join(format!("clip-1-{self:?}.flv").to_lowercase());
        if file.is_file() {
            return file;
        }
        std::fs::create_dir_all(folder).unwrap();
        let unfinished = folder.join(format!("{self:?}-{}.tmp", std::process::id()));
        let mut ffmpeg = tool("ffmpeg");
        ffmpeg
            .args(["-nostdin", "-v", "error", "-y"])
            .args(self.arguments());
        let output = ffmpeg
            .args(["-f", "flv"])
            .arg(&unfinished)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "ffmpeg cannot make the clip {self:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        std::fs::rename(unfinished, &file).unwrap();
        file
    }

    fn arguments(self) -> Vec<String> {
        let length = Self::SECONDS;
        let fast = "-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p";
        let sound = "-c:a aac -b:a 96k -ac 2";
        let picture = "-f lavfi -i testsrc2=size=640x360:rate=30";
        let tone = "-f lavfi -i sine=frequency=440:sample_rate=48000";
        let text = match self {
            Self::Standard => {
                format!("{picture} {tone} -t {length} {fast} -g 30 -keyint_min 30 {sound}")
            }
            Self::BFrames => format!(
                "{picture} {tone} -t {length} -c:v libx264 -preset veryfast -bf 3 -b_strategy 0 -g 60 \
                 -keyint_min 60 -sc_threshold 0 -pix_fmt yuv420p {sound}"
            ),
            Self::OpenGop => format!(
                "{picture} {tone} -t {length} -c:v libx264 -preset veryfast -bf 3 -b_strategy 0 -g 30 \
                 -keyint_min 30 -sc_threshold 0 -x264-params open-gop=1 -pix_fmt yuv420p {sound}"
            ),
            Self::IntraRefresh => format!(
                "{picture} {tone} -t {length} {fast} -g 30 -x264-params intra-refresh=1 {sound}"
            ),
            Self::OneKeyFrame => format!(
                "{picture} {tone} -t {length} {fast} -g 9999 -keyint_min 9999 -sc_threshold 0 {sound}"
            ),
            Self::Small => format!(
                "-f lavfi -i testsrc2=size=320x240:rate=25 \
                 -f lavfi -i sine=frequency=440:sample_rate=44100 \
                 -t {length} {fast} -g 25 -keyint_min 25 -c:a aac -b:a 64k -ac 1"
            ),
            Self::Heavy => format!(
                "{picture} {tone} -t 10 -vf noise=alls=60:allf=t {fast} -g 30 -keyint_min 30 \
                 -b:v 30M -minrate 30M -maxrate 30M -bufsize 30M {sound}"
            ),
            Self::SoundOnly => format!("{tone} -t {length} {sound}"),
            Self::Silent => format!("{picture} -t {length} {fast} -g 30 -keyint_min 30"),
            Self::Flash => format!(
                "-f lavfi -i color=black:size=320x240:rate=25,drawbox=c=white:t=fill:enable='lt(mod(t,1),0.12)' \
                 -f lavfi -i aevalsrc='sin(2*PI*1000*t)*lt(mod(t,1),0.12)':s=48000 \
                 -t {length} {fast} -g 25 -keyint_min 25 {sound}"
            ),
            Self::Mp3 => format!(
                "{picture} {tone} -t {length} {fast} -g 30 -keyint_min 30 -c:a libmp3lame -ar 44100"
            ),
            Self::Adpcm => format!(
                "{picture} {tone} -t {length} {fast} -g 30 -keyint_min 30 -c:a adpcm_swf -ar 44100 -ac 1"
            ),
        };
        text.split_whitespace().map(str::to_owned).collect()
    }
}
