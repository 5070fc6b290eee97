//! The list of paid deposits.

use std::time::Duration;

use super::*;
use crate::domain::fact::View;
use crate::domain::money::Money;
use crate::domain::row::{Identity, StatusKind};
use crate::sources::scripted::{Answer, failure, ok};
use crate::sources::sipago::PAID_DEPOSITS;
use crate::sources::{Reading, Snapshot, Source as _};

fn paid() -> Task {
    Task::Watched { source: SourceKind::Deposits, id: PAID_DEPOSITS.to_owned() }
}

fn page(number: u32, more: bool, rows: &str) -> Answer {
    ok(format!(r#"{{"page":{number},"existMore":{more},"listTrx":[{rows}]}}"#))
}

async fn read(answers: Vec<Answer>) -> Snapshot {
    match source(&Scripted::queue(answers)).read(&paid(), None).await.unwrap() {
        Reading::Snapshot(snapshot) => snapshot,
        Reading::Unchanged => panic!("nothing was known"),
    }
}

#[tokio::test(start_paused = true)]
async fn every_paid_deposit_is_a_settlement_of_what_is_left() {
    let rows = r#"{"_id":"65f0a","amount":10000,"total":9549.1,"dateTime":"2026-11-20T10:00:00","state":"ACREDITADO"},
        {"_id":7,"amount":"1.500,50","state":"X-9"},{"_id":null,"total":1},{"_id":"odd","total":"mucho"},3"#;
    let snapshot = read(vec![page(0, true, rows), page(1, false, r#"{"_id":"65f0b","total":1}"#)]).await;
    assert_eq!((snapshot.source, snapshot.paged), (SourceKind::Deposits, false));
    let told: Vec<_> =
        snapshot.rows.iter().skip(1).map(|row| (&row.identity, row.amount, row.view, row.status.kind)).collect();
    let keyed = |id: &str| Identity::Keyed(id.to_owned());
    let settled = |cents| (Money::from_cents(cents), View::Settlement, StatusKind::Approved);
    let expected = [(keyed("65f0a"), settled(954_910)), (keyed("7"), settled(150_050)), (keyed("65f0b"), settled(100))];
    assert_eq!(told.len(), expected.len());
    for ((identity, amount, view, status), (id, wanted)) in told.into_iter().zip(&expected) {
        assert_eq!((identity, (amount, view, status)), (id, *wanted));
    }
    assert_eq!(snapshot.rows[1].occurred.day().to_string(), "2026-11-20");
    assert_eq!(snapshot.rows[2].occurred.day().to_string(), "2026-11-21", "seen today, where no date is told");
    let places: Vec<_> = snapshot.rejects.iter().map(|reject| reject.position).collect();
    assert_eq!(places, [2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_list_is_known_until_the_next_day() {
    let answers = || page(0, false, r#"{"_id":"a","total":1}"#);
    let transport = Scripted::rule(move |_| answers());
    let source = source(&transport);
    let Reading::Snapshot(first) = source.read(&paid(), None).await.unwrap() else { panic!() };
    let again = source.read(&paid(), Some(first.fingerprint)).await.unwrap();
    assert!(matches!(again, Reading::Unchanged));
    // Noon in Buenos Aires when the test began.
    tokio::time::advance(Duration::from_secs(13 * 3_600)).await;
    let Reading::Snapshot(next) = source.read(&paid(), Some(first.fingerprint)).await.unwrap() else { panic!() };
    assert_eq!(next.rows[0].identity, first.rows[0].identity);
    assert_ne!(next.rows[0].status.raw, first.rows[0].status.raw, "so that the ledger is written and does not expire");
}

#[tokio::test(start_paused = true)]
async fn half_a_list_is_none() {
    for answers in [
        vec![page(0, true, r#"{"_id":"a","total":1}"#)],
        vec![page(0, true, r#"{"_id":"a","total":1}"#), page(1, true, r#"{"_id":"a","total":1}"#)],
        vec![page(3, false, "")],
    ] {
        failure(&source(&Scripted::queue(answers)), &paid()).await;
    }
    let other = Task::Watched { source: SourceKind::Deposits, id: "pending".to_owned() };
    let transport = Scripted::queue([]);
    failure(&source(&transport), &other).await;
    assert!(transport.asked().is_empty());
}
