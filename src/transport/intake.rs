//! From the bytes of a transport stream to a publisher.

use super::losses;
use crate::hub::{Publisher, Taken};
use media::{Kind, Track};
use mpegts::Format;
use mpegts::demuxer::{Counts, Demuxer, Event, ProgramSelection};
use mpegts::psi::Pmt;
use std::time::Duration;
use tokio::time::Instant;

/// What comes first waits so long for pictures whose parameters come with them, so that players see both at once.
const PICTURES_WAITED_FOR: Duration = Duration::from_secs(5);

/// The log tells what is wrong with a stream this often at most.
const FAULTS_TOLD_EVERY: Duration = Duration::from_secs(60);

/// Publishes one program of a transport stream.
#[derive(Debug)]
pub struct Intake {
    demuxer: Demuxer,
    /// Who it is, for the log.
    name: String,
    tracks: Vec<Track>,
    /// The program has pictures that can be carried.
    has_pictures: bool,
    /// When the first unit came that waits for pictures.
    waiting_since: Option<Instant>,
    publisher: Option<Publisher>,
    /// Nothing that comes before the pictures is left out.
    keeps_all: bool,
    /// Streams of the program that are not carried.
    left_out: Vec<&'static str>,
    /// What the log has been told, and when.
    told: (Counts, Option<Instant>),
}

impl Intake {
    /// For the program that is chosen; `name` is what the log calls the source, without secrets.
    pub fn new(selection: ProgramSelection, name: String) -> Self {
        Self {
            demuxer: Demuxer::new(selection),
            name,
            tracks: Vec::new(),
            has_pictures: false,
            waiting_since: None,
            publisher: None,
            keeps_all: false,
            left_out: Vec::new(),
            told: (Counts::default(), None),
        }
    }

    /// For work offline, where nothing is left out: what comes before the pictures can be used is published as well.
    pub const fn keeping_all(mut self, keeps_all: bool) -> Self {
        self.keeps_all = keeps_all;
        self
    }

    /// Completes when there is room for more ([`Publisher::room`]).
    pub async fn room(&self) {
        if let Some(publisher) = &self.publisher {
            publisher.room().await;
        }
    }

    /// What of the stream is lost so far, in words.
    pub fn losses(&self) -> Vec<String> {
        let left_out = losses::left_out(&self.left_out);
        losses::counted(&self.demuxer).chain(left_out).collect()
    }

    /// Takes a piece of the stream, cut anywhere. With the first access unit that players can begin with, `publish`
    /// is called, once.
    ///
    /// # Errors
    /// When the name is taken, or the publisher has been replaced.
    pub fn push(
        &mut self,
        bytes: &[u8],
        publish: impl FnMut() -> Result<Publisher, Taken>,
    ) -> Result<(), String> {
        self.demuxer.push(bytes);
        self.take(publish)
    }

    /// Who publishes it, once something of it is published.
    pub const fn publisher(&self) -> Option<&Publisher> {
        self.publisher.as_ref()
    }

    /// Nothing more will come from where it came: what is complete is published.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn flush(
        &mut self,
        publish: impl FnMut() -> Result<Publisher, Taken>,
    ) -> Result<(), String> {
        self.demuxer.flush();
        self.take(publish)
    }

    /// The stream is over: what is complete is published, and the stream ends.
    ///
    /// # Errors
    /// As [`push`](Self::push); and when nothing could be published.
    pub fn finish(
        &mut self,
        publish: impl FnMut() -> Result<Publisher, Taken>,
    ) -> Result<(), String> {
        self.flush(publish)?;
        match self.publisher.take() {
            Some(publisher) => {
                publisher.finish();
                Ok(())
            }
            None => Err("the stream ended before anything of it could be carried".to_owned()),
        }
    }

    fn take(
        &mut self,
        mut publish: impl FnMut() -> Result<Publisher, Taken>,
    ) -> Result<(), String> {
        while let Some(event) = self.demuxer.pull() {
            match event {
                Event::Program(program) => self.describe(&program),
                Event::Track(track) => {
                    if let Some(publisher) = &self.publisher {
                        let set = publisher.set_track(track.clone());
                        set.map_err(|error| error.to_string())?;
                    }
                    self.tracks.retain(|known| known.id != track.id);
                    self.tracks.push(track);
                }
                Event::Unit(unit) => {
                    if self.publisher.is_none() && !self.is_waiting() {
                        let publisher = publish().map_err(|error| error.to_string())?;
                        for track in &self.tracks {
                            let set = publisher.set_track(track.clone());
                            set.map_err(|error| error.to_string())?;
                        }
                        self.publisher = Some(publisher);
                    }
                    if let Some(publisher) = &self.publisher {
                        publisher.push(unit).map_err(|error| error.to_string())?;
                    }
                }
                Event::Fault(fault) => tracing::trace!(source = %self.name, %fault, "MPEG-TS"),
            }
        }
        self.tell();
        Ok(())
    }

    /// Says what the program is made of, and what of it is not carried.
    fn describe(&mut self, program: &Pmt) {
        let (known, others) = losses::sorted(program);
        self.has_pictures = known
            .iter()
            .any(|format| format.kind() == Some(Kind::Video));
        if !others.is_empty() {
            let left_out: Vec<&'static str> = others.iter().map(Format::name).collect();
            self.left_out.clone_from(&left_out);
            let left_out = left_out.join(", ");
            tracing::info!(source = %self.name, program = program.program, left_out, "streams of the program");
        }
    }

    /// Whether pictures are to come, and what is there waits for them.
    fn is_waiting(&mut self) -> bool {
        let has_pictures = self.tracks.iter().any(|track| track.kind() == Kind::Video);
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        self.has_pictures
            && !self.keeps_all
            && !has_pictures
            && since.elapsed() < PICTURES_WAITED_FOR
    }

    /// Tells the log what has gone wrong since it was told last.
    fn tell(&mut self) {
        let counts = self.demuxer.counts();
        let (before, when) = self.told;
        let lost = counts.continuity_errors + counts.transport_errors;
        let is_news = lost > before.continuity_errors + before.transport_errors
            || counts.malformed_sections > before.malformed_sections
            || counts.malformed_pes > before.malformed_pes;
        if !is_news || when.is_some_and(|when| when.elapsed() < FAULTS_TOLD_EVERY) {
            return;
        }
        self.told = (counts, Some(Instant::now()));
        tracing::warn!(
            source = %self.name,
            continuity_errors = counts.continuity_errors,
            transport_errors = counts.transport_errors,
            malformed_sections = counts.malformed_sections,
            malformed_pes = counts.malformed_pes,
            damaged_units = counts.damaged_units,
            skipped_bytes = self.demuxer.aligner_counts().skipped_bytes,
            "MPEG-TS arrives damaged"
        );
    }
}
