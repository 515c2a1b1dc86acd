//! The access units of a file as ffmpeg reads them: when, and what they hold once what containers change is taken out.

use super::program;
use super::seconds;
use super::tools::tool;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What a file is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codecs {
    pub(crate) video: &'static str,
    pub(crate) audio: &'static str,
}

/// One access unit: decoding and presentation time in seconds, and a hash of its payload.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) dts: f64,
    pub(crate) pts: f64,
    pub(crate) hash: String,
}

/// The access units of the first track of a kind (`v`, `a`), and how long a tick of its times is in seconds.
#[track_caller]
pub(crate) fn frames(file: &Path, kind: &str, codec: &str) -> (Vec<Frame>, f64) {
    // Parameter sets, delimiters and headers of ADTS; and, of H.265, what encoders say of themselves beside the sets.
    let filters = match codec {
        "h264" => Some("h264_mp4toannexb,filter_units=remove_types=7|8|9"),
        "hevc" => Some("hevc_mp4toannexb,filter_units=remove_types=32|33|34|35|39"),
        "aac" if file.extension().is_some_and(|ending| ending == "ts") => Some("aac_adtstoasc"),
        _ => None,
    };
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-copyts", "-i"]);
    ffmpeg
        .arg(file)
        .args(["-map", &format!("0:{kind}:0"), "-c", "copy"]);
    if let Some(filters) = filters {
        ffmpeg.args([&format!("-bsf:{kind}"), filters]);
    }
    ffmpeg.args(["-avoid_negative_ts", "disabled", "-f", "framemd5", "-"]);
    let output = program::run_to_end(&mut ffmpeg, seconds(30));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{file:?} {kind}: {errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let tick = text
        .lines()
        .find_map(|line| line.strip_prefix("#tb 0: "))
        .and_then(|tick| tick.split_once('/'));
    let (over, under) = tick.unwrap_or_else(|| panic!("{file:?} has no {kind}: {text}"));
    let tick = over.parse::<f64>().unwrap() / under.parse::<f64>().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let frames = lines.map(|line| {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let time = |field: usize| fields[field].parse::<f64>().unwrap() * tick;
        Frame {
            dts: time(1),
            pts: time(2),
            hash: fields[5].to_owned(),
        }
    });
    (frames.collect(), tick)
}

/// Asserts that two files hold the same access units, at the same times but for one constant. `rounding` is the length
/// of a tick that the times have passed through, in seconds.
#[track_caller]
pub(crate) fn assert_alike(one: &Path, other: &Path, codecs: Codecs, rounding: f64) {
    let mut constant = None;
    for (kind, codec) in [("v", codecs.video), ("a", codecs.audio)] {
        if codec.is_empty() {
            continue;
        }
        let (before, tick) = frames(one, kind, codec);
        let (after, other_tick) = frames(other, kind, codec);
        let what = format!("{} -> {}, {kind}", one.display(), other.display());
        assert_eq!(before.len(), after.len(), "access units of {what}");
        assert!(!before.is_empty(), "{what}");
        // The constant is that of the pictures, whose ticks are longer than those of sound.
        let tolerance = tick + other_tick + 2.0 * rounding + 1e-4;
        let decoding = after[0].dts - before[0].dts;
        let presentation = *constant.get_or_insert(after[0].pts - before[0].pts);
        for (number, (before, after)) in before.iter().zip(&after).enumerate() {
            assert_eq!(before.hash, after.hash, "payload {number} of {what}");
            let moved = after.pts - before.pts - presentation;
            assert!(moved.abs() <= tolerance, "{number} of {what}: {moved}");
            let moved = after.dts - before.dts - decoding;
            assert!(moved.abs() <= tolerance, "{number} of {what}: {moved}");
        }
    }
}

/// A file made by ffmpeg, once; its name says which.
#[track_caller]
pub(crate) fn made(name: &str, arguments: &str) -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("made-1-{name}"));
    if file.is_file() {
        return file;
    }
    std::fs::create_dir_all(folder).unwrap();
    let unfinished = folder.join(format!("{}-{name}", std::process::id()));
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y"]);
    ffmpeg.args(arguments.split_whitespace()).arg(&unfinished);
    let output = program::run_to_end(&mut ffmpeg, seconds(60));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
    std::fs::rename(unfinished, &file).unwrap();
    file
}
