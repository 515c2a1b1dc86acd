//! `millstream remux`: copies one stream from any source to any target, without coding anything anew.

use super::bar::{self, clock};
use super::session::End;
use super::{CommandError, Session};
use crate::adapters::file::{self, Container};
use crate::adapters::{Feed, Progress, Target};
use crate::config::Config;
use crate::hub::{Offline, Stream};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// A URL or a path.
    pub input: String,
    /// A URL or a path.
    pub output: String,
    /// Ends after so much media.
    pub duration: Option<Duration>,
    /// Reads no faster than the times of the input say.
    pub realtime: bool,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// For people, some lines.
    pub text: String,
    /// The input ended, and all of it was written.
    pub is_whole: bool,
}

/// Copies until the input ends.
///
/// # Errors
/// When the arguments cannot be used, or nothing could be copied.
pub async fn run(config: &Config, options: &Options) -> Result<Summary, CommandError> {
    let session = Session::new(
        config,
        Offline {
            realtime: options.realtime,
            longest: options.duration,
        },
    )?;
    let (source, sink) = (
        session.source(&options.input)?,
        session.target(&options.output)?,
    );
    if let Some(path) = &sink.path {
        let unusable = |words| CommandError::Unusable(format!("{path}: {words}"));
        Container::of(Path::new(path)).map_err(unusable)?;
        let canonical = |path: &String| Path::new(path).canonicalize().ok();
        let input = source.path.as_ref().and_then(canonical);
        if input.is_some() && input == canonical(path) {
            return Err(unusable("it is the input".to_owned()));
        }
        let folder = file::segments(Path::new(path)).and_then(|path| path.canonicalize().ok());
        if let (Some(input), Some(folder)) = (&input, &folder)
            && input.starts_with(folder)
        {
            let words = "the input is where its segments would be".to_owned();
            return Err(unusable(words));
        }
    }
    let target = session.target_stream()?;
    let progress = Arc::<Progress>::default();
    let begun = Instant::now();
    let copied = copy(&session, &source, &sink, &target, &progress).await;
    bar::clear();
    let Copied {
        pulled,
        pushed,
        stream,
    } = copied;
    let Some(stream) = stream else {
        let pushed = pushed.and_then(Result::err);
        let words = pulled.err().or(pushed);
        let words = words.unwrap_or_else(|| "there is nothing in it".to_owned());
        return Err(CommandError::Failed(words));
    };
    if let Some(Err(words)) = &pushed
        && !progress.is_live()
    {
        return Err(CommandError::Failed(words.clone()));
    }
    // What was asked for is an end as good as that of the input.
    let pulled = if stream.snapshot().is_cut {
        Ok(())
    } else {
        pulled
    };
    let pushed = pushed.unwrap_or(Ok(()));
    Ok(Told {
        source: &source,
        sink: &sink,
        session: &session,
        stream: &stream,
        progress: &progress,
        took: begun.elapsed(),
        errors: [pulled.err(), pushed.err()],
    }
    .summary(options.duration))
}

/// How both ends ended.
struct Copied {
    pulled: Result<(), String>,
    pushed: Option<Result<(), String>>,
    /// The stream, once there was one.
    stream: Option<Arc<Stream>>,
}

async fn copy(
    session: &Session,
    source: &End,
    sink: &End,
    target: &Target,
    progress: &Arc<Progress>,
) -> Copied {
    let begun = Instant::now();
    let hub = &session.context.hub;
    let pull = session.pull(source, target);
    let interrupted = interrupted();
    tokio::pin!(pull, interrupted);
    let mut pulled = None;
    tokio::select! {
        biased;
        _ = target.has_published() => {}
        ended = &mut pull => pulled = Some(ended),
    }
    // A short source is over by now, and can be read all the same.
    let Some(stream) = target.stream() else {
        return Copied {
            pulled: pulled.unwrap_or(Ok(())),
            pushed: None,
            stream: None,
        };
    };
    let feed = Feed {
        context: session.context.clone(),
        stream: stream.clone(),
        progress: progress.clone(),
    };
    let push = async {
        if stream.ready().await.is_err() {
            return Err("the source ended before anything came".to_owned());
        }
        sink.protocol().push(sink.url(), &feed).await
    };
    let draw = bar::draw(session, &stream, begun);
    tokio::pin!(push, draw);
    loop {
        tokio::select! {
            pushed = &mut push => {
                let over = stream.ended().is_some();
                if pulled.is_none() && over {
                    pulled = Some(pull.await);
                }
                let early = || Err("the target ended before the source did".to_owned());
                let pushed = if pushed.is_ok() && !over { early() } else { pushed };
                return Copied {
                    pulled: pulled.unwrap_or(Ok(())),
                    pushed: Some(pushed),
                    stream: Some(stream.clone()),
                };
            }
            ended = &mut pull, if pulled.is_none() => pulled = Some(ended),
            () = &mut interrupted, if pulled.is_none() => {
                hub.stop(&target.name);
                pulled = Some(Err("interrupted; what had come by then is written".to_owned()));
            }
            () = &mut draw => {}
        }
    }
}

/// Completes when the command is asked to end.
async fn interrupted() {
    let signals = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    match signals {
        (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        },
        _ => std::future::pending().await,
    }
}

/// What there is to tell in the end.
struct Told<'a> {
    source: &'a End,
    sink: &'a End,
    session: &'a Session,
    stream: &'a Stream,
    progress: &'a Progress,
    took: Duration,
    errors: [Option<String>; 2],
}

impl Told<'_> {
    fn summary(&self, limit: Option<Duration>) -> Summary {
        let mut text = String::new();
        let snapshot = self.stream.snapshot();
        let (sent, bytes, skipped) = self.progress.counts();
        let report = &self.session.report;
        let (mut losses, more) = report.losses();
        let repairs = snapshot.repairs;
        if skipped > 0 {
            losses.push(format!(
                "{skipped} access units, since the target was too slow"
            ));
        }
        if snapshot.packets.lost > 0 {
            losses.push(format!(
                "{} packets on their way here",
                snapshot.packets.lost
            ));
        }
        let container = report.container().map(|name| format!(" ({name})"));
        let path = self.sink.path.as_ref();
        let written = path.and_then(|path| Container::of(Path::new(path)).ok());
        let written = written.map(|written| format!(" ({})", written.name()));
        let _ = writeln!(
            text,
            "{}{} -> {}{}",
            self.source.name(),
            container.unwrap_or_default(),
            self.sink.name(),
            written.unwrap_or_default()
        );
        for track in &snapshot.tracks.tracks {
            let _ = writeln!(text, "  {}", super::probe::headline(track));
        }
        let seconds = self.took.as_secs_f64();
        let speed = snapshot.length.as_secs_f64() / seconds.max(0.001);
        let _ = writeln!(
            text,
            "  {} of media, {sent} access units, {bytes} bytes in {seconds:.2} s ({speed:.1}x)",
            clock(snapshot.length)
        );
        if repairs.total() > 0 {
            let _ = writeln!(text, "  times that could not be were mended: {repairs}");
        }
        if limit.is_some() && !snapshot.is_cut {
            let _ = writeln!(
                text,
                "  the input ended before the duration that was asked for"
            );
        }
        for loss in &losses {
            let _ = writeln!(text, "lost: {loss}");
        }
        if more > 0 {
            let _ = writeln!(text, "lost: and {more} more");
        }
        let errors: Vec<&String> = self.errors.iter().flatten().collect();
        for error in &errors {
            let at = clock(snapshot.length);
            let _ = writeln!(text, "error: after {at}: {error}");
        }
        Summary {
            text,
            is_whole: losses.is_empty() && errors.is_empty(),
        }
    }
}
