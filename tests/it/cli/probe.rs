//! `probe`: what the sandbox prints, told in patterns, and which assumptions of a configuration it contradicts.

use pregonero::domain::money::Money;
use pregonero::sandbox::{API_KEY, Face, Fault, PASSWORD, Rule, USERNAME};
use serde_json::Value;

use super::{Place, QUIET, Said};
use crate::support::{House, Memory, Plan};

/// The program runs beside this test's sandbox, not in its way.
async fn run(place: &Place, arguments: &str) -> Said {
    let (mut command, words) = (place.command(arguments), arguments.to_owned());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = Said::of(&words, &output);
    assert!([API_KEY, PASSWORD].iter().all(|secret| !format!("{said:?}").contains(secret)), "{said:?}");
    said
}

/// A house where something of everything has happened, configured with these lines in TelePagos' and Sipago's account.
async fn house(telepagos: &str, sipago: &str) -> (House, Place) {
    let house = House::build(Memory::File, 11).await;
    let world = house.sandbox.world();
    for cents in [150_050, 99_900, 120_000] {
        world.telepagos_credit(Money::from_cents(cents));
        world.sipago_sale(Money::from_cents(cents));
    }
    world.sipago_deposit(Money::from_cents(700_000));
    let uuid = world.order_create(Money::from_cents(43_210));
    world.order_pay(&uuid).unwrap();
    let cashin = world.telepagos_cashin(pregonero::sandbox::world::Via::Plain, Money::from_cents(77_050));
    let plan = Plan {
        telepagos: format!("{telepagos}\nwatch = {{ cashin = [{cashin}] }}"),
        sipago: format!("{sipago}\nwatch = {{ links = [\"{uuid}\"] }}"),
        ..Plan::default()
    };
    let place = Place::with(&std::fs::read_to_string(house.write(&plan, 0)).unwrap());
    (house, place)
}

fn finding<'a>(account: &'a Value, topic: &str) -> &'a Value {
    let findings = account["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["topic"] == topic).unwrap_or_else(|| panic!("{topic}: {findings:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_configuration_is_contradicted_by_nothing() {
    let (_house, place) = house("", "").await;
    let accounts = run(&place, "probe --json").await.objects();
    assert_eq!(accounts.len(), 2);
    for account in &accounts {
        let calls = account["calls"].as_array().unwrap();
        assert!(calls.len() >= 6 && calls.iter().all(|call| call["shape"].is_object()), "{calls:?}");
        for finding in account["findings"].as_array().unwrap() {
            assert_ne!(finding["verdict"], "differs", "{finding}");
            assert!(finding["suggestion"].is_null(), "{finding}");
        }
        assert_eq!(finding(account, "order of the list")["verdict"], "open");
    }
    let (telepagos, sipago) = (&accounts[0], &accounts[1]);
    assert_eq!(finding(telepagos, "expires_at")["says"], "seconds since 1970");
    for (account, topic) in
        [(telepagos, "paginate"), (telepagos, "date_to"), (sipago, "endDate"), (sipago, "amount_unit")]
    {
        assert_eq!(finding(account, topic)["verdict"], "fits");
    }
    let text = run(&place, "probe --account centro").await;
    assert!(text.done().contains("transactions[].date: string (4) as 9999-99-99 99:99:99 (4)"), "{text:?}");
    assert!(
        text.done().contains("Aprobada") && text.done().contains("# no assumption of the configuration contradicted"),
        "{text:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_assumptions_bring_lines_that_mend_them() {
    let wrong = "amount_unit = \"cents\"\ndate_formats = [\"%m/%d/%Y\"]\ntimezone = \"Pacific/Honolulu\"";
    let (house, place) = house(wrong, "amount_unit = \"cents\"").await;
    let world = house.sandbox.world();
    world.telepagos_credit_with(Money::from_cents(500), |row| row.status = String::from("X-17"));
    let text = run(&place, "probe").await;
    for line in [
        "\namount_unit = \"pesos\"\n",
        "\ndate_formats = []\n",
        "\ntimezone = \"America/Argentina/Buenos_Aires\"\n",
        "\nstatus = { \"X-17\" = \"approved\" } # choose for each new word: approved, pending,",
    ] {
        assert!(text.done().contains(line), "{line}: {text:?}");
    }
    // The lines can be pasted as they are.
    let lines = |upstream: &str| -> String {
        let from = text.stdout.split(&format!("# into [[{upstream}]]")).nth(1).unwrap();
        from.lines().skip(1).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    let mended = config.replace(wrong, &lines("telepagos")).replace("amount_unit = \"cents\"", &lines("sipago"));
    for account in run(&Place::with(&mended), "probe --json").await.objects() {
        for finding in account["findings"].as_array().unwrap() {
            assert_ne!(finding["verdict"], "differs", "{finding}");
        }
    }
    // Whole numbers leave the unit open; an order that always counts cents decides it.
    house.sandbox.world().configure(|settings| settings.movements_in_cents = true);
    let cents = run(&Place::with(&mended), "probe --account palermo --json").await.objects();
    assert_eq!(finding(&cents[0], "amount_unit")["suggestion"], "amount_unit = \"cents\"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dates_of_another_form_bring_their_format_and_a_part_for_the_whole_brings_pages() {
    let (house, place) = house("", "").await;
    let row =
        |date: &str| format!(r#"{{"date":"{date}","amount":"1.500","income":"entra","operation":"qr","status":"ok"}}"#);
    let body = format!(
        r#"{{"status":"ok","number_of_results":9,"page":1,"pages":5,"transactions":[{},{}]}}"#,
        row("11/20/2026 14:00"),
        row("11/21/2026 09:30")
    );
    house.sandbox.script().add(Rule::always(Face::Telepagos, "v2/account/transactions", Fault::Body(body)));
    let account = &run(&place, "probe --account centro --json").await.objects()[0];
    assert_eq!(finding(account, "date_formats")["suggestion"], "date_formats = [\"%m/%d/%Y %H:%M\"]");
    assert_eq!(finding(account, "paginate")["suggestion"], "paginate = true");
    let line = finding(account, "income")["suggestion"].as_str().unwrap();
    assert!(line.starts_with("income = { \"entra\" = \"credit\" }"), "{line}");
    assert_eq!(finding(account, "amount_unit, amount_format")["verdict"], "differs", "1.500 can be read in two ways");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_names_nobody_and_nothing_is_made() {
    let (house, place) = house("", "").await;
    let world = house.sandbox.world();
    world.telepagos_credit_with(Money::from_cents(500), |row| row.status = String::from("Pagada por Xóchitl"));
    let state = || (world.telepagos_balance(), world.sipago_deposits(false).len(), world.telepagos_cashouts().len());
    let before = state();
    let said = run(&place, "probe --report report.json").await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.stderr, "`report.json` is written; it holds patterns and counts only\n");
    let text = std::fs::read_to_string(place.path("report.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["accounts"].as_array().map(Vec::len), Some(2));
    let today = pregonero::app::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let (week, later) =
        (today.saturating_sub(jiff::Span::new().days(7)), today.saturating_add(jiff::Span::new().days(1)));
    let mut samples: Vec<String> =
        [API_KEY, PASSWORD, USERNAME, "centro", "palermo", "chitl", "127.0.0.1"].map(String::from).to_vec();
    for row in world.telepagos_listing(week, later) {
        samples.extend([row.holder, row.cuit, row.cvu_cbu, row.amount.to_string(), row.status, row.at.to_string()]);
    }
    for sale in world.sipago_listing(week, later) {
        samples.extend([
            sale.buyer.first,
            sale.buyer.last,
            sale.buyer.cuit,
            sale.card.last4,
            sale.authorization,
            sale.id.to_string(),
        ]);
    }
    assert!(samples.len() > 40);
    for sample in samples.iter().filter(|sample| sample.len() > 2) {
        let words = format!("\"{sample}\"");
        let hit = if sample.len() > 4 { text.contains(sample.as_str()) } else { text.contains(&words) };
        assert!(!hit, "`{sample}` stands in the report");
    }
    assert!(text.contains("\"9999-99-99 99:99:99\""), "{text}");
    assert_eq!(before, state(), "nothing was made, nothing moved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_are_asked_with_once_and_end_with_1() {
    let (house, place) = house("", "").await;
    let text = std::fs::read_to_string(place.path("config.toml")).unwrap().replace(PASSWORD, "wrong");
    let logins = house.sandbox.script().add(Rule::always(
        Face::Telepagos,
        "v2/auth/token",
        Fault::Slow(std::time::Duration::ZERO),
    ));
    let said = run(&Place::with(&text), "probe --account centro --json").await;
    assert_eq!((said.code, said.stderr.as_str()), (Some(1), ""), "{said:?}");
    let account: Value = serde_json::from_str(&said.stdout).unwrap();
    let calls = account["calls"].as_array().unwrap();
    assert_eq!((calls.len(), &calls[0]["failed"], &calls[0]["status"]), (1, &"unauthorized".into(), &401.into()));
    assert_eq!(calls[0]["words"], "Usuario o contraseña incorrectos");
    assert_eq!(house.sandbox.script().struck(logins), 1, "a refused login is not hammered");
}

#[test]
fn a_mistyped_account_and_a_report_that_cannot_be_written_are_told_before_anybody_is_asked() {
    let place = Place::with(QUIET);
    assert!(place.run("probe --account center").refused(2).contains("known: `centro`"));
    assert!(place.run("probe --report no/such/folder.json").refused(1).contains("cannot be written"));
    assert!(Place::bare().run("probe").refused(2).contains("there is no account"));
}
