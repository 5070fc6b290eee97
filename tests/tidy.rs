//! The rules of the house, held by reading its text. Each rule is a test; what breaks it is printed as `file:line`.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a rule that cannot be checked must fail loudly")]

#[path = "tidy/scan.rs"]
mod scan;
#[path = "tidy/self_test.rs"]
mod self_test;

use std::collections::BTreeSet;

use pregonero::domain::event::EventType;

use scan::{File, Named, files, functions, paths, tokens};

const LINES_OF_A_FILE: usize = 400;
const LINES_OF_A_FUNCTION: usize = 60;
const LINES_OF_ARCHITECTURE: usize = 150;

/// What a module may use beside itself. `door:x` is `x/mod.rs` without its submodules.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    ("http", &[]),
    ("lifecycle", &[]),
    ("telemetry", &["config"]),
    ("config", &["domain"]),
    ("sources", &["domain", "http", "config", "clock"]),
    ("channels", &["domain", "http", "config", "clock"]),
    ("store", &["domain", "http", "config", "clock"]),
    ("pipeline", &["domain", "clock", "door:sources", "door:store", "door:channels"]),
    ("api", &["domain", "clock", "config", "door:store"]),
    ("console", &["domain", "clock", "config", "door:store"]),
    ("sandbox", &["domain", "clock", "http", "door:sources", "door:channels"]),
    ("cli", &["app", "config", "domain", "sandbox"]),
    (
        "app",
        &[
            "api",
            "channels",
            "clock",
            "config",
            "console",
            "domain",
            "http",
            "lifecycle",
            "pipeline",
            "sandbox",
            "sources",
            "store",
            "telemetry",
        ],
    ),
];

/// Foreign crates that stand in one place only, so that each can be replaced there. ARCHITECTURE.md has the same table.
const CONFINED: &[(&str, &[&str])] = &[
    ("axum", &["src/api/", "src/console/", "src/sandbox/"]),
    ("clap", &["src/cli/"]),
    ("figment", &["src/config/layers.rs"]),
    ("governor", &["src/api/hints", "src/sources/gate", "src/channels/"]),
    ("hyper", &["src/api/", "src/sandbox/"]),
    ("indicatif", &["src/cli/"]),
    ("lettre", &["src/channels/email"]),
    ("minijinja", &["src/channels/"]),
    ("png", &["src/cli/qr.rs"]),
    ("qrcode", &["src/cli/qr.rs"]),
    ("redis", &["src/store/redis/"]),
    ("reqwest", &["src/http.rs", "src/http/", "src/channels/webhook", "src/channels/telegram"]),
    ("rusqlite", &["src/store/embedded"]),
    ("sd_notify", &["src/lifecycle/"]),
    ("secrecy", &["src/config/secret.rs"]),
    ("teloxide", &["src/channels/telegram"]),
    ("tracing_subscriber", &["src/config/globals.rs", "src/telemetry"]),
];

/// What the pure core must not know.
const IMPURE: &[&str] =
    &["async_trait", "fastrand", "futures_util", "serde", "serde_json", "tokio", "tokio_util", "tracing"];

/// Words that the house does not use in names, and what to say instead (DESIGN's list of words).
const BANNED_WORDS: &[(&str, &str)] = &[
    ("notification", "event or delivery"),
    ("retry_queue", "pending deliveries"),
    ("retryqueue", "pending deliveries"),
    ("dead_letter_queue", "dead deliveries"),
    ("dlq", "dead deliveries"),
    ("poller", "watcher"),
    ("tenant", "account"),
    ("blacklist", "deny list"),
    ("whitelist", "allow list"),
];

/// Names of foreign crates that hold a banned word.
const FOREIGN_NAMES: &[&str] = &["disable_notification"];

fn rust() -> Vec<File> {
    files(&["src", "tests", "benches"], &[".rs"])
}

fn product() -> Vec<File> {
    let all = files(&["src"], &[".rs"]);
    let tests = test_only(&all);
    all.into_iter().filter(|file| !is_test(file, &tests)).collect()
}

/// Whether the file or a module above it exists in tests only.
fn is_test(file: &File, tests: &BTreeSet<String>) -> bool {
    let module = file.module();
    (1..=module.len()).any(|depth| tests.contains(&module[..depth].join("/")))
}

/// Modules that exist in tests, or for the fuzzer, only: declared as `#[cfg(test)] mod name;`.
fn test_only(all: &[File]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in all {
        let marks = ["#[cfg(test)]", "#[cfg(any(test, fuzzing))]"];
        for (at, mark) in marks.into_iter().flat_map(|mark| file.code.match_indices(mark)) {
            let next = file.code[at + mark.len()..].trim_start();
            let next = next.strip_prefix("pub(crate) ").or_else(|| next.strip_prefix("pub ")).unwrap_or(next);
            let name = next.strip_prefix("mod ").and_then(|rest| rest.split_once(';')).map(|(name, _)| name.trim());
            if let Some(name) = name.filter(|name| !name.contains('{')) {
                let mut module = file.module();
                module.push(name);
                found.insert(module.join("/"));
            }
        }
    }
    found
}

fn hold(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}\n  {}\n", broken.join("\n  "));
}

/// `super::x` and `self::x` as seen from the crate's root; `None` for a path that is not ours.
fn resolved(file: &File, named: &Named) -> Option<Vec<String>> {
    let mut module: Vec<String> = file.module().into_iter().map(str::to_owned).collect();
    let mut rest = named.segments.as_slice();
    match rest.first().map(String::as_str) {
        Some("crate" | "pregonero") => module.clear(),
        Some("self" | "super") => {}
        _ => return None,
    }
    while let Some(first) = rest.first() {
        match first.as_str() {
            "super" => drop(module.pop()),
            "self" | "crate" | "pregonero" => {}
            _ => break,
        }
        rest = &rest[1..];
    }
    module.extend_from_slice(rest);
    Some(module)
}

/// Paths of ours in a file, from the root; those through an imported module (`use crate::store; store::redis::…`) too.
fn own_paths(file: &File) -> Vec<(Vec<String>, usize)> {
    let all = paths(file.product_code());
    let mut own: Vec<(Vec<String>, usize)> =
        all.iter().filter_map(|named| Some((resolved(file, named)?, named.line))).collect();
    let imported: Vec<String> =
        own.iter().filter(|(path, _)| path.len() == 1).map(|(path, _)| path[0].clone()).collect();
    own.extend(
        all.into_iter().filter(|named| imported.contains(&named.segments[0])).map(|named| (named.segments, named.line)),
    );
    own
}

fn broken_arrows(all: &[File]) -> Vec<String> {
    let modules: BTreeSet<String> = all.iter().map(|file| file.module().join("/")).collect();
    let mut broken = Vec::new();
    for file in all {
        let Some(from) = file.module().first().map(ToString::to_string) else { continue };
        let allowed = ARROWS.iter().find(|(module, _)| *module == from).map(|(_, allowed)| *allowed);
        let Some(allowed) = allowed else {
            broken.push(format!("{}:1: the module `{from}` has no arrows yet; add it to the table", file.path));
            continue;
        };
        for (path, line) in own_paths(file) {
            let Some(to) = path.first().filter(|to| **to != from && modules.contains(to.as_str())) else { continue };
            let behind = path.get(1).is_some_and(|second| modules.contains(&format!("{to}/{second}")));
            if !allowed.contains(&to.as_str()) && (behind || !allowed.contains(&format!("door:{to}").as_str())) {
                broken.push(format!("{}:{line}: `{from}` must not use `{}`", file.path, path.join("::")));
            }
        }
    }
    broken
}

fn broken_confinements(all: &[File]) -> Vec<String> {
    let mut broken = Vec::new();
    for file in all {
        let all = paths(file.product_code());
        for named in &all {
            let Some((name, places)) = CONFINED.iter().find(|(name, _)| *name == named.segments[0]) else { continue };
            // A module of ours of the same name, imported by its path.
            let ours =
                all.iter().any(|other| other.segments.len() > 1 && other.segments.last() == named.segments.first());
            if !ours && !places.iter().any(|place| file.path.starts_with(place)) {
                broken.push(format!("{}:{}: `{name}` belongs to {}", file.path, named.line, places.join(", ")));
            }
        }
    }
    broken
}

#[test]
fn arrows_point_one_way() {
    hold("modules may use what the table of arrows allows", &broken_arrows(&product()));
}

#[test]
fn foreign_crates_stay_where_they_can_be_replaced() {
    hold("each of these crates is used in one place", &broken_confinements(&product()));
}

#[test]
fn the_core_is_pure() {
    let mut broken = Vec::new();
    for file in product().iter().filter(|file| file.path.starts_with("src/domain/")) {
        let code = file.product_code();
        let foreign = paths(code).into_iter().map(|named| (named.segments[0].clone(), named.line));
        let words = tokens(code).into_iter().filter(|token| matches!(token.text, "async" | "await"));
        let all = foreign.chain(words.map(|token| (token.text.to_owned(), token.line)));
        let bad = all.filter(|(word, _)| IMPURE.contains(&word.as_str()) || matches!(word.as_str(), "async" | "await"));
        broken.extend(bad.map(|(word, line)| format!("{}:{line}: `{word}`", file.path)));
    }
    hold("`domain` knows neither async nor serde nor time nor chance", &broken);
}

#[test]
fn every_file_says_first_what_it_is() {
    let silent = rust().into_iter().filter(|file| !file.text.starts_with("//! "));
    hold("a file begins with `//!`", &silent.map(|file| format!("{}:1", file.path)).collect::<Vec<_>>());
}

#[test]
fn files_and_functions_stay_small() {
    let mut broken = Vec::new();
    for file in rust() {
        let lines = file.text.lines().count();
        if lines > LINES_OF_A_FILE {
            broken.push(format!("{}:{lines}: more than {LINES_OF_A_FILE} lines", file.path));
        }
        let long = functions(&file.code).into_iter().filter(|function| function.lines > LINES_OF_A_FUNCTION);
        broken.extend(long.map(|f| format!("{}:{}: `{}` has {} lines", file.path, f.line, f.name, f.lines)));
    }
    hold("a file has at most 400 lines, a function at most 60", &broken);
}

#[test]
fn no_module_is_a_drawer() {
    let drawer =
        |part: &str| matches!(part.trim_end_matches(".rs"), "utils" | "util" | "common" | "helpers" | "types" | "misc");
    let drawers = rust().into_iter().filter(|file| file.path.split('/').any(drawer));
    hold("modules are named for what they are", &drawers.map(|file| file.path).collect::<Vec<_>>());
}

#[test]
fn names_use_the_words_of_the_house() {
    let mut broken = Vec::new();
    for file in files(&["src"], &[".rs"]) {
        for token in tokens(&file.code).iter().filter(|token| !FOREIGN_NAMES.contains(&token.text)) {
            let word = token.text.to_ascii_lowercase();
            for (_, instead) in BANNED_WORDS.iter().filter(|(banned, _)| word.contains(banned)) {
                broken.push(format!("{}:{}: `{}`, say {instead}", file.path, token.line, token.text));
            }
        }
    }
    hold("one word for one thing", &broken);
}

#[test]
fn nothing_is_left_unfinished_or_switched_off() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let mut broken = Vec::new();
    for file in rust() {
        for (number, line) in file.text.lines().enumerate() {
            let words = line.split(|c: char| !c.is_alphanumeric());
            if words.into_iter().any(|word| marks.contains(&word)) {
                broken.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
        for (number, line) in file.code.lines().enumerate().filter(|(_, line)| line.contains("#[ignore")) {
            broken.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
        }
    }
    hold("what is to be done stands in an issue, and no test is switched off", &broken);
}

#[test]
fn no_path_of_somebodys_machine_is_in_the_project() {
    let homes = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/")];
    let places = ["src", "tests", "benches", "docs", "deploy", ".ci", "Cargo.toml", "deny.toml", "config.toml.example"];
    let pages = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"];
    let mut broken = Vec::new();
    for file in files(&[&places[..], &pages[..]].concat(), &[""]) {
        let bad = file.text.lines().enumerate().filter(|(_, line)| homes.iter().any(|home| line.contains(home)));
        broken.extend(bad.map(|(number, line)| format!("{}:{}: {}", file.path, number + 1, line.trim())));
    }
    hold("the project can stand anywhere", &broken);
}

#[path = "tidy/pages.rs"]
mod pages;
