//! Playlists that others wrote, read by two implementations.

use hls::read::{self, Playlist, Variables};
use m3u8_rs::Playlist as Theirs;
use std::path::Path;

#[test]
fn playlists_of_others_are_read_as_another_reader_does() {
    let Some(corpus) = std::env::var_os("MILLSTREAM_CORPUS") else {
        println!("MILLSTREAM_CORPUS is not set: playlists of others are left out");
        return;
    };
    let mut count = 0;
    for folder in ["grafov", "m3u8-rs"] {
        let folder = Path::new(&corpus).join("hls").join(folder);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "m3u8") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            let ours = read::parse(&text, &Variables::default(), "");
            // Comments in front of the playlist are more than it reads.
            let Ok(theirs) = m3u8_rs::parse_playlist_res(&bytes) else {
                continue;
            };
            count += 1;
            match (ours, theirs) {
                (Ok(Playlist::Media(ours)), Theirs::MediaPlaylist(theirs)) => {
                    media(&ours, &theirs, &path);
                }
                (Ok(Playlist::Multivariant(ours)), Theirs::MasterPlaylist(theirs)) => {
                    // Stray lines take the place of names with them.
                    let plain = theirs.variants.iter().filter(|variant| !variant.is_i_frame);
                    let plain: Vec<_> = plain.map(|variant| variant.bandwidth).collect();
                    let ours = ours.variants.iter().map(|variant| variant.bandwidth);
                    assert_eq!(ours.collect::<Vec<_>>(), plain, "{}", path.display());
                }
                (ours, _) => panic!("{}: {ours:?}", path.display()),
            }
        }
    }
    assert!(count > 35, "only {count} playlists");
}

fn media(ours: &read::Media, theirs: &m3u8_rs::MediaPlaylist, path: &Path) {
    let path = path.display();
    assert_eq!(ours.media_sequence, theirs.media_sequence, "{path}");
    assert_eq!(ours.ended, theirs.end_list, "{path}");
    assert_eq!(ours.segments.len(), theirs.segments.len(), "{path}");
    for (ours, theirs) in ours.segments.iter().zip(&theirs.segments) {
        assert_eq!(ours.uri, theirs.uri, "{path}");
        assert!(
            (ours.duration.as_secs_f32() - theirs.duration).abs() < 0.001,
            "{path}"
        );
        assert_eq!(ours.discontinuity, theirs.discontinuity, "{path}");
        let range = theirs.byte_range.as_ref().map(|range| range.length);
        assert_eq!(ours.range.map(|range| range.length), range, "{path}");
    }
}
