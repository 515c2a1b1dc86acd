//! The mirror: keeps a folder equal to a server's HLS, so that another server of files can be measured with
//! the same viewers and the same bytes.
//!
//! Segments are written before the playlist that names them, and playlists are replaced, not rewritten.

use crate::error::{Context as _, Error, Result};
use crate::helper;
use crate::load::playlist::{Media, renditions, resolve};
use crate::load::with_client;
use crate::servers;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// Time between two looks at the playlists.
const PAUSE: Duration = Duration::from_millis(200);
/// Segments that must be there before viewers come.
const ENOUGH: usize = 3;
/// Longest wait for them.
const PATIENCE: Duration = Duration::from_secs(30);

/// Plays the role; with the `parts` of low-latency HLS, or segments alone.
///
/// # Errors
/// When the server gives no stream or the folder cannot be written.
pub fn run(address: SocketAddr, folder: &Path, parts: bool) -> Result<()> {
    helper::leave_with_the_benchmark();
    with_client(address, async |client| {
        let multivariant = servers::playlist_path();
        let text = client.text(&multivariant).await?;
        save(folder, &multivariant, text.as_bytes())?;
        let paths: Vec<String> = renditions(&text)
            .iter()
            .map(|uri| resolve(&multivariant, uri))
            .collect();
        let mut known = HashSet::new();
        let mut ready = false;
        let until = Instant::now() + PATIENCE;
        loop {
            let mut fewest = usize::MAX;
            for path in &paths {
                let text = client.text(path).await?;
                let media = Media::parse(&text);
                fewest = fewest.min(media.segments.len());
                let segments = media.segments.iter().map(|(_, uri)| uri);
                let parts = media.parts.iter().filter(|_| parts).map(|part| &part.uri);
                for uri in media.map.iter().chain(segments).chain(parts) {
                    let file = resolve(path, uri);
                    if !known.contains(&file) {
                        save(folder, &file, &client.bytes(&file).await?)?;
                        known.insert(file);
                    }
                }
                save(folder, path, text.as_bytes())?;
            }
            if !ready && !paths.is_empty() && fewest >= ENOUGH {
                ready = true;
                helper::say("ready")?;
            }
            if !ready && Instant::now() > until {
                return Err(Error::new("the server has not cut three segments in 30 s"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}

/// Writes a file under a name of its own first, so that nobody ever sees half of it.
fn save(folder: &Path, path: &str, bytes: &[u8]) -> Result<()> {
    // Each viewer's session is in the query; the file is the same for all.
    let name = path.split('?').next().unwrap_or(path);
    let place = folder.join(name.trim_start_matches('/'));
    let draft = place.with_extension("draft");
    let parent = place.parent().unwrap_or(folder);
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(&draft, bytes))
        .and_then(|()| std::fs::rename(&draft, &place))
        .context("cannot save a file of the stream")
}
