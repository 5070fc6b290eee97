//! A long listing that is read by its differences says what the whole one says.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::{catalogue, config, read_with};
use crate::domain::ledger::Slot;
use crate::domain::row::Row;
use crate::sources::listed::Listed;
use crate::sources::telepagos::again::{Again, again};
use crate::sources::telepagos::read::{Reader, items};
use crate::sources::telepagos::scan::scan;

/// Rows of few possible ones: twins to the letter, twins by identity, rejects, and texts that mislead a search.
const TEXTS: [&str; 12] = [
    r#"{"income":1,"date":"2026-11-21 10:00:00","amount":"9.99","status":"Pendiente","holder":"A"}"#,
    r#"{"income":1,"date":"2026-11-21 10:00:00","amount":"9.99","status":"Aprobada","holder":"A"}"#,
    r#"{"income":1,"date":"2026-11-21 10:00:00","amount":"9.99","status":"Aprobada","holder":"B"}"#,
    r#"{"income":1,"date":"2026-11-21 10:00:01","amount":"9.99","status":"Aprobada"}"#,
    r#"{"income":1,"date":"2026-11-20 10:00:01","amount":"9.99","status":"Aprobada"}"#,
    r#"{"income":0,"date":"2026-11-21 10:00:01","amount":5,"status":"Aprobada","holder":"a } b , { c"}"#,
    r#"{"income":0,"date":"2026-11-21 10:00:02","amount":5,"status":"Aprobada","more":{"a":{}},"b":[1,{}]}"#,
    r#"{"income":0,"date":"2026-11-21 10:00:02","amount":5,"status":"Aprobada","more":{"a":{}}}"#,
    r#"{"income":1,"amount":"9.99"}"#,
    r#"{"income":1}"#,
    "{}",
    "7",
];

fn body(rows: &[usize], space: &str) -> Bytes {
    let rows: Vec<&str> = rows.iter().map(|row| TEXTS[*row]).collect();
    format!(
        r#"{{{space}"status":"ok",{space}"transactions"{space}:[{space}{}{space}]}}"#,
        rows.join(&format!("{space},{space}"))
    )
    .into()
}

fn slot(row: &Row) -> Slot {
    Slot::of(&config().common.name, row.source, &row.identity)
}

/// What stands in each slot, whatever the order.
fn by_slot(rows: &[Row]) -> BTreeMap<Slot, Vec<String>> {
    let mut slots: BTreeMap<Slot, Vec<String>> = BTreeMap::new();
    for row in rows {
        slots.entry(slot(row)).or_default().push(format!("{row:?} {:?}", row.payer.name));
    }
    for rows in slots.values_mut() {
        rows.sort();
    }
    slots
}

proptest! {
    #[test]
    fn what_is_left_out_is_the_same_and_nothing_else_is_left_out(
        lists in prop::collection::vec(prop::collection::vec(0..TEXTS.len(), 0..8), 1..6),
        space in prop::sample::select(vec!["", " ", "\n\t"]),
    ) {
        let settings = config();
        let reader = Reader { config: &settings, catalogue: catalogue() };
        let (mut listed, mut before) = (Listed::new(0), BTreeMap::new());
        for list in lists {
            let body = body(&list, space);
            let (rows, rejects) = read_with(&settings, &body).unwrap();
            let found = again(&reader, &[body], listed, 0).expect("nothing is odd about the envelope");
            let Again { same, .. } = &found;
            let is_same = |row: &Row| same.contains(&(row.occurred.day(), slot(row)));
            let changed: Vec<Row> = rows.iter().filter(|row| !is_same(row)).cloned().collect();
            prop_assert_eq!(&found.rows, &changed);
            prop_assert_eq!(&found.rejects, &rejects);
            let now = by_slot(&rows);
            for (_, slot) in same {
                prop_assert_eq!(now.get(slot), before.get(slot));
            }
            for (slot, rows) in &now {
                // Misleading texts may be compared again; plain ones are not.
                let is_plain = !rows.iter().any(|row| row.contains("a } b") || row.contains("10:00:02"));
                if before.get(slot) == Some(rows) && is_plain {
                    prop_assert!(same.iter().any(|(_, same)| same == slot), "{rows:?} is compared again");
                }
            }
            (listed, before) = (found.listed, now);
        }
    }

    #[test]
    fn a_scan_agrees_with_the_long_way_or_has_no_result(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"transactions\"", "\"status\"", "\"a\\u0062\"", "\"x } y\"", "7", "null", " ",
            "\"number_of_results\"", "{\"income\":1}", "\"transactions\":[", "]}", "{\"transactions\":[{\"income\":1}]",
        ]), 0..10),
        known in any::<bool>(),
    ) {
        let body = pieces.concat();
        let is_row = |text: &[u8]| known && text == br#"{"income":1}"#;
        if let Some(scan) = scan(body.as_bytes(), is_row) {
            let all: Vec<&str> = items(body.as_bytes(), true).unwrap().into_iter().map(RawValue::get).collect();
            prop_assert_eq!(all.len(), scan.rows);
            let fresh: Vec<(usize, &str)> = scan.fresh.iter().map(|(place, raw)| (*place, raw.get())).collect();
            let left = all.into_iter().enumerate().filter(|(_, text)| !is_row(text.as_bytes()));
            prop_assert_eq!(fresh, left.collect::<Vec<_>>());
        }
    }
}

#[test]
fn an_answer_that_is_only_a_part_or_short_or_odd_is_read_the_long_way() {
    let settings = config();
    let reader = Reader { config: &settings, catalogue: catalogue() };
    let read = |body: &str, least| again(&reader, &[Bytes::copy_from_slice(body.as_bytes())], Listed::new(0), least);
    let row = TEXTS[3];
    assert!(read(&format!(r#"{{"transactions":[{row}],"number_of_results":1}}"#), 1).is_some());
    assert!(read(&format!(r#"{{"transactions":[{row}],"number_of_results":"2"}}"#), 1).is_none());
    assert!(read(&format!(r#"{{"transactions":[{row}]}}"#), 2).is_none());
    for odd in [
        format!(r#"{{"transactions":[{row}],"transactions":[]}}"#),
        format!(r#"{{"transactions":[{row},]}}"#),
        format!(r#"{{"transactions":[{row}]"#),
        format!(r#"{{"transactions":[{row}]}}x"#),
        format!("[{row}]"),
        String::from(r#"{"transactions":null}"#),
        String::from(r#"{"status":"ok"}"#),
        String::new(),
    ] {
        assert!(read(&odd, 0).is_none(), "{odd}");
    }
}
