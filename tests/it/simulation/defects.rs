//! The deliberate defects of `tests/teeth` still fit the source: a patch that does not apply proves nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

fn patches(root: &Path) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root.join("tests/defects")).expect("there are defects");
    let mut all: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.extension().is_some_and(|kind| kind == "patch"));
    all.sort();
    all
}

#[test]
fn every_deliberate_defect_still_applies_and_says_what_it_breaks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let patches = patches(root);
    assert!(patches.len() >= 10, "{} defects", patches.len());
    for patch in &patches {
        let text = std::fs::read_to_string(patch).unwrap();
        let said = text.lines().next().unwrap_or_default();
        assert!(said.ends_with('.') && !said.starts_with("diff"), "{} begins with no sentence", patch.display());
    }
    if Command::new("git").arg("--version").output().is_err() {
        eprintln!("skipped: there is no git, so that nobody can say whether the defects still apply");
        return;
    }
    for patch in patches {
        let mut git = Command::new("git");
        // A tree without a `.git` of its own must not be taken for a part of somebody else's repository.
        git.env("GIT_CEILING_DIRECTORIES", root.parent().unwrap()).current_dir(root);
        let output = git.args(["apply", "--check"]).arg(&patch).output().unwrap();
        assert!(output.status.success(), "{}: {}", patch.display(), String::from_utf8_lossy(&output.stderr));
    }
}
