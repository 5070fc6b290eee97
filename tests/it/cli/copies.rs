//! `store copy` as an operator meets it.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pregonero::domain::account::{AccountName, Partition, Scope, SourceKind};
use pregonero::domain::event::{Body, Event, EventId, EventType, Notice};
use pregonero::domain::fact::FactSet;
use pregonero::domain::ledger::{Change, Memory, Party, Slot};
use pregonero::domain::route::DestinationName;
use pregonero::store::embedded::EmbeddedStore;
use pregonero::store::{Announcement, Commit, LedgerWrite, Store as _};
use serde_json::Value;

use super::{Place, Said};
use crate::support::Server;

/// Events and rows of each account.
pub(super) const EACH: u32 = 500;
pub(super) const ACCOUNTS: u32 = 40;

fn commit(account: u32) -> Commit {
    let name = AccountName::new(&format!("account-{account}"));
    let id = |what: &str, n: u32| EventId::of_notice(&[what, &account.to_string(), &n.to_string()]);
    let memory = Memory {
        ordinal: 1,
        facts: FactSet::EMPTY,
        rank: 1,
        party: Party { cuit: 1, account: 2 },
        details: 3,
        sale: 0,
        payment: 0,
        seen: 0,
        missing_since: None,
    };
    let change =
        |n| Change { slot: Slot::from_bytes(*id("slot", n).as_bytes()), memories: std::iter::once(memory).collect() };
    let announce = |n: u32| Announcement {
        event: Arc::new(Event {
            id: id("event", n),
            kind: EventType::CreditReceived,
            account: Some(name.clone()),
            upstream: None,
            source: None,
            occurred_at: String::from("2026-11-21"),
            detected_at: Timestamp::from_second(1_800_000_000 + i64::from(n)).expect("a time"),
            late: false,
            sandbox: false,
            body: Body::Notice(Notice::default()),
        }),
        destinations: vec![DestinationName::new("erp")],
        held: n.is_multiple_of(7),
    };
    let scope = Scope::Watched(String::from("x"));
    let partition = Partition { account: name.clone(), source: SourceKind::Links, scope };
    Commit {
        account: name.clone(),
        ledgers: vec![LedgerWrite { partition, expected: 0, changes: (0..EACH).map(change).collect() }],
        state: None,
        announcements: (0..EACH).map(announce).collect(),
        rejects: Vec::new(),
        remember: Duration::from_secs(86_400 * 60),
    }
}

pub(super) async fn filled() -> Place {
    let place = Place::bare();
    let store = EmbeddedStore::open(&place.path("a.db"), "a-test").expect("a new store");
    for account in 0..ACCOUNTS {
        store.commit(&commit(account)).await.expect("a commit");
    }
    place
}

/// The summary of a copy that ended well.
#[track_caller]
fn summary(said: &Said) -> Value {
    assert_eq!(said.code, Some(0), "{said:?}");
    serde_json::from_str(&said.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_there_and_back_is_the_same() {
    let place = filled().await;
    let server = Server::start().await;
    let there = place.run(&format!("store copy file:a.db {} --json", server.url()));
    assert!(there.stderr.contains("copying events\n") && there.stderr.contains("comparing events\n"), "{there:?}");
    let kinds = summary(&there)["kinds"].clone();
    assert_eq!(kinds["events"]["count"], EACH * ACCOUNTS);
    assert_eq!(kinds["rows"]["count"], EACH * ACCOUNTS);
    let back = place.run(&format!("store copy {} file:b.db --json", server.url()));
    assert_eq!(summary(&back)["kinds"], kinds);
    let table = place.run("store copy file:b.db file:c.db");
    assert!(table.stdout.contains("deliveries") && table.code == Some(0), "{table:?}");
    let again = place.run("store copy file:b.db file:c.db");
    assert!(again.code == Some(1) && again.stderr.contains("not empty"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_goes_on_and_ends_equal() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let place = filled().await;
    let server = Server::start().await;
    for to in [server.url(), String::from("file:b.db")] {
        let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_pregonero"))
            .current_dir(place.path(""))
            .args(["store", "copy", "file:a.db", &to])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        while let Some(line) = lines.next_line().await.expect("UTF-8") {
            if line == "copying events" {
                break;
            }
        }
        child.kill().await.expect("it is killed");
        let again = place.run(&format!("store copy file:a.db {to} --json"));
        let summary = summary(&again);
        assert_eq!(summary["resumed"], true);
        assert_eq!(summary["kinds"]["deliveries"]["count"], EACH * ACCOUNTS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_places_are_refused_without_a_word_of_the_url() {
    let place = Place::bare();
    let missing = place.run("store copy file:nowhere.db file:b.db");
    assert!(missing.refused(1).contains("no store at"), "{missing:?}");
    assert!(!place.path("b.db").exists() && !place.path("nowhere.db").exists(), "nothing was created");
    for (from, to) in [
        ("file:a.db", "file:a.db"),
        ("env:NO_SUCH_VARIABLE", "file:b.db"),
        ("ftp://ana:geheim-7@h/x", "file:b.db"),
        ("file:a.db", "redis://:geheim-7@"),
    ] {
        let said = place.run(&format!("store copy {from} {to}"));
        assert!(!said.refused(2).contains("geheim"), "{said:?}");
    }
    let mut command = place.command("store copy env:FROM_HERE file:b.db");
    let output = command.env("FROM_HERE", "redis://:geheim-7@127.0.0.1:9/0").output().expect("the program starts");
    let said = Said::of("env", &output);
    assert!(said.refused(1).contains("the source") && !said.stderr.contains("geheim"), "{said:?}");
}
