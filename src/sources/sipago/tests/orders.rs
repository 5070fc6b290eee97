//! Which rows become of the order behind a link.

use super::{UUID, data, order, read_order};
use crate::domain::account::SourceKind;
use crate::domain::fact::View;
use crate::domain::row::{Identity, Row, StatusKind};
use crate::sources::SourceError;

const PAID: View = View::OrderPayment { paid: true, refunded: false };
const DENIED: View = View::OrderPayment { paid: false, refunded: false };
const REFUNDED: View = View::OrderPayment { paid: true, refunded: true };

/// The order's view, and each payment's id and view.
fn story(rows: &[Row]) -> (View, Vec<(String, View)>) {
    let (first, payments) = rows.split_first().unwrap();
    assert_eq!(first.identity, Identity::Keyed(format!("order:{UUID}")));
    let payment = |row: &Row| (row.references.payment_id.clone().unwrap(), row.view);
    (first.view, payments.iter().map(payment).collect())
}

fn views(name: &str) -> (View, Vec<View>) {
    let (order, payments) = story(&order(name));
    (order, payments.into_iter().map(|(_, view)| view).collect())
}

#[test]
fn a_paid_order_is_a_row_and_its_payment_another() {
    let rows = order("order_documented.json");
    assert_eq!(story(&rows), (View::OrderDone, vec![("700100".to_owned(), PAID)]));
    let payment = &rows[1];
    assert_eq!(payment.source, SourceKind::Links);
    assert_eq!(payment.identity, Identity::Keyed("payment:700100".to_owned()));
    assert_eq!(payment.amount.cents(), 20_069, "an order counts cents whatever the account's setting says");
    assert_eq!((payment.status.kind, payment.status.raw.as_str()), (StatusKind::Approved, "APPROVED"));
    assert_eq!(payment.references.order_uuid.as_deref(), Some(UUID));
    assert_eq!(payment.references.authorization_code.as_deref(), Some("006417"));
    assert_eq!(payment.references.concept.as_deref(), Some("Alfajor invisible"));
    assert_eq!(payment.occurred.normal_form(), "2026-11-21T22:30:00", "it bears no date: the time of the reading");
}

#[test]
fn a_list_of_one_and_a_bare_order_with_number_ids_are_the_same() {
    assert_eq!(order("order_documented.json"), order("order_bare.json"));
    assert_eq!(order("order_documented.json"), order("order_upper_case_uuid.json"));
}

#[test]
fn what_is_not_paid_tells_nothing() {
    assert_eq!(views("order_fresh.json"), (View::OrderOpen, vec![]));
    assert_eq!(views("order_denied.json"), (View::OrderOpen, vec![DENIED]));
    assert_eq!(views("order_unknown_status.json"), (View::OrderOpen, vec![]));
    assert_eq!(order("order_unknown_status.json")[0].status.raw, "EN_REVISION");
    // The order says that it was paid, and shows no payment yet.
    assert_eq!(views("order_success_without_payment.json"), (View::OrderOpen, vec![]));
}

#[test]
fn a_denied_attempt_beside_a_payment_stays_an_attempt() {
    let (order, payments) = story(&order("order_denied_then_paid.json"));
    assert_eq!(order, View::OrderDone);
    assert_eq!(payments, [("700101".to_owned(), DENIED), ("700102".to_owned(), PAID)]);
}

#[test]
fn a_link_of_several_uses_is_paid_while_its_order_is_pending() {
    let (order, payments) = story(&order("order_of_several_uses.json"));
    assert_eq!(order, View::OrderOpen, "it may take more");
    let expected = [("1", PAID), ("2", REFUNDED), ("3", DENIED)].map(|(id, view)| (id.to_owned(), view));
    assert_eq!(payments, expected);
    assert_eq!(views("order_used_up.json"), (View::OrderDone, vec![PAID, PAID]));
}

#[test]
fn an_order_that_ended_otherwise_says_how() {
    assert_eq!(views("order_expired.json"), (View::OrderExpired, vec![DENIED]));
    assert_eq!(views("order_failed_checkout.json"), (View::OrderFailed, vec![]));
    assert_eq!(views("order_failed.json"), (View::OrderFailed, vec![]));
}

#[test]
fn a_refund_is_seen_wherever_it_is_printed() {
    assert_eq!(views("order_refunded.json"), (View::OrderDone, vec![REFUNDED]));
    assert_eq!(views("order_refund_in_one_place.json"), (View::OrderDone, vec![REFUNDED]));
    assert_eq!(views("order_refund_changes_status.json").1, [REFUNDED]);
}

#[test]
fn another_order_than_was_asked_for_is_refused() {
    let error = read_order(&data("sipago/order_other_uuid.json")).unwrap_err();
    assert!(matches!(&error, SourceError::Contract(text) if text.contains("another order")), "{error:?}");
}

#[test]
fn an_odd_payment_is_a_reject_and_its_neighbours_are_announced() {
    let (rows, rejects) = read_order(&data("sipago/order_odd_payments.json")).unwrap();
    assert_eq!(story(&rows).1, [("700100".to_owned(), PAID)]);
    let expected = [
        ("the row is no object", "null"),
        ("the row is no object", "a number"),
        ("the row is no object", "a list"),
        ("`id` is missing", "id:null"),
    ];
    assert_eq!(rejects.len(), expected.len());
    for ((position, reject), (reason, shape)) in (0..).zip(&rejects).zip(expected) {
        assert_eq!((reject.position, reject.source), (position, SourceKind::Links));
        assert!(reject.reason.contains(reason) && reject.shape.contains(shape), "{reject:?}");
    }
}

#[test]
fn a_payment_without_an_amount_took_the_orders_price() {
    let amounts: Vec<i64> = order("order_payment_amount.json").iter().skip(1).map(|row| row.amount.cents()).collect();
    assert_eq!(amounts, [5_000, 20_069, 20_069]);
}

#[test]
fn an_order_that_cannot_be_read_is_an_error_that_names_the_field() {
    for (body, words) in [
        (data("sipago/order_without_price.json"), "price: `amount` is missing"),
        (data("sipago/order_without_attributes.json"), "`data.attributes` is missing"),
        (data("sipago/unavailable.html"), "HTML"),
        (b"{}".to_vec(), "`data` is missing"),
        (br#"{"data":{}}"#.to_vec(), "`data.attributes` is missing"),
        (br#"{"data":[]}"#.to_vec(), "a list"),
        (b"[null]".to_vec(), "null"),
        (b"[[]]".to_vec(), "a list"),
        (b"[{".to_vec(), "breaks off"),
        (b"null".to_vec(), "null"),
        (b"".to_vec(), "empty"),
        (br#"{"data":{"attributes":{"price":{"amount":200.69}}}}"#.to_vec(), "more than two decimals"),
        (br#"{"data":{"attributes":{"price":{"amount":1},"payments":7}}}"#.to_vec(), "`payments` is no list"),
    ] {
        match read_order(&body) {
            Err(SourceError::Contract(text)) => assert!(text.contains(words), "{text}: {words}"),
            other => panic!("{}: {other:?}", String::from_utf8_lossy(&body)),
        }
    }
    assert!(matches!(read_order(b"[]"), Err(SourceError::NotFound)), "an empty list of one is no order");
}

#[test]
fn an_approved_payment_of_an_order_in_a_state_nobody_knows_is_told_with_its_raw_word() {
    let body = r#"{"data":{"attributes":{"status":"ZARASA","paymentLimits":1,"price":{"amount":1050},
        "payments":[{"id":"7","status":"APPROVED"},{"id":"8","status":"DENIED"}]}}}"#;
    let (rows, _) = read_order(body.as_bytes()).unwrap();
    let paid: Vec<_> = rows.iter().filter(|row| row.view == PAID).collect();
    let [payment] = paid.as_slice() else { panic!("{} payments", paid.len()) };
    assert_eq!((payment.status.kind, payment.status.raw.as_str()), (StatusKind::Unknown, "ZARASA"));
}
