//! `sipago`: every call by hand, against the sandbox.

use pregonero::domain::money::Money;
use pregonero::sandbox::{API_KEY, Face, Fault, Rule};
use serde_json::Value;

use super::{Place, QUIET, Said};
use crate::support::{House, Memory, Plan};

/// The program runs beside this test's sandbox, not in its way.
async fn run(place: &Place, arguments: &[&str]) -> Said {
    let (mut command, words) = (place.command(""), arguments.join(" "));
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = Said::of(&words, &output);
    assert!(!format!("{said:?}").contains(API_KEY), "{said:?}");
    said
}

async fn ask(place: &Place, arguments: &str) -> Said {
    run(place, &arguments.split_whitespace().collect::<Vec<_>>()).await
}

async fn house() -> (House, Place) {
    let house = House::build(Memory::File, 7).await;
    let place = Place::with(&std::fs::read_to_string(house.write(&Plan::default(), 0)).unwrap());
    (house, place)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn movements_are_listed_over_all_pages_and_by_code_with_masked_payers() {
    let (house, place) = house().await;
    let world = house.sandbox.world();
    world.configure(|settings| settings.sipago_page = 2);
    let ids: Vec<u64> = (1..=5).map(|n| world.sipago_sale(Money::from_cents(n * 10_050))).collect();
    let sale = world.sipago_movement(ids[0]).unwrap();
    let listed = ask(&place, "sipago movements --from yesterday --to today --json").await.objects();
    assert_eq!(listed.len(), 5, "over three pages");
    let of = |movement: &Value| movement["_id"].as_str().and_then(|id| id.parse().ok()) == Some(ids[0]);
    let first = listed.iter().find(|movement| of(movement)).unwrap();
    assert_eq!(first["amount"]["value"], "100.50");
    let (whole, text) = (sale.buyer.name(), first.to_string());
    assert!(!text.contains(&whole) && !text.contains(&sale.buyer.last), "masked in JSON: {text}");

    let table = ask(&place, "sipago movements --account palermo").await;
    assert!(table.done().contains("100,50") && table.done().contains(&format!("••••{}", sale.card.last4)), "{table:?}");
    assert!(!table.done().contains(&sale.buyer.last), "masked in the table: {table:?}");
    assert!(ask(&place, "sipago movements --full").await.done().contains(&sale.buyer.last));

    let code = format!("sipago code {}", sale.authorization);
    assert!(ask(&place, &format!("{code} --json")).await.objects().iter().any(of));
    let nothing = ask(&place, "sipago movements --from 2020-01-01 --to 2020-01-02").await;
    assert_eq!((nothing.code, nothing.stderr.as_str()), (Some(0), "there are no movements on these days\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_made_can_be_paid_and_shown_by_its_address() {
    let (house, place) = house().await;
    let arguments = ["sipago", "link", "create", "--amount", "1.234,50", "--description", "Dos empanadas"];
    let made = run(&place, &arguments).await;
    let url = made.stdout.trim();
    assert!(made.code == Some(0) && url.starts_with("https://") && made.stdout.lines().count() == 1, "{made:?}");
    let shown = &ask(&place, &format!("sipago link show {url} --json")).await.objects()[0];
    assert_eq!((&shown["status"], &shown["amount"]["value"]), (&"PENDING".into(), &"1234.50".into()));
    let uuid = shown["uuid"].as_str().unwrap();
    house.sandbox.world().order_pay(uuid).unwrap();
    let shown = ask(&place, &format!("sipago link show {uuid}")).await;
    assert!(
        ["SUCCESS", "APPROVED", "1 of 1", "Dos empanadas"].iter().all(|word| shown.done().contains(word)),
        "{shown:?}"
    );
    let unknown = ask(&place, "sipago link show 00000000-0000-4000-8000-000000000000").await;
    assert!(unknown.refused(1).contains("404"), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_gets_the_text_of_a_qr_and_a_file_its_picture() {
    let (_house, place) = house().await;
    let text = ask(&place, "sipago qr").await.done().to_owned();
    assert!(text.starts_with("000201") && text.lines().count() == 1, "{text}");
    let picture = ask(&place, "sipago qr --amount 99.90 --output code.png").await;
    assert_eq!((picture.code, picture.stderr.as_str()), (Some(0), "written to `code.png`\n"));
    assert!(picture.stdout.starts_with("000201"), "{picture:?}");
    assert!(ask(&place, "sipago qr --output code.png").await.refused(2).contains("add `--force`"));
    assert_eq!(ask(&place, "sipago qr --output code.png --force").await.code, Some(0));
    assert!(std::fs::read(place.path("code.png")).unwrap().starts_with(b"\x89PNG"));
    assert!(ask(&place, "sipago qr --json").await.objects()[0]["qr_string"].is_string());
    assert!(ask(&place, "sipago qr --output code.jpg").await.refused(2).contains(".png or .svg"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deposits_paid_and_pending_are_two_lists() {
    let (house, place) = house().await;
    let (paid, pending) = (Money::from_cents(500_000), Money::from_cents(700_000));
    let world = house.sandbox.world();
    let id = world.sipago_deposit(paid);
    assert!(world.sipago_deposit_pay(&id));
    let other = world.sipago_deposit(pending);
    let listed = ask(&place, "sipago deposits --json").await.objects();
    assert_eq!((listed.len(), listed[0]["_id"].as_str()), (1, Some(id.as_str())));
    let table = ask(&place, "sipago deposits --pending").await;
    assert!(table.done().contains(&other) && !table.done().contains(&id), "{table:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_is_told_in_the_upstreams_own_words_with_its_status() {
    let (house, place) = house().await;
    let script = house.sandbox.script();
    let body = r#"{"statusText":"Bad Request","validations":{"body":[{"message":"monto máximo superado"}]}}"#;
    let refused = Fault::Status { status: 400, body: body.to_owned(), retry_after: None };
    script.add(Rule::once(Face::Sipago, "api/paymentButtonsToken", refused));
    let create = ["sipago", "link", "create", "--amount", "5", "--description", "x"];
    let said = run(&place, &create).await;
    assert!(said.refused(1).contains("Sipago said (HTTP 400): Bad Request; monto máximo superado"), "{said:?}");
    script.add(Rule::once(Face::Sipago, "api/paymentButtonsToken", Fault::status(502)));
    let said = run(&place, &create).await;
    assert!(said.refused(1).contains("its result is unknown") && said.stderr.contains("HTTP 502"), "{said:?}");
    let text = std::fs::read_to_string(place.path("config.toml")).unwrap().replace(API_KEY, "another-key");
    let said = ask(&Place::with(&text), "sipago deposits").await;
    assert!(said.refused(1).contains("Sipago said (HTTP 401): Invalid API key in request"), "{said:?}");
}

const SHOP: &str =
    "[[sipago]]\nname = \"palermo\"\nbase_url = \"http://127.0.0.1:9\"\nallow_http = true\napi_key = \"not-a-key\"\n";

#[test]
fn what_is_mistyped_is_refused_with_what_to_write_instead_before_anybody_is_asked() {
    let place = Place::with(&format!("{QUIET}{SHOP}"));
    for (arguments, words) in [
        ("sipago movements --account palrmo", "there is no Sipago account `palrmo`; known: `palermo`"),
        ("sipago movements --account centro", "`centro` is an account of another upstream; known at Sipago: `palermo`"),
        ("sipago movements --from 1/2/2026", "`1/2/2026` is no day; write one such as `2026-11-21`"),
        ("sipago movements --from 2026-02-02 --to 2026-02-01", "is after `--to 2026-02-01`; exchange them"),
        ("sipago code 00/64", "`00/64` is no authorisation code; write its letters and digits"),
        ("sipago code", "<CODE>"),
        ("sipago link show 4711", "`4711` holds no uuid"),
        ("sipago link create --amount 1.500 --description x", "can be read in two ways; write pesos"),
        ("sipago link create --amount -5 --description x", "is not more than 0"),
        ("sipago link create --amount 5", "--description <TEXT>"),
        ("sipago qr --amount mil", "`mil` is no amount; write pesos"),
        ("sipago deposits --paid", "'--paid'"),
        ("sipago deposits --full", "--json"),
        ("sipago link", "create"),
    ] {
        let said = place.run(arguments);
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{said:?}");
        assert!(said.stderr.contains(words), "{words}: {said:?}");
    }
    assert!(Place::with(QUIET).run("sipago qr").refused(2).contains("write a `[[sipago]]` section"));
    let two = format!("{QUIET}{SHOP}{}", SHOP.replace("palermo", "belgrano"));
    assert!(Place::with(&two).run("sipago qr").refused(2).contains("`--account` and one of `palermo`, `belgrano`"));
}
