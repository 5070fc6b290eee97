//! The world's changes in the answers, refusals, pages and every fault.

use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::clock::TokioClock;
use crate::domain::money::Money;
use crate::sandbox::script::{Fault, Rule};
use crate::sandbox::world::{RefundShown, Status, Via};
use crate::sandbox::{API_KEY, PASSWORD, USERNAME};

mod shapes;

struct Bench {
    world: World,
    script: Script,
}

impl Bench {
    fn new() -> Self {
        // 14:00 in Buenos Aires.
        let clock = TokioClock::starting_at("2026-11-21T17:00:00Z".parse().unwrap(), 1);
        Self { world: World::new(Arc::new(clock), 1), script: Script::default() }
    }

    fn telepagos(&self, method: Method, path: &str, query: &str, token: &str) -> Answer {
        let question = Question {
            query: query.to_owned(),
            headers: vec![(String::from("authorization"), format!("Bearer {token}"))],
            ..Question::new(method, path)
        };
        answer(&self.world, &self.script, Upstream::Telepagos, &question)
    }

    fn token(&self) -> String {
        self.world.log_in(USERNAME, PASSWORD).unwrap().0
    }

    fn listing(&self, query: &str) -> Value {
        read(&self.telepagos(Method::GET, "/v2/account/transactions", query, &self.token()))
    }

    fn rows(&self) -> Vec<Value> {
        let listing = self.listing("date_from=2026-11-20&date_to=2026-11-21");
        listing["transactions"].as_array().unwrap().clone()
    }

    fn sipago(&self, method: Method, path: &str, body: &str) -> Answer {
        let headers = [
            ("apikey", API_KEY),
            ("x-trace-id", "3cc1aabd-eb40-48bc-bb84-d1c34f1e2934"),
            ("x-version", "1"),
            ("content-type", "application/json"),
        ];
        let question = Question {
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            ..Question::new(method, path)
        };
        answer(&self.world, &self.script, Upstream::Sipago, &question)
    }

    fn page(&self, page: usize) -> Value {
        let path = format!("/services/transactions/page/{page}");
        read(&self.sipago(Method::POST, &path, r#"{"startDate":"2026-11-21","endDate":"2026-11-21"}"#))
    }

    fn order(&self, uuid: &str) -> Value {
        read(&self.sipago(Method::GET, &format!("/services/checkout/getLink/{uuid}"), ""))[0]["data"]["attributes"]
            .clone()
    }

    fn strike(&self, face: Face, path: &str, fault: Fault) {
        self.script.clear();
        self.script.add(Rule::always(face, path, fault));
    }
}

fn read(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {:?}", answer.body))
}

fn pesos(pesos: i64) -> Money {
    Money::from_cents(pesos * 100)
}

fn has_shape(value: &Value, fields: &str) {
    for field in fields.split_whitespace() {
        let (path, kind) = field.split_once(':').unwrap();
        let found =
            value.pointer(&format!("/{}", path.replace('.', "/"))).unwrap_or_else(|| panic!("{path} is missing"));
        let right = match kind {
            "number" => found.is_number(),
            "string" => found.is_string(),
            "boolean" => found.is_boolean(),
            "list" => found.is_array(),
            "null" => found.is_null(),
            other => panic!("{other}"),
        };
        assert!(right, "{path} is {found}, not {kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_given_for_the_password_and_dies_in_time() {
    let bench = Bench::new();
    let ask = |kind: &str, body: &str| {
        let question = Question {
            headers: vec![(String::from("content-type"), kind.to_owned())],
            body: Bytes::copy_from_slice(body.as_bytes()),
            ..Question::new(Method::POST, "/v2/auth/token")
        };
        answer(&bench.world, &bench.script, Upstream::Telepagos, &question)
    };
    let json = format!(r#"{{"username":"{USERNAME}","password":"{PASSWORD}"}}"#);
    let given = read(&ask("application/json", &json));
    has_shape(&given, "status:string token:string expires_at:number");
    assert_eq!(given["expires_at"], bench.world.now().as_second() + 3_600);
    let form = ask("application/x-www-form-urlencoded", &format!("username={USERNAME}&password={PASSWORD}"));
    assert_eq!(form.status, 200);
    let wrong = ask("application/json", r#"{"username":"x","password":"y"}"#);
    assert_eq!((wrong.status, read(&wrong)["status"].as_str()), (401, Some("error")));

    let token = given["token"].as_str().unwrap();
    let balance = || bench.telepagos(Method::GET, "/v2/account/balance", "", token).status;
    assert_eq!(balance(), 200);
    tokio::time::advance(Duration::from_secs(3_600)).await;
    assert_eq!(balance(), 401);
    assert_eq!(bench.telepagos(Method::GET, "/v2/account/balance", "", "").status, 401);
}

#[tokio::test(start_paused = true)]
async fn filters_come_as_query_json_or_form_and_both_days_count() {
    let bench = Bench::new();
    let old = bench.world.telepagos_credit(pesos(1));
    bench.world.telepagos_back_date(old, "2026-11-20T23:59:59".parse().unwrap());
    bench.world.telepagos_credit(pesos(2));
    bench.world.telepagos_debit(pesos(3));
    let amounts = |value: &Value| -> Vec<String> {
        let rows = value["transactions"].as_array().unwrap();
        rows.iter().map(|row| row["amount"].as_str().unwrap().to_owned()).collect()
    };
    let listing = bench.listing("date_from=2026-11-20&date_to=2026-11-21");
    assert_eq!(amounts(&listing), ["3.00", "2.00", "1.00"], "newest first");
    assert!(listing.get("pages").is_none(), "no totals unless paginated");
    assert_eq!(amounts(&bench.listing("date_from=2026-11-20&date_to=2026-11-20")), ["1.00"]);
    let filtered = bench.listing("date_from=2026-11-20&date_to=2026-11-21&operation=transfer_out");
    assert_eq!(amounts(&filtered), ["3.00"]);
    for (kind, body) in [
        ("application/json", r#"{"date_from":"2026-11-20","date_to":"2026-11-20","paginate":1,"page":1}"#),
        ("application/x-www-form-urlencoded", "date_from=2026-11-20&date_to=2026-11-20&paginate=1"),
    ] {
        let question = Question {
            headers: vec![
                (String::from("authorization"), format!("Bearer {}", bench.token())),
                (String::from("content-type"), kind.to_owned()),
            ],
            body: Bytes::copy_from_slice(body.as_bytes()),
            ..Question::new(Method::GET, "/v2/account/transactions")
        };
        let listing = read(&answer(&bench.world, &bench.script, Upstream::Telepagos, &question));
        assert_eq!(amounts(&listing), ["1.00"], "{kind}");
        has_shape(&listing, "number_of_results:number page:number pages:number pagination:number");
    }
    for bad in ["", "date_from=2026-11-20", "date_from=2026-11-21&date_to=2026-11-20", "date_from=x&date_to=y"] {
        let refused = bench.telepagos(Method::GET, "/v2/account/transactions", bad, &bench.token());
        assert_eq!((refused.status, read(&refused)["status"].as_str()), (400, Some("error")), "{bad}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_happens_in_the_world_shows_in_the_answers() {
    let bench = Bench::new();
    let row = bench.world.telepagos_pending(pesos(10));
    assert_eq!(bench.rows()[0]["status"], Status::PENDING);
    bench.world.telepagos_set_status(row, Status::APPROVED);
    bench.world.telepagos_amend_holder(row, "Otra Forma");
    let twin = bench.world.telepagos_twin(row).unwrap();
    assert_eq!(bench.rows()[0], bench.rows()[1], "twins are alike in every printed field");
    assert_eq!(bench.rows()[0]["holder"], "Otra Forma");
    bench.world.telepagos_hide(twin);
    assert_eq!(bench.rows().len(), 1);
    bench.world.telepagos_show(twin);
    bench.world.telepagos_refund(row);
    let back = bench.rows().into_iter().find(|row| row["operation"] == "Devolución").unwrap();
    assert_eq!((back["income"].as_i64(), back["holder"].as_str()), (Some(0), Some("Otra Forma")));
    let kinds: Vec<&str> = bench.world.truth().iter().map(|fact| fact.kind.as_str()).collect();
    assert_eq!(kinds, ["pending", "credited", "credited", "refunded"]);

    let sale = bench.world.sipago_sale(pesos(20));
    assert!(bench.world.sipago_refund(sale, RefundShown::Flag));
    assert!(!bench.world.sipago_refund(sale, RefundShown::Row), "the row that follows is no second refund");
    let page = bench.page(0);
    let rows = page["listTrx"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["saleId"]), (2, &rows[1]["saleId"]));
    assert_eq!(
        (&rows[0]["operation"], &rows[1]["payment"]["hasRefund"]),
        (&Value::from("Devolución"), &Value::from(true))
    );
    assert!(bench.world.sipago_void(bench.world.sipago_sale(pesos(30))));
    assert_eq!(bench.page(0)["listTrx"][0]["canceled"], true);

    let uuid = bench.world.order_create(pesos(40));
    bench.world.order_deny(&uuid);
    let denied = bench.order(&uuid);
    assert_eq!(
        (&denied["status"], &denied["payments"][0]["status"]),
        (&Value::from("PENDING"), &Value::from("DENIED"))
    );
    assert!(denied["payment"].is_null());
    let payment = bench.world.order_pay(&uuid).unwrap();
    assert_eq!(bench.world.order_pay(&uuid), None, "one payment was all it takes");
    assert_eq!(bench.order(&uuid)["payment"]["id"], payment.to_string());
    assert_eq!(bench.page(0)["listTrx"][0]["payment"]["paymentId"], payment, "order and movement share the id");
    assert_eq!(bench.world.order_refund(&uuid), Some(payment));
    assert_eq!(bench.order(&uuid)["payments"][1]["isRefunded"], true);
    assert_eq!(bench.page(0)["listTrx"][0]["payment"]["hasRefund"], true);
    let code = bench.page(0)["listTrx"][0]["authorizationCode"].as_str().unwrap().to_owned();
    let by_code = read(&bench.sipago(Method::GET, &format!("/services/transactions/code/{code}"), ""));
    has_shape(&by_code[0], shapes::MOVEMENT);
    let short = bench.world.order_create_with(pesos(1), |order| order.expire_limit_minutes = 10);
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(bench.order(&short)["status"], "EXPIRED");
    let refunds = bench.world.truth().iter().filter(|fact| fact.kind.as_str() == "refunded").count();
    assert_eq!(refunds, 3, "one of each, however it is shown");
}

#[tokio::test(start_paused = true)]
async fn sipago_refuses_in_the_documents_words() {
    let bench = Bench::new();
    let ask = |headers: &[(&str, &str)], body: &str, path: &str| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let body = Bytes::copy_from_slice(body.as_bytes());
        let answer = answer(
            &bench.world,
            &bench.script,
            Upstream::Sipago,
            &Question { headers, body, ..Question::new(Method::POST, path) },
        );
        (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
    };
    let day = r#"{"startDate":"2026-11-21","endDate":"2026-11-21"}"#;
    let path = "/services/transactions/page/0";
    let key = ("apikey", API_KEY);
    let trace = ("x-trace-id", "3cc1aabd-eb40-48bc-bb84-d1c34f1e2934");
    assert_eq!(ask(&[], day, path), (401, r#"{"message":"Missing API key found in request"}"#.to_owned()));
    assert_eq!(ask(&[("apikey", "x")], day, path), (401, r#"{"message":"Invalid API key in request"}"#.to_owned()));
    let parameters = r#"{"status":500,"message":"status 500","timestamp":"2026-11-21T17:00:00Z"}"#;
    let all = [key, trace, ("x-version", "1")];
    for (headers, body, path) in [
        (&all[..1], day, path),
        (&all[..2], day, path),
        (&[key, ("x-trace-id", "uuidv4()"), ("x-version", "1")], day, path),
        (&all, "{}", path),
        (&all, "not json", path),
        (&all, r#"{"startDate":"24/05/2024","endDate":"2024-05-24"}"#, path),
        (&all, day, "/services/transactions/page/x"),
    ] {
        assert_eq!(ask(headers, body, path), (500, parameters.to_owned()), "{body} {path}");
    }
    assert_eq!(ask(&all, day, path).0, 200);
    let link = |uuid: &str| bench.sipago(Method::GET, &format!("/services/checkout/getLink/{uuid}"), "").status;
    assert_eq!((link("x"), link("99868576-6b2d-4e1b-8aae-784317301e46")), (500, 404));
}

#[tokio::test(start_paused = true)]
async fn pages_are_whole_until_the_script_bends_them() {
    let bench = Bench::new();
    bench.world.configure(|settings| {
        settings.telepagos_page = 2;
        settings.sipago_page = 2;
    });
    for amount in 1..=5 {
        bench.world.telepagos_credit(pesos(amount));
        bench.world.sipago_sale(pesos(amount));
    }
    let telepagos = |page: usize| {
        let listing = bench.listing(&format!("date_from=2026-11-21&date_to=2026-11-21&paginate=1&page={page}"));
        let rows = listing["transactions"].as_array().unwrap();
        let amounts: Vec<String> = rows.iter().map(|row| row["amount"].as_str().unwrap().to_owned()).collect();
        (amounts.join(" "), listing["number_of_results"].clone(), listing["pages"].clone(), listing["page"].clone())
    };
    let sipago = |page: usize| {
        let listing = bench.page(page);
        let rows = listing["listTrx"].as_array().unwrap();
        let amounts: Vec<String> = rows.iter().map(|row| row["amount"].to_string()).collect();
        (amounts.join(" "), listing["existMore"].as_bool().unwrap(), listing["page"].clone())
    };
    assert_eq!(telepagos(1), ("5.00 4.00".to_owned(), 5.into(), 3.into(), 1.into()));
    assert_eq!(telepagos(3), ("1.00".to_owned(), 5.into(), 3.into(), 3.into()));
    assert_eq!((sipago(0), sipago(2)), (("5 4".to_owned(), true, 0.into()), ("1".to_owned(), false, 2.into())));

    bench.strike(Face::Telepagos, "v2/account", Fault::LyingTotals);
    assert_ne!(telepagos(1).1, telepagos(2).1);
    bench.strike(Face::Telepagos, "v2/account", Fault::RepeatedPage);
    assert_eq!(telepagos(2).0, telepagos(1).0);
    bench.strike(Face::Telepagos, "v2/account", Fault::EndlessPages);
    assert_eq!((telepagos(9).2, telepagos(9).0.is_empty()), (10.into(), false));
    bench.strike(Face::Sipago, "transactions/page", Fault::EndlessPages);
    assert!(sipago(9).1 && !sipago(9).0.is_empty());
    bench.strike(Face::Sipago, "transactions/page", Fault::RepeatedPage);
    assert_eq!(sipago(1).0, "5 4");
    bench.strike(Face::Sipago, "transactions/page", Fault::LyingTotals);
    assert_eq!(sipago(1).2, 2);
    bench.strike(Face::Sipago, "transactions/page", Fault::PageShift);
    assert_eq!((sipago(0).0, sipago(1).0), ("5 4".to_owned(), "4 3".to_owned()));
    bench.strike(Face::Telepagos, "v2/account", Fault::PageShift);
    assert_eq!((telepagos(1).0, telepagos(2).0), ("5.00 4.00".to_owned(), "4.00 3.00".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn rows_lose_a_date_or_an_amount_and_only_the_first() {
    let bench = Bench::new();
    for _ in 0..2 {
        bench.world.telepagos_credit(pesos(1));
        bench.world.sipago_sale(pesos(1));
    }
    bench.strike(Face::Telepagos, "v2/account/transactions", Fault::RowWithoutDate);
    assert!(bench.rows()[0].get("date").is_none() && bench.rows()[1].get("date").is_some());
    bench.strike(Face::Sipago, "", Fault::RowWithoutDate);
    assert!(bench.page(0)["listTrx"][0].get("dateTime").is_none());
    bench.strike(Face::Telepagos, "v2/account/transactions", Fault::RowAmount(String::from("\"mil\"")));
    assert_eq!(bench.rows()[0]["amount"], "mil");
    bench.strike(Face::Sipago, "", Fault::RowAmount(String::from("1e400")));
    let page = bench.sipago(
        Method::POST,
        "/services/transactions/page/0",
        r#"{"startDate":"2026-11-21","endDate":"2026-11-21"}"#,
    );
    assert!(std::str::from_utf8(&page.body).unwrap().contains(r#""amount":1e400,"#));
}

#[tokio::test(start_paused = true)]
async fn every_other_fault_does_what_it_says() {
    let bench = Bench::new();
    bench.world.telepagos_credit(pesos(1));
    let (path, query) = ("/v2/account/transactions", "date_from=2026-11-21&date_to=2026-11-21");
    let right = bench.telepagos(Method::GET, path, query, &bench.token());
    let ask = |fault| {
        bench.strike(Face::Telepagos, "v2/account", fault);
        bench.telepagos(Method::GET, path, query, &bench.token())
    };
    let slow_down = ask(Fault::slow_down(429, Duration::from_secs(7)));
    assert_eq!((slow_down.status, slow_down.retry_after), (429, Some(Duration::from_secs(7))));
    assert_eq!(ask(Fault::status(503)).status, 503);
    let hidden = ask(Fault::ErrorInOk(String::from("no \"hoy\"")));
    assert_eq!((hidden.status, read(&hidden)["message"].as_str()), (200, Some("no \"hoy\"")));
    assert!(ask(Fault::Html).body.starts_with(b"<!DOCTYPE"));
    assert_eq!(ask(Fault::Body(String::from("null"))).body.as_ref(), b"null");
    assert!(right.body.starts_with(&ask(Fault::Truncated).body));
    assert!(serde_json::from_slice::<Value>(&ask(Fault::Truncated).body).is_err());
    let large = ask(Fault::Oversized(9 << 20));
    assert!(large.body.len() > 9 << 20);
    assert_eq!(read(&large), read(&right), "large, and right all the same");
    assert_eq!(ask(Fault::TokenExpiry).status, 401);
    assert_eq!(ask(Fault::Slow(Duration::from_secs(3))).manner, Manner::Delayed(Duration::from_secs(3)));
    for (fault, manner) in [
        (Fault::CutOff, Manner::CutOff),
        (Fault::Hang { after_effect: false }, Manner::Hang),
        (Fault::Reset { after_effect: true }, Manner::Reset),
    ] {
        assert_eq!(ask(fault).manner, manner);
    }
}

#[tokio::test(start_paused = true)]
async fn merchants_see_their_own() {
    let bench = Bench::new();
    let other = bench.world.merchant("otro");
    other.telepagos_credit(pesos(1));
    other.sipago_sale(pesos(1));
    assert!(bench.rows().is_empty());
    assert_eq!(bench.page(0)["listTrx"].as_array().unwrap().len(), 0);
    let token = bench.world.log_in("otro", PASSWORD).unwrap().0;
    let listing =
        bench.telepagos(Method::GET, "/v2/account/transactions", "date_from=2026-11-21&date_to=2026-11-21", &token);
    assert_eq!(read(&listing)["transactions"].as_array().unwrap().len(), 1);
    assert_eq!(bench.world.truth().len(), 2, "the truth is the whole world's");
}
