//! One row of a good listing cannot be read: it is kept, counted and shown, and the others go on.

use std::time::Duration;

use futures_util::future::join_all;
use pregonero::clock::Stopwatch;
use pregonero::sandbox::{Face, Fault, Rule};

use super::{end, listed, said, something_happens, with_every_detail};
use crate::support::{House, Memory, Plan, announced, until, webhooks_by_id};

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until so many rejects are listed; returns their reasons and shapes.
async fn rejects(house: &House, count: usize) -> Vec<String> {
    let watch = Stopwatch::start();
    loop {
        let rejects = listed(house, "--rejects").await;
        if rejects.len() == count {
            let text = |reject: &serde_json::Value, field: &str| reject[field].as_str().unwrap().to_owned();
            return rejects.iter().map(|one| format!("{} {}", text(one, "reason"), text(one, "shape"))).collect();
        }
        assert!(rejects.len() < count && watch.elapsed() < PATIENCE, "{} rejects and not {count}", rejects.len());
    }
}

async fn one_row_is_bad(fault: Fault, words: &str, seed: u64) {
    let house = House::build(Memory::File, seed).await;
    with_every_detail(&house);
    let mut daemon = house.contacted(&Plan::default()).await;
    let script = house.sandbox.script();
    let telepagos = script.add(Rule::always(Face::Telepagos, "v2/account/transactions", fault.clone()));
    let sipago = script.add(Rule::always(Face::Sipago, "transactions/page", fault.clone()));
    something_happens(&house, 10_000);
    rejects(&house, 2).await;
    assert!(webhooks_by_id(house.sandbox.caught(), "erp").is_empty(), "{words}: told of a row that cannot be read");

    // The fault strikes the first row of the answer, which is the newest: the one before can be read now.
    something_happens(&house, 20_000);
    let told = || announced(&webhooks_by_id(house.sandbox.caught(), "erp"));
    until(words, PATIENCE, || told().len() == 2).await;
    assert!(told().keys().all(|fact| fact.amount == "100.00"), "{:?}", told());
    for reject in rejects(&house, 4).await {
        assert!(reject.contains(words), "{reject}");
        assert!(!reject.contains("1e400") && !reject.contains("mil"), "a reject carries no value: {reject}");
    }

    assert!(script.remove(telepagos) && script.remove(sipago));
    house.all_told("erp", PATIENCE).await;
    house.read_again().await;
    house.nothing_invented("erp");
    assert_eq!(rejects(&house, 4).await.len(), 4, "what was shown stays");
    let log = end(&house, &mut daemon).await;
    for account in ["centro", "palermo"] {
        let complaints = said(&log, account, "rows could not be read");
        assert_eq!(complaints.len(), 2, "{words}: once for each row, not for each reading: {complaints:?}");
        assert!(complaints[0].contains("events list --rejects"), "{complaints:?}");
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_shown_and_blocks_no_other() {
    let amount = |text: &str| Fault::RowAmount(text.to_owned());
    let faults = [
        (Fault::RowWithoutDate, "is missing"),
        (amount("1e400"), "`amount` cannot be read"),
        (amount("\"mil\""), "`amount` cannot be read"),
        (amount("null"), "`amount` is missing"),
        (amount("1500.005"), "`amount` cannot be read"),
        (amount("[1500]"), "`amount` cannot be read"),
        (amount("99999999999999999999999"), "`amount` cannot be read"),
    ];
    join_all(faults.into_iter().zip(300..).map(|((fault, words), seed)| one_row_is_bad(fault, words, seed))).await;
}
