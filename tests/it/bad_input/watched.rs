//! Watched ids whose answers cannot be read.

use std::time::Duration;

use futures_util::future::join_all;
use pregonero::domain::money::Money;
use pregonero::sandbox::world::Via;
use pregonero::sandbox::{Face, Fault, Rule};

use super::{end, listed, said, with_every_detail};
use crate::support::{House, Memory, Plan, until};

const PATIENCE: Duration = Duration::from_secs(60);

async fn a_paid_link_behind((of_cashin, of_link): (Fault, Fault), seed: u64) {
    let name = format!("{of_cashin:?}, {of_link:?}");
    let house = House::build(Memory::File, seed).await;
    with_every_detail(&house);
    let (world, script) = (house.sandbox.world(), house.sandbox.script());
    let amount = Money::from_cents(500_000);
    let order = world.order_create(amount);
    let plan = Plan {
        telepagos: format!("watch = {{ cashin = [{}] }}\n", pregonero::sandbox::world::Cashin::FIRST),
        sipago: format!("watch = {{ links = [\"{order}\"] }}\n"),
        ..Plan::default()
    };
    let mut daemon = house.contacted(&plan).await;
    let cashin = script.add(Rule::always(Face::Telepagos, "v2/payment/cashin", of_cashin));
    let link = script.add(Rule::always(Face::Sipago, "checkout/getLink", of_link));
    world.telepagos_cashin(Via::Link, amount);
    world.order_pay(&order).unwrap();
    until(&name, PATIENCE, || script.struck(cashin) >= 3 && script.struck(link) >= 3).await;
    assert!(listed(&house, "--type link.paid").await.is_empty(), "{name}");
    assert!(script.remove(cashin) && script.remove(link));
    house.all_told("erp", PATIENCE).await;
    house.read_again().await;
    house.nothing_invented("erp");
    assert_eq!(listed(&house, "--type link.paid").await.len(), 2, "{name}");
    let log = end(&house, &mut daemon).await;
    for account in ["centro", "palermo"] {
        let complaints = said(&log, account, "a watched id cannot be read");
        assert_eq!(complaints.len(), 1, "{name}: said once of {account}: {complaints:?}");
        assert_eq!(said(&log, account, "the watched id can be read again").len(), 1, "{name}: {account}");
    }
}

#[tokio::test]
async fn a_watched_id_that_cannot_be_read_is_said_once_and_told_later() {
    let body = |text: &str| Fault::Body(text.to_owned());
    let both = |fault: Fault| (fault.clone(), fault);
    let faults = [
        // A link comes in a list of one, so that an empty list means that there is none yet.
        (body("[]"), body("[[]]")),
        both(body("null")),
        both(body("[{}]")),
        both(Fault::Html),
        both(Fault::Truncated),
        both(Fault::RowAmount(String::from("1e400"))),
        both(Fault::RowAmount(String::from("\"mil\""))),
        both(Fault::ErrorInOk(String::from("Intente más tarde"))),
    ];
    join_all(faults.into_iter().zip(400..).map(|(fault, seed)| a_paid_link_behind(fault, seed))).await;
}
