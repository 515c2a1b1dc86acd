//! `millstream probe`: says what is in a source, and which outputs can carry it.

use super::{CommandError, Session};
use crate::config::Config;
use crate::hub::Offline;
use crate::inspect::{self, Found, kind, thousandths};
use media::{Kind, Track};
use serde_json::json;
use std::fmt::Write;
use std::time::Duration;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// A URL or a path.
    pub source: String,
    /// Most time that it takes.
    pub timeout: Duration,
    /// Answer in JSON.
    pub json: bool,
}

/// What was found, in text or JSON as asked for.
///
/// # Errors
/// When the arguments cannot be used, or nothing came.
pub async fn run(config: &Config, options: &Options) -> Result<String, CommandError> {
    let session = Session::new(config, Offline::default())?;
    let source = session.source(&options.source)?;
    let target = session.target_stream()?;
    let pull = session.pull(&source, &target);
    let looked = inspect::look(&target, pull, source.path.is_some(), options.timeout).await;
    let found = looked.map_err(CommandError::Failed)?;
    if let Some(words) = &found.failure {
        session.report.lost(words);
    }
    let bitrate = inspect::bitrate(&found.tracks);
    let tracks = found.tracks.iter();
    let tracks: Vec<Found<'_>> = tracks
        .map(|seen| Found::new(&session.protocols, seen))
        .collect();
    let container = session.report.container();
    let container = container.unwrap_or_else(|| source.protocol().name());
    let losses = session.report.losses().0;
    Ok(if options.json {
        let duration = session
            .report
            .duration()
            .map(|duration| duration.as_secs_f64());
        let report = json!({
            "source": source.name(),
            "container": container,
            "duration": duration,
            "bitrate": bitrate,
            "tracks": tracks.iter().map(Found::json).collect::<Vec<_>>(),
            "problems": losses,
        });
        format!("{report:#}\n")
    } else {
        let mut text = format!("{}\n  container  {container}", source.name());
        if let Some(duration) = session.report.duration() {
            let _ = write!(text, ", {}", super::bar::clock(duration));
        }
        if let Some(bitrate) = bitrate {
            let _ = write!(text, ", {}", bits(bitrate));
        }
        text.push('\n');
        for track in &tracks {
            write_track(track, &mut text);
        }
        for loss in losses {
            let _ = writeln!(text, "  problem    {loss}");
        }
        text
    })
}

/// A track in some lines.
fn write_track(track: &Found<'_>, out: &mut String) {
    let seen = track.seen;
    let mut words = vec![headline(&seen.track)];
    if seen.track.kind() == Kind::Video {
        words.extend(seen.rate().map(|rate| format!("{} fps", thousandths(rate))));
    }
    words.extend(seen.bitrate().map(bits));
    let _ = writeln!(out, "  {}", words.join(", "));
    if seen.track.kind() == Kind::Video {
        let gop = match seen.gops {
            Some([shortest, longest]) if shortest == longest => gop(longest),
            Some([shortest, longest]) => format!("{} to {}", gop(shortest), gop(longest)),
            None if seen.starts > 0 => format!("longer than {:.1?}", seen.length()),
            None => "no random access point was seen".to_owned(),
        };
        let order = if seen.is_reordered {
            "B-frames"
        } else {
            "no B-frames"
        };
        let _ = writeln!(out, "    GOP      {gop}; {order}");
    }
    let carried = track.outputs.iter().filter(|(_, carries)| carries.is_ok());
    let carried: Vec<&str> = carried.map(|(name, _)| *name).collect();
    if !carried.is_empty() {
        let _ = writeln!(out, "    goes to  {}", carried.join(", "));
    }
    for (name, carries) in &track.outputs {
        if let Err(reason) = carries {
            let _ = writeln!(out, "    not to   {name}: {reason}");
        }
    }
}

/// A track in one line: what it is, and how large.
pub(super) fn headline(track: &Track) -> String {
    let codec = &track.codec;
    let mut text = format!(
        "{:<9}  {}",
        format!("{} {}", kind(track), track.id.0),
        codec.name()
    );
    if let Some(profile) = inspect::profile(codec) {
        let _ = write!(text, " {profile}");
    }
    if let Some((width, height)) = codec.size() {
        let _ = write!(text, ", {width}x{height}");
    }
    if track.kind() == Kind::Audio {
        let _ = write!(text, ", {} Hz", track.timebase.ticks_per_second());
        match codec.channels() {
            Some(1) => text.push_str(", mono"),
            Some(2) => text.push_str(", stereo"),
            Some(channels) => {
                let _ = write!(text, ", {channels} channels");
            }
            None => {}
        }
    }
    text
}

fn gop((time, pictures): (Duration, u64)) -> String {
    format!(
        "{pictures} pictures ({} s)",
        thousandths(time.as_secs_f64())
    )
}

fn bits(rate: u64) -> String {
    match rate {
        0..1_000_000 => format!("{} kbit/s", rate / 1_000),
        rate => format!("{:.2} Mbit/s", rate as f64 / 1e6),
    }
}
