//! JSON as upstreams print it: numbers as strings, strings as numbers, nulls, lists of one, fields nobody documented.
//!
//! Every field is taken as raw text first, so that one odd field spoils neither its row nor its list, and no number
//! ever becomes a float.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::SourceError;
use crate::domain::day::Moment;
use crate::domain::money::{Dialect, Money, MoneyError};
use crate::domain::row::Reject;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The longest piece of an upstream's own words that is kept.
const MESSAGE: usize = 200;

/// So many digits are not repeated. A CUIT has eleven, its middle eight; a date without dashes goes with them.
const LONG_NUMBER: usize = 7;

/// A field as it was printed.
pub(super) type Field<'a> = Option<&'a RawValue>;

/// The text of a string, or the digits of a number; `None` for null, absent, empty or anything else.
pub(super) fn text<'a>(field: Field<'a>) -> Option<Cow<'a, str>> {
    let raw = field?.get();
    let text = match raw.as_bytes().first()? {
        b'"' => match raw.get(1..raw.len().checked_sub(1)?) {
            Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
            _ => Cow::Owned(serde_json::from_str::<String>(raw).ok()?),
        },
        b'-' | b'0'..=b'9' | b't' | b'f' => Cow::Borrowed(raw),
        _ => return None,
    };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return None;
    }
    Some(if trimmed.len() == text.len() { text } else { Cow::Owned(trimmed.to_owned()) })
}

/// As [`text`], owned.
pub(super) fn string(field: Field<'_>) -> Option<String> {
    text(field).map(Cow::into_owned)
}

/// An id: text that is not 0, which some upstreams print for "none".
pub(super) fn id(field: Field<'_>) -> Option<String> {
    string(field).filter(|id| id != "0")
}

/// Whether a flag is set: `true`, a number other than 0, or one of the words for yes.
pub(super) fn flag(field: Field<'_>) -> bool {
    text(field).is_some_and(|text| {
        matches!(text.to_ascii_lowercase().as_str(), "true" | "1" | "yes" | "si" | "sí" | "y" | "s")
    })
}

/// An amount: a JSON number is read as such, a string in the account's dialect.
pub(super) fn amount(field: Field<'_>, dialect: Dialect) -> Result<Money, String> {
    let raw = field.map(RawValue::get).unwrap_or_default();
    let money = match raw.as_bytes().first() {
        Some(b'"') => Money::from_text(text(field).as_deref().unwrap_or_default(), dialect),
        Some(b'-' | b'0'..=b'9') => Money::from_json_number(raw, dialect.unit),
        Some(_) => Err(MoneyError::NotANumber),
        None => return Err(String::from("`amount` is missing")),
    };
    money.map_err(|error| format!("`amount` cannot be read: {error}"))
}

/// A date: by the formats, or a number of seconds or milliseconds since 1970.
pub(super) fn moment(name: &str, field: Field<'_>, formats: &[String], zone: &TimeZone) -> Result<Moment, String> {
    let Some(text) = text(field) else { return Err(format!("`{name}` is missing")) };
    if let Some(moment) = Moment::read(&text, formats, zone) {
        return Ok(moment);
    }
    let epoch = match text.len() {
        10 => text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()),
        13 => text.parse().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok()),
        _ => None,
    };
    epoch.map(|at| Moment::at(at, zone)).ok_or_else(|| format!("`{name}` is no date that `date_formats` can read"))
}

/// The items of a list, each still raw. Anything but a list breaks the contract.
pub(super) fn list<'a>(name: &str, field: Field<'a>) -> Result<Vec<&'a RawValue>, SourceError> {
    let Some(raw) = field else { return Err(SourceError::Contract(format!("`{name}` is missing"))) };
    serde_json::from_str(raw.get())
        .map_err(|_| SourceError::Contract(format!("`{name}` is no list but {}", kind(raw.get()))))
}

/// Reads a body as an object.
pub(super) fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, SourceError> {
    let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
    match start {
        None => Err(SourceError::Contract(String::from("the answer is empty"))),
        Some(b'<') => Err(SourceError::Contract(String::from("the answer is HTML and no JSON"))),
        Some(b'{') => serde_json::from_slice(body).map_err(|error| broken(&error)),
        Some(_) => {
            Err(SourceError::Contract(format!("the answer is no object but {}", kind(&String::from_utf8_lossy(body)))))
        }
    }
}

/// What is wrong with a JSON text, without a word of it.
pub(super) fn broken(error: &serde_json::Error) -> SourceError {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it breaks off",
        serde_json::error::Category::Syntax => "its syntax is broken",
        serde_json::error::Category::Data => "a field has an unexpected form",
        serde_json::error::Category::Io => "it cannot be read",
    };
    SourceError::Contract(format!(
        "the answer is no valid JSON: {what} at line {}, column {}",
        error.line(),
        error.column()
    ))
}

/// A row that could not be read.
pub(super) fn reject(
    source: crate::domain::account::SourceKind,
    position: usize,
    raw: &RawValue,
    reason: String,
) -> Reject {
    Reject {
        fingerprint: xxhash_rust::xxh3::xxh3_64(raw.get().as_bytes()),
        source,
        position,
        reason,
        shape: shape(raw.get()),
    }
}

/// The names of a record's fields and the kinds of their values: enough to see what is wrong, nothing about anybody.
fn shape(raw: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str(raw) else { return kind(raw).to_owned() };
    let mut shape: Vec<String> =
        fields.iter().take(40).map(|(name, value)| format!("{}:{}", clean(name, 40), kind_of(value))).collect();
    if fields.len() > 40 {
        shape.push(String::from("…"));
    }
    shape.join(" ")
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(text) if text.is_empty() => "empty",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

fn kind(raw: &str) -> &'static str {
    match raw.trim_start().as_bytes().first() {
        None => "nothing",
        Some(b'n') => "null",
        Some(b't' | b'f') => "a bool",
        Some(b'"') => "a string",
        Some(b'[') => "a list",
        Some(b'{') => "an object",
        Some(b'<') => "HTML",
        Some(b'-' | b'0'..=b'9') => "a number",
        Some(_) => "no JSON",
    }
}

/// An upstream's own words from an error body, without our secrets, long numbers and control characters, shortened;
/// empty if there are none.
pub(super) fn message(body: &[u8], secrets: &[&str]) -> String {
    #[derive(Deserialize)]
    struct Words<'a> {
        #[serde(borrow, default)]
        message: Field<'a>,
        #[serde(borrow, default, rename = "statusText")]
        status_text: Field<'a>,
        #[serde(borrow, default)]
        error: Field<'a>,
    }
    let Ok(words) = serde_json::from_slice::<Words<'_>>(body) else { return String::new() };
    let words = text(words.message).or_else(|| text(words.status_text)).or_else(|| text(words.error));
    // Secrets first: what is cut or shortened is not found any more.
    let hide = |words: String, secret: &&str| words.replace(secret, "…");
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    words.map(|words| clean(&secrets.fold(words.into_owned(), hide), MESSAGE)).unwrap_or_default()
}

/// `{"status":"error"}`, whatever the HTTP status says.
pub(super) fn is_error(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, default)]
        status: Field<'a>,
    }
    // The envelope's status stands near one end of the body; a long listing need not be read twice to find none.
    let small = body.len() < 4_096;
    let head = body.get(..200.min(body.len())).unwrap_or_default();
    let suspicious = small || head.windows(5).any(|window| window.eq_ignore_ascii_case(b"error"));
    suspicious
        && serde_json::from_slice::<Envelope<'_>>(body)
            .is_ok_and(|envelope| text(envelope.status).is_some_and(|status| status.eq_ignore_ascii_case("error")))
}

fn clean(text: &str, most: usize) -> String {
    let (mut cleaned, mut number) = (String::new(), String::new());
    for c in text.chars().filter(|c| !c.is_control()).take(most).chain(['\0']) {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        // A long number may be somebody's: a CUIT, an account, a card.
        cleaned.push_str(if number.len() < LONG_NUMBER { &number } else { "…" });
        number.clear();
        cleaned.extend(Some(c).filter(|c| *c != '\0'));
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn numbers_and_strings_are_one() {
        for (json, expected) in [
            (r#""7""#, Some("7")),
            ("7", Some("7")),
            (r#"" a ""#, Some("a")),
            (r#""P\u00e9rez""#, Some("Pérez")),
            ("null", None),
            (r#""""#, None),
            ("[1]", None),
            ("90071992547409931", Some("90071992547409931")),
        ] {
            assert_eq!(text(Some(&raw(json))).as_deref(), expected, "{json}");
        }
        assert_eq!(id(Some(&raw("0"))), None);
        assert!(flag(Some(&raw("true"))) && flag(Some(&raw("\"1\""))) && !flag(Some(&raw("\"false\""))) && !flag(None));
    }

    #[test]
    fn a_shape_tells_names_and_kinds_but_no_value() {
        let shape = shape(r#"{"holder":"PEREZ","cuit":null,"amount":1,"x":[],"y":{}}"#);
        assert_eq!(shape, "amount:number cuit:null holder:string x:list y:object");
    }

    #[test]
    fn an_answer_that_is_no_object_is_named_without_quoting_it() {
        for (body, words) in [
            ("<html>secret</html>", "HTML"),
            ("[]", "a list"),
            ("", "empty"),
            ("null", "null"),
            (r#"{"a":"secret"#, "breaks off"),
            (r#"{"a" "secret"}"#, "syntax"),
        ] {
            let error = object::<Value>(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn messages_are_short_and_harmless() {
        assert_eq!(message(br#"{"message":"no\u0007 se\n puede"}"#, &[]), "no se puede");
        assert_eq!(message(b"<html>", &[]), "");
        assert_eq!(message(format!(r#"{{"message":"{}"}}"#, "x".repeat(5_000)).as_bytes(), &[]).len(), MESSAGE);
    }

    #[test]
    fn messages_repeat_no_secret_and_nobodys_number() {
        let told = |words: &str| message(format!(r#"{{"message":"{words}"}}"#).as_bytes(), &["", "t0ken-20261121"]);
        assert_eq!(told("el token t0ken-20261121 no vale"), "el token … no vale");
        assert_eq!(told("CUIT 20-26756539-3, CVU 0000053609355107123642"), "CUIT 20-…-3, CVU …");
        assert_eq!(told("error 4711 del 21/11/2026"), "error 4711 del 21/11/2026");
        let long = format!("{}t0ken-20261121", "x".repeat(MESSAGE - 5));
        assert!(!told(&long).contains("t0ken"), "a secret is not cut in half");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = message(&body, &["a"]);
            let _ = object::<Value>(&body);
            let _ = shape(&String::from_utf8_lossy(&body));
        }
    }
}
