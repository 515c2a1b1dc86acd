//! A server that is treated badly while someone publishes and someone watches.

use super::clips::Clip;
use super::media::{Seen, decoding, publish};
use super::peer::Peer;
use super::rtmp::{Answer, Client};
use super::seconds;
use super::server::Server;

/// Growth allowed to a server that a few hundred hostile connections have come and gone, and one that holds
/// forty of them. Allocators keep some of what they were given back.
const BOUND: u64 = 48 << 20;

/// A server with a good publisher and a good player, which must not notice what happens to the server.
pub(crate) struct Watched {
    pub(crate) server: Server,
    publisher: Peer,
    player: Option<Peer>,
    before: u64,
    length: u32,
}

impl Watched {
    /// With a player that decodes that many seconds.
    pub(crate) fn start(length: u32) -> Self {
        let server = Server::start();
        let publisher = publish(&server, "good", Clip::Standard);
        let player = Peer::start(&mut decoding(&server.rtmp_url("good"), length));
        std::thread::sleep(seconds(1));
        let before = server.resident_bytes();
        Self {
            server,
            publisher,
            player: Some(player),
            before,
            length,
        }
    }

    /// Nobody noticed, and the memory is what it was.
    #[track_caller]
    pub(crate) fn check(mut self) {
        let grown = self.server.resident_bytes().saturating_sub(self.before);
        assert!(grown < BOUND, "grew by {} MiB", grown >> 20);
        let player = self
            .player
            .take()
            .unwrap()
            .finish(seconds(u64::from(self.length) + 20));
        Seen::of(&player.without_complaint()).assert_about(f64::from(self.length), 30.0);
        assert!(
            self.publisher.is_running(),
            "{}",
            self.publisher.stderr.text()
        );
        assert_eq!(self.publisher.stderr.text(), "");
        // New ones are served as before.
        let (_, answer) = Client::play(self.server.rtmp, "LiveApp", "good");
        assert_eq!(answer, Answer::Granted);
        assert_eq!(self.server.get("/healthz").status, 200);
    }
}
