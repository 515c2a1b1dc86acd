//! Makes the web assets that the server embeds: the pages of `src/panel/web`, the panel bundled by Vite, and hls.js and
//! dash.js, all packages as the lock file pins them, each compressed, listed in `$OUT_DIR/assets.rs`.
//!
//! Nothing outside `OUT_DIR` is written. npm is only asked when the lock file or the panel's sources have changed; what is
//! taken from packages, and the bundle, are copied, the rest removed. The list is an expression of type `&[Asset]` for
//! `include!`; the `Asset` it names belongs to the module that includes it.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Where the pages are.
const WEB: &str = "src/panel/web";
/// What belongs to npm and Vite and is not served.
const NPM_FILES: [&str; 5] = [
    "package.json",
    "package-lock.json",
    ".npmrc",
    "tsconfig.json",
    "vite.config.mjs",
];
/// The panel's sources, and what Vite makes of them with the path each is served under.
const PANEL: &str = "panel";
const BUNDLE: [(&str, &str); 2] = [
    ("panel.js", "assets/panel.js"),
    ("panel.css", "assets/panel.css"),
];
/// Where npm puts packages, and where Vite puts what it makes.
const MODULES: &str = "node_modules";
const DIST: &str = "dist";
/// What is taken from npm packages, and the path it is served under. The light build of hls.js lacks separate
/// audio renditions, which every stream of this server has. That of dash.js lacks encryption and offline play, which none
/// has.
const FROM_NPM: [(&str, &str); 4] = [
    ("hls.js/dist/hls.min.mjs", "assets/hls.mjs"),
    ("hls.js/LICENSE", "assets/hls.LICENSE.txt"),
    (
        "dashjs/dist/modern/esm/dash.mediaplayer.min.js",
        "assets/dash.mjs",
    ),
    ("dashjs/LICENSE.md", "assets/dash.LICENSE.txt"),
];
/// A source map comment would make developer tools ask for a file that is not there.
const SOURCE_MAP: &str = "\n//# sourceMappingURL=";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match make_assets() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, as Cargo shows it; without this the user reads a Debug dump below other output.
            println!("cargo::error={}", error.to_string().replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

fn make_assets() -> Result<()> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let web = root.join(WEB);
    println!("cargo::rerun-if-changed=build.rs");
    // The folder itself would tell of what an editor's own `npm install` brings.
    for entry in fs::read_dir(&web)? {
        let name = entry?.file_name();
        if name != MODULES && name != DIST {
            println!("cargo::rerun-if-changed={WEB}/{}", name.display());
        }
    }

    let packages = out.join("npm");
    fetch_packages(&web, &packages)?;

    // Made anew each time, so that a removed page is gone from the list too.
    let made = out.join("web");
    if made.exists() {
        fs::remove_dir_all(&made)?;
    }
    let mut assets = Vec::new();
    for file in pages(&web)? {
        let name = file
            .strip_prefix(&web)?
            .to_str()
            .ok_or("a page's file name is not UTF-8")?
            .replace('\\', "/");
        let path = if name.ends_with(".html") {
            name
        } else {
            format!("assets/{name}")
        };
        assets.push(Asset::make(&made, path, &fs::read(&file)?)?);
    }
    for (source, path) in BUNDLE {
        let content = fs::read(packages.join("taken").join(source))?;
        assets.push(Asset::make(&made, path.to_owned(), &content)?);
    }
    for (source, path) in FROM_NPM {
        let mut content = fs::read(packages.join("taken").join(source))?;
        if path.ends_with(".mjs") {
            cut_source_map(&mut content);
        }
        assets.push(Asset::make(&made, path.to_owned(), &content)?);
    }
    assets.sort_by(|a, b| a.path.cmp(&b.path));
    fs::write(out.join("assets.rs"), listing(&assets)?)?;
    Ok(())
}

/// Leaves what [`FROM_NPM`] and [`BUNDLE`] name under `packages/taken`, for lock file and sources as they are now.
fn fetch_packages(web: &Path, packages: &Path) -> Result<()> {
    let wanted = fingerprint(web)?;
    let stamp = packages.join("done");
    let taken = packages.join("taken");
    let complete = FROM_NPM
        .iter()
        .chain(&BUNDLE)
        .all(|(source, _)| taken.join(source).is_file());
    if complete && fs::read_to_string(&stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    if packages.exists() {
        fs::remove_dir_all(packages)?;
    }
    fs::create_dir_all(packages)?;
    for name in NPM_FILES {
        fs::copy(web.join(name), packages.join(name))?;
    }
    let sources = web.join(PANEL);
    for file in files(&sources)? {
        let copy = packages.join(PANEL).join(file.strip_prefix(&sources)?);
        fs::create_dir_all(copy.parent().ok_or("a source has no folder")?)?;
        fs::copy(file, copy)?;
    }
    run_npm(packages, &INSTALL, "fetch the packages of the lock file")?;
    run_npm(packages, &["run", "--silent", "build"], "build the panel")?;
    for (source, _) in BUNDLE {
        fs::create_dir_all(&taken)?;
        fs::copy(packages.join(DIST).join(source), taken.join(source))
            .map_err(|error| format!("the panel's {source}: {error}"))?;
    }
    let modules = packages.join(MODULES);
    for (source, _) in FROM_NPM {
        let target = taken.join(source);
        fs::create_dir_all(target.parent().ok_or("a package's file has no folder")?)?;
        fs::copy(modules.join(source), target)
            .map_err(|error| format!("npm package file {source}: {error}"))?;
    }
    fs::remove_dir_all(modules)?;
    fs::write(stamp, wanted)?;
    Ok(())
}

/// Changes whenever npm has to be asked again.
fn fingerprint(web: &Path) -> Result<String> {
    let mut text = String::new();
    let of_npm = NPM_FILES.iter().map(|name| web.join(name));
    for file in of_npm.chain(files(&web.join(PANEL))?) {
        let name = file.strip_prefix(web)?.display();
        writeln!(text, "{name} {:032x}", hash(&fs::read(&file)?))?;
    }
    for (source, _) in FROM_NPM.iter().chain(&BUNDLE) {
        writeln!(text, "{source}")?;
    }
    Ok(text)
}

/// What npm says beyond this is how to call it.
const MAX_SAID: usize = 4_000;

/// How packages are fetched: what the lock file says, and nothing of theirs runs.
const INSTALL: [&str; 6] = [
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--loglevel=error",
];

fn run_npm(folder: &Path, arguments: &[&str], what: &str) -> Result<()> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let result = Command::new(npm)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    let output = match result {
        Ok(output) => output,
        Err(error) => {
            return Err(format!(
                "npm is needed to build the pages, and could not be started ({error}): \
                 install Node.js with npm 9 or newer, or run `cargo xtask`, which does it"
            )
            .into());
        }
    };
    if output.status.success() {
        return Ok(());
    }
    // tsc tells what is wrong with the sources on its standard output.
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let said: String = said.trim().chars().take(MAX_SAID).collect();
    Err(format!("npm could not {what} of {WEB}: {said}").into())
}

/// Every page file, in a stable order.
fn pages(web: &Path) -> Result<Vec<PathBuf>> {
    let all = files(web)?.into_iter();
    Ok(all
        .filter(|file| !file.starts_with(web.join(PANEL)))
        .collect())
}

/// Every file below `folder` but those of npm, in a stable order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if [MODULES, DIST].contains(&&*name) || NPM_FILES.contains(&name.as_ref()) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn cut_source_map(content: &mut Vec<u8>) {
    let at = content
        .windows(SOURCE_MAP.len())
        .rposition(|window| window == SOURCE_MAP.as_bytes());
    if let Some(at) = at {
        content.truncate(at + 1);
    }
}

struct Asset {
    path: String,
    content_type: &'static str,
    etag: String,
    gzip: PathBuf,
}

impl Asset {
    fn make(folder: &Path, path: String, content: &[u8]) -> Result<Self> {
        let content_type = content_type(&path)?;
        let gzip = folder.join(format!("{path}.gz"));
        fs::create_dir_all(gzip.parent().ok_or("an asset has no folder")?)?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content)?;
        fs::write(&gzip, encoder.finish()?)?;
        let etag = format!("{:032x}", hash(content));
        Ok(Self {
            path,
            content_type,
            etag,
            gzip,
        })
    }
}

/// FNV-1a with 128 bits: an entity tag has to tell versions apart, nothing more.
fn hash(content: &[u8]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    content.iter().fold(BASIS, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(PRIME)
    })
}

fn content_type(path: &str) -> Result<&'static str> {
    let ending = path.rsplit('.').next().unwrap_or_default();
    Ok(match ending {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => {
            return Err(
                format!("{WEB}: no content type is known for {path}; add it to build.rs").into(),
            );
        }
    })
}

/// The Rust source of the list. Paths are written with `{:?}`, which is a Rust string literal.
fn listing(assets: &[Asset]) -> Result<String> {
    let mut text = String::from("&[\n");
    for Asset {
        path,
        content_type,
        etag,
        gzip,
    } in assets
    {
        writeln!(text, "    Asset {{")?;
        writeln!(text, "        path: {path:?},")?;
        writeln!(text, "        content_type: {content_type:?},")?;
        writeln!(text, "        etag: {etag:?},")?;
        writeln!(text, "        gzip: include_bytes!({gzip:?}),")?;
        text.push_str("        raw: { static RAW: OnceLock<Bytes> = OnceLock::new(); &RAW },\n");
        writeln!(text, "    }},")?;
    }
    text.push_str("]\n");
    Ok(text)
}
