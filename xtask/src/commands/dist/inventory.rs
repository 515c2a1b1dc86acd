//! What the server is built of: crates, the packages of npm whose code its pages have, and what the toolchain links in.

use super::{make_folder, read};
use crate::project;
use crate::shell::{self, Error, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// Where the pages' packages are pinned.
const WEB: &str = "src/panel/web";

/// Who gives out a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// This project.
    Ours,
    Cargo,
    Npm,
    /// The compiler and the C library.
    Toolchain,
}

/// One package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) origin: Origin,
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression, as its manifest has it; empty without one.
    pub(super) licence: String,
    pub(super) repository: String,
    /// Algorithm and hexadecimal digits of what was fetched, where that is known.
    pub(super) hash: Option<(&'static str, String)>,
    /// Where its licence files are.
    pub(super) folder: Option<PathBuf>,
    /// Packages that it uses, by their place in the inventory.
    pub(super) uses: Vec<usize>,
}

/// All of them. The first is the server itself.
pub(super) struct Inventory {
    pub(super) packages: Vec<Package>,
}

impl Inventory {
    /// # Errors
    /// When cargo, npm or the compiler cannot be asked.
    pub(super) fn take(target: &str) -> Result<Self> {
        let output = project::cargo()
            .args(["tree", "--locked", "--package", "millstream"])
            .args(["--edges", "normal,no-proc-macro", "--target", target])
            .args(["--prefix", "depth", "--format", "|{p}|{l}|{r}"])
            .output()
            .map_err(|error| Error::new(format!("cannot start cargo: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Error::new(said));
        }
        let mut packages = crates(&String::from_utf8_lossy(&output.stdout))?;
        let sums = checksums(&read(&project::root().join("Cargo.lock"))?);
        let sources = project::crate_sources()?;
        for package in &mut packages {
            if package.origin != Origin::Cargo {
                continue;
            }
            let of = format!("{} {}", package.name, package.version);
            package.hash = sums.get(&of).map(|sum| ("SHA-256", sum.clone()));
            let folder = format!("{}-{}", package.name, package.version);
            let mut folders = sources.iter().map(|sources| sources.join(&folder));
            let folder = folders.find(|folder| folder.exists());
            let none = || Error::new(format!("the source of {of} is not in cargo's registry"));
            package.folder = Some(folder.ok_or_else(none)?);
        }
        packages.extend(npm()?);
        packages.extend(toolchain()?);
        // The server uses them all, itself or by way of others.
        let more = packages.iter().enumerate();
        let more: Vec<usize> = more
            .filter(|(_, package)| matches!(package.origin, Origin::Npm | Origin::Toolchain))
            .map(|(at, _)| at)
            .collect();
        if let Some(server) = packages.first_mut() {
            server.uses.extend(more);
        }
        Ok(Self { packages })
    }
}

/// From lines as `2|bytes v1.12.0|MIT|https://…`. What was listed before has ` (*)` behind it, and what it uses is not
/// listed again.
fn crates(tree: &str) -> Result<Vec<Package>> {
    let mut packages: Vec<Package> = Vec::new();
    let mut places = BTreeMap::new();
    let mut above: Vec<usize> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let strange = || Error::new(format!("cargo tree says {line:?}"));
        let line = line.trim_end_matches(" (*)");
        let mut fields = line.splitn(4, '|');
        let mut field = || fields.next().ok_or_else(strange);
        let depth: usize = field()?.parse().map_err(|_| strange())?;
        let (id, licence, repository) = (field()?, field()?, field()?);
        let (name, rest) = id.split_once(" v").ok_or_else(strange)?;
        let version = rest.split(' ').next().unwrap_or(rest);
        let origin = if rest.contains("(/") {
            Origin::Ours
        } else {
            Origin::Cargo
        };
        let at = *places.entry(id.to_owned()).or_insert_with(|| {
            packages.push(Package {
                origin,
                name: name.to_owned(),
                version: version.to_owned(),
                // The older way to say that there is a choice.
                licence: licence.replace('/', " OR ").replace("  OR  ", " OR "),
                repository: repository.to_owned(),
                hash: None,
                folder: None,
                uses: Vec::new(),
            });
            packages.len() - 1
        });
        above.truncate(depth);
        if let Some(user) = above.last().and_then(|user| packages.get_mut(*user))
            && !user.uses.contains(&at)
        {
            user.uses.push(at);
        }
        above.push(at);
    }
    if packages.is_empty() {
        return Err(Error::new("cargo tree says nothing"));
    }
    Ok(packages)
}

/// The checksums of a lock file, by name and version.
fn checksums(lock: &str) -> BTreeMap<String, String> {
    let mut sums = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let mut lines = package.lines();
            let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
            value.and_then(|value| value.strip_suffix('"'))
        };
        if let (Some(name), Some(version), Some(sum)) =
            (value("name"), value("version"), value("checksum"))
        {
            sums.insert(format!("{name} {version}"), sum.to_owned());
        }
    }
    sums
}

/// The packages whose code is in the pages, fetched for their licences.
fn npm() -> Result<Vec<Package>> {
    let web = project::root().join(WEB);
    let folder = project::target()?.join("dist-npm");
    make_folder(&folder)?;
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        super::copy(&web.join(name), &folder.join(name))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--omit=dev", "--ignore-scripts", "--no-audit"])
        .args(["--no-fund", "--silent"])
        .current_dir(&folder);
    shell::run_with_retries(3, &mut npm)?;
    let lock = read(&folder.join("package-lock.json"))?;
    let mut packages = locked(&lock);
    for package in &mut packages {
        package.folder = Some(folder.join("node_modules").join(&package.name));
    }
    Ok(packages)
}

/// Those of a lock file that are not only there to build with. npm writes it in one way alone, a field a line.
fn locked(lock: &str) -> Vec<Package> {
    let mut packages = Vec::new();
    for entry in lock.split("\n    \"node_modules/").skip(1) {
        let entry = entry.split("\n    }").next().unwrap_or(entry);
        let Some((path, fields)) = entry.split_once("\": {") else {
            continue;
        };
        let value = |key: &str| {
            let begin = format!("\"{key}\": \"");
            let mut lines = fields.lines();
            let value = lines.find_map(|line| line.trim().strip_prefix(&begin));
            let value = value.map(|value| value.trim_end_matches(','));
            value.map_or("", |value| value.trim_end_matches('"'))
        };
        if fields.contains("\"dev\": true") {
            continue;
        }
        let hash = value("integrity").strip_prefix("sha512-");
        packages.push(Package {
            origin: Origin::Npm,
            // A package within another's folder is named by what follows.
            name: path
                .rsplit("node_modules/")
                .next()
                .unwrap_or(path)
                .to_owned(),
            version: value("version").to_owned(),
            licence: value("license").to_owned(),
            repository: String::new(),
            hash: hash.and_then(hexadecimal).map(|sum| ("SHA-512", sum)),
            folder: None,
            uses: Vec::new(),
        });
    }
    packages
}

/// Base64 as hexadecimal digits.
fn hexadecimal(text: &str) -> Option<String> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count) = (0u32, 0);
    let mut digits = String::new();
    for letter in text.trim_end_matches('=').bytes() {
        let value = LETTERS.iter().position(|known| *known == letter)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            digits += &format!("{:02x}", bits >> count & 0xff);
        }
    }
    Some(digits)
}

/// What a static program has of the compiler and of the C library.
fn toolchain() -> Result<Vec<Package>> {
    let rust = shell::ask("rustc", &["--version"]).unwrap_or_default();
    let rust = rust.split(' ').nth(1).unwrap_or_default().to_owned();
    let c = shell::ask("ldd", &["--version"]).unwrap_or_default();
    let c = c.lines().next().unwrap_or_default();
    let c = c.rsplit(' ').next().unwrap_or_default().to_owned();
    let gcc = shell::ask("cc", &["-dumpfullversion"]).unwrap_or_default();
    let gcc = gcc.trim().to_owned();
    if [&rust, &c, &gcc].iter().any(|version| version.is_empty()) {
        let words = "rustc, ldd and cc do not all tell their versions";
        return Err(Error::new(words));
    }
    let package = |name: &str, version, licence: &str, repository: &str| Package {
        origin: Origin::Toolchain,
        name: name.to_owned(),
        version,
        licence: licence.to_owned(),
        repository: repository.to_owned(),
        hash: None,
        folder: None,
        uses: Vec::new(),
    };
    Ok(vec![
        package(
            "rust-std",
            rust,
            "MIT OR Apache-2.0",
            "https://github.com/rust-lang/rust",
        ),
        package(
            "glibc",
            c,
            "LGPL-2.1-or-later",
            "https://sourceware.org/git/glibc.git",
        ),
        package(
            "libgcc",
            gcc,
            "GPL-3.0-or-later WITH GCC-exception-3.1",
            "https://gcc.gnu.org/git/gcc.git",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_and_what_they_use() {
        let tree = "0|millstream v0.1.0 (/src)|MIT OR Apache-2.0|https://example.com\n\
            1|axum v0.8.9|MIT|https://example.com/axum\n\
            2|bytes v1.12.0|MIT|https://example.com/bytes\n\
            2|memchr v2.7.0|Unlicense/MIT|\n\
            1|millstream-media v0.1.0 (/src/protocols/media)|MIT OR Apache-2.0|\n\
            2|bytes v1.12.0|MIT|https://example.com/bytes (*)\n";
        let packages = crates(tree).unwrap();
        let names: Vec<&str> = packages.iter().map(|package| &*package.name).collect();
        assert_eq!(
            names,
            ["millstream", "axum", "bytes", "memchr", "millstream-media"]
        );
        let uses: Vec<&[usize]> = packages.iter().map(|package| &*package.uses).collect();
        assert_eq!(uses, [&[1, 4][..], &[2, 3], &[], &[], &[2]]);
        assert_eq!(packages[2].repository, "https://example.com/bytes");
        assert_eq!(packages[3].licence, "Unlicense OR MIT");
        assert_eq!(packages[3].version, "2.7.0");
        assert_eq!(packages[4].origin, Origin::Ours);
        assert!(crates("").is_err());
        assert!(crates("a tree").is_err());
    }

    #[test]
    fn what_lock_files_say() {
        let sums = checksums(
            "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"00ff\"\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\n",
        );
        assert_eq!(sums.get("a 1.0.0").map(String::as_str), Some("00ff"));
        assert_eq!(sums.len(), 1);
        let lock = "{\n  \"packages\": {\n    \"\": {\n      \"license\": \"MIT\"\n    },\n    \"node_modules/@x/y\": {\n      \"version\": \"1.2.3\",\n      \"integrity\": \"sha512-AP8=\",\n      \"license\": \"MIT\"\n    },\n    \"node_modules/z\": {\n      \"version\": \"9.0.0\",\n      \"dev\": true,\n      \"license\": \"MIT\"\n    }\n  }\n}\n";
        let packages = locked(lock);
        assert_eq!(packages.len(), 1);
        let package = &packages[0];
        assert_eq!((&*package.name, &*package.version), ("@x/y", "1.2.3"));
        assert_eq!(package.hash, Some(("SHA-512", "00ff".to_owned())));
        assert_eq!(package.licence, "MIT");
    }
}
