//! `watch add`, `list`, `remove`: what they take, what they refuse, and what they leave in the store.

use super::{Place, QUIET};

const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

/// The quiet configuration with an account of the other company.
fn both() -> Place {
    let sipago =
        "[[sipago]]\nname = \"palermo\"\nbase_url = \"http://127.0.0.1:9\"\nallow_http = true\napi_key = \"x\"\n";
    Place::with(&format!("{QUIET}{sipago}"))
}

fn ids(place: &Place, arguments: &str) -> String {
    let watches = place.run(&format!("watch list --json {arguments}")).objects();
    let word = |watch: &serde_json::Value| format!("{}/{}", watch["kind"], watch["id"]).replace('"', "");
    watches.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_added_is_listed_and_what_is_removed_is_not() {
    let place = both();
    assert_eq!(place.run("watch add 7 1000..1002 7").done(), "following 4 ids of centro\n");
    assert_eq!(
        place.run(&format!("watch add https://pay.example/orders/{UUID}")).done(),
        "following 1 id of palermo\n"
    );
    assert_eq!(place.run("watch add 7 --kind link --reusable --expires 2h").done(), "following 1 id of centro\n");
    assert_eq!(place.run("watch add 7").done(), "following 1 id of centro, 1 of them were known\n");
    let all = format!("cashin/1000 cashin/1001 cashin/1002 cashin/7 link/7 order/{UUID}");
    assert_eq!(ids(&place, ""), all);
    assert_eq!(ids(&place, "--account palermo"), format!("order/{UUID}"));
    let link = &place.run("watch list --json").objects()[4];
    assert!(link["expires"].is_string() && link["reusable"] == true && link["origin"] == "operator", "{link}");
    assert_eq!(place.run("watch remove 1001..1002").done(), "2 ids of centro followed no more\n");
    let said = place.run("watch remove 1002");
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), "1 was not followed anyway\n"));
    assert_eq!(ids(&place, "--account centro"), "cashin/1000 cashin/7 link/7");
    assert!(place.run("watch list").done().starts_with(" ACCOUNT"), "{:?}", place.run("watch list"));
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_to_write_instead() {
    let place = both();
    for (arguments, hint) in [
        ("add 0", "a range such as `1000..1050`"),
        ("add seven", "a range such as `1000..1050`"),
        ("add 9..7", "upwards"),
        ("add 1..10001", "10000 numbers at the most"),
        ("add 1..9000 10000..12000", "name fewer"),
        ("add 1..", "is no range"),
        ("add 1..5 --kind order", "an order has a uuid"),
        ("add 1 --expires 2h", "--kind link"),
        ("add 1 --until soon", "write one such as `30s`"),
        ("add 1 --account nowhere", "known: `centro`, `palermo`"),
        ("add 1 --account palermo", "those that do: `centro`"),
        ("remove 7 --account nowhere", "known: `centro`, `palermo`"),
        ("list --account nowhere", "known: `centro`, `palermo`"),
    ] {
        let said = place.run(&format!("watch {arguments}"));
        assert!(said.refused(2).contains(hint), "{said:?}");
    }
    let mixed = place.run(&format!("watch add 7 {UUID}"));
    assert!(mixed.refused(2).contains("two companies"), "{mixed:?}");
    let wrong = place.run(&format!("watch add {UUID} --kind link"));
    assert!(wrong.refused(2).contains("leave `--kind link` out"), "{wrong:?}");
    assert!(place.run("watch add 7 --kind barcode").refused(2).contains("cashin"), "the kinds are named");
    assert!(place.run("watch add").refused(2).contains("<ID>"));
    assert!(!place.path("pregonero.db").exists(), "nothing was written");
}

#[test]
fn with_several_accounts_one_must_be_named() {
    let second = "[[telepagos]]\nname = \"norte\"\nbase_url = \"http://127.0.0.1:9\"\nallow_http = true\n\
                  username = \"someone\"\npassword = \"not-a-real-password\"\n";
    let place = Place::with(&format!("{QUIET}{second}"));
    assert!(place.run("watch add 7").refused(2).contains("`centro`, `norte`"));
    assert!(place.run(&format!("watch add {UUID}")).refused(2).contains("[[sipago]]"));
    assert_eq!(place.run("watch add 7 --account norte").done(), "following 1 id of norte\n");
    assert_eq!(ids(&place, "--account centro"), "");
}
