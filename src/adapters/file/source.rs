//! Reads a file. What it is, is told by its first bytes, whatever its name.

use super::playlist;
use super::report::Report;
use crate::adapters::{Content, FlvIntake, Receiver, Target};
use crate::hub::Origin;
use crate::transport::Intake;
use bytes::{Bytes, BytesMut};
use mp4::reader::{Reader as Mp4Reader, Step};
use mpegts::demuxer::ProgramSelection;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use tokio::sync::mpsc;

/// Bytes that are read at a time of files that are read from the beginning to the end.
const PIECE: usize = 64 << 10;

/// Pieces, or units, that are read ahead of those that take them.
const AHEAD: usize = 16;

/// Longest tag of an FLV file.
const MAX_TAG: usize = 16 << 20;

/// Publishes a file from its beginning to its end.
pub(super) async fn pull(path: &Path, target: &Target, report: &Report) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let (file, head, length) = open(path).map_err(|error| words(&error))?;
    let content = match Content::of(&head, true) {
        None if head.is_empty() => Err("it is empty"),
        None => Err("it is no MPEG transport stream, MP4 or FLV file, and no playlist of HLS"),
        Some(content) => Ok(content),
    };
    let content = content.map_err(|reason| words(&reason))?;
    // Of a playlist, the bytes are those of other files.
    let is_playlist = content == Content::Playlist;
    report.opened(if is_playlist { 0 } else { length }, content.name());
    target.connected();
    let origin = Origin {
        protocol: "file",
        address: path.display().to_string(),
        agent: None,
    };
    let read = match content {
        Content::Ts => transport_stream(file, target, &origin, report).await,
        Content::Flv => flv(file, target, origin, report).await,
        Content::Mp4 => mp4(file, length, target, origin, report).await,
        Content::Playlist => playlist::pull(path, target, origin, report).await,
    };
    read.map_err(|error| words(&error))
}

/// The file, its first bytes, and how many it has.
fn open(path: &Path) -> io::Result<(File, Vec<u8>, u64)> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "it is a folder",
        ));
    }
    let mut head = vec![0; Content::HEAD];
    let mut filled = 0;
    while let Some(rest) = head.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    head.truncate(filled);
    Ok((file, head, about.len()))
}

/// Reads a file piece by piece on a thread of its own, as far ahead as [`AHEAD`].
fn pieces(mut file: File) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut piece = BytesMut::zeroed(PIECE);
            let read = match file.read(&mut piece) {
                Ok(0) => return,
                Ok(length) => {
                    piece.truncate(length);
                    Ok(piece.freeze())
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = read.is_err();
            if sender.blocking_send(read).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

async fn transport_stream(
    file: File,
    target: &Target,
    origin: &Origin,
    report: &Report,
) -> Result<(), String> {
    let intake = Intake::new(ProgramSelection::First, origin.address.clone());
    let mut intake = intake.keeping_all(true);
    let publish = || target.publish(origin);
    let mut pieces = pieces(file);
    let mut read = Ok(());
    while let Some(piece) = pieces.recv().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                read = Err(format!("it cannot be read further: {error}"));
                break;
            }
        };
        intake.push(&piece, publish)?;
        report.read(piece.len() as u64);
        intake.room().await;
    }
    let finished = intake.finish(publish);
    for loss in intake.losses() {
        report.lost(&loss);
    }
    read.and(finished)
}

async fn flv(file: File, target: &Target, origin: Origin, report: &Report) -> Result<(), String> {
    let reader = flv::file::Reader::with_max_tag(MAX_TAG);
    let mut intake = FlvIntake::new(target, origin, reader);
    let mut lost = |time: u32, error: flv::Error| report.lost(&format!("at {time} ms: {error}"));
    let mut pieces = pieces(file);
    let mut read = Ok(());
    while let Some(piece) = pieces.recv().await {
        read = match piece {
            Ok(piece) => {
                report.read(piece.len() as u64);
                intake.push(&piece, &mut lost).await
            }
            Err(error) => Err(format!("it cannot be read further: {error}")),
        };
        if read.is_err() {
            break;
        }
    }
    for loss in intake.losses() {
        report.lost(&loss);
    }
    if !intake.finish() {
        read?;
        return Err("there is nothing in it that can be used".to_owned());
    }
    read
}

async fn mp4(
    file: File,
    length: u64,
    target: &Target,
    origin: Origin,
    report: &Report,
) -> Result<(), String> {
    let (sender, mut steps) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || read_mp4(&file, length, &sender));
    let mut receiver = Receiver::new(target, origin);
    let mut fault = None;
    while let Some(read) = steps.recv().await {
        match read {
            Told::Lasts(duration) => report.lasts(duration),
            Told::Step(step, bytes) => {
                report.read(bytes);
                match step {
                    Step::Track(track) => receiver.track(track)?,
                    Step::Unit(unit) => receiver.unit(unit).await?,
                    Step::Fault(found) => {
                        report.lost(&found);
                        fault.get_or_insert(found);
                    }
                    Step::Read { .. } | Step::End => {}
                }
            }
        }
    }
    if receiver.finish() {
        return Ok(());
    }
    let nothing = || "there is nothing in it that can be used".to_owned();
    Err(fault.map_or_else(nothing, |fault| fault.to_string()))
}

/// What the thread that reads says.
enum Told {
    Lasts(std::time::Duration),
    /// With the bytes of the file that it took.
    Step(Step, u64),
}

/// Reads until the end, or until nobody listens.
fn read_mp4(file: &File, length: u64, sender: &mpsc::Sender<Told>) {
    let mut reader = Mp4Reader::new(length);
    let mut lasts = None;
    let mut taken = 0;
    loop {
        match reader.poll() {
            Step::End => return,
            Step::Read { at, length } => {
                let bytes = read_at(file, at, length);
                taken += bytes.len() as u64;
                reader.supply(bytes);
            }
            step => {
                if lasts.is_none() {
                    lasts = reader.duration();
                    if let Some(lasts) = lasts
                        && sender.blocking_send(Told::Lasts(lasts)).is_err()
                    {
                        return;
                    }
                }
                let step = Told::Step(step, std::mem::take(&mut taken));
                if sender.blocking_send(step).is_err() {
                    return;
                }
            }
        }
    }
}

/// As many of the bytes at that place as can be read.
pub(super) fn read_at(file: &File, at: u64, length: usize) -> Bytes {
    let mut bytes = BytesMut::zeroed(length);
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    bytes.truncate(filled);
    bytes.freeze()
}
