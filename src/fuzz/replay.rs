//! Seeds and findings, replayed by every run of the tests.

use std::path::{Path, PathBuf};

use super::{TARGETS, Target};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// The files of a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn replay(target: Target, folder: &Path) -> usize {
    let files = files(folder);
    for file in &files {
        // Printed when the law breaks: which input it was.
        eprintln!("{}", file.display());
        target(&std::fs::read(file).unwrap());
    }
    files.len()
}

#[test]
fn every_seed_and_every_finding_keeps_the_laws() {
    for (name, target) in TARGETS {
        assert!(replay(target, &root().join("tests/data/fuzz").join(name)) > 0, "{name} has no seeds");
    }
}

#[test]
fn every_body_of_the_readers_tests_keeps_the_laws() {
    for (name, target) in TARGETS {
        let folder = match name.split_once('_') {
            Some((upstream @ ("telepagos" | "sipago"), _)) => root().join("tests/data").join(upstream),
            _ => continue,
        };
        assert!(replay(target, &folder) > 10, "{name}");
    }
}

#[test]
fn every_target_is_built_by_the_fuzzer() {
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let call = std::fs::read_to_string(root().join(format!("fuzz/targets/{name}.rs"))).unwrap();
        assert!(call.contains(&format!("pregonero::fuzz::{name}(data)")), "{name}");
    }
    assert_eq!(files(&root().join("fuzz/targets")).len(), TARGETS.len());
}

#[test]
fn the_seeds_stay_small() {
    let size = |path: PathBuf| std::fs::metadata(path).unwrap().len();
    let folders = TARGETS.map(|(name, _)| root().join("tests/data/fuzz").join(name));
    let all: u64 = folders.iter().flat_map(|folder| files(folder)).map(size).sum();
    assert!(all <= 300 * 1024, "{all} bytes");
}
