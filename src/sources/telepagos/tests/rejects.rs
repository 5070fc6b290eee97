//! What cannot be read costs only itself.

use super::{config, data, listing, read_with};
use crate::domain::account::SourceKind;
use crate::sources::SourceError;
use crate::sources::scripted::assert_silent_about;

#[test]
fn an_odd_row_is_a_reject_and_its_neighbours_go_on() {
    let (rows, rejects) = listing("odd_rows.json");
    let amounts: Vec<i64> = rows.iter().map(|row| row.amount.cents()).collect();
    assert_eq!(amounts, [10_000, 20_000]);
    let positions: Vec<usize> = rejects.iter().map(|reject| reject.position).collect();
    assert_eq!(positions, (1..=14).collect::<Vec<_>>());
    assert!(rejects.iter().all(|reject| reject.source == SourceKind::Transactions));
}

#[test]
fn a_reject_names_the_field_and_no_value() {
    let (_, rejects) = listing("odd_rows.json");
    let expected = [
        ("`date` is missing", "amount:string"),
        ("`date` is missing", "date:null"),
        ("`date` is no date", "date:string"),
        ("`date` is missing", "date:object"),
        ("`amount` cannot be read: the amount is out of range", "amount:number"),
        ("`amount` cannot be read: the amount is not a number", "amount:string"),
        ("`amount` cannot be read: the amount has more than two decimals", "amount:string"),
        ("`amount` is missing", "date:string"),
        ("`amount` cannot be read", "amount:list"),
        ("the row is no object", "null"),
        ("the row is no object", "a number"),
        ("the row is no object", "a string"),
        ("the row is no object", "a list"),
        ("the row is no object", "a list"),
    ];
    for (reject, (reason, shape)) in rejects.iter().zip(expected) {
        assert!(reject.reason.contains(reason), "{reject:?}: {reason}");
        assert!(reject.shape.contains(shape), "{reject:?}: {shape}");
        assert_silent_about(&format!("{reject:?}"), &["inventado", "777.0", "anteayer", "abc", "2222"]);
    }
}

#[test]
fn a_reject_is_the_same_reject_at_the_next_reading() {
    let (_, first) = listing("odd_rows.json");
    let (_, second) = listing("odd_rows.json");
    assert_eq!(first, second);
    let mut fingerprints: Vec<u64> = first.iter().map(|reject| reject.fingerprint).collect();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), first.len(), "different records have different fingerprints");
}

#[test]
fn a_list_that_is_none_is_an_error_and_no_empty_day() {
    for (body, words) in [
        (&b"[]"[..], "list"),
        (b"{}", "`transactions` is no list but null, or missing"),
        (br#"{"status":"ok","transactions":null}"#, "`transactions` is"),
        (br#"{"status":"ok","transactions":{}}"#, "`transactions` is no list but an object"),
        (br#"{"status":"ok","transactions":"[]"}"#, "`transactions` is no list but a string"),
        (br#"{"status":"ok","transactions":[{}"#, "breaks off"),
        (b"null", "null"),
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"\xEF\xBB\xBF{}", "no object"),
        (b"{\"transactions\":[{\"holder\":\"\xff\"}]}", "no valid JSON"),
    ] {
        match read_with(&config(), body) {
            Err(SourceError::Contract(text)) => assert!(text.contains(words), "{text}: {words}"),
            other => panic!("{}: {other:?}", String::from_utf8_lossy(body)),
        }
    }
    assert!(matches!(read_with(&config(), &data("telepagos/unavailable.html")), Err(SourceError::Contract(_))));
}

#[test]
fn a_day_without_movements_is_empty_and_no_error() {
    let (rows, rejects) = read_with(&config(), br#"{"status":"ok","transactions":[]}"#).unwrap();
    assert!(rows.is_empty() && rejects.is_empty());
}
