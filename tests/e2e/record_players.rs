//! Recordings in players of others.

use crate::hls::vlc_plays_url;
use crate::library::timeline;
use crate::record::{file, record};
use crate::support::clips::Clip;
use crate::support::media::publish;
use crate::support::server::Server;
use crate::support::{seconds, wait_until};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

#[test]
fn vlc_plays_a_recording_and_what_a_killed_server_left() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::on(data);
    let publishers = ["whole", "left"].map(|id| publish(&server, id, Clip::Standard));
    for id in ["whole", "left"] {
        assert_eq!(record(&server, id, true, "")["success"], true);
    }
    wait_until("ten seconds are recorded", seconds(60), || {
        ["whole", "left"].iter().all(|id| {
            let stretch = timeline(&server, id)["recorded"][0].clone();
            let times = stretch["end"].as_u64().zip(stretch["start"].as_u64());
            times.is_some_and(|(end, start)| end - start > 10_500)
        })
    });
    record(&server, "whole", false, "");
    server.kill();
    drop(publishers);
    // VLC is somebody else here, and knows nothing of the server.
    let open = tempfile::tempdir().unwrap();
    std::fs::set_permissions(open.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let copies = [
        ("whole.mp4", file(data, "whole.mp4")),
        ("left.mp4", file(data, "left.mp4.tmp_extension")),
    ]
    .map(|(name, from)| {
        let to = open.path().join(name);
        std::fs::copy(&from, &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o644)).unwrap();
        to
    });
    std::thread::scope(|scope| {
        let players = copies
            .each_ref()
            .map(|copy: &PathBuf| scope.spawn(move || vlc_plays_url(&copy.to_string_lossy())));
        for player in players {
            player.join().unwrap();
        }
    });
}
