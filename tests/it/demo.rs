//! `pregonero demo`: what a newcomer sees first.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Seconds that were asked for, a debug build, and tests beside it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the demo with a folder of its own for what is temporary.
fn demo(arguments: &[&str]) -> (Child, TempDir) {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pregonero"));
    command.arg("demo").args(arguments).current_dir(temporary.path()).env("TMPDIR", temporary.path());
    command.env_remove("RUST_LOG").env_remove("NOTIFY_SOCKET");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    (command.spawn().unwrap(), temporary)
}

/// Its exit code and what it printed, and that it left nothing behind.
async fn ended(child: Child, temporary: &TempDir) -> (Option<i32>, String, String) {
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();
    let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "it left {left:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_demo_shows_facts_and_deliveries_and_says_what_to_do_next() {
    let (child, temporary) = demo(&["--for", "8s"]);
    let (code, stdout, stderr) = ended(child, &temporary).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let lines =
        |mark: &str, words: &str| stdout.lines().filter(|line| line.contains(mark) && line.contains(words)).count();
    assert!(lines(" + credit.received", "$\u{a0}") >= 2, "facts with their amounts: {stdout}");
    for channel in ["webhook", "email", "telegram"] {
        assert!(lines("→", &format!("{channel:<8}")) >= 2, "deliveries by {channel}: {stdout}");
    }
    assert_eq!(lines(" → ", " accepted, 2"), lines(" → ", " evt_"), "nothing fails here: {stdout}");
    assert!(!stdout.contains('\u{1b}'), "no colours where no terminal is: {stdout}");
    let (_, next) = stdout.split_once("Next:").expect("what to do next");
    for step in ["pregonero sandbox", "config.toml.example", "pregonero check", "pregonero send-test", "pregonero run"]
    {
        assert!(next.contains(step), "{step} in {next}");
    }
    assert!(stdout.contains("Nothing leaves this machine"), "{stdout}");
    assert!(stdout.lines().all(|line| line.chars().count() <= 120), "fits a terminal: {stdout}");
}

#[tokio::test]
async fn the_demo_for_machines_is_one_object_a_line() {
    let (child, temporary) = demo(&["--for", "6s", "--json", "--seed", "7"]);
    let (code, stdout, stderr) = ended(child, &temporary).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let objects: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).expect("JSON by itself")).collect();
    let of = |kind: &str| objects.iter().filter(|object| object["kind"] == kind).collect::<Vec<_>>();
    let (facts, deliveries, summaries) = (of("fact"), of("delivery"), of("summary"));
    assert_eq!(facts.len() + deliveries.len() + summaries.len(), objects.len(), "{stdout}");
    assert!(!facts.is_empty() && facts.iter().all(|fact| fact["event"]["data"]["sandbox"] == true), "{stdout}");
    let known: Vec<&Value> = facts.iter().map(|fact| &fact["event"]["data"]["id"]).collect();
    assert!(deliveries.iter().all(|delivery| known.contains(&&delivery["event"])), "no delivery without its fact");
    for channel in ["webhook", "email", "telegram"] {
        let accepted =
            deliveries.iter().filter(|delivery| delivery["channel"] == channel && delivery["accepted"] == true);
        assert_eq!(summaries[0]["accepted"][channel], accepted.count(), "{stdout}");
    }
    assert_eq!((summaries.len(), &summaries[0]["facts"]), (1, &facts.len().into()));
}

#[tokio::test]
async fn ctrl_c_ends_the_demo_in_order() {
    let (mut child, temporary) = demo(&[]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first_fact = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(" + ") && !line.contains("a fact that was found") {
                return;
            }
        }
        panic!("it ended by itself");
    };
    tokio::time::timeout(PATIENCE, first_fact).await.expect("a fact is found");
    let id = child.id().unwrap();
    let sent = Command::new("sh").args(["-c", &format!("kill -INT {id}")]).status().await.unwrap();
    assert!(sent.success());
    let mut rest = String::new();
    lines.into_inner().read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("Next:"), "it concludes: {rest}");
    let (code, _, stderr) = ended(child, &temporary).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}
