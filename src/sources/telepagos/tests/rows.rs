//! Which row becomes of what is printed.

use super::{config, data, listing, read_with, rows};
use crate::config::Income;
use crate::domain::fact::View;
use crate::domain::money::{Punctuation, Unit};
use crate::domain::row::{Identity, OperationKind, Row, StatusKind};
use crate::sources::scripted::assert_silent_about;

fn cents(rows: &[Row]) -> Vec<i64> {
    rows.iter().map(|row| row.amount.cents()).collect()
}

fn views(rows: &[Row]) -> Vec<View> {
    rows.iter().map(|row| row.view).collect()
}

#[test]
fn the_documented_shape_is_read_field_by_field() {
    let rows = rows("documented.json");
    let [credit, debit] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(credit.view, View::Credit(StatusKind::Approved));
    assert_eq!(credit.amount.cents(), 150_000);
    assert_eq!(credit.occurred.normal_form(), "2026-11-21T14:03:16");
    assert_eq!((credit.status.kind, credit.status.raw.as_str()), (StatusKind::Approved, "Aprobada"));
    assert_eq!(
        (credit.operation.kind, credit.operation.raw.as_str()),
        (OperationKind::Credit, "Transferencia recibida")
    );
    assert_eq!(credit.payer.name.as_deref(), Some("FICTICIA ANA"));
    assert_eq!(credit.payer.cuit.as_deref(), Some("27111111112"));
    assert_eq!(credit.payer.cvu_cbu.as_deref(), Some("0000003100000000000017"));
    assert_eq!(credit.references.sale_point.as_deref(), Some("Mostrador"));
    let bucket = "1|2026-11-21T14:03:16|150000|transferencia recibida";
    assert_eq!(credit.identity, Identity::Counted(bucket.to_owned()));
    assert_eq!(debit.view, View::Debit(StatusKind::Approved));
    assert_eq!(debit.operation.kind, OperationKind::Debit);
    assert_eq!(debit.payer.cuit.as_deref(), Some("20222222223"), "the hyphens are gone");
    assert_eq!(debit.references.sale_point, None);
}

#[test]
fn amounts_are_exact_however_they_are_printed() {
    assert_eq!(
        cents(&rows("amounts.json")),
        [150_000, 150_000, 150_050, 123_456, 123_456_780, -2_550, 9_007_199_254_740_993, 150_000, 150_000]
    );
}

#[test]
fn an_amount_that_can_be_read_in_two_ways_waits_for_the_setting() {
    let body = data("telepagos/amount_of_two_readings.json");
    let (rows, rejects) = read_with(&config(), &body).unwrap();
    assert!(rows.is_empty());
    assert!(rejects[0].reason.contains("`amount`") && rejects[0].reason.contains("amount_format"), "{rejects:?}");
    for (punctuation, expected) in [(Punctuation::Comma, 150_000), (Punctuation::Dot, 150)] {
        let mut config = config();
        config.common.dialect.punctuation = punctuation;
        assert_eq!(cents(&read_with(&config, &body).unwrap().0), [expected]);
    }
    let mut config = config();
    config.common.dialect = crate::domain::money::Dialect { unit: Unit::Cents, punctuation: Punctuation::Comma };
    assert_eq!(cents(&read_with(&config, &body).unwrap().0), [1_500], "a setting says that amounts are cents");
}

#[test]
fn one_moment_in_every_spelling_is_one_moment() {
    let rows = rows("dates.json");
    let (exact, days) = rows.split_at(8);
    for row in exact {
        assert_eq!(row.occurred.normal_form(), "2026-11-21T14:03:16");
        assert_eq!(row.occurred.instant().map(jiff::Timestamp::as_second), Some(1_795_280_596));
        assert_eq!(row.identity, exact[0].identity, "a new spelling is no new payment");
    }
    for row in days {
        assert_eq!(row.occurred.normal_form(), "2026-11-21");
        assert_eq!(row.occurred.instant(), None);
    }
}

#[test]
fn a_date_of_another_form_needs_a_setting() {
    let body = br#"{"transactions":[{"income":1,"date":"11/21/26 2:03 PM","amount":1,"status":"ok"}]}"#;
    assert_eq!(read_with(&config(), body).unwrap().1.len(), 1);
    let mut config = config();
    config.common.date_formats = vec!["%m/%d/%y %I:%M %p".to_owned()];
    let (rows, _) = read_with(&config, body).unwrap();
    assert_eq!(rows[0].occurred.normal_form(), "2026-11-21T14:03:00");
}

#[test]
fn the_direction_is_read_from_every_spelling_of_income() {
    use StatusKind::{Approved, Unknown};
    let rows = rows("incomes.json");
    assert_eq!(
        views(&rows),
        [
            View::Credit(Approved),
            View::Credit(Approved),
            View::Credit(Approved),
            View::Credit(Approved),
            View::Debit(Approved),
            View::Debit(Approved),
            View::Debit(Approved),
            // A word that nobody knows follows the sign, and is announced as unknown.
            View::Credit(Unknown),
            View::Debit(Unknown),
            // Where `income` is silent, the upstream's own list of operations decides.
            View::Credit(Approved),
            View::Debit(Approved),
            View::Credit(Approved),
        ]
    );
    assert_eq!(rows[7].status.raw, "Aprobada", "the raw word stays visible");
}

#[test]
fn the_setting_of_incomes_goes_before_what_is_built_in() {
    let mut config = config();
    config.income = [("7".to_owned(), Income::Debit), ("1".to_owned(), Income::Debit)].into();
    let (rows, _) = read_with(&config, &data("telepagos/incomes.json")).unwrap();
    assert_eq!(rows[0].view, View::Debit(StatusKind::Approved));
    assert_eq!(rows[7].view, View::Debit(StatusKind::Approved));
}

#[test]
fn a_status_is_what_the_words_mean() {
    use StatusKind::{Approved, Cancelled, Pending, Rejected, Reversed, Unknown};
    let kinds: Vec<StatusKind> = rows("statuses.json").iter().map(|row| row.status.kind).collect();
    assert_eq!(kinds, [Approved, Pending, Rejected, Reversed, Cancelled, Unknown, Unknown, Pending, Pending, Approved]);
}

#[test]
fn the_settings_name_statuses_and_operations_in_any_case() {
    let mut config = config();
    config.common.status = [("estado 17".to_owned(), StatusKind::Pending)].into();
    config.common.operation = [("cobro".to_owned(), OperationKind::Refund)].into();
    let (rows, _) = read_with(&config, &data("telepagos/statuses.json")).unwrap();
    assert_eq!(rows[5].view, View::RefundRow(StatusKind::Pending));
    assert_eq!(rows[5].operation.raw, "Cobro");
}

#[test]
fn refunds_and_voids_are_told_from_other_debits() {
    use StatusKind::{Approved, Pending};
    let rows = rows("refunds.json");
    assert_eq!(
        views(&rows),
        [
            View::RefundRow(Approved),
            View::RefundRow(Approved),
            View::RefundRow(Approved),
            View::RefundRow(Pending),
            // An investment is no inverse of anything.
            View::Debit(Approved),
            View::Debit(Approved),
        ]
    );
    assert_eq!(rows[1].operation.kind, OperationKind::Refund, "a code is looked up in the list of operations");
    assert_eq!(rows[2].operation.kind, OperationKind::Void);
}

#[test]
fn twins_share_a_bucket_whatever_is_reworded_about_them() {
    let rows = rows("twins.json");
    assert_eq!(rows.len(), 3, "nothing is taken for a repetition here");
    assert_eq!(rows[0], rows[1]);
    assert_eq!(rows[0].identity, rows[2].identity);
    assert_eq!(rows[0].payer.cuit, rows[2].payer.cuit);
}

#[test]
fn what_nobody_documented_stays_outside() {
    let rows = rows("unknown_fields.json");
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    let all = format!("{row:?} {:?} {:?} {:?}", row.payer.name, row.payer.cuit, row.payer.cvu_cbu);
    assert_silent_about(&all, &["correo.example", "5555", "Falsa", "98765432", "450799", "4242", "no debe salir"]);
}

#[test]
fn a_bare_list_is_read_like_the_documented_one() {
    let (rows, rejects) = listing("bare_list.json");
    assert_eq!((rows.len(), rejects.len()), (1, 1));
    assert_eq!(rows[0].amount.cents(), 50_000);
}

#[test]
fn absent_and_empty_fields_are_absent() {
    let rows = rows("nulls.json");
    let row = &rows[0];
    assert_eq!(row.view, View::Credit(StatusKind::Unknown));
    assert_eq!(row.operation.raw, "");
    assert_eq!((&row.payer.name, &row.payer.cuit, &row.payer.cvu_cbu), (&None, &None, &None));
    assert_eq!(row.references.sale_point, None);
}

#[test]
fn account_numbers_are_bare_digits_where_well_formed_and_else_as_printed() {
    let rows = rows("account_numbers.json");
    let numbers: Vec<_> =
        rows.iter().map(|row| (row.payer.cuit.as_deref().unwrap(), row.payer.cvu_cbu.as_deref().unwrap())).collect();
    assert_eq!(
        numbers,
        [("27111111112", "0000003100000000000017"), ("27111111112", "alias.de.prueba"), ("271111", "3100000000000017")]
    );
}

#[test]
fn a_payer_is_printed_by_no_debug() {
    let text = format!("{:?}", rows("documented.json"));
    assert_silent_about(&text, &["ficticia", "inventado", "27111111112", "20222222223", "31000000000000"]);
}

#[test]
fn money_in_with_a_minus_went_back() {
    let body = br#"{"status":"ok","transactions":[{"income":1,"date":"2026-11-21","amount":"-250.00","operation":"Cobro","status":"Aprobada"}]}"#;
    let (rows, _) = read_with(&config(), body).unwrap();
    assert_eq!(rows[0].view, View::RefundRow(StatusKind::Approved));
}
