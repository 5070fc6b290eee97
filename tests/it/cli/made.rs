//! What is made by hand is followed; where that fails it is printed all the same, with the command that follows it.

use serde_json::Value;

use super::pings::run;
use super::{Place, Said};
use crate::support::{House, Memory, Plan};

const LINK: &str = "telepagos link create --amount 10,50 --concept VAR --expires 2h";

/// With a store of its own, or with one in a folder that is not there.
async fn house(writable: bool) -> (House, Place) {
    let house = House::build(Memory::File, 3).await;
    let text = std::fs::read_to_string(house.write(&Plan::default(), 0)).unwrap();
    let store = house.path("store.db").display().to_string();
    let text = if writable { text } else { text.replace(&store, &house.path("none/store.db").display().to_string()) };
    (house, Place::with(&text))
}

async fn watched(place: &Place) -> Vec<Value> {
    run(place, "watch list --json").await.objects()
}

#[track_caller]
fn made(said: &Said) -> Value {
    assert_eq!(said.code, Some(0), "{said:?}");
    serde_json::from_str(&said.stdout).expect("one object")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_stands_among_the_watches_with_all_that_is_known_of_it() {
    let (_house, place) = house(true).await;
    let link = made(&run(&place, &format!("{LINK} --multiple-use --json")).await);
    let qr = made(&run(&place, "telepagos qr create --amount 7 --concept VAR --json").await);
    let order = made(&run(&place, "sipago link create --amount 8 --description cafe --json").await);
    for arguments in ["sipago qr --amount 9", "sipago qr", LINK, "sipago link create --amount 8 --description x"] {
        let arguments =
            if arguments.contains("create") { format!("{arguments} --no-watch") } else { arguments.to_owned() };
        assert_eq!(run(&place, &arguments).await.code, Some(0), "{arguments}");
    }
    let watched = watched(&place).await;
    assert_eq!(watched.len(), 3, "{watched:?}");
    for (kind, id, amount, reusable, expires) in [
        ("link", &link["link_id"], "10.50", true, true),
        ("qr", &qr["qr_order_id"], "7.00", false, false),
        ("order", &order["order_uuid"], "8.00", false, false),
    ] {
        let watch = watched.iter().find(|watch| watch["kind"] == kind).expect("it is followed");
        assert_eq!((&watch["id"], &watch["amount"]["value"]), (id, &amount.into()), "{watch}");
        assert_eq!((&watch["origin"], &watch["reusable"]), (&"created".into(), &reusable.into()), "{watch}");
        assert_eq!((watch["expires"].is_string(), watch["until"].is_string()), (expires, !expires), "{watch}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_written_hides_nothing_that_was_made() {
    let (_house, place) = house(false).await;
    let said = run(&place, LINK).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stdout.contains("https://pagos.example.com/link/"), "it exists: {said:?}");
    let words = ["do not make it again", "pregonero watch add ", " --account centro --kind link --expires 20"];
    assert!(words.iter().all(|words| said.stderr.contains(words)), "{said:?}");
    let said = run(&place, "sipago link create --amount 8 --description cafe").await;
    assert!(said.code == Some(1) && said.stdout.starts_with("https://"), "{said:?}");
    assert!(said.stderr.contains(" --account palermo`"), "{said:?}");
    let said = run(&place, "telepagos qr create --amount 7 --concept VAR").await;
    assert!(said.code == Some(1) && said.stdout.starts_with("000201"), "{said:?}");
    assert!(said.stderr.contains(" --kind qr`"), "{said:?}");
    assert_eq!(run(&place, &format!("{LINK} --no-watch")).await.code, Some(0), "it needs no store");
}
