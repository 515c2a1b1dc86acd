//! The Debian package, by dpkg-deb alone: the binary is static, so that nothing of debhelper's is needed.

use super::{PROGRAM, SHELLS, cannot, copy, make_folder, read, write};
use crate::project;
use crate::shell::{self, Error, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Architecture, as Debian names that of the binary.
const ARCHITECTURE: &str = "amd64";

/// What dpkg runs.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Where shells look for completions of packages.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions"),
    ("zsh", "usr/share/zsh/vendor-completions"),
    ("fish", "usr/share/fish/vendor_completions.d"),
];

/// Builds it of what lies in the folder, and tells where it is.
///
/// # Errors
/// When something is missing, or dpkg-deb fails.
pub(super) fn build(folder: &Path) -> Result<PathBuf> {
    let packaging = project::root().join("packaging");
    let root = folder.join("deb");
    let place = |path: &str, mode: u32, from: &Path| {
        let to = root.join(path);
        make_folder(to.parent().unwrap_or(&root))?;
        copy(from, &to)?;
        set_mode(&to, mode)
    };
    place("usr/bin/millstream", 0o755, &folder.join(PROGRAM))?;
    place(
        "usr/lib/systemd/system/millstream.service",
        0o644,
        &packaging.join("millstream.service"),
    )?;
    place(
        "etc/millstream/millstream.toml",
        0o640,
        &packaging.join("millstream.toml"),
    )?;
    let documents = "usr/share/doc/millstream";
    place(
        &format!("{documents}/copyright"),
        0o644,
        &packaging.join("debian/copyright"),
    )?;
    place(
        &format!("{documents}/sbom.cdx.json"),
        0o644,
        &folder.join("sbom.cdx.json"),
    )?;
    let changes = project::root().join("CHANGELOG.md");
    for (name, from) in [
        ("LICENSES.txt", folder.join("LICENSES.txt")),
        ("changelog", changes),
    ] {
        let to = format!("{documents}/{name}");
        place(&to, 0o644, &from)?;
        compress(&root.join(to))?;
    }
    for entry in fs::read_dir(folder.join("man")).map_err(cannot("read", folder))? {
        let page = entry.map_err(cannot("read", folder))?.path();
        let name = page.file_name().unwrap_or_default().to_string_lossy();
        let to = format!("usr/share/man/man1/{name}");
        place(&to, 0o644, &page)?;
        compress(&root.join(to))?;
    }
    for ((_, to), (_, name)) in COMPLETIONS.iter().zip(SHELLS) {
        let from = folder.join("completions").join(name);
        place(&format!("{to}/{name}"), 0o644, &from)?;
    }
    let size = kilobytes(&root)?;
    for script in SCRIPTS {
        let from = packaging.join("debian").join(script);
        place(&format!("DEBIAN/{script}"), 0o755, &from)?;
    }
    place(
        "DEBIAN/conffiles",
        0o644,
        &packaging.join("debian/conffiles"),
    )?;
    let version = env!("CARGO_PKG_VERSION");
    let control = read(&packaging.join("debian/control"))?
        .replace("@VERSION@", version)
        .replace("@ARCHITECTURE@", ARCHITECTURE)
        .replace("@SIZE@", &size.to_string());
    write(&root.join("DEBIAN/control"), &control)?;
    set_folder_modes(&root)?;
    let package = folder.join(format!("millstream_{version}_{ARCHITECTURE}.deb"));
    let mut build = Command::new("dpkg-deb");
    build
        .args(["--root-owner-group", "-Zxz", "--build"])
        .arg(&root)
        .arg(&package)
        .env("SOURCE_DATE_EPOCH", project::date()?.to_string());
    shell::run(&mut build)?;
    fs::remove_dir_all(&root).map_err(cannot("remove", &root))?;
    Ok(package)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(cannot("change", path))
}

/// Whatever the umask of the caller is.
fn set_folder_modes(folder: &Path) -> Result<()> {
    set_mode(folder, 0o755)?;
    for entry in fs::read_dir(folder).map_err(cannot("read", folder))? {
        let path = entry.map_err(cannot("read", folder))?.path();
        if path.is_dir() {
            set_folder_modes(&path)?;
        }
    }
    Ok(())
}

/// Makes `FILE.gz` of it, without a name and a time.
fn compress(file: &Path) -> Result<()> {
    shell::run(Command::new("gzip").args(["-9", "--no-name"]).arg(file))
}

/// What it will take on the disk, as `Installed-Size` wants it.
fn kilobytes(folder: &Path) -> Result<u64> {
    let said = shell::ask(
        "du",
        &["-sk", "--apparent-size", &folder.display().to_string()],
    );
    let size = said
        .as_deref()
        .and_then(|said| said.split_whitespace().next());
    let size = size.and_then(|size| size.parse().ok());
    size.ok_or_else(|| Error::new("du says nothing"))
}
