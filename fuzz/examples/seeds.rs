//! Writes the seeds that the crates make to `fuzz/seeds`, called by `cargo xtask seeds`.
//!
//! Files of other names stay: seeds that were put there by hand.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "it says what it has written")]

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let seeds = millstream_fuzz::seeds();
    for (target, name, bytes) in &seeds {
        let folder = root.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name).with_extension("bin"), bytes)?;
    }
    println!("{} seeds in {}", seeds.len(), root.display());
    Ok(())
}
