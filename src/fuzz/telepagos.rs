//! What TelePagos may answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt as _;

use super::answers::{Input, Noon, SECRET, TOKEN, Upstream, account, assert_tells_nothing, days, noon, read};
use super::figures::{accounted, assert_printed, fields, items, within};
use crate::config::{Secret, TelepagosAccount};
use crate::domain::account::SourceKind;
use crate::domain::fact::View;
use crate::domain::money::Unit;
use crate::domain::row::{Identity, Row};
use crate::http::Transport;
use crate::sources::telepagos::TelepagosSource;
use crate::sources::{Source as _, SourceError, Task};

/// Pages are asked for.
const PAGED: u8 = 8;

fn source(setting: u8, transport: Arc<dyn Transport>) -> TelepagosSource {
    let config = TelepagosAccount {
        common: account(setting),
        username: SECRET.to_owned(),
        password: Secret::new(SECRET.to_owned()),
        paginate: setting & PAGED != 0,
        filters_in_body: false,
        cashout: false,
        income: BTreeMap::new(),
        watch_cashin: Vec::new(),
        follow: None,
    };
    TelepagosSource::new(config, transport, Arc::new(Noon))
}

fn token() -> (u16, Vec<u8>) {
    (200, format!(r#"{{"status":"ok","token":"{TOKEN}","expires_at":3600}}"#).into_bytes())
}

fn unit(setting: u8) -> Unit {
    account(setting).dialect.unit
}

/// `account/transactions`: one answer, or one for each page.
///
/// Laws: rows and rejects are the records, in their order; a row's amount is printed in its record, its bucket holds
/// that amount; a reading of pages has as many rows as each page promises; an error tells nothing.
pub fn telepagos_transactions(data: &[u8]) {
    let input = Input::of(data);
    let owned: Vec<(u16, Vec<u8>)> = input.answers.iter().map(|(status, body)| (*status, body.to_vec())).collect();
    let upstream = Upstream::new(move |url, _| {
        if url.path().ends_with("auth/token") {
            return token();
        }
        let page = url.query_pairs().find(|(name, _)| name == "page").and_then(|(_, page)| page.parse::<usize>().ok());
        owned.get(page.unwrap_or(1) - 1).cloned().unwrap_or_default()
    });
    let source = source(input.setting, upstream);
    let Ok(snapshot) = read(&source, &days()) else { return };
    assert_eq!(snapshot.paged, input.setting & PAGED != 0);
    let pages = if snapshot.paged { input.answers.len() } else { 1 };
    let records = (0..pages)
        .map(|page| input.body(page))
        .filter_map(|body| items(body).or_else(|| items(within(body, &["transactions"])?.get().as_bytes())));
    // A page after the last one that was promised is never asked for.
    let read_rows = snapshot.rows.len() + snapshot.rejects.len();
    let records: Vec<_> = records.flatten().collect();
    assert!(snapshot.paged || read_rows == records.len());
    let Some(records) = records.get(..read_rows) else { panic!("more rows than records") };
    for (record, row) in accounted(records, snapshot.rows.len(), &snapshot.rejects).into_iter().zip(&snapshot.rows) {
        let printed = fields(record.get().as_bytes()).and_then(|fields| fields.get("amount").copied());
        assert_printed(row, printed, unit(input.setting));
        assert_is_transaction(row);
    }
}

fn assert_is_transaction(row: &Row) {
    assert_eq!(row.source, SourceKind::Transactions);
    let Identity::Counted(bucket) = &row.identity else { panic!("a transaction has no id") };
    assert!(bucket.contains(&format!("|{}|", row.amount.cents())), "the bucket holds the amount");
    assert!(bucket.contains(&row.occurred.normal_form()), "the bucket holds the date");
    assert!(matches!(row.view, View::Credit(_) | View::Debit(_) | View::RefundRow(_)));
    assert!(!matches!(row.view, View::Credit(_)) || row.amount.cents() >= 0, "money in with a minus");
}

/// `payment/cashin/{id}`.
///
/// Laws: one row, under the id that was asked for and no other; its amount is printed; a link's payment needs a link.
pub fn telepagos_cashin(data: &[u8]) {
    let input = Input::of(data);
    let answer = input.answers.first().map(|(status, body)| (*status, body.to_vec())).unwrap_or_default();
    let upstream =
        Upstream::new(move |url, _| if url.path().ends_with("auth/token") { token() } else { answer.clone() });
    let source = source(input.setting, Arc::<Upstream<_>>::clone(&upstream));
    let task = Task::Watched { source: SourceKind::Cashin, id: String::from("17") };
    let snapshot = match read(&source, &task) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            // Login and question, and both once more where the token was refused.
            assert!(upstream.asked() <= 4, "{} requests for one answer", upstream.asked());
            let is_not_found = matches!(error, SourceError::NotFound);
            assert!(!is_not_found || input.answers.first().is_some_and(|(_, body)| body.len() > 4 || data.len() > 3));
            return;
        }
    };
    let [row] = snapshot.rows.as_slice() else { panic!("{} rows of one cash-in", snapshot.rows.len()) };
    assert_eq!((&row.identity, row.source), (&Identity::Keyed(String::from("17")), SourceKind::Cashin));
    let fields = fields(input.body(0)).unwrap_or_default();
    assert_printed(row, fields.get("amount").copied(), unit(input.setting));
    assert!(row.view != View::LinkCashin || fields.contains_key("link_id"), "a link was paid without a link");
    assert!(row.view != View::QrCashin || fields.contains_key("qr_order_id"), "an order was paid without an order");
}

/// `auth/token`, then `transactions_filters`, then a listing by what those said.
///
/// Laws: whatever the login answers, it is asked a bounded number of times; a refusal is no token; no credential and no
/// token stands in an error; the list of operations changes no amount.
pub fn telepagos_login(data: &[u8]) {
    let input = Input::of(data);
    let mut answers = input.answers.iter().map(|(status, body)| (*status, body.to_vec()));
    let (login, filters) = (answers.next().unwrap_or_default(), answers.next().unwrap_or_else(|| (200, data.to_vec())));
    let listing = answers.next().unwrap_or((200, LISTING.to_vec()));
    let closes = [&login, &filters, &listing].iter().any(|(status, _)| matches!(status, 429 | 503));
    let refused = fields(&login.1)
        .and_then(|fields| serde_json::from_str::<String>(fields.get("status")?.get()).ok())
        .is_some_and(|status| status.trim().eq_ignore_ascii_case("error"));
    let is_bad = refused || !(200..300).contains(&login.0);
    let upstream = Upstream::new(move |url, _| match url.path() {
        path if path.ends_with("auth/token") => login.clone(),
        path if path.ends_with("transactions_filters") => filters.clone(),
        _ => listing.clone(),
    });
    let source = source(input.setting & !PAGED, Arc::<Upstream<_>>::clone(&upstream));
    let Some(prepared) = source.prepare().now_or_never() else { panic!("it waits for nothing") };
    assert!(upstream.asked() <= 4, "{} requests for one answer", upstream.asked());
    if let Err(error) = &prepared {
        assert_tells_nothing(error);
    }
    assert!(!(is_bad && prepared.is_ok()), "a refused login was taken for one");
    if closes {
        return;
    }
    if let Ok(snapshot) = read(&source, &days()) {
        assert!(!is_bad, "a listing was read without a login");
        assert_eq!(snapshot.read_at, noon());
        snapshot.rows.iter().for_each(assert_is_transaction);
    }
}

const LISTING: &[u8] = br#"{"transactions":[{"income":"?","date":"2026-11-21 10:00:00","amount":"1.500,00",
    "operation":"Transferencia recibida","status":"Aprobada"},{"date":"2026-11-21","amount":-3,"operation":"7"}]}"#;
