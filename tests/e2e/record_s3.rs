//! Recordings in an object storage: a server of S3 that nobody here wrote, which checks every signature.

use crate::library::{export, timeline};
use crate::record::{duration, file, probe, record, vods};
use crate::support::clips::Clip;
use crate::support::http;
use crate::support::media::{Seen, decoding_to_end, packets, publish_for};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::moto;
use crate::support::{seconds, wait_for, wait_until};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The storage, with one bucket.
struct Storage {
    peer: Peer,
    settings: Vec<String>,
    secret: String,
}

/// A request that it has answered.
#[derive(Clone, Debug)]
struct Asked {
    method: String,
    path: String,
    query: String,
    status: u16,
}

impl Asked {
    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split('\t').map(str::to_owned);
        Some(Self {
            method: fields.next()?,
            path: fields.next()?,
            query: fields.next()?,
            status: fields.next()?.parse().ok()?,
        })
    }
}

impl Storage {
    /// Whose first parts fail so often, and each of which takes so long.
    #[track_caller]
    fn start(failures: u32, pause: f32) -> Self {
        let (python, folder) = moto();
        let mut command = Command::new(python);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/s3_server.py");
        command.arg(script).arg(folder).arg("films");
        command.args([failures.to_string(), pause.to_string()]);
        let peer = Peer::start(&mut command);
        let about = |line: &str| serde_json::from_str::<Value>(line).ok();
        let about = peer.stdout.wait_for(seconds(120), about);
        let about = about.unwrap_or_else(|| panic!("{}", peer.stderr.text()));
        let text = |key: &str| about[key].as_str().unwrap().to_owned();
        let settings = [
            ("endpoint", text("endpoint")),
            ("bucket", "films".to_owned()),
            ("access_key", text("access")),
            ("secret_key", text("secret")),
            ("delete_local", "true".to_owned()),
        ];
        let settings = settings.map(|(key, value)| format!("record.s3.{key}={value}"));
        Self {
            peer,
            settings: settings.into(),
            secret: text("secret"),
        }
    }

    /// The arguments of a server that copies its recordings here.
    fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let settings = self.settings.iter().map(String::as_str);
        let settings = settings.chain(more.iter().copied());
        settings.flat_map(|setting| ["--set", setting]).collect()
    }

    fn asked(&self) -> Vec<Asked> {
        let text = self.peer.stdout.text();
        text.lines().filter_map(Asked::read).collect()
    }

    fn count(&self, method: &str, query: &str, status: u16) -> usize {
        let asked = self.asked().into_iter();
        let found = asked.filter(|asked| {
            asked.method == method && asked.query.contains(query) && asked.status == status
        });
        found.count()
    }
}

#[test]
fn a_recording_goes_to_the_storage_and_is_played_from_there() {
    let storage = Storage::start(0, 0.0);
    let server = Server::with(&storage.arguments(&["record.s3.prefix=a/b"]));
    server.rest("POST", "/create", r#"{"streamId":"cam"}"#);
    record(&server, "cam", true, "");
    let mut names = Vec::new();
    let mut pictures = Vec::new();
    for name in ["cam.mp4", "cam_1.mp4"] {
        publish_for(&server, "cam", Clip::Standard, 4).finish(seconds(20));
        let object = format!("/films/a/b/LiveApp/{name}");
        wait_until("it is in the storage alone", seconds(30), || {
            let is_there = |asked: &Asked| asked.method == "PUT" && asked.path == object;
            let is_there = storage.asked().iter().any(is_there);
            is_there && !file(server.data(), name).exists()
        });
        names.push(name);
        let list = vods(&server, "list/0/10");
        assert_eq!(list.as_array().unwrap().len(), names.len(), "{list}");
        // By a player that knows nothing of it.
        let url = server.url(&format!("/LiveApp/streams/{name}"));
        let probed = probe(Path::new(&url));
        assert!(
            (duration(&probed) - 4.0).abs() < 0.3,
            "{}",
            duration(&probed)
        );
        pictures.push(packets(&probed, "video").len());
        assert!(pictures.iter().all(|pictures| *pictures > 110));
    }
    let path = "/LiveApp/streams/cam.mp4";
    let answer = server.get(path);
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (307, "no-store")
    );
    let place = answer.header("location").to_owned();
    let (port, link) = place
        .strip_prefix("http://127.0.0.1:")
        .and_then(|rest| rest.split_once('/'))
        .unwrap();
    let (port, link) = (port.parse().unwrap(), format!("/{link}"));
    let part = http::request(port, "GET", &link, &[("Range", "bytes=4-7")], b"");
    assert_eq!((part.status, &part.body[..]), (206, &b"ftyp"[..]));
    assert_eq!(part.header("content-type"), "video/mp4");
    // A link is for one method: of its head there is another.
    let head = http::request(server.http, "HEAD", path, &[], b"");
    let head_place = head.header("location").to_owned();
    assert!(head.status == 307 && head_place != place, "{head_place}");
    // What is there alone is exported, and HLS, as what is here.
    let shown = timeline(&server, "cam");
    assert_eq!(shown["recorded"].as_array().unwrap().len(), 2, "{shown}");
    let both = probe(Path::new(&export(&server, "cam", 0, 4_000_000_000_000)));
    let found = packets(&both, "video").len();
    assert_eq!(found, pictures.iter().sum::<usize>());
    assert!((duration(&both) - 8.0).abs() < 0.6, "{}", duration(&both));
    let start = shown["recorded"][1]["start"].as_u64().unwrap();
    let part = export(&server, "cam", start + 1_300, start + 2_300);
    let seen = Seen::of(&Peer::start(&mut decoding_to_end(&part)).finish(seconds(30)));
    assert!(seen.pictures.abs_diff(30) < 4, "{seen:?}");
    let playlist = server.url("/LiveApp/streams/cam.mp4.m3u8");
    let seen = Seen::of(&Peer::start(&mut decoding_to_end(&playlist)).finish(seconds(60)));
    assert_eq!(seen.pictures, pictures[0], "{seen:?}");
    // Deleted here, it is deleted there.
    let list = vods(&server, "list/0/10");
    let id = list[0]["vodId"].as_str().unwrap();
    let deleted = http::request(
        server.http,
        "DELETE",
        &format!("/LiveApp/rest/v2/vods/{id}"),
        &[],
        b"",
    );
    assert_eq!(deleted.json()["success"], true);
    // One by one, or as a list.
    wait_until("it is deleted there", seconds(30), || {
        storage.count("DELETE", "", 204) + storage.count("POST", "delete", 200) == 1
    });
    assert_eq!(server.get(path).status, 404);
    assert_eq!(server.get("/LiveApp/streams/cam_1.mp4").status, 307);
    assert_eq!(vods(&server, "count")["number"], 1);
    assert!(!server.log.text().contains(&storage.secret));
}

#[test]
fn an_upload_goes_on_where_it_was_when_the_server_was_killed() {
    let storage = Storage::start(1, 0.7);
    let folder = tempfile::tempdir().unwrap();
    let arguments = storage.arguments(&["record.s3.part_bytes=5242880"]);
    let server = Server::on_with(folder.path(), &arguments);
    // Nothing that a server could know without reading it.
    let mut word = 1u64;
    let film: Vec<u8> = std::iter::repeat_with(|| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (word >> 56) as u8
    })
    .take(22 << 20)
    .collect();
    let head =
        "--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"film.webm\"\r\n\r\n";
    let form = [head.as_bytes(), &film, b"\r\n--limit--\r\n"].concat();
    let kind = [("Content-Type", "multipart/form-data; boundary=limit")];
    let path = "/LiveApp/rest/v2/vods/create";
    let taken = http::request(server.http, "POST", path, &kind, &form);
    assert_eq!(taken.json()["success"], true, "{}", taken.text());
    let list = vods(&server, "list/0/10");
    let name = list[0]["filePath"].as_str().unwrap().to_owned();
    wait_until("two parts are there", seconds(60), || {
        storage.count("PUT", "partNumber=", 200) >= 2
    });
    server.kill();

    let server = Server::on_with(folder.path(), &arguments);
    wait_until("it is there as a whole", seconds(60), || {
        storage.count("POST", "uploadId=", 200) == 1
    });
    assert_eq!(storage.count("POST", "uploads", 200), 1);
    // The one on its way when the server was killed may have come twice.
    for part in 1..=5 {
        let count = storage.count("PUT", &format!("partNumber={part}"), 200);
        assert!(count == 1 || (count == 2 && part > 1), "{part}: {count}");
    }
    assert_eq!(storage.count("PUT", "partNumber=", 503), 1);
    let place = wait_for("it is there alone", seconds(20), || {
        let answer = server.get(&format!("/LiveApp/{name}"));
        (answer.status == 307).then(|| answer.header("location").to_owned())
    });
    let rest = place.strip_prefix("http://127.0.0.1:").unwrap();
    let (port, link) = rest.split_once('/').unwrap();
    let there = http::get(port.parse().unwrap(), &format!("/{link}"));
    assert_eq!(there.header("content-type"), "video/webm");
    assert!(there.body == film);
}
