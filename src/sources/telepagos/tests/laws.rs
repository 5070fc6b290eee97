//! What holds for any bytes.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::{catalogue, config, read_with};
use crate::sources::telepagos::read::Reader;
use crate::sources::telepagos::{auth, wire};

const FIELDS: [&str; 9] =
    ["income", "date", "amount", "operation", "holder", "cuit", "cvu_cbu", "status", "sale_point_name"];

/// Values as an upstream might print them, good and odd.
fn value() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "null",
        "true",
        "0",
        "1",
        "-1",
        "1e400",
        "-1e-400",
        "1.005",
        "\"\"",
        "\"1.234,56\"",
        "\"2026-11-21 10:00:00\"",
        "\"21/11/2026\"",
        "1795280596",
        "99999999999999999999",
        "[]",
        "{}",
        "[{\"cuit\":1}]",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "\"Aprobada\"",
        "\"Devolución\"",
    ]);
    prop_oneof![
        3 => known.prop_map(str::to_owned),
        1 => any::<String>().prop_map(|text| Value::from(text).to_string()),
        1 => any::<f64>().prop_map(|number| Value::from(number).to_string()),
    ]
}

fn row() -> impl Strategy<Value = String> {
    let names = prop::sample::subsequence(FIELDS.to_vec(), 0..=FIELDS.len());
    let fields = names.prop_flat_map(|names| {
        let values = prop::collection::vec(value(), names.len());
        values.prop_map(move |values| {
            let pairs: Vec<String> =
                names.iter().zip(values).map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", pairs.join(","))
        })
    });
    prop_oneof![4 => fields, 1 => value()]
}

proptest! {
    #[test]
    fn no_bytes_panic_a_reader(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let settings = config();
        let reader = Reader { config: &settings, catalogue: catalogue() };
        drop(reader.listing(&[Bytes::from(body.clone())]));
        drop(reader.cashin("1", &body, now));
        drop(wire::paging(&body));
        drop(auth::read(&body, now, &settings.common.zone));
    }

    #[test]
    fn no_login_panics(expires in value()) {
        let settings = config();
        for now in [jiff::Timestamp::MIN, jiff::Timestamp::UNIX_EPOCH, jiff::Timestamp::MAX] {
            let body = format!(r#"{{"token":"t","expires_at":{expires}}}"#);
            prop_assert!(auth::read(body.as_bytes(), now, &settings.common.zone).is_ok());
        }
    }

    #[test]
    fn every_record_is_a_row_or_a_reject_and_its_neighbours_are_rows(odd in prop::collection::vec(row(), 0..6)) {
        let good = r#"{"income":1,"date":"2026-11-21","amount":"9.99","status":"Aprobada"}"#;
        let body = format!(r#"{{"status":"ok","transactions":[{good},{},{good}]}}"#, odd.join(","));
        let body = body.replace(",,", ",");
        let (rows, rejects) = read_with(&config(), body.as_bytes()).unwrap();
        prop_assert_eq!(rows.len() + rejects.len(), odd.len() + 2);
        prop_assert_eq!(rows.first().map(|row| row.amount.cents()), Some(999));
        prop_assert_eq!(rows.last().map(|row| row.amount.cents()), Some(999));
        for (reject, next) in rejects.iter().zip(rejects.iter().skip(1)) {
            prop_assert!(reject.position < next.position);
        }
    }

    #[test]
    fn reading_is_a_pure_function(odd in prop::collection::vec(row(), 1..6)) {
        let body = format!(r#"{{"transactions":[{}]}}"#, odd.join(","));
        let first = read_with(&config(), body.as_bytes()).unwrap();
        let second = read_with(&config(), body.as_bytes()).unwrap();
        prop_assert_eq!(first, second);
    }

    #[test]
    fn a_cashin_is_read_whatever_its_buyer_is(buyer in value(), status in value()) {
        let body = format!(r#"{{"status":{status},"buyer":{buyer},"amount":10,"link_id":4}}"#);
        let settings = config();
        let reader = Reader { config: &settings, catalogue: catalogue() };
        prop_assert!(reader.cashin("1", body.as_bytes(), jiff::Timestamp::UNIX_EPOCH).is_ok());
    }
}
