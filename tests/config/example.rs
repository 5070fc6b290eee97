//! The example is the defaults, every key stands in it, and every sample of it works.

use std::path::PathBuf;
use std::time::Duration;

use pregonero::config::{Backend, EXAMPLE, Language, LogFormat, from_toml};

use super::{Place, refused, shape};

/// Lines of the example: those that are in force, the samples (`#key`), and which part of which section they are.
pub(super) struct Line {
    part: String,
    pub(super) text: String,
    is_sample: bool,
}

pub(super) fn example_lines() -> Vec<Line> {
    let mut part = String::new();
    let mut lines = Vec::new();
    for line in EXAMPLE.lines() {
        if let Some(title) = line.strip_prefix("# --- ") {
            title.clone_into(&mut part);
        } else if line.starts_with("# ") || line == "#" || line.is_empty() {
        } else if let Some(sample) = line.strip_prefix('#') {
            lines.push(Line { part: part.clone(), text: sample.to_owned(), is_sample: true });
        } else {
            lines.push(Line { part: part.clone(), text: line.to_owned(), is_sample: false });
        }
    }
    lines
}

pub(super) fn joined<'a>(lines: impl Iterator<Item = &'a Line>) -> String {
    lines.map(|line| line.text.clone() + "\n").collect()
}

#[test]
fn the_example_as_it_stands_is_the_defaults() {
    let defaults = Place::with("").load().config;
    assert_eq!(shape(&Place::with(EXAMPLE).load().config), shape(&defaults));
    assert_eq!(shape(&from_toml(EXAMPLE).expect("the example")).lines().count(), shape(&defaults).lines().count());
    // What the daemon's authors agreed on; whoever changes the example changes what runs.
    assert_eq!(defaults.language, Language::Es);
    assert_eq!(defaults.timezone.iana_name(), Some("America/Argentina/Buenos_Aires"));
    assert_eq!(defaults.retention, Duration::from_secs(90 * 86_400));
    assert_eq!(defaults.late_after, Duration::from_secs(3_600));
    assert_eq!((defaults.flood.limit, defaults.flood.older_than), (50, Duration::from_secs(3_600)));
    assert_eq!((&defaults.log.filter, defaults.log.format), (&None, LogFormat::Text));
    assert_eq!(defaults.store.backend, Backend::Embedded(PathBuf::from("./pregonero.db")));
    assert_eq!(defaults.store.prefix, "pregonero");
    assert!(defaults.store.instance.ends_with(":8780"), "{}", defaults.store.instance);
    assert_eq!(defaults.http.listen.map(|listen| listen.to_string()).as_deref(), Some("127.0.0.1:8780"));
    assert!(defaults.http.token.is_none() && defaults.smtp.is_none());
    assert!(defaults.accounts().next().is_none() && defaults.routes().is_empty());
}

#[test]
fn every_sample_line_is_accepted() {
    let config = Place::with(&joined(example_lines().iter())).load().config;
    assert_eq!(config.telepagos.len() + config.sipago.len(), 2);
    assert_eq!(config.routes().len(), 3);
    assert!(config.smtp.is_some() && config.http.token.is_some() && config.log.filter.is_some());
    assert_eq!(config.store.instance, "caja-1");
    // And each of them alone, beside what its section requires.
    for (index, line) in example_lines().iter().enumerate().filter(|(_, line)| line.part.contains("optional")) {
        let alone = example_lines().into_iter().enumerate().filter(|(other, candidate)| {
            candidate.part.contains("required") || *other == index || burst_needs_its_rate(line, candidate)
        });
        let lines: Vec<Line> = alone.map(|(_, line)| line).filter(|line| line.is_sample).collect();
        let place = Place::with(&joined(lines.iter()));
        assert!(place.try_load().is_ok(), "{}: {}", line.text, place.refused());
    }
}

fn burst_needs_its_rate(line: &Line, candidate: &Line) -> bool {
    line.text.starts_with("burst") && candidate.part == line.part && candidate.text.starts_with("rate")
}

#[test]
fn what_the_example_calls_a_default_is_one() {
    let required = |line: &&Line| line.is_sample && line.part.contains("required");
    let lines = example_lines();
    let bare = Place::with(&joined(lines.iter().filter(required))).load().config;
    let defaults = |line: &&Line| required(line) || line.is_sample && line.part.contains("optional, with defaults");
    let spelled = Place::with(&joined(lines.iter().filter(defaults))).load().config;
    assert_eq!(shape(&spelled), shape(&bare));
    assert!(lines.iter().filter(|line| line.part.contains("with defaults")).count() > 40);
}

#[test]
fn every_key_stands_in_the_example() {
    let known_of = |text: &str| -> Vec<String> {
        let errors = refused(text);
        let line = errors.lines().find(|line| line.contains("zzzzzz")).unwrap_or_else(|| panic!("{errors}")).to_owned();
        let (_, known) = line.split_once("known are ").unwrap_or_else(|| panic!("{line}"));
        known.split(", ").map(|word| word.trim_matches('`').to_owned()).collect()
    };
    let sections =
        ["flood", "reconcile", "log", "store", "http", "smtp", "telepagos", "sipago", "webhook", "email", "telegram"];
    for section in sections {
        let header =
            if EXAMPLE.contains(&format!("[[{section}]]")) { format!("[[{section}]]") } else { format!("[{section}]") };
        let (_, after) = EXAMPLE.split_once(&header).unwrap_or_else(|| panic!("{section} is not in the example"));
        let body: Vec<&str> =
            after.lines().skip(1).take_while(|line| !line.trim_start_matches('#').starts_with('[')).collect();
        for key in known_of(&format!("{header}\nzzzzzz = 1\n")) {
            let written = body.iter().any(|line| line.trim_start_matches('#').starts_with(&format!("{key} = ")));
            assert!(written, "{section}.{key} is not in the example");
        }
    }
    for key in known_of("zzzzzz = 1\n") {
        let found = EXAMPLE.lines().any(|line| {
            let line = line.trim_start_matches('#');
            line.starts_with(&format!("{key} = ")) || line == format!("[{key}]") || line == format!("[[{key}]]")
        });
        assert!(found, "{key} is not in the example");
    }
}
