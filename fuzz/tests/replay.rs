//! Every seed and every input that once failed, through its target: what fuzzing found stays found.
//!
//! No fuzzing happens here. Inputs are files in `seeds/TARGET` and `crashes/TARGET`, and the seeds that the
//! crates make, whether or not they have been written to files since they changed.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test: inputs that cannot be read fail it, slow ones are told"
)]

use millstream_fuzz::{MAX_MEMORY, TARGETS, Target, seeds};
use std::any::Any;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Longest time for one input, on a busy machine and without optimization.
const LIMIT: Duration = Duration::from_secs(10);

/// From here on an input is worth a look.
const SLOW: Duration = Duration::from_millis(500);

/// Largest seed, so that the checkout stays small.
const MAX_SEED: u64 = 64 * 1_024;

/// Held while inputs run.
static ALONE: Mutex<()> = Mutex::new(());

struct Input {
    name: String,
    bytes: Vec<u8>,
}

type Outcome = (String, Result<Duration, String>);

#[test]
fn all_inputs_pass() {
    let mut findings = Vec::new();
    for target in TARGETS {
        let inputs = inputs(target);
        let count = inputs.len();
        findings.extend(replay(target, inputs));
        println!("{}: {count} inputs", target.name);
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn every_target_has_seeds_that_are_small() {
    for target in TARGETS {
        let files = files(&folder("seeds").join(target.name));
        assert!(!files.is_empty(), "{}: no seed", target.name);
        for file in files {
            let size = file.metadata().unwrap().len();
            assert!(size <= MAX_SEED, "{}: {size} bytes", file.display());
        }
    }
}

#[test]
fn targets_folders_and_programs_are_the_same() {
    let targets: BTreeSet<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    assert_eq!(targets.len(), TARGETS.len(), "two targets have one name");
    let names = |files: Vec<PathBuf>| -> BTreeSet<String> {
        let stems = files.iter().filter_map(|file| file.file_stem());
        stems
            .map(|stem| stem.to_string_lossy().into_owned())
            .collect()
    };
    assert_eq!(names(entries(&folder("fuzz_targets"))), targets);
    for kind in ["seeds", "crashes"] {
        let unknown: Vec<_> = names(entries(&folder(kind)))
            .difference(&targets)
            .cloned()
            .collect();
        assert!(unknown.is_empty(), "{kind}: of no target: {unknown:?}");
    }
    let manifest = std::fs::read_to_string(folder("Cargo.toml")).unwrap();
    for target in TARGETS {
        let name = target.name;
        let program = std::fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs")));
        assert!(program.unwrap().contains(&format!("\"{name}\"")), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}

#[test]
fn an_input_that_takes_much_memory_is_a_finding() {
    let greedy = Target {
        name: "greedy",
        run: |bytes| {
            drop(std::hint::black_box(Vec::<u8>::with_capacity(
                bytes.len() << 20,
            )))
        },
        memory: MAX_MEMORY,
    };
    let input = |length: usize| Input {
        name: length.to_string(),
        bytes: vec![0; length],
    };
    let findings = replay(&greedy, vec![input(1), input(300)]);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(
        findings[0].contains("300 bytes of input took"),
        "{findings:?}"
    );
}

#[test]
fn dictionaries_are_of_targets_and_can_be_read() {
    for file in files(&folder("dictionaries")) {
        let protocol = file.file_stem().unwrap().to_string_lossy().into_owned();
        let mut targets = TARGETS.iter();
        assert!(
            targets.any(|target| target.name.starts_with(&format!("{protocol}_"))),
            "{protocol}"
        );
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            let quoted = line.len() > 2 && line.starts_with('"') && line.ends_with('"');
            assert!(
                quoted || line.starts_with('#'),
                "{}: {line}",
                file.display()
            );
        }
    }
}

#[test]
fn seeds_are_the_same_on_every_call() {
    assert_eq!(seeds(), seeds());
}

#[test]
fn a_failing_or_endless_input_is_named() {
    let input = |name: &str| Input {
        name: name.to_owned(),
        bytes: name.as_bytes().to_vec(),
    };
    let picky = Target {
        name: "picky",
        run: |bytes| assert_ne!(bytes, b"bad", "as expected"),
        memory: MAX_MEMORY,
    };
    let findings = replay(&picky, vec![input("good"), input("bad"), input("fine")]);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(
        findings[0].starts_with("picky: bad: panicked: "),
        "{findings:?}"
    );
    let (_sender, receiver) = sync_channel::<Outcome>(1);
    let findings = collect(&picky, &receiver, 1, Duration::from_millis(1));
    assert!(
        findings[0].contains("input 1 of 1 is not done"),
        "{findings:?}"
    );
}

/// Runs all inputs in a thread of their own, so that one that never ends can be told.
fn replay(target: &Target, inputs: Vec<Input>) -> Vec<String> {
    // What an input takes is counted for the whole process.
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (sender, receiver) = sync_channel(inputs.len().max(1));
    let (count, target) = (inputs.len(), *target);
    thread::spawn(move || {
        for input in inputs {
            let start = Instant::now();
            let result = std::panic::catch_unwind(|| target.check(&input.bytes));
            let result = result
                .map(|()| start.elapsed())
                .map_err(|panic| said(&*panic));
            if sender.send((input.name, result)).is_err() {
                return;
            }
        }
    });
    collect(&target, &receiver, count, LIMIT)
}

fn collect(
    target: &Target,
    receiver: &Receiver<Outcome>,
    count: usize,
    limit: Duration,
) -> Vec<String> {
    let mut findings = Vec::new();
    let mut done = 0;
    loop {
        match receiver.recv_timeout(limit) {
            Ok((name, result)) => {
                done += 1;
                match result {
                    Ok(time) if time > SLOW => println!("{}: {name}: slow: {time:?}", target.name),
                    Ok(_) => {}
                    Err(panic) => {
                        findings.push(format!("{}: {name}: panicked: {panic}", target.name))
                    }
                }
            }
            Err(RecvTimeoutError::Disconnected) => return findings,
            Err(RecvTimeoutError::Timeout) => {
                findings.push(format!(
                    "{}: input {} of {count} is not done after {limit:?}",
                    target.name,
                    done + 1
                ));
                return findings;
            }
        }
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("(no message)").to_owned()
}

fn inputs(target: &Target) -> Vec<Input> {
    let mut inputs = vec![Input {
        name: "(nothing)".to_owned(),
        bytes: Vec::new(),
    }];
    for (name, seed, bytes) in seeds() {
        if name == target.name {
            let name = format!("seed {seed} of the crate");
            inputs.push(Input { name, bytes });
        }
    }
    // What campaigns have left is replayed where coverage is measured.
    let corpus = std::env::var_os("MILLSTREAM_FUZZ_CORPUS").map(|_| "corpus");
    for kind in ["seeds", "crashes"].into_iter().chain(corpus) {
        for file in files(&folder(kind).join(target.name)) {
            inputs.push(Input {
                name: file.display().to_string(),
                bytes: std::fs::read(&file).unwrap(),
            });
        }
    }
    inputs
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = entries(folder);
    files.retain(|file| file.is_file());
    files
}

/// What is in a folder, in order; nothing when there is no such folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
