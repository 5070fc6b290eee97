//! `telepagos`: every call by hand, and money that leaves once.

use pregonero::domain::money::Money;
use pregonero::sandbox::{Face, Fault, Rule};
use serde_json::Value;

use super::pings::run;
use super::{Place, QUIET, Said};
use crate::support::{House, Memory, Plan};

/// Both check digits and the CUIT's are right.
pub(super) const PAYEE: &str = "--cvu 0000630500000060195375 --cuit 20055361682";

/// An account that may send money and waits a second for an answer.
pub(super) fn plan() -> Plan {
    Plan { telepagos: String::from("cashout = true\ntimeout = \"1s\""), ..Plan::default() }
}

pub(super) async fn house() -> (House, Place) {
    house_with(Memory::File).await
}

async fn house_with(memory: Memory) -> (House, Place) {
    let house = House::build(memory, 1).await;
    let path = house.write(&plan(), 0);
    let place = Place::with(&std::fs::read_to_string(path).unwrap());
    house.sandbox.world().telepagos_credit(Money::from_cents(500_000));
    (house, place)
}

/// It ended with 0, whatever it said beside its data.
#[track_caller]
fn data(said: &Said) -> &str {
    assert_eq!(said.code, Some(0), "{said:?}");
    &said.stdout
}

#[track_caller]
fn object(said: &Said) -> Value {
    serde_json::from_str(data(said)).expect("one object")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_reads_is_a_table_or_json() {
    let (house, place) = house().await;
    let world = house.sandbox.world();
    let link = world.telepagos_link(Money::from_cents(12_300), |_| ());
    let cashin = world.telepagos_link_pay(link).unwrap();
    let month = world.wall_clock().date().to_string();
    let month = &month[..7];
    for (verb, table, json) in [
        ("balance".to_owned(), "5.123,00", r#""value":"5123.00""#),
        ("concepts".to_owned(), "ALQ", r#""id":"ALQ""#),
        ("filters".to_owned(), "transfer_in", r#""type":"credito""#),
        ("transactions --from yesterday".to_owned(), "Transferencia recibida", r#""value":"5000.00""#),
        (format!("cashin {cashin}"), "123,00", r#""link_id":"#),
        (format!("stats {month}"), "5.123,00", r#""total_cashin":"#),
    ] {
        let said = run(&place, &format!("telepagos {verb}")).await;
        assert!(said.done().contains(table) && said.stdout.lines().count() > 1, "{said:?}");
        let said = run(&place, &format!("telepagos {verb} --account centro --json")).await;
        assert!(!said.objects().is_empty() && said.stdout.contains(json), "{said:?}");
    }
    let one = run(&place, "telepagos transactions --from yesterday --operation transfer_in --json").await;
    assert_eq!(one.objects().len(), 1);
    assert!(!house.path("store.db").exists(), "reading needs no store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charges_are_made_and_their_codes_are_written() {
    let (house, place) = house().await;
    let world = house.sandbox.world();
    let link = "telepagos link create --amount 1.234,56 --concept VAR --expires 2d --multiple-use";
    let made = run(&place, &format!("{link} --share 0000630500000060195375=100 --json")).await;
    let id = object(&made)["link_id"].as_str().unwrap().parse().unwrap();
    let kept = world.telepagos_link_of(id).unwrap();
    assert_eq!((kept.amount, kept.multiple_use), (Money::from_cents(123_456), true));
    assert_eq!(kept.distribution[0].1, Money::from_cents(10_000));
    assert!(run(&place, link).await.done().contains("https://pagos.example.com/link/"));
    let transfer = format!("telepagos transfer-link create {PAYEE} --amount 10 --concept VAR");
    assert!(run(&place, &transfer).await.done().contains("https://pagos.example.com/transferencia/"));

    let qr = "telepagos qr create --amount 10 --concept VAR --description cafe";
    let said = run(&place, qr).await;
    assert_eq!(data(&said).lines().count(), 1, "not drawn where there is no terminal: {said:?}");
    assert!(said.stdout.starts_with("000201") && said.stderr.starts_with("QR order "), "{said:?}");
    for name in ["code.png", "code.svg"] {
        let said = run(&place, &format!("{qr} --output {name}")).await;
        assert!(said.stderr.contains(&format!("written to `{name}`")), "{said:?}");
        assert!(std::fs::metadata(place.path(name)).unwrap().len() > 100);
    }
    let orders = || house.sandbox.caught().asked().len();
    let before = orders();
    let said = run(&place, &format!("{qr} --output code.png")).await;
    assert!(said.refused(2).contains("add `--force`"), "{said:?}");
    assert!(run(&place, &format!("{qr} --output code.jpg")).await.refused(2).contains(".png or .svg"));
    assert_eq!(orders(), before, "nothing was asked for");
    let said = run(&place, &format!("{qr} --output code.png --force --json")).await;
    assert!(object(&said)["qr_order_id"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sale_points_come_and_go() {
    let (house, place) = house().await;
    let said = run(&place, "telepagos sale-point create Caja-9 --json").await;
    let id = object(&said)["id"].as_str().unwrap().to_owned();
    assert!(run(&place, "telepagos sale-point list").await.done().contains("Caja-9"));
    let code = run(&place, &format!("telepagos static-qr {id} --type closed")).await;
    assert!(code.done().starts_with("000201"), "{code:?}");
    let code = run(&place, &format!("telepagos static-qr {id} --type open --json")).await;
    assert!(object(&code)["qr_code"].as_str().unwrap().starts_with("000201"));
    let order = run(&place, &format!("telepagos order {id} --amount 5,50 --concept VAR --json")).await;
    let order = object(&order)["qr_order_id"].as_str().unwrap().parse().unwrap();
    assert!(house.sandbox.world().telepagos_qr_pay(order).is_some(), "it waits there");
    assert!(run(&place, &format!("telepagos sale-point delete {id}")).await.done().contains("deleted"));
    let listed = run(&place, "telepagos sale-point list").await;
    assert!(!listed.stdout.contains("Caja-9"), "{listed:?}");
    let gone = run(&place, &format!("telepagos static-qr {id} --type open")).await.refused(1).to_owned();
    assert!(gone.contains("(HTTP 404): Punto de venta inexistente"), "{gone}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstreams_refusal_is_told_in_its_own_words_with_the_status() {
    let (house, place) = house().await;
    let gone = run(&place, "telepagos cashin 999999").await.refused(1).to_owned();
    assert!(gone.contains("there is none of that id; TelePagos said (HTTP 404): "), "{gone}");
    let fault = Fault::ErrorInOk(String::from("Mantenimiento programado"));
    house.sandbox.script().add(Rule::always(Face::Telepagos, "v2/account/balance", fault));
    let words = run(&place, "telepagos balance").await.refused(1).to_owned();
    assert_eq!(words, "error: TelePagos said (HTTP 200): Mantenimiento programado");
    house.sandbox.script().add(Rule::always(Face::Telepagos, "v2/payment/cashin/qr", Fault::status(500)));
    let words = run(&place, "telepagos qr create --amount 1 --concept VAR").await.refused(1).to_owned();
    assert!(words.contains("its result is unknown") && words.contains("HTTP 500"), "{words}");
}

#[test]
fn wrong_arguments_end_with_2_and_what_to_write_instead() {
    let place = Place::with(&QUIET.replace("username", "cashout = true\nusername"));
    let cashout = |rest: &str| format!("cashout --yes --concept VAR {rest}");
    let to = "--cuit 20055361682 --amount 10";
    for (arguments, words) in [
        ("balance --account center".to_owned(), "no TelePagos account `center`; known: `centro`"),
        ("transactions --from tomorrow".to_owned(), "write one such as `2026-11-21`"),
        ("transactions --from 2026-11-31".to_owned(), "is no day"),
        ("transactions --from 2026-11-21 --to 2026-11-20".to_owned(), "turn them round"),
        ("cashin ../balance".to_owned(), "`id` is no id"),
        ("qr create --concept VAR --amount 1.500".to_owned(), "two ways; write pesos with their cents"),
        ("qr create --concept VAR --amount -5".to_owned(), "is not more than 0"),
        ("qr create --concept VAR --amount 0".to_owned(), "is not more than 0"),
        ("qr create --concept VAR".to_owned(), "--amount"),
        ("qr create --concept VAR --amount 1 --force".to_owned(), "--output"),
        ("link create --concept VAR --amount 1 --expires 2020-01-01".to_owned(), "is in the past; write a duration"),
        ("link create --concept VAR --amount 1 --expires soon".to_owned(), "is no time; write a duration"),
        ("link create --concept VAR --amount 1 --expires 2d --share 7".to_owned(), "write CVU=AMOUNT"),
        ("link create --concept VAR --amount 1 --expires 2d --share 7=0,50".to_owned(), "no CBU or CVU of 22 digits"),
        ("transfer-link create --cvu 7 --cuit 20055361682 --amount 1 --concept V".to_owned(), "of 22 digits"),
        ("sale-point delete x".to_owned(), "`sale_point_id` is no number"),
        ("static-qr 1 --type ajar".to_owned(), "[possible values: open, closed]"),
        ("voucher 1".to_owned(), "such as `--output voucher.pdf`"),
        (cashout(&format!("{to} --cvu 0000630500000060195375 --alias tienda.plata")), "cannot be used with"),
        (cashout(to), "missing: `--cvu` or `--alias`"),
        (cashout("--alias tienda.plata"), "missing: `--cuit`, `--amount`"),
        (cashout(&format!("{to} --alias x")), "no alias of 6 to 20"),
        (cashout(&format!("{to} --alias tienda.plata --reference a/b")), "`reference_id` is no reference"),
        (cashout("--cuit 7 --amount 10 --alias tienda.plata"), "no CUIT of 11 digits"),
        ("cashout --yes --reference never-used".to_owned(), "nothing was asked for under the reference"),
        (format!("cashout --concept VAR {to} --alias tienda.plata"), "add `--yes`"),
        ("cashout --list --yes".to_owned(), "cannot be used with"),
    ] {
        let said = place.run(&format!("telepagos {arguments}"));
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{said:?}");
        assert!(said.stderr.contains(words), "{words}: {said:?}");
    }
    let two = QUIET.replace("[[webhook]]", "[[telepagos]]\nname = \"once\"\nbase_url = \"https://x.example.com\"\nusername = \"u\"\npassword = \"p\"\n[[webhook]]");
    let words = Place::with(&two).run("telepagos balance").refused(2).to_owned();
    assert!(words.contains("write `--account` and one of `centro`, `once`"), "{words}");
    assert!(Place::bare().run("telepagos balance").refused(2).contains("write a `[[telepagos]]` section"));
}

#[test]
fn money_is_sent_only_where_the_account_allows_it() {
    let said = Place::with(QUIET).run(&format!("telepagos cashout --yes {PAYEE} --amount 10 --concept VAR"));
    let words = said.refused(2);
    assert!(words.contains("`telepagos.centro.cashout` is off") && words.contains("`cashout = true`"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_is_sent_once_under_a_reference_and_its_voucher_is_written() {
    sent_once(Memory::File).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_is_sent_once_under_a_reference_that_redis_keeps() {
    sent_once(Memory::Redis).await;
}

async fn sent_once(memory: Memory) {
    let (house, place) = house_with(memory).await;
    let send = |amount: &str| format!("telepagos cashout {PAYEE} --amount {amount} --concept VAR --reference r-1");
    let refused = run(&place, &send("1.500,50")).await.refused(2).to_owned();
    assert!(refused.contains("there is no terminal to ask on; add `--yes`"), "{refused}");
    if memory == Memory::File {
        assert!(!house.path("store.db").exists());
    } else {
        assert_eq!(run(&place, "telepagos cashout --list").await.stderr, "there are no cash-outs\n");
    }
    let first = object(&run(&place, &format!("{} --yes --json", send("1.500,50"))).await);
    assert_eq!((&first["state"], &first["reference"]), (&"done".into(), &"r-1".into()));
    let id = first["id"].as_str().unwrap().to_owned();
    for again in [format!("{} --yes", send("1500.50")), "telepagos cashout --reference r-1 --yes".to_owned()] {
        let said = run(&place, &again).await;
        assert!(data(&said).contains(&id) && said.stderr.contains("nothing was sent now"), "{said:?}");
    }
    let other = run(&place, &format!("{} --yes", send("1.500,51"))).await.refused(2).to_owned();
    assert!(
        other.contains("other data") && other.contains("cashout --account centro --reference r-1 --yes"),
        "{other}"
    );
    let made = run(&place, &format!("telepagos cashout {PAYEE} --amount 1 --concept VAR --yes --json")).await;
    assert_eq!(object(&made)["reference"].as_str().unwrap().len(), 36);
    assert_eq!(house.sandbox.world().telepagos_cashouts().len(), 2);
    let listed = run(&place, "telepagos cashout --list").await;
    assert!(listed.done().contains("1.500,50") && listed.stdout.lines().count() == 3, "{listed:?}");
    assert_eq!(run(&place, "telepagos cashout --pending").await.stderr, "the result of every cash-out is known\n");

    let voucher = format!("telepagos voucher {id} --output v.pdf");
    assert_eq!(run(&place, &voucher).await.code, Some(0));
    assert!(std::fs::read(place.path("v.pdf")).unwrap().starts_with(b"%PDF"));
    assert!(run(&place, &voucher).await.refused(2).contains("--force"));
    assert_eq!(run(&place, &format!("{voucher} --force")).await.code, Some(0));
    assert!(object(&run(&place, &format!("telepagos voucher {id} --json")).await)["voucher"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_result_is_said_so_with_the_command_that_asks_again() {
    asked_again(Memory::File).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_result_is_remembered_by_redis_until_it_is_known() {
    asked_again(Memory::Redis).await;
}

async fn asked_again(memory: Memory) {
    let (house, place) = house_with(memory).await;
    let stall = Fault::Hang { after_effect: true };
    house.sandbox.script().add(Rule::once(Face::Telepagos, "v2/payment/cashout", stall));
    let said = run(&place, &format!("telepagos cashout {PAYEE} --amount 10 --concept VAR --yes")).await;
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.stderr.contains("its result is unknown"), "{said:?}");
    let again = said.stderr.lines().find_map(|line| line.trim().strip_prefix("pregonero ")).unwrap().to_owned();
    let pending = run(&place, "telepagos cashout --pending --json").await.objects();
    assert_eq!((&pending[0]["state"], &pending[0]["amount"]), (&"unknown".into(), &"10.00".into()));
    // A refusal of the second attempt says nothing about the first.
    house.sandbox.script().add(Rule::once(Face::Telepagos, "v2/payment/cashout", Fault::status(422)));
    let refused = run(&place, &again).await;
    assert!(refused.stderr.contains("an earlier one under the same reference may have been"), "{refused:?}");
    assert_eq!(run(&place, "telepagos cashout --pending --json").await.objects().len(), 1);
    assert!(data(&run(&place, &again).await).contains("done"));
    assert_eq!(house.sandbox.world().telepagos_cashouts().len(), 1, "one transfer, whatever was asked");
    assert_eq!(run(&place, "telepagos cashout --pending --json").await.objects().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_cash_out_is_told_and_may_be_sent_again_beside_a_daemon() {
    refused_and_sent_again(Memory::File).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_cash_out_is_told_and_may_be_sent_again_beside_a_daemon_on_the_same_redis() {
    refused_and_sent_again(Memory::Redis).await;
}

async fn refused_and_sent_again(memory: Memory) {
    let (house, _) = house_with(memory).await;
    let daemon = house.daemon(&plan()).await;
    let place = Place::with(&std::fs::read_to_string(house.path("one.toml")).unwrap());
    let send = format!("telepagos cashout {PAYEE} --amount 9.000,00 --concept VAR --reference big --yes --json");
    let refused = run(&place, &send).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("nothing was sent: TelePagos said (HTTP 400): Saldo insuficiente"), "{refused:?}");
    assert!(refused.stdout.contains(r#""state":"refused""#), "{refused:?}");
    house.sandbox.world().telepagos_credit(Money::from_cents(500_000));
    assert_eq!(object(&run(&place, &send).await)["state"], "done");
    drop(daemon);
}
