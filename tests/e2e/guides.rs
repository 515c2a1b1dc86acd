//! The commands of README and docs/guide, as they stand there, against a server with its usual ports. It has a network of
//! its own, in which nobody else has them, and from which nobody can be reached: that needs root.
//!
//! What follows the language of a block says what is done with it:
//!
//! - `run`: all of it ends well, and nothing that the server answers is a refusal. Of a `console` only what stands behind
//!   `$` is run.
//! - `publish`: it goes on, and `LiveApp/cam1` is live from it until the next such block.
//! - `watch`: it goes on, and the server has one viewer more.

use crate::support::clips::Clip;
use crate::support::peer::Peer;
use crate::support::program::clean_environment;
use crate::support::tools::{path_of, tool};
use crate::support::{seconds, wait_until};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// One block of a page.
#[derive(Debug)]
struct Block {
    kind: String,
    script: String,
}

/// The blocks of a page that are run.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    for rest in page.split("\n```").skip(1).step_by(2) {
        let (info, body) = rest.split_once('\n').unwrap();
        let mut words = info.split(' ');
        let (language, kind) = (words.next().unwrap(), words.next());
        let script = match (language, kind) {
            ("sh", Some(_)) => body.to_owned(),
            ("console", Some(_)) => typed(body),
            _ => continue,
        };
        blocks.push(Block {
            kind: kind.unwrap().to_owned(),
            script,
        });
    }
    blocks
}

/// What stands behind `$` in a dialogue, with lines that are continued.
fn typed(dialogue: &str) -> String {
    let mut script = String::new();
    let mut goes_on = false;
    for line in dialogue.lines() {
        let command = if goes_on {
            Some(line)
        } else {
            line.strip_prefix("$ ")
        };
        if let Some(command) = command {
            script += &format!("{command}\n");
            goes_on = command.ends_with('\\');
        }
    }
    script
}

/// The server in its network.
struct Machine {
    server: Peer,
    folder: TempDir,
}

impl Machine {
    #[track_caller]
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut unshare = tool("unshare");
        let script = "ip link set lo up && exec \"$@\"";
        unshare
            .args(["--net", "sh", "-c", script, "sh"])
            .arg(env!("CARGO_BIN_EXE_millstream"))
            .args(["--demo", "--data-dir"])
            .arg(folder.path().join("data"));
        clean_environment(&mut unshare);
        let machine = Self {
            server: Peer::start(&mut unshare),
            folder,
        };
        let ready = "source is live stream=LiveApp/demo";
        let live = machine
            .server
            .stderr
            .wait_for(seconds(40), |line| line.contains(ready).then_some(()));
        assert!(live.is_some(), "{}", machine.server.stderr.text());
        machine.put_programs();
        machine
    }

    /// Programs by the names that the pages have for them, which work without a screen, and a film.
    fn put_programs(&self) {
        let here = self.folder.path();
        std::fs::set_permissions(here, std::fs::Permissions::from_mode(0o777)).unwrap();
        let programs = here.join("bin");
        std::fs::create_dir(&programs).unwrap();
        let binary = programs.join("millstream");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_millstream"), binary).unwrap();
        let vlc = format!(
            "exec setpriv --reuid=65534 --regid=65534 --clear-groups {} -I dummy --no-interact --vout=dummy --aout=dummy \"$@\"",
            path_of("cvlc").display()
        );
        let ffplay = format!(
            "SDL_VIDEODRIVER=dummy SDL_AUDIODRIVER=dummy exec {} \"$@\"",
            path_of("ffplay").display()
        );
        for (name, script) in [("vlc", vlc), ("ffplay", ffplay)] {
            let file = programs.join(name);
            std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::fs::copy(Clip::Standard.file(), here.join("video.mp4")).unwrap();
    }

    /// A shell there.
    fn shell(&self, script: &str) -> Command {
        let here = self.folder.path();
        let mut shell = tool("nsenter");
        shell
            .arg(format!("--net=/proc/{}/ns/net", self.server.id()))
            .args(["sh", "-ec", script])
            .current_dir(here)
            .env("HOME", here)
            .env("XDG_RUNTIME_DIR", here)
            .env("PATH", self.path());
        clean_environment(&mut shell);
        shell
    }

    fn path(&self) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        let programs = self.folder.path().join("bin");
        format!("{}:{path}:/usr/sbin", programs.display())
    }

    /// What it says of its streams.
    fn streams(&self) -> Value {
        let ask = "curl --silent --fail http://127.0.0.1:5080/api/v1/streams";
        let answer = self.shell(ask).output().unwrap();
        serde_json::from_slice(&answer.stdout).unwrap_or_default()
    }

    fn stream(&self, id: &str) -> Option<Value> {
        let streams = self.streams();
        let mut streams = streams.as_array()?.iter();
        streams.find(|stream| stream["id"] == id).cloned()
    }

    fn is_live(&self, id: &str) -> bool {
        self.stream(id)
            .is_some_and(|stream| stream["status"] == "broadcasting")
    }

    /// All who watch any stream.
    fn viewers(&self) -> u64 {
        let streams = self.streams();
        let counts = streams.as_array().into_iter().flatten();
        let counts = counts.filter_map(|stream| stream["now"]["viewers"].as_object());
        counts
            .flat_map(serde_json::Map::values)
            .filter_map(Value::as_u64)
            .sum()
    }

    #[track_caller]
    fn run(&self, script: &str) {
        let output = self.shell(&format!(
            "timeout 60 sh -ec '{}'",
            script.replace('\'', "'\\''")
        ));
        let mut output = output;
        let output = output.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        let refused = said.contains("\"success\":false") || said.contains("\"error\":\"");
        assert!(
            output.status.success() && !refused,
            "{script}\n{said}\n{complaint}\n{}",
            self.server.stderr.text()
        );
    }
}

/// Runs a page from its beginning to its end.
#[track_caller]
fn works(page: &str) {
    let blocks = blocks(&read(page));
    assert!(!blocks.is_empty(), "no block of this page is run");
    let machine = Machine::start();
    let mut publisher: Option<Peer> = None;
    for Block { kind, script } in blocks {
        match &*kind {
            "run" => machine.run(&script),
            "publish" => {
                if let Some(before) = publisher.take() {
                    stop(&before);
                    drop(before);
                    wait_until("the stream is over", seconds(40), || {
                        !machine.is_live("cam1")
                    });
                }
                let publishing = Peer::start(&mut machine.shell(&script));
                wait_until(&script, seconds(60), || machine.is_live("cam1"));
                publisher = Some(publishing);
            }
            "watch" => {
                let before = machine.viewers();
                let player = Peer::start(&mut machine.shell(&script));
                wait_until(&script, seconds(60), || machine.viewers() > before);
                stop(&player);
            }
            unknown => panic!("what is {unknown}?"),
        }
    }
}

/// A file of the project.
fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).unwrap()
}

/// Ends a shell with all that it has started.
fn stop(peer: &Peer) {
    let id = peer.id().to_string();
    let script = "kill -s INT $(pgrep -P \"$0\") 2>/dev/null; kill -s INT \"$0\" 2>/dev/null; sleep 1; \
        kill -s KILL $(pgrep -P \"$0\") \"$0\" 2>/dev/null; true";
    let status = Command::new("sh").args(["-c", script, &id]).status();
    assert!(status.unwrap().success());
}

/// The pages, and a test for each.
macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        $(
            #[test]
            fn $name() {
                works($path);
            }
        )*

        const PAGES: &[&str] = &[$($path,)*];
    };
}

pages! {
    readme: "README.md",
    publish: "docs/guide/publish.md",
    ffmpeg: "docs/guide/ffmpeg.md",
    gstreamer: "docs/guide/gstreamer.md",
    vlc: "docs/guide/vlc.md",
    services: "docs/guide/services.md",
    migrate: "docs/guide/migrate.md",
}

#[test]
fn every_page_with_commands_to_run_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<PathBuf> = vec!["README.md".into()];
    for entry in std::fs::read_dir(root.join("docs/guide")).unwrap() {
        let name = entry.unwrap().file_name();
        pages.push(Path::new("docs/guide").join(name));
    }
    pages.retain(|page| page.extension().is_some_and(|ending| ending == "md"));
    for page in pages {
        let text = std::fs::read_to_string(root.join(&page)).unwrap();
        let marks = ["run", "publish", "watch"];
        let has_some = text.lines().any(|line| {
            let line = line
                .strip_prefix("```")
                .and_then(|line| line.split_once(' '));
            line.is_some_and(|(_, kind)| marks.contains(&kind))
        });
        let is_run = PAGES.iter().any(|known| Path::new(known) == page);
        assert_eq!(has_some, is_run, "{}", page.display());
    }
}
