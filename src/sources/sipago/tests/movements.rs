//! Which row becomes of a movement.

use super::{config, data, movements, page};
use crate::domain::account::SourceKind;
use crate::domain::fact::View;
use crate::domain::money::{Dialect, Punctuation, Unit};
use crate::domain::row::{Identity, OperationKind, StatusKind};
use crate::sources::scripted::assert_silent_about;

const SALE: View = View::Sale { refunded: false, voided: false };

#[test]
fn the_documented_shape_is_read_field_by_field() {
    let rows = movements("movements_documented.json");
    let row = &rows[0];
    assert_eq!((row.source, row.view), (SourceKind::Movements, SALE));
    assert_eq!(row.identity, Identity::Keyed("90071992547409931".to_owned()), "no float touched the id");
    assert_eq!(row.amount.cents(), 150_050);
    assert_eq!(row.occurred.normal_form(), "2026-11-21T14:03:16");
    assert_eq!(row.status.kind, StatusKind::Approved);
    assert_eq!((row.operation.kind, row.operation.raw.as_str()), (OperationKind::Credit, "Venta"));
    assert_eq!(row.payer.name.as_deref(), Some("Ana María Ficticia"));
    assert_eq!(row.payer.card_brand.as_deref(), Some("VISA"));
    assert_eq!(row.payer.card_last4.as_deref(), Some("4242"));
    assert_eq!(row.references.transaction_id.as_deref(), Some("90071992547409931"));
    assert_eq!(row.references.payment_id.as_deref(), Some("700100"));
    assert_eq!(row.references.sale_id.as_deref(), Some("31337"));
    assert_eq!(row.references.authorization_code.as_deref(), Some("006417"));
    assert_eq!(row.references.sale_point.as_deref(), Some("Terminal 2"));
}

#[test]
fn flags_and_operations_tell_sales_from_refunds_and_voids() {
    let rows = movements("movements_flags.json");
    let views: Vec<View> = rows.iter().map(|row| row.view).collect();
    let voided = View::Sale { refunded: false, voided: true };
    assert_eq!(
        views,
        [
            View::Sale { refunded: true, voided: false },
            voided,
            voided,
            View::RefundOfSale,
            View::RefundOfSale,
            View::RefundOfSale,
            View::VoidOfSale,
            SALE,
            SALE,
            SALE,
            voided,
        ]
    );
    let unknown = &rows[7];
    assert_eq!((unknown.status.kind, unknown.operation.kind), (StatusKind::Unknown, OperationKind::Unknown));
    assert_eq!(unknown.operation.raw, "Z-9", "the raw word stays visible");
    assert_eq!(rows[10].references.payment_id, None, "an id of zero is none");
    assert_eq!(rows[10].references.sale_id, None);
}

#[test]
fn the_settings_name_operations() {
    let mut config = config();
    config.common.operation =
        [("z-9".to_owned(), OperationKind::Refund), ("venta".to_owned(), OperationKind::Debit)].into();
    let (rows, _) = page(&config, &data("sipago/movements_flags.json"));
    assert_eq!(rows[7].view, View::RefundOfSale);
    assert_eq!(rows[0].view, View::Debit(StatusKind::Approved));
}

#[test]
fn ids_are_the_same_as_number_and_as_text() {
    let rows = movements("movements_ids.json");
    assert_eq!(rows[0].identity, rows[1].identity);
    assert_eq!(rows[0].references.payment_id, rows[1].references.payment_id);
    assert_eq!(rows[0].references.sale_id, rows[1].references.sale_id);
    assert_eq!(rows[0].references.authorization_code.as_deref(), Some("006417"), "leading zeros stay");
}

#[test]
fn an_odd_movement_is_a_reject_and_its_neighbours_go_on() {
    let (rows, rejects) = page(&config(), &data("sipago/movements_odd_rows.json"));
    let ids: Vec<_> = rows.iter().map(|row| row.identity.clone()).collect();
    assert_eq!(ids, [Identity::Keyed("1".to_owned()), Identity::Keyed("9".to_owned())]);
    assert_eq!(rows[1].amount.cents(), 123_456);
    assert_eq!(rows[1].occurred.normal_form(), "2026-11-21T14:03:16");
    let expected = [
        ("`_id` is missing", "buyer:object"),
        ("`_id` is missing", "_id:null"),
        ("`dateTime` is missing", "payment:object"),
        ("`dateTime` is no date", "dateTime:string"),
        ("`amount` cannot be read: the amount is out of range", "amount:number"),
        ("`amount` cannot be read: the amount is not a number", "amount:string"),
        ("`amount` cannot be read: the amount has more than two decimals", "amount:number"),
        ("`amount` is missing", "amount:null"),
        ("the row is no object", "null"),
        ("the row is no object", "a number"),
        ("the row is no object", "a list"),
    ];
    assert_eq!(rejects.len(), expected.len());
    for ((position, reject), (reason, shape)) in (1..).zip(&rejects).zip(expected) {
        assert_eq!((reject.position, reject.source), (position, SourceKind::Movements));
        assert!(reject.reason.contains(reason), "{reject:?}: {reason}");
        assert!(reject.shape.contains(shape), "{reject:?}: {shape}");
        assert_silent_about(&format!("{reject:?}"), &["inventado", "777.0", "ayer", "abc", "4242"]);
    }
}

#[test]
fn a_setting_says_that_movements_count_cents() {
    let mut config = config();
    config.common.dialect = Dialect { unit: Unit::Cents, punctuation: Punctuation::Auto };
    let body = br#"{"page":0,"existMore":false,"listTrx":[{"_id":1,"amount":20069,"dateTime":"2026-11-21"},{"_id":2,"amount":1.5,"dateTime":"2026-11-21"}]}"#;
    let (rows, rejects) = page(&config, body);
    assert_eq!((rows[0].amount.cents(), rejects.len()), (20_069, 1));
}

#[test]
fn a_part_that_is_no_record_costs_only_itself() {
    for odd in ["null", "7", "\"x\"", "[]", "[\"700100\",true,true,\"4507990000004242\"]", "{}"] {
        let body = format!(
            r#"{{"listTrx":[{{"_id":1,"amount":1,"dateTime":"2026-11-21","operation":"Venta","payment":{odd},"buyer":{odd}}}]}}"#
        );
        let (rows, rejects) = page(&config(), body.as_bytes());
        assert!(rejects.is_empty(), "{odd}");
        assert_eq!(rows[0].view, SALE, "{odd}: a place in a list is not a flag");
        assert_eq!((&rows[0].payer.name, &rows[0].payer.card_last4), (&None, &None), "{odd}");
    }
}
