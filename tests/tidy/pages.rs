//! The rules for what people read and for what an operator installs.

use std::path::Path;

use super::{CONFINED, EventType, File, LINES_OF_ARCHITECTURE, files, hold};

fn page(path: &str) -> File {
    files(&[path], &[""]).pop().expect("the page exists")
}

#[test]
fn the_readme_shows_the_two_commands_first() {
    let text = page("README.md").text;
    let demo = text.find("cargo run --release -- demo").expect("the demo is shown");
    let tests = text.find("tests/run").expect("the tests are shown");
    let config = text.find("config.toml").expect("the real thing is shown");
    assert!(demo < tests && tests < config, "README.md: the demo, the tests, then the real thing");
}

#[test]
fn architecture_is_short_and_knows_who_holds_which_crate() {
    let text = page("ARCHITECTURE.md").text;
    let lines = text.lines().count();
    assert!(lines <= LINES_OF_ARCHITECTURE, "ARCHITECTURE.md:{lines}: more than {LINES_OF_ARCHITECTURE} lines");
    let missing: Vec<String> = CONFINED
        .iter()
        .filter(|(name, _)| {
            !text.contains(&format!("`{name}`")) && !text.contains(&format!("`{}`", name.replace('_', "-")))
        })
        .map(|(name, _)| format!("ARCHITECTURE.md: `{name}` is not in the table"))
        .collect();
    hold("a reader finds where a dependency is held", &missing);
}

#[test]
fn every_event_type_is_explained() {
    let text = page("docs/events.md").text;
    let missing = EventType::ALL.into_iter().map(EventType::as_str).filter(|name| !text.contains(&format!("`{name}`")));
    hold("docs/events.md has every type", &missing.map(|name| format!("docs/events.md: `{name}`")).collect::<Vec<_>>());
}

#[test]
fn the_changelog_knows_this_release() {
    assert!(
        page("CHANGELOG.md").text.contains(env!("CARGO_PKG_VERSION")),
        "CHANGELOG.md: no {}",
        env!("CARGO_PKG_VERSION")
    );
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut broken = Vec::new();
    for file in files(&["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs", "deploy"], &[".md"]) {
        let folder = root.join(&file.path).parent().map(Path::to_path_buf).unwrap_or_default();
        for (number, line) in file.text.lines().enumerate() {
            for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let target = link.split('#').next().unwrap_or_default();
                if !target.is_empty() && !target.contains(':') && !folder.join(target).exists() {
                    broken.push(format!("{}:{}: {link}", file.path, number + 1));
                }
            }
        }
    }
    hold("a link leads to a file", &broken);
}

#[test]
fn the_unit_keeps_its_promises() {
    let text = page("deploy/pregonero.service").text;
    let wanted = [
        "Type=notify",
        "NotifyAccess=main",
        "ExecStart=/usr/bin/pregonero run --config /etc/pregonero/config.toml",
        "Restart=on-failure",
        "RestartPreventExitStatus=2",
        "TimeoutStopSec=35",
        "WatchdogSec=60",
        "StateDirectory=pregonero",
        "StateDirectoryMode=0700",
        "DynamicUser=yes",
        "CapabilityBoundingSet=",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "MemoryDenyWriteExecute=yes",
        "SystemCallFilter=~@privileged @resources",
        "Environment=MALLOC_ARENA_MAX=2",
    ];
    let missing = wanted.into_iter().filter(|wanted| !text.lines().any(|line| line == *wanted));
    hold("the unit has", &missing.map(|line| format!("deploy/pregonero.service: {line}")).collect::<Vec<_>>());
}
