//! The readers' own work done again in another way: records found and amounts read without the readers' code.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::domain::money::{Money, Unit};
use crate::domain::row::{Reject, Row};

/// The fields of an object, raw.
pub(super) fn fields(raw: &[u8]) -> Option<BTreeMap<String, &RawValue>> {
    let object = raw.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if object { serde_json::from_slice(raw).ok() } else { None }
}

/// The items of a list, raw.
pub(super) fn items(raw: &[u8]) -> Option<Vec<&RawValue>> {
    serde_json::from_slice(raw).ok()
}

/// The field of that name, and so on inwards.
pub(super) fn within<'a>(raw: &'a [u8], path: &[&str]) -> Option<&'a RawValue> {
    let (first, rest) = path.split_first()?;
    let field = fields(raw)?.get(*first).copied()?;
    if rest.is_empty() { Some(field) } else { within(field.get().as_bytes(), rest) }
}

/// Every record became a row or a reject, each in its place; nothing else came.
///
/// Returns the records that became rows, in the order of the rows.
pub(super) fn accounted<'a>(records: &[&'a RawValue], rows: usize, rejects: &[Reject]) -> Vec<&'a RawValue> {
    assert_eq!(rows + rejects.len(), records.len(), "rows and rejects are the records");
    let rejected: Vec<usize> = rejects.iter().map(|reject| reject.position).collect();
    assert!(rejected.is_sorted_by(|a, b| a < b), "rejects stand in order, each in a place of its own");
    assert!(rejected.last().is_none_or(|last| *last < records.len()), "a reject stands where no record is");
    for reject in rejects {
        assert!(reject.reason.len() < 200, "a reason tells no value");
        assert!(reject.shape.len() < 41 * 200, "a shape has an end");
    }
    let kept = records.iter().enumerate().filter(|(place, _)| !rejected.contains(place));
    kept.map(|(_, record)| *record).collect()
}

/// The row's amount is what the record prints: the same significant digits, a minus only where one is printed, and
/// exactly the value where it is a plain number.
pub(super) fn assert_printed(row: &Row, printed: Option<&RawValue>, unit: Unit) {
    let amount = row.amount;
    assert!(printed.is_some_and(|printed| is_printed(amount, printed, unit)), "{} is not what is printed", row.amount);
}

/// See [`assert_printed`].
pub(super) fn is_printed(amount: Money, printed: &RawValue, unit: Unit) -> bool {
    let raw = printed.get();
    let is_text = raw.starts_with('"');
    let text = if is_text { serde_json::from_str::<String>(raw).unwrap_or_default() } else { raw.to_owned() };
    let mantissa = if is_text { text.as_str() } else { text.split(['e', 'E']).next().unwrap_or_default() };
    let cents = i128::from(amount.cents());
    let same_digits = significant(mantissa) == significant(&cents.unsigned_abs().to_string());
    let same_sign = cents >= 0 || mantissa.contains('-');
    let exact = is_text || text.contains(['e', 'E']) || plain(mantissa, unit) == Some(cents);
    same_digits && same_sign && exact
}

/// Without signs, marks, and the zeros at both ends.
fn significant(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

/// The cents of `-1234.50`.
fn plain(text: &str, unit: Unit) -> Option<i128> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let places = match unit {
        Unit::Pesos => 2,
        Unit::Cents => 0,
    };
    let kept: String = decimals.chars().chain("00".chars()).take(places).collect();
    let is_zero = |c: char| c == '0';
    if !decimals.chars().skip(places).all(is_zero) {
        return None;
    }
    format!("{whole}{kept}").parse().ok()
}
