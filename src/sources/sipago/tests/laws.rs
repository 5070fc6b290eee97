//! What holds for any bytes.

use proptest::prelude::*;
use serde_json::Value;

use super::{UUID, config, page, read_order};

const FIELDS: [&str; 12] = [
    "_id",
    "amount",
    "dateTime",
    "payment",
    "authorizationCode",
    "operation",
    "isInverse",
    "saleId",
    "cardName",
    "device",
    "buyer",
    "canceled",
];

/// Values as an upstream might print them, good and odd.
fn value() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "null",
        "true",
        "0",
        "17",
        "-1",
        "1e400",
        "1.005",
        "\"\"",
        "\"1.234,56\"",
        "\"2026-11-21T10:00:00\"",
        "1795280596482",
        "[]",
        "[1,2,3,4,5,6,7]",
        "{}",
        "{\"paymentId\":[],\"hasRefund\":{},\"cardNumber\":\"ñandú\",\"last4Numbers\":\"ñññ\"}",
        "{\"firstName\":1,\"lastName\":\"\\ud800\"}",
        "\"Venta\"",
        "\"APPROVED\"",
        "\"SUCCESS\"",
    ]);
    prop_oneof![
        3 => known.prop_map(str::to_owned),
        1 => any::<String>().prop_map(|text| Value::from(text).to_string()),
        1 => any::<f64>().prop_map(|number| Value::from(number).to_string()),
    ]
}

fn object(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let chosen = prop::sample::subsequence(names, 0..=names.len());
    chosen.prop_flat_map(|names| {
        prop::collection::vec(value(), names.len()).prop_map(move |values| {
            let pairs: Vec<String> =
                names.iter().zip(values).map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", pairs.join(","))
        })
    })
}

fn records(of: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop_oneof![4 => of, 1 => value()], 1..6)
}

proptest! {
    #[test]
    fn no_bytes_panic_a_reader(body in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(read_order(&body));
        let raw = serde_json::value::to_raw_value(&String::from_utf8_lossy(&body)).unwrap();
        let settings = config();
        drop(super::Reader { config: &settings }.movement(0, &raw));
    }

    #[test]
    fn every_record_is_a_row_or_a_reject_and_its_neighbours_are_rows(odd in records(object(&FIELDS))) {
        let good = |id: u8| format!(r#"{{"_id":"good-{id}","amount":9.99,"dateTime":"2026-11-21"}}"#);
        let body = format!(r#"{{"listTrx":[{},{},{}]}}"#, good(1), odd.join(","), good(2));
        let (rows, rejects) = page(&config(), body.as_bytes());
        prop_assert_eq!(rows.len() + rejects.len(), odd.len() + 2);
        prop_assert_eq!(rows.first().map(|row| row.amount.cents()), Some(999));
        prop_assert_eq!(rows.last().map(|row| row.amount.cents()), Some(999));
    }

    #[test]
    fn an_odd_payment_never_hides_a_good_one(
        odd in records(object(&["id", "status", "isRefunded", "amount", "authorization_code"])),
        single in value(),
    ) {
        let good = r#"{"id":"good","status":"APPROVED"}"#;
        let body = format!(
            r#"{{"data":{{"attributes":{{"uuid":"{UUID}","price":{{"amount":1}},"status":"SUCCESS","payment":{single},"payments":[{},{good}]}}}}}}"#,
            odd.join(",")
        );
        let (rows, _) = read_order(body.as_bytes()).unwrap();
        let paid = crate::domain::fact::View::OrderPayment { paid: true, refunded: false };
        prop_assert!(rows.iter().any(|row| row.references.payment_id.as_deref() == Some("good") && row.view == paid));
    }

    #[test]
    fn no_order_panics(attributes in object(&["uuid", "price", "status", "paymentLimits", "payment", "payments", "items"])) {
        let body = format!(r#"[{{"data":{{"attributes":{attributes}}}}}]"#);
        drop(read_order(body.as_bytes()));
    }

    #[test]
    fn reading_is_a_pure_function(odd in records(object(&FIELDS))) {
        let body = format!(r#"{{"listTrx":[{}]}}"#, odd.join(","));
        prop_assert_eq!(page(&config(), body.as_bytes()), page(&config(), body.as_bytes()));
    }

    #[test]
    fn of_a_card_never_more_than_four_digits_in_a_row_are_kept(number in "[0-9X* -]{0,24}", last in "[0-9X]{0,8}") {
        let body = format!(
            r#"{{"listTrx":[{{"_id":1,"amount":1,"dateTime":"2026-11-21","payment":{{"cardNumber":"{number}","last4Numbers":"{last}"}}}}]}}"#
        );
        let (rows, _) = page(&config(), body.as_bytes());
        let kept = rows[0].payer.card_last4.clone();
        if let Some(kept) = kept {
            prop_assert!(kept.len() == 4 && kept.bytes().all(|byte| byte.is_ascii_digit()));
            let bare = number.replace([' ', '-'], "");
            prop_assert!(kept == last || bare.ends_with(&kept));
        }
    }
}
