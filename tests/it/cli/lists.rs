//! What an operator reads from the store, beside a running daemon or without one.

use std::process::Stdio;

use super::{Place, QUIET, Said, shelf};

macro_rules! written_down {
    ($name:expr, $text:expr) => {
        insta::with_settings!({ snapshot_path => "../snapshots/cli", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, $text);
        })
    };
}

/// One field of each object.
fn field<'a>(objects: &'a [serde_json::Value], pointer: &str) -> Vec<&'a str> {
    objects.iter().map(|object| object.pointer(pointer).and_then(|value| value.as_str()).unwrap_or("")).collect()
}

#[tokio::test]
async fn events_are_listed_newest_first_and_filtered() {
    let place = shelf::filled().await;
    written_down!("events-list", place.run("events list").done());
    let events = place.run("events list --json").objects();
    let newest_first: Vec<String> = [5, 4, 3, 2, 1].map(shelf::id).into();
    assert_eq!(field(&events, "/data/id"), newest_first);
    let types = |arguments: &str| {
        let events = place.run(&format!("events list --json {arguments}")).objects();
        field(&events, "/type").join(" ")
    };
    assert_eq!(types("--type link.paid"), "link.paid");
    assert_eq!(types("--type credit.* --type system.*"), "source.failing credit.received credit.received");
    assert_eq!(types("--limit 1"), "source.failing");
    assert_eq!(types("--account centro --limit 2"), "source.failing credit.received");
    assert_eq!(types("--until 2026-11-21"), "", "a day begins at its local midnight");
    assert_eq!(types("--since 2026-11-21T14:03:22-03:00 --until 2026-11-21T14:03:23-03:00").split(' ').count(), 5);
    assert_eq!(types("--since 2026-11-21T17:03:23Z"), "");
}

#[tokio::test]
async fn an_event_is_shown_with_its_deliveries() {
    let place = shelf::filled().await;
    written_down!("events-show", place.run(&format!("events show {}", shelf::id(2))).done());
    let shown = place.run(&format!("events show --json {}", shelf::id(3))).objects();
    assert_eq!(shown[0].pointer("/event/data/amount/value").unwrap(), "1234567.89");
    assert_eq!(shown[0]["deliveries"].as_array().unwrap().len(), 2);
    let alone = place.run(&format!("events show {}", shelf::id(5)));
    assert_eq!((alone.code, alone.stderr.as_str()), (Some(0), "no destination asked for it\n"));
    let unknown = place.run(&format!("events show {}", shelf::id(99)));
    assert!(unknown.refused(1).contains("there is no event"));
}

#[tokio::test]
async fn rows_that_could_not_be_read_are_listed() {
    let place = shelf::filled().await;
    written_down!("events-rejects", place.run("events list --rejects").done());
    let rejects = place.run("events list --rejects --json --account centro").objects();
    assert_eq!((rejects.len(), field(&rejects, "/reason")), (1, vec!["`amount` is no number"]));
}

#[tokio::test]
async fn deliveries_are_listed_by_state_event_and_destination() {
    let place = shelf::filled().await;
    written_down!("deliveries-list", place.run("deliveries list").done());
    let count = |arguments: &str| place.run(&format!("deliveries list --json {arguments}")).objects().len();
    assert_eq!(count(""), 5);
    assert_eq!(count("--state dead --state held"), 2);
    assert_eq!(count("--state in_flight"), 0);
    assert_eq!(count(&format!("--event {}", shelf::id(3))), 2);
    assert_eq!(count("--destination old-erp"), 1, "it left the file, its deliveries did not");
    assert_eq!(count("--limit 2"), 2);
    let dead = place.run("deliveries list --json --state dead").objects();
    assert_eq!((&dead[0]["last"]["failure"], &dead[0]["last"]["status"]), (&"recipient".into(), &410.into()));
}

#[tokio::test]
async fn a_dry_run_counts_and_changes_nothing() {
    let place = shelf::filled().await;
    let before = place.run("deliveries list --json").stdout;
    assert_eq!(place.run("deliveries requeue --dry-run").done(), "1 delivery would be attempted again\n");
    assert_eq!(place.run("release --dry-run").done(), "1 delivery would be released\n");
    let counted = |arguments: &str| place.run(arguments).objects()[0]["deliveries"].as_u64();
    assert_eq!(counted("deliveries requeue --dry-run --json"), Some(1));
    assert_eq!(counted("deliveries requeue --dry-run --json --state pending --state dead"), Some(3));
    assert_eq!(counted("deliveries requeue --dry-run --json --state delivered --destination erp"), Some(1));
    assert_eq!(counted("release --dry-run --json --account centro"), Some(1));
    assert_eq!(place.run("deliveries list --json").stdout, before);
}

#[tokio::test]
async fn a_second_chance_and_a_release_are_taken_by_a_daemon_or_without_one() {
    let place = shelf::filled().await;
    assert_eq!(place.run("deliveries requeue").done(), "1 delivery will be attempted again\n");
    assert_eq!(place.run("deliveries requeue").done(), "0 deliveries will be attempted again\n");
    assert_eq!(place.run("release").done(), "1 delivery released\n");
    assert_eq!(place.run("release --json").objects()[0]["deliveries"], 0);
    let states = place.run("deliveries list --json").objects();
    assert_eq!(field(&states, "/state"), ["pending", "pending", "pending", "pending", "delivered"]);
}

#[tokio::test]
async fn a_reader_who_leaves_early_is_no_error() {
    let place = shelf::filled().await;
    for arguments in ["events list", "events list --json", "deliveries list", "completions bash", "--help"] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pregonero"));
        command.current_dir(place.path("")).args(arguments.split_whitespace());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        // Nobody ever reads: the first write already meets a closed pipe.
        drop(child.stdout.take());
        let said = Said::of(arguments, &child.wait_with_output().expect("it ends"));
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said:?}");
    }
}

#[test]
fn without_a_store_the_operator_is_told_where_it_was_looked_for() {
    let place = Place::with(QUIET);
    for arguments in ["events list", "events list --rejects", "deliveries list", "deliveries requeue", "release"] {
        let said = place.run(arguments);
        let words = said.refused(1);
        assert!(words.contains("there is no store at"), "{words}");
        assert!(words.contains(&place.path("pregonero.db").display().to_string()), "the whole path: {words}");
        assert!(words.contains("store.url"), "what to look at: {words}");
    }
    assert!(!place.path("pregonero.db").exists(), "to look is not to create");
}
