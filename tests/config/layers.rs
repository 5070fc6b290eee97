//! Which layer goes over which, and where a problem is said to stand.

use std::path::Path;
use std::time::Duration;

use pregonero::config::{Environment, Language, load_in};

use super::{Place, SIPAGO, TELEPAGOS, complains};

#[test]
fn each_layer_goes_over_the_one_before() {
    let place = Place::with(&format!("retention = \"100d\"\nlate_after = \"2h\"\nlanguage = \"en\"\n{TELEPAGOS}"));
    place.write("conf.d/20-b.toml", &format!("late_after = \"4h\"\n{SIPAGO}"));
    place.write("conf.d/10-a.toml", "late_after = \"3h\"\nlanguage = \"es\"\n");
    place.write("conf.d/.hidden.toml", "not = toml = at all");
    place.write("conf.d/note.txt", "nor this");
    let place = place.and("PREGONERO_LATE_AFTER", "5h").and("PREGONERO_STORE__PREFIX", "0012");
    let config = place.and("PREGONERO_FLOOD__LIMIT", "7").and("PREGONERO_HTTP__TOKEN", "0012").load().config;
    assert_eq!(config.retention, Duration::from_secs(100 * 86_400));
    assert_eq!(config.late_after, Duration::from_secs(5 * 3_600));
    assert_eq!(config.language, Language::Es);
    assert_eq!(config.flood.limit, 7);
    assert_eq!(config.store.prefix, "0012", "raw text, not the number 12");
    assert_eq!(config.http.token.as_ref().expect("a token").expose(), "0012");
    assert_eq!(config.accounts().map(|account| account.name.to_string()).collect::<Vec<_>>(), ["centro", "palermo"]);
}

#[test]
fn a_problem_names_the_layer_that_it_stands_in() {
    let place = Place::with("retention = \"x\"\n");
    place.write("conf.d/20-x.toml", "[log]\nformat = \"xml\"\n");
    let errors = place.and("PREGONERO_FLOOD__LIMIT", "many").and("PREGONERO_STORE__URLL", "x").refused();
    complains(&errors, "retention", "config.toml", "is no duration");
    complains(&errors, "log.format", "conf.d/20-x.toml", "write one of `text`, `json`");
    complains(&errors, "flood.limit", "environment variable PREGONERO_FLOOD__LIMIT", "whole number");
    complains(&errors, "store.urll", "environment variable PREGONERO_STORE__URLL", "did you mean `url`?");
    assert_eq!(errors.lines().count(), 4, "{errors}");
}

#[test]
fn a_stray_variable_is_refused_only_where_it_is_nearly_a_key() {
    let place = Place::with("").and("PREGONERO_BIN", "/usr/bin/pregonero").and("PREGONERO_CONFIG", "elsewhere.toml");
    let warnings = place.load().warnings;
    assert!(warnings.iter().any(|warning| warning.contains("PREGONERO_BIN") && warning.contains("ignored")));
    assert!(!warnings.iter().any(|warning| warning.contains("PREGONERO_CONFIG")));
    let errors = place.and("PREGONERO_RETENTON", "90d").and("PREGONERO_STORE_URL", "x").refused();
    complains(&errors, "retenton", "environment variable PREGONERO_RETENTON", "did you mean `PREGONERO_RETENTION`?");
    complains(&errors, "store_url", "environment variable PREGONERO_STORE_URL", "did you mean `PREGONERO_STORE__URL`?");
    // The one that the token is read from is no key.
    let place = Place::with("[http]\ntoken = { env = \"PREGONERO_TOKEN\" }\n");
    assert!(place.load().warnings.is_empty(), "{:?}", place.load().warnings);
}

#[test]
fn the_file_is_found_by_option_then_variable() {
    let place = Place::with("late_after = \"2h\"\n");
    place.write("other.toml", "late_after = \"3h\"\n");
    let other = place.path("other.toml");
    let environment: Environment = [("PREGONERO_CONFIG", other.display().to_string())].into_iter().collect();
    let loaded = load_in(None, &environment).expect("the other file");
    assert_eq!((loaded.config.late_after, loaded.file), (Duration::from_secs(3 * 3_600), Some(other)));
    let loaded = load_in(Some(&place.path("config.toml")), &environment).expect("the file");
    assert_eq!(loaded.config.late_after, Duration::from_secs(2 * 3_600));
    let errors = load_in(Some(Path::new("/no/such/config.toml")), &environment).expect_err("no file").to_string();
    assert!(errors.starts_with("error: /no/such/config.toml: the file cannot be read"), "{errors}");
}

#[test]
fn without_a_listener_the_instance_is_told_by_the_file() {
    let instance = |place: &Place| place.load().config.store.instance;
    let (one, other) = (Place::with("[http]\nlisten = \"\"\n"), Place::with("[http]\nlisten = \"\"\n"));
    assert_ne!(instance(&one), instance(&other));
    assert_eq!(instance(&one), instance(&one));
}
