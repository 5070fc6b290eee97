//! What Sipago may answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::answers::{Input, Noon, SECRET, Upstream, account, days, read};
use super::figures::{accounted, assert_printed, fields, is_printed, items, within};
use crate::config::{Secret, SipagoAccount};
use crate::domain::account::SourceKind;
use crate::domain::fact::View;
use crate::domain::money::Unit;
use crate::domain::row::{Identity, Row};
use crate::http::Transport;
use crate::sources::sipago::SipagoSource;
use crate::sources::{SourceError, Task};

/// The order that is watched; the one of `tests/data`.
const ORDER: &str = "99868576-6b2d-4e1b-8aae-784317301e46";

fn source(setting: u8, transport: Arc<dyn Transport>) -> SipagoSource {
    let config = SipagoAccount {
        common: account(setting),
        api_key: Secret::new(SECRET.to_owned()),
        x_version: String::from("1"),
        deposits: false,
        early_stop: true,
        watch_links: Vec::new(),
    };
    SipagoSource::new(config, transport, Arc::new(Noon))
}

/// `transactions/page/N`: one answer for each page.
///
/// Laws: rows and rejects are the records of all pages that were asked for, in their order; no page is asked for twice,
/// and none after the last; a row's id and amount are printed in its record; an error tells nothing.
pub fn sipago_movements(data: &[u8]) {
    let input = Input::of(data);
    let owned: Vec<(u16, Vec<u8>)> = input.answers.iter().map(|(status, body)| (*status, body.to_vec())).collect();
    let upstream = Upstream::new(move |url, _| {
        let page = url.path_segments().and_then(|mut parts| parts.next_back()?.parse::<usize>().ok());
        page.and_then(|page| owned.get(page).cloned()).unwrap_or_default()
    });
    let source = source(input.setting, Arc::<Upstream<_>>::clone(&upstream));
    let Ok(snapshot) = read(&source, &days()) else { return };
    // The reading, and the same once more.
    let pages = upstream.asked() / 2;
    assert!(pages <= input.answers.len(), "a page was made up");
    let records = (0..pages).filter_map(|page| items(within(input.body(page), &["listTrx"])?.get().as_bytes()));
    let records: Vec<_> = records.flatten().collect();
    for (record, row) in accounted(&records, snapshot.rows.len(), &snapshot.rejects).into_iter().zip(&snapshot.rows) {
        let fields = fields(record.get().as_bytes()).unwrap_or_default();
        assert_printed(row, fields.get("amount").copied(), account(input.setting).dialect.unit);
        assert_is_movement(row);
        let id = row.references.transaction_id.clone().unwrap_or_default();
        let printed = fields.get("_id").map(|raw| raw.get()).unwrap_or_default();
        let text = serde_json::from_str::<String>(printed).unwrap_or_else(|_| printed.to_owned());
        assert_eq!((text.trim(), &row.identity), (id.as_str(), &Identity::Keyed(id.clone())), "an id was made up");
    }
}

fn assert_is_movement(row: &Row) {
    assert_eq!(row.source, SourceKind::Movements);
    assert!(!matches!(row.view, View::Sale { .. }) || row.amount.cents() >= 0, "a sale with a minus");
    if let Some(last4) = &row.payer.card_last4 {
        assert!(last4.len() == 4 && last4.bytes().all(|byte| byte.is_ascii_digit()), "more of a card than its end");
    }
    let brand = row.payer.card_brand.iter().flat_map(|brand| brand.chars()).filter(char::is_ascii_digit).count();
    assert!(brand <= 4, "a card's number stands in its brand");
}

/// `checkout/getLink/{uuid}`.
///
/// Laws: the order and its payments, each once; an order of another uuid is an error; amounts are printed; nothing is
/// paid without the word for it.
pub fn sipago_order(data: &[u8]) {
    let input = Input::of(data);
    let (answer, body) = (input.answers.first().map(|(status, body)| (*status, body.to_vec())), input.body(0));
    let answer = answer.unwrap_or_default();
    let upstream = Upstream::new(move |_, _| answer.clone());
    let source = source(input.setting, Arc::<Upstream<_>>::clone(&upstream));
    let snapshot = match read(&source, &Task::Watched { source: SourceKind::Links, id: ORDER.to_owned() }) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            assert_eq!(upstream.asked(), 1, "one question");
            assert!(
                !matches!(error, SourceError::SlowDown { .. }) || data.starts_with(b"429") || data.starts_with(b"503")
            );
            return;
        }
    };
    let Some((order, payments)) = snapshot.rows.split_first() else { panic!("no row of an order") };
    assert_eq!(order.identity, Identity::Keyed(format!("order:{ORDER}")));
    let ids: BTreeSet<String> = snapshot.rows.iter().map(|row| format!("{:?}", row.identity)).collect();
    assert_eq!(ids.len(), snapshot.rows.len(), "a payment stands there twice");
    let words = String::from_utf8_lossy(body).to_lowercase();
    let lists = items(body);
    let body = lists.as_ref().and_then(|list| list.first()).map_or(body, |first| first.get().as_bytes());
    let attributes = within(body, &["data", "attributes"]).map(|raw| raw.get().as_bytes()).unwrap_or_default();
    let listed = within(attributes, &["payments"]).and_then(|raw| items(raw.get().as_bytes())).unwrap_or_default();
    let single = within(attributes, &["payment"]);
    assert!(payments.len() + snapshot.rejects.len() <= listed.len() + usize::from(single.is_some()));
    let amounts = listed.iter().copied().chain(single).filter_map(|raw| within(raw.get().as_bytes(), &["amount"]));
    let amounts: Vec<_> = amounts.chain(within(attributes, &["price", "amount"])).collect();
    for row in &snapshot.rows {
        assert!(amounts.iter().any(|raw| is_printed(row.amount, raw, Unit::Cents)), "{} is not printed", row.amount);
    }
    if !words.contains('\\') {
        let tells = |row: &&Row| matches!(row.view, View::OrderPayment { paid: true, refunded: false });
        assert!(payments.iter().filter(tells).count() == 0 || words.contains("approved"), "paid without the word");
    }
    for row in payments {
        assert!(matches!(row.view, View::OrderPayment { .. }));
        assert_eq!(row.references.order_uuid.as_deref(), Some(ORDER));
    }
}
