//! Pages that do not end, do not agree or shift while they are read.

use std::time::Duration;

use pregonero::sandbox::{Face, Fault, Rule};

use super::trial::Trial;
use super::{end, something_happens};
use crate::support::{House, Memory, Plan, until};

/// Read by pages of one row each, up to thirty.
fn paged(mut trial: Trial) -> Trial {
    trial.plan.telepagos += "paginate = true\n";
    trial.with("max_pages = 30\n")
}

async fn run(trial: Trial, seed: u64) {
    let house = House::build(Memory::File, seed).await;
    house.sandbox.world().configure(|settings| {
        settings.telepagos_page = 1;
        settings.sipago_page = 1;
    });
    paged(trial).run_in(house).await;
}

#[tokio::test]
async fn endless_pages_move_no_ledger() {
    let trial = Trial::new("endless pages", Fault::EndlessPages, "contract", "");
    run(Trial { strikes: (6, 6), ..trial }, 200).await;
}

#[tokio::test]
async fn pages_that_lie_about_their_totals_move_no_ledger() {
    // Sipago's first page lies already, TelePagos' second one.
    let trial = Trial::new("lying totals", Fault::LyingTotals, "contract", "");
    run(Trial { strikes: (4, 2), ..trial }, 201).await;
}

#[tokio::test]
async fn a_list_that_is_longer_than_allowed_moves_no_ledger() {
    let house = House::build(Memory::File, 202).await;
    let world = house.sandbox.world();
    world.configure(|settings| {
        settings.telepagos_page = 2;
        settings.sipago_page = 2;
    });
    let plan = Plan {
        telepagos: String::from("paginate = true\nmax_pages = 2\n"),
        sipago: String::from("max_pages = 2\n"),
        ..Plan::default()
    };
    let mut daemon = house.contacted(&plan).await;
    for _ in 0..3 {
        something_happens(&house, 10_000);
    }
    house.all_told("erp", Duration::from_secs(30)).await;
    for _ in 0..2 {
        something_happens(&house, 20_000);
    }
    let too_long = |account: &str| super::said(&daemon.log(), account, "longer than `max_pages` (2)").len();
    until("both are too long", Duration::from_secs(30), || too_long("centro") == 1 && too_long("palermo") == 1).await;
    assert_eq!(super::listed(&house, "").await.len(), 6);
    world.configure(|settings| {
        settings.telepagos_page = 100;
        settings.sipago_page = 100;
    });
    house.all_told("erp", Duration::from_secs(60)).await;
    end(&house, &mut daemon).await;
}

#[tokio::test]
async fn rows_that_slip_in_while_pages_are_read_are_told_once() {
    let house = House::build(Memory::File, 203).await;
    house.sandbox.world().configure(|settings| {
        settings.telepagos_page = 2;
        settings.sipago_page = 2;
    });
    let plan = Plan { telepagos: String::from("paginate = true\n"), ..Plan::default() };
    let mut daemon = house.contacted(&plan).await;
    for _ in 0..3 {
        something_happens(&house, 10_000);
    }
    house.all_told("erp", Duration::from_secs(30)).await;
    let script = house.sandbox.script();
    let rules = [(Face::Telepagos, "v2/account/transactions"), (Face::Sipago, "transactions/page")]
        .map(|(face, path)| script.add(Rule::times(face, path, 6, Fault::PageShift)));
    until("the pages shift", Duration::from_secs(60), || rules.iter().all(|rule| script.struck(*rule) == 6)).await;
    house.all_told("erp", Duration::from_secs(60)).await;
    house.read_again().await;
    house.nothing_invented("erp");
    end(&house, &mut daemon).await;
}
