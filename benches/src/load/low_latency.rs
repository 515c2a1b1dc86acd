//! A viewer by low-latency HLS: for each rendition a connection on which it asks for the playlist that has
//! the next part, and then fetches the part. A server of files does not hold that request: there it asks when a part
//! is due.

use super::Shared;
use super::hls::Eye;
use super::http::Client;
use super::playlist::{Media, renditions, resolve};
use crate::error::{Error, Result};
use crate::servers;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// Views until something fails; `held` by a server that answers when the part is there.
pub(super) async fn view(shared: &Shared, held: bool) -> Result<()> {
    let eye = Eye::new(shared);
    let mut client = Client::connect(shared).await?;
    let multivariant = client.text(&servers::playlist_path()).await?;
    let paths: Vec<String> = renditions(&multivariant)
        .iter()
        .map(|uri| resolve(&servers::playlist_path(), uri))
        .collect();
    match paths.as_slice() {
        [video, audio] => {
            let other = Client::connect(shared).await?;
            tokio::try_join!(
                follow(client, video, &eye, held),
                follow(other, audio, &eye, held)
            )?;
            Ok(())
        }
        [only] => follow(client, only, &eye, held).await,
        _ => Err(Error::new("the multivariant playlist names no rendition")),
    }
}

/// Follows one rendition until something fails.
async fn follow(mut client: Client<'_>, path: &str, eye: &Eye<'_>, held: bool) -> Result<()> {
    let mut media = Media::parse(&client.text(path).await?);
    if let Some(map) = &media.map {
        client.get(&resolve(path, map), |_| {}).await?;
    }
    // A decoder can start at the newest independent part.
    let start = media.parts.iter().rev().find(|part| part.independent);
    let mut next = start.map_or((0, 0), |part| part.place);
    let mut asked = Instant::now();
    loop {
        let new: Vec<_> = media
            .parts
            .iter()
            .filter(|part| part.place >= next)
            .collect();
        for part in &new {
            eye.fetch(&mut client, &resolve(path, &part.uri)).await?;
        }
        if new.is_empty() {
            // A server that does not hold the request must not be asked without end.
            sleep(Duration::from_millis(50)).await;
        }
        if !held {
            sleep_until(asked + Duration::from_secs_f64(media.part_target)).await;
        }
        asked = Instant::now();
        let (number, part) = media.next_part();
        next = (number, part).max(next);
        let mark = if path.contains('?') { '&' } else { '?' };
        let query = format!("{path}{mark}_HLS_msn={number}&_HLS_part={part}");
        media = Media::parse(&client.text(&query).await?);
    }
}
