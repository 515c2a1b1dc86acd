//! What the build, the tests and the checks need on the machine, and installing what is missing.
//!
//! A tool is looked for by what it does (a program in the path, a media element that can be made), so
//! that it counts however it came there; only then is its Debian package installed.

use crate::shell::{self, Error, Result};
use crate::{chromium, debian, project, pypi};
use std::path::Path;
use std::process::Command;

/// Oldest major version of Node.js that builds the panel: that of Debian 12 and Ubuntu 24.04.
const NODE_MAJOR: u32 = 18;

/// Something a command needs.
pub(crate) struct Tool {
    /// For the message when it is missing.
    what: &'static str,
    /// The Debian packages that bring it.
    packages: &'static [&'static str],
    present: Present,
}

/// How to see that a tool is there.
enum Present {
    /// A program in the path.
    Program(&'static str),
    /// One of the files exists.
    File(&'static [&'static str]),
    /// GStreamer can make this element.
    Element(&'static str),
    /// Anything else.
    Check(fn() -> bool),
}

const fn tool(what: &'static str, packages: &'static [&'static str], present: Present) -> Tool {
    Tool {
        what,
        packages,
        present,
    }
}

/// What `cargo build` needs.
pub(crate) const BUILD: &[Tool] = &[
    tool(
        "a C compiler (cc)",
        &["gcc", "libc6-dev"],
        Present::Program("cc"),
    ),
    tool(
        "root certificates",
        &["ca-certificates"],
        Present::File(&["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"]),
    ),
    tool("Node.js 18 or later", &["nodejs"], Present::Check(node)),
    tool("npm", &["npm"], Present::Program("npm")),
];

/// What the end-to-end tests need besides, but for the browser (see [`chromium`]) and a newer ffmpeg (see
/// [`ffmpeg`](crate::ffmpeg)).
pub(crate) const TEST: &[Tool] = &[
    tool("coturn", &["coturn"], Present::Program("turnserver")),
    tool("ffmpeg", &["ffmpeg"], Present::Program("ffmpeg")),
    tool("ffprobe", &["ffmpeg"], Present::Program("ffprobe")),
    tool(
        "GStreamer's command line",
        &["gstreamer1.0-tools"],
        Present::Program("gst-launch-1.0"),
    ),
    tool(
        "GStreamer's base plugins",
        &["gstreamer1.0-plugins-base"],
        Present::Element("videotestsrc"),
    ),
    tool(
        "GStreamer's good plugins",
        &["gstreamer1.0-plugins-good"],
        Present::Element("flvmux"),
    ),
    tool(
        "GStreamer's bad plugins",
        &["gstreamer1.0-plugins-bad"],
        Present::Element("rtmp2sink"),
    ),
    tool(
        "GStreamer's ugly plugins",
        &["gstreamer1.0-plugins-ugly"],
        Present::Element("x264enc"),
    ),
    tool(
        "GStreamer's libav plugins",
        &["gstreamer1.0-libav"],
        Present::Element("avdec_h264"),
    ),
    tool(
        "GStreamer's RTSP sink",
        &["gstreamer1.0-rtsp"],
        Present::Element("rtspclientsink"),
    ),
    tool(
        "an authority of certificates",
        &["pebble"],
        Present::Program("pebble-challtestsrv"),
    ),
    tool("OpenSSL", &["openssl"], Present::Program("openssl")),
    tool(
        "Debian's Python",
        &["python3"],
        Present::File(&["/usr/bin/python3"]),
    ),
    tool(
        "GObject for Python",
        &["python3-gi"],
        Present::File(&["/usr/lib/python3/dist-packages/gi/__init__.py"]),
    ),
    tool(
        "GStreamer's RTSP server for Python",
        &["gir1.2-gst-rtsp-server-1.0"],
        Present::File(&[
            "/usr/lib/x86_64-linux-gnu/girepository-1.0/GstRtspServer-1.0.typelib",
            "/usr/lib/aarch64-linux-gnu/girepository-1.0/GstRtspServer-1.0.typelib",
        ]),
    ),
    tool(
        "GStreamer's ICE agent",
        &["gstreamer1.0-nice"],
        Present::Element("nicesrc"),
    ),
    tool(
        "GStreamer's WebRTC for Python",
        &["gir1.2-gst-plugins-bad-1.0"],
        Present::File(&[
            "/usr/lib/x86_64-linux-gnu/girepository-1.0/GstWebRTC-1.0.typelib",
            "/usr/lib/aarch64-linux-gnu/girepository-1.0/GstWebRTC-1.0.typelib",
        ]),
    ),
    tool("tstools", &["tstools"], Present::Program("tsreport")),
    tool("VLC", &["vlc-bin"], Present::Program("cvlc")),
    tool(
        "VLC's plugins",
        &["vlc-plugin-base"],
        Present::File(&[
            "/usr/lib/x86_64-linux-gnu/vlc/plugins/codec/libavcodec_plugin.so",
            "/usr/lib/aarch64-linux-gnu/vlc/plugins/codec/libavcodec_plugin.so",
            "/usr/lib/vlc/plugins/codec/libavcodec_plugin.so",
        ]),
    ),
    tool("mpv", &["mpv"], Present::Program("mpv")),
    tool(
        "libsrt's tools",
        &["srt-tools"],
        Present::Program("srt-live-transmit"),
    ),
    tool("iproute2", &["iproute2"], Present::Program("ip")),
    tool(
        "libxml2's tools",
        &["libxml2-utils"],
        Present::Program("xmllint"),
    ),
    tool("nftables", &["nftables"], Present::Program("nft")),
    tool("curl", &["curl"], Present::Program("curl")),
    tool("nginx", &["nginx"], Present::Program("nginx")),
    tool(
        "nginx's RTMP module",
        &["libnginx-mod-rtmp"],
        Present::File(&["/usr/lib/nginx/modules/ngx_rtmp_module.so"]),
    ),
    tool(
        "nginx's module for TCP",
        &["libnginx-mod-stream"],
        Present::File(&["/usr/lib/nginx/modules/ngx_stream_module.so"]),
    ),
    tool("Caddy", &["caddy"], Present::Program("caddy")),
    tool("rtmpdump", &["rtmpdump"], Present::Program("rtmpdump")),
    tool(
        "a Python with pip",
        &["python3-pip"],
        Present::Check(pypi::pip_exists),
    ),
];

/// What `dist` needs besides what the build does.
pub(crate) const DIST: &[Tool] = &[
    tool("dpkg-deb", &["dpkg"], Present::Program("dpkg-deb")),
    tool("git", &["git"], Present::Program("git")),
];

/// What finding the order of its functions needs besides.
pub(crate) const DIST_ORDER: &[Tool] = &[
    tool("Valgrind", &["valgrind"], Present::Program("valgrind")),
    tool("nm", &["binutils"], Present::Program("nm")),
];

/// What checking it needs besides.
pub(crate) const DIST_CHECK: &[Tool] = &[
    tool(
        "debootstrap",
        &["debootstrap"],
        Present::Program("debootstrap"),
    ),
    tool("chroot", &["coreutils"], Present::Program("chroot")),
];

/// What fuzzing needs besides: libFuzzer is C++.
pub(crate) const FUZZ: &[Tool] = &[tool(
    "a C++ compiler (c++)",
    &["g++"],
    Present::Program("c++"),
)];

impl Tool {
    fn is_present(&self) -> bool {
        match self.present {
            Present::Program(name) => program_exists(name),
            Present::File(paths) => paths.iter().any(|path| Path::new(path).exists()),
            // Without a version, an element is asked for of GStreamer's own, which those of others have not.
            Present::Element(name) => {
                let arguments = ["--exists", "--atleast-version=0.0.0", name];
                shell::ask("gst-inspect-1.0", &arguments).is_some()
            }
            Present::Check(check) => check(),
        }
    }
}

/// Installs those of the tools that are missing, and the browser when `browser` is set and a package
/// brings one.
///
/// # Errors
/// When packages cannot be installed, or a tool is still missing afterwards: lists them.
pub(crate) fn ensure(tools: &[&[Tool]], browser: bool) -> Result<()> {
    let missing = || {
        tools
            .iter()
            .copied()
            .flatten()
            .filter(|tool| !tool.is_present())
    };
    let mut packages: Vec<&str> = missing().flat_map(|tool| tool.packages).copied().collect();
    if browser && chromium::find()?.is_none() {
        packages.extend(chromium::package());
    }
    packages.sort_unstable();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    debian::install(&packages)?;
    let missing: Vec<_> = missing()
        .map(|tool| format!("{} (package {})", tool.what, tool.packages.join(", ")))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::new(format!(
            "still missing after the installation: {}",
            missing.join("; ")
        )))
    }
}

/// Installs a cargo subcommand from crates.io unless it answers.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn ensure_cargo_command(package: &str) -> Result<()> {
    if shell::ask(package, &["--version"]).is_some() || in_cargo_home(package) {
        return Ok(());
    }
    shell::run_with_retries(2, project::cargo().args(["install", "--locked", package]))
}

/// Adds a component to the toolchain.
///
/// # Errors
/// When it cannot be had.
pub(crate) fn add_component(component: &str) -> Result<()> {
    let mut rustup = Command::new("rustup");
    shell::run_with_retries(3, rustup.args(["component", "add", component]))
}

/// Cargo looks for its subcommands in its own folder too, which need not be in the path.
fn in_cargo_home(program: &str) -> bool {
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")));
    home.is_ok_and(|home| shell::ask(&format!("{home}/bin/{program}"), &["--version"]).is_some())
}

/// Daemons live in /usr/sbin, which an ordinary user's path does not have.
fn program_exists(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.any(|folder| folder.join(name).is_file())
}

fn node() -> bool {
    shell::ask("node", &["--version"])
        .and_then(|answer| major(&answer))
        .is_some_and(|major| major >= NODE_MAJOR)
}

/// The 20 of `v20.11.1`.
fn major(version: &str) -> Option<u32> {
    let (major, _) = version.trim().strip_prefix('v')?.split_once('.')?;
    major.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions() {
        assert_eq!(major("v20.11.1\n"), Some(20));
        assert_eq!(major("v8.0.0"), Some(8));
        assert_eq!(major("20.11.1"), None);
        assert_eq!(major(""), None);
    }

    #[test]
    fn programs_are_looked_for_in_the_path() {
        assert!(program_exists("sh"));
        assert!(!program_exists("no-program-has-this-name"));
    }
}
