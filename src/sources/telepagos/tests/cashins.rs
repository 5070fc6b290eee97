//! Watched cash-ins.

use jiff::Timestamp;

use super::{catalogue, config, data};
use crate::domain::fact::View;
use crate::domain::row::{Identity, Row, StatusKind};
use crate::sources::SourceError;
use crate::sources::scripted::assert_silent_about;
use crate::sources::telepagos::read::Reader;

fn read(body: &[u8]) -> Result<Row, SourceError> {
    let at: Timestamp = "2026-11-22T01:30:00Z".parse().unwrap();
    Reader { config: &config(), catalogue: catalogue() }.cashin("31", body, at)
}

fn cashin(name: &str) -> Row {
    read(&data(&format!("telepagos/{name}"))).unwrap()
}

#[test]
fn a_link_was_paid_by_the_buyer_in_the_list_of_one() {
    let row = cashin("cashin_documented.json");
    assert_eq!(row.view, View::LinkCashin);
    assert_eq!(row.identity, Identity::Keyed("31".to_owned()));
    assert_eq!(row.amount.cents(), 150_050);
    assert_eq!(row.status.kind, StatusKind::Approved);
    assert_eq!(row.payer.cuit.as_deref(), Some("27111111112"));
    assert_eq!(row.payer.cvu_cbu.as_deref(), Some("0000003100000000000017"));
    assert_eq!(row.references.cashin_id.as_deref(), Some("31"));
    assert_eq!(row.references.transaction_id.as_deref(), Some("90071992547409931"), "no float touched the id");
    assert_eq!(row.references.link_id.as_deref(), Some("44"));
    assert_eq!(row.references.qr_order_id, None);
    assert_eq!(row.references.concept.as_deref(), Some("VAR"));
    assert_eq!(row.references.description.as_deref(), Some("Pedido 31"));
    assert_eq!(row.occurred.normal_form(), "2026-11-21T22:30:00", "it bears no date: the local time of the reading");
}

#[test]
fn a_buyer_may_be_an_object_and_an_id_of_zero_is_none() {
    let row = cashin("cashin_buyer_object.json");
    assert_eq!(row.view, View::QrCashin);
    assert_eq!(row.amount.cents(), 150_050);
    assert_eq!(row.payer.cuit.as_deref(), Some("27111111112"));
    assert_eq!(row.payer.cvu_cbu.as_deref(), Some("0000003100000000000017"));
    assert_eq!((row.references.link_id, row.references.qr_order_id), (None, Some("9".to_owned())));
}

#[test]
fn a_cashin_of_neither_link_nor_order_is_plain_and_its_buyer_may_be_null() {
    let row = cashin("cashin_buyer_null.json");
    assert_eq!(row.view, View::PlainCashin);
    assert_eq!((row.payer.cuit, row.payer.cvu_cbu), (None, None));
}

#[test]
fn a_buyer_that_is_no_record_costs_the_payer_and_not_the_payment() {
    let row = cashin("cashin_buyer_odd.json");
    assert_eq!(row.view, View::LinkCashin);
    assert_eq!((row.payer.cuit, row.payer.cvu_cbu), (None, None), "a place in a list is not a name");
}

#[test]
fn a_pending_cashin_has_paid_nothing_yet() {
    assert_eq!(cashin("cashin_pending.json").view, View::OrderOpen);
    for status in ["Rechazado", "Cancelado", "pendiente"] {
        let body = format!(r#"{{"status":"{status}","amount":1,"link_id":4}}"#);
        assert_eq!(read(body.as_bytes()).unwrap().view, View::OrderOpen, "{status}");
    }
}

#[test]
fn a_cashin_that_cannot_be_read_is_an_error_that_names_the_field() {
    for (body, words) in [
        (r#"{"status":"ok","link_id":4}"#, "`amount` is missing"),
        (r#"{"status":"ok","amount":"12,34.5","link_id":4}"#, "`amount` cannot be read"),
        (r#"{"status":"ok","amount":1e400}"#, "out of range"),
        ("[]", "a list"),
        ("null", "null"),
        ("", "empty"),
    ] {
        let error = read(body.as_bytes()).unwrap_err();
        assert!(matches!(error, SourceError::Contract(_)), "{body}");
        assert!(error.to_string().contains(words), "{error}");
        assert_silent_about(&error.to_string(), &["12,34"]);
    }
}
