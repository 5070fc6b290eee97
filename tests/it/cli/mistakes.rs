//! What is typed or written wrong: said with what would be right, all of it at once, with exit code 2.

use super::{Place, QUIET, shelf};

#[test]
fn an_unknown_account_or_destination_names_the_known_ones() {
    let place = Place::with(QUIET);
    for arguments in ["events list --account center", "events list --rejects --account x", "release --account x"] {
        let words = place.run(arguments).refused(2).to_owned();
        assert!(words.contains("there is no account") && words.contains("`centro`"), "{words}");
    }
    let words = place.run("send-test ero").refused(2).to_owned();
    assert_eq!(words, "error: there is no destination `ero`; known: `erp`");
    let nothing = Place::bare();
    let none = "the configuration has none";
    assert!(nothing.run("send-test erp").refused(2).contains(none));
    assert!(nothing.run("release --account centro").refused(2).contains(none));
}

#[tokio::test]
async fn a_mistyped_destination_of_a_list_is_told_from_an_empty_list() {
    let place = shelf::filled().await;
    for arguments in ["deliveries list --destination epr", "deliveries requeue --destination epr --dry-run"] {
        let words = place.run(arguments).refused(2).to_owned();
        assert_eq!(words, "error: there is no destination `epr`; known: `erp`");
    }
    let empty = place.run("deliveries list --destination erp --state in_flight");
    assert_eq!((empty.code, empty.stdout.as_str()), (Some(0), ""));
    assert_eq!(empty.stderr, "there are no such deliveries\n");
}

#[test]
fn wrong_times_ids_types_and_states_are_refused_with_what_is_right() {
    let place = Place::with(QUIET);
    for (arguments, words) in [
        ("events list --since yesterday", "`yesterday` is no time; write an age such as `2h`"),
        ("events list --until 2026-13-01", "`2026-13-01` is no time"),
        ("deliveries list --since 99", "`99` is no time"),
        ("events list --type credit", "no event type fits `credit`; write one such as `credit.received`"),
        ("events list --type credits.*", "no event type fits `credits.*`"),
        ("events show 4711", "`4711` is no event id; they look like `evt_`"),
        ("deliveries list --event evt_4711", "is no event id"),
        ("deliveries requeue --state lost", "[possible values: pending, held, in_flight, delivered, dead]"),
        ("deliveries list --limit many", "invalid value 'many'"),
        ("demo --for soon", "`soon` is no duration; write one such as `30s`"),
        ("demo --for 30", "`30` has a number without a unit; write one such as `30s`"),
        ("sandbox --for 1x", "`1x` has an unknown unit"),
        ("sandbox --telepagos 70000", "70000 is not in 0..=65535"),
        ("send-test", "<DEST>"),
        ("evnets list", "'events'"),
        ("events list --rejects --since 2h", "cannot be used with"),
    ] {
        let said = place.run(arguments);
        assert!(said.refused(2).contains(words), "{words}: {said:?}");
    }
}

const MISTAKES: &str = r#"
retenton = "1d"
language = "fr"
[store]
url = "postgres://127.0.0.1/x"
[[telepagos]]
name = "centro"
base_url = "http://api.example.com"
username = "u"
password = "correct horse battery staple"
rate = "30/mon"
[[webhook]]
name = "erp"
url = "https://erp.example.com/hooks?token=hunter2"
secret = "whsec_hunter2"
events = ["credit.recieved"]
"#;

#[test]
fn check_says_everything_that_is_wrong_at_once() {
    let place = Place::with(MISTAKES);
    let said = place.run("check");
    let words = said.refused(2);
    for key in [
        "retenton",
        "language",
        "store.url",
        "telepagos.centro.base_url",
        "telepagos.centro.rate",
        "webhook.erp.secret",
        "webhook.erp.events[0]",
    ] {
        let line = words.lines().find(|line| line.starts_with(&format!("error: {key} in config.toml: ")));
        assert!(line.is_some(), "no complaint of {key} in {words}");
    }
    assert_eq!(words.lines().count(), 7, "{words}");
    for secret in ["hunter2", "battery"] {
        assert!(!words.contains(secret), "{words}");
    }
    for arguments in ["run", "events list", "send-test erp", "check --json"] {
        assert_eq!(place.run(arguments).refused(2), words, "{arguments} says the same");
    }
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let place = Place::bare();
    let words = place.run("check --config nowhere.toml").refused(2).to_owned();
    assert!(words.contains("nowhere.toml"), "{words}");
    let mut by_variable = place.command("check");
    let output = by_variable.env("PREGONERO_CONFIG", "neither.toml").output().expect("it starts");
    let said = super::Said::of("check", &output);
    assert!(said.refused(2).contains("neither.toml"));
}

#[test]
fn a_right_file_is_called_right() {
    let place = Place::with(QUIET);
    assert_eq!(place.run("check").done(), "config.toml is right: 1 account, 1 destination\n");
    assert_eq!(place.run("check --strict").code, Some(0));
    let understood = &place.run("check --json").objects()[0];
    assert_eq!((&understood["ok"], &understood["accounts"][0]), (&true.into(), &"centro".into()));
}

#[test]
fn what_works_and_is_odd_is_a_warning_and_with_strict_an_error() {
    let only_account = QUIET.split("[[webhook]]").next().expect("the part before");
    let place = Place::with(only_account);
    let said = place.run("check");
    assert_eq!(said.code, Some(0));
    assert!(said.stderr.starts_with("warning: there is no destination"), "{said:?}");
    let strict = place.run("check --strict");
    assert_eq!((strict.code, strict.stdout.as_str()), (Some(2), ""));
    assert!(strict.stderr.contains("warning: there is no destination"), "{strict:?}");
    assert!(strict.stderr.ends_with("error: there is 1 warning and `--strict` was given\n"), "{strict:?}");
}

#[test]
fn without_a_configuration_the_daemon_does_not_pretend_to_work() {
    let place = Place::bare();
    let said = place.run("run");
    let words = said.refused(2);
    assert!(words.contains("there is no configuration"), "{words}");
    assert!(words.contains("config.toml") && words.contains("pregonero demo"), "what to do next: {words}");
    let checked = place.run("check");
    assert_eq!(checked.code, Some(0));
    assert!(checked.stdout.contains("there is no configuration file"), "{checked:?}");
}

#[test]
fn check_refuses_a_store_that_run_could_never_open() {
    for (url, words) in
        [("redis+sentinel://127.0.0.1", "host[:port],…/service"), ("file:./nowhere/p.db", "there is no folder")]
    {
        let place = Place::with(&format!("[store]\nurl = \"{url}\"\n{QUIET}"));
        let said = place.run("check").refused(2).to_owned();
        assert!(said.contains("store.url") && said.contains(words), "{said}");
    }
}
