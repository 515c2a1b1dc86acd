//! `cargo xtask dist`: what is shipped. A binary that needs no library of the system it runs on, and around it what a
//! person or a machine wants to know of it: checksums, what it is built of ([`sbom`]) under which licences
//! ([`licences`]), the manual, completions, a Debian package ([`deb`]), and the folder that a container is built from.
//!
//! The same sources give the same bytes wherever they lie: paths are mapped away, times are those of the last commit.
//! `--twice` builds a copy of them elsewhere and compares. `--check` ([`check`]) runs what was built where nothing else is.
//! `--order` ([`order`]) finds out anew which functions a start calls.

mod check;
mod deb;
mod inventory;
mod licences;
mod order;
mod sbom;

use crate::shell::{self, Error, Result};
use crate::steps::Steps;
use crate::{project, tools};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What it is built for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// More than this is not shipped.
const MAX_SIZE: u64 = 20 * 1024 * 1024;

const PROGRAM: &str = "millstream";

/// Shells that completions are made for, and what the file is called there.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "millstream"),
    ("zsh", "_millstream"),
    ("fish", "millstream.fish"),
];

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Options {
    check: bool,
    order: bool,
    twice: bool,
}

impl Options {
    fn of(args: &[String]) -> Result<Self> {
        let mut options = Self::default();
        for arg in args {
            match arg.as_str() {
                "--check" => options.check = true,
                "--order" => options.order = true,
                "--twice" => options.twice = true,
                unknown => {
                    let words = format!("dist: --check, --order and --twice, not {unknown:?}");
                    return Err(Error::usage(words));
                }
            }
        }
        Ok(options)
    }
}

/// Builds it and says where it is and how large; with `--check`, runs it too.
///
/// # Errors
/// When the build fails, the result is not static or too large, or a check fails.
pub(crate) fn dist(args: &[String]) -> Result<ExitCode> {
    let options = Options::of(args)?;
    let mut steps = Steps::new();
    tools::ensure(&[tools::BUILD, tools::DIST], false)?;
    let target = project::target()?;
    let sources = project::root();
    if options.order {
        tools::ensure(&[tools::DIST_ORDER], false)?;
        let folder = target.join("dist-order");
        let named = steps.step("build with symbols", || {
            build(&sources, &folder, Strip::Nothing)
        })?;
        steps.step("order of functions", || {
            order::write_list(&named, &folder.join("starts"), &sources.join(order::LIST))
        })?;
    }
    let program = steps.step("build", || build(&sources, &target, Strip::Symbols))?;
    steps.step("size, and what it needs", || judge(&program))?;
    // Not `dist`, which is cargo's for what it builds with that profile.
    let folder = target.join("shipped");
    let made = steps.step("documents and packages", || Made::make(&program, &folder))?;
    if options.twice {
        steps.step("the same again elsewhere", || again(&program, &target))?;
    }
    if options.check {
        check::check(&mut steps, &made)?;
    }
    println!("{}", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// What is taken out of the program.
#[derive(Clone, Copy, Debug)]
enum Strip {
    Nothing,
    Symbols,
}

/// Builds the sources there, and tells where the program is.
fn build(sources: &Path, target: &Path, strip: Strip) -> Result<PathBuf> {
    let flags = [
        "-Ctarget-feature=+crt-static".to_owned(),
        // Random numbers by the system call, and not by a function that a static program cannot look up: without it, they
        // would be read from /dev/urandom, which an empty root does not have.
        "--cfg=getrandom_backend=\"linux_getrandom\"".to_owned(),
        // Functions that are the same are there once, and addresses to be mended at the start are listed in few bytes.
        "-Clink-arg=-Wl,--icf=all".to_owned(),
        "-Clink-arg=-Wl,-z,pack-relative-relocs".to_owned(),
        format!("-Clink-arg=-Wl,-T,{}", sources.join(order::LIST).display()),
        // Panics name files, and names of files must not differ with where the sources lie.
        format!("--remap-path-prefix={}=/millstream", sources.display()),
        format!(
            "--remap-path-prefix={}=/cargo",
            project::cargo_home()?.display()
        ),
        format!(
            "--remap-path-prefix={}=/rust",
            project::sysroot()?.display()
        ),
    ];
    let c_flags = format!(
        "-ffile-prefix-map={}=/cargo",
        project::cargo_home()?.display()
    );
    let mut cargo = project::cargo();
    cargo
        // The server alone: what only tests and tools ask of the dependencies is not shipped.
        .args([
            "build",
            "--locked",
            "--profile",
            "dist",
            "--package",
            "millstream",
        ])
        // A target apart from the host, or the flags would reach build scripts and macros.
        .args(["--bin", PROGRAM, "--target", TARGET])
        .arg("--target-dir")
        .arg(target)
        .current_dir(sources)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("CARGO_INCREMENTAL", "0")
        .env(format!("CFLAGS_{}", TARGET.replace('-', "_")), c_flags)
        .env("SOURCE_DATE_EPOCH", project::date()?.to_string());
    if matches!(strip, Strip::Nothing) {
        cargo.env("CARGO_PROFILE_DIST_STRIP", "none");
    }
    shell::run(&mut cargo)?;
    Ok(target.join(TARGET).join("dist").join(PROGRAM))
}

fn judge(program: &Path) -> Result<()> {
    let shown = program.display();
    let size = program
        .metadata()
        .map_err(|error| Error::new(format!("cannot read {shown}: {error}")))?
        .len();
    // The loader's own list fails, or says so, for a program that has no need of it.
    let list = shell::ask("ldd", &[&shown.to_string()]);
    if list.is_some_and(|list| !list.contains("statically linked")) {
        return Err(Error::new(format!("{shown} needs shared libraries")));
    }
    println!(
        "    {shown}: {size} bytes ({:.1} MiB), static",
        size as f64 / 1_048_576.0
    );
    if size > MAX_SIZE {
        println!("    which is more than the {MAX_SIZE} bytes that are wanted");
    }
    Ok(())
}

/// Builds a copy of the sources in another folder, and compares.
fn again(program: &Path, target: &Path) -> Result<()> {
    let folder = target.join("dist-again");
    let sources = folder.join("sources");
    if sources.exists() {
        fs::remove_dir_all(&sources).map_err(cannot("remove", &sources))?;
    }
    make_folder(&sources)?;
    let mut copy = Command::new("sh");
    // What git knows, as it is now.
    copy.args(["-c", "git ls-files -z | xargs -0 cp --parents -t \"$0\""])
        .arg(&sources)
        .current_dir(project::root());
    shell::run(&mut copy)?;
    let other = build(&sources, &folder.join("target"), Strip::Symbols)?;
    let (ours, theirs) = (checksum(program)?, checksum(&other)?);
    println!("    {ours}\n    {theirs}");
    if ours == theirs {
        return Ok(());
    }
    Err(Error::new(format!(
        "{} and {} differ",
        program.display(),
        other.display()
    )))
}

/// All that lies in the folder.
struct Made {
    folder: PathBuf,
    program: PathBuf,
    package: PathBuf,
}

impl Made {
    fn make(program: &Path, folder: &Path) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(cannot("remove", folder))?;
        }
        make_folder(folder)?;
        let made = folder.join(PROGRAM);
        copy(program, &made)?;
        let used = inventory::Inventory::take(TARGET)?;
        write(&folder.join("sbom.cdx.json"), &sbom::document(&used))?;
        write(&folder.join("LICENSES.txt"), &licences::document(&used)?)?;
        println!("    built of {} packages", used.packages.len());
        manual_and_completions(&made, folder)?;
        image(&made, folder)?;
        let package = deb::build(folder)?;
        let mut sums = String::new();
        let name = package.file_name().unwrap_or_default().to_string_lossy();
        for file in [PROGRAM, "sbom.cdx.json", "LICENSES.txt", &name] {
            let sum = checksum(&folder.join(file))?;
            println!("    {sum}  {file}");
            sums += &format!("{sum}  {file}\n");
        }
        write(&folder.join("SHA256SUMS"), &sums)?;
        Ok(Self {
            folder: folder.to_owned(),
            program: made,
            package,
        })
    }
}

/// As the program itself has them.
fn manual_and_completions(program: &Path, folder: &Path) -> Result<()> {
    let manual = folder.join("man");
    make_folder(&manual)?;
    shell::run(Command::new(program).args(["man", "--folder"]).arg(&manual))?;
    let completions = folder.join("completions");
    make_folder(&completions)?;
    for (shell, name) in SHELLS {
        let text = shell::ask(&program.to_string_lossy(), &["completions", shell]);
        let text = text.ok_or_else(|| Error::new(format!("no completions for {shell}")))?;
        write(&completions.join(name), &text)?;
    }
    Ok(())
}

/// What `docker build` is given: it may see this folder alone.
fn image(program: &Path, folder: &Path) -> Result<()> {
    let image = folder.join("image");
    make_folder(&image.join("data"))?;
    copy(program, &image.join(PROGRAM))?;
    copy(&folder.join("LICENSES.txt"), &image.join("LICENSES.txt"))?;
    copy(
        &project::root().join("packaging/Dockerfile"),
        &image.join("Dockerfile"),
    )
}

/// SHA-256, in hexadecimal digits.
fn checksum(file: &Path) -> Result<String> {
    let said = shell::ask("sha256sum", &[&file.display().to_string()]);
    let sum = said
        .as_deref()
        .and_then(|said| said.split_whitespace().next());
    let sum = sum.ok_or_else(|| Error::new("sha256sum says nothing"))?;
    Ok(sum.to_owned())
}

fn cannot<'a>(what: &'a str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Error + 'a {
    move |error| Error::new(format!("cannot {what} {}: {error}", path.display()))
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(cannot("make", path))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(cannot("write", path))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(cannot("read", path))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map_err(cannot("copy", from))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for() {
        let of = |text: &str| {
            let args: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            Options::of(&args).ok()
        };
        assert_eq!(of(""), Some(Options::default()));
        let both = Options {
            check: true,
            order: false,
            twice: true,
        };
        assert_eq!(of("--twice --check"), Some(both));
        assert_eq!(of("--chekc"), None);
    }
}
