//! JSON as upstreams print it: numbers as strings, strings as numbers, nulls, lists of one, fields nobody documented.
//!
//! Every field is taken as raw text first, so that one odd field spoils neither its row nor its list, and no number
//! ever becomes a float.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::SourceError;
use crate::domain::day::Moment;
use crate::domain::money::{Dialect, Money, MoneyError};
use crate::domain::row::Reject;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The longest piece of an upstream's own words that is kept.
const MESSAGE: usize = 200;

/// So many digits in a row may be a document, an account or a card, and are cut from an upstream's words.
const LONG_NUMBER: usize = 7;

/// A field as it was printed.
pub(super) type Field<'a> = Option<&'a RawValue>;

/// The text of a string, or the digits of a number; `None` for null, absent, empty or anything else.
pub(super) fn text(field: Field<'_>) -> Option<Cow<'_, str>> {
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

/// Yes or no, where the upstream says either: a bool, a number, or a word.
pub(super) fn yes_or_no(field: Field<'_>) -> Option<bool> {
    let text = text(field)?.to_lowercase();
    match text.as_str() {
        "true" | "yes" | "si" | "sí" | "y" | "s" => Some(true),
        "false" | "no" | "n" => Some(false),
        number if number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
            Some(number.bytes().any(|byte| matches!(byte, b'1'..=b'9')))
        }
        _ => None,
    }
}

/// Whether a flag is set: `true`, a number other than 0, or one of the words for yes.
pub(super) fn flag(field: Field<'_>) -> bool {
    yes_or_no(field).unwrap_or(false)
}

/// One record. Only an object is one: serde alone would take a list for a record, field by field.
pub(super) fn record<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    if raw.get().starts_with('{') { serde_json::from_str(raw.get()).ok() } else { None }
}

/// The first item of a list.
pub(super) fn first(raw: &RawValue) -> Option<&RawValue> {
    serde_json::from_str::<Vec<&RawValue>>(raw.get()).ok()?.first().copied()
}

/// A part of a record; empty where there is none or something else.
pub(super) fn part<'a, T: Deserialize<'a> + Default>(field: Field<'a>) -> T {
    field.and_then(record).unwrap_or_default()
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
    // serde gives nothing for an absent field and for null alike.
    let Some(raw) = field else {
        return Err(SourceError::Contract(format!("`{name}` is no list but null, or missing")));
    };
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
    let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(raw) else { return kind(raw).to_owned() };
    let named = |(name, value): (&String, &&RawValue)| format!("{}:{}", clean(name, 40), kind_of(value.get()));
    let mut shape: Vec<String> = fields.iter().take(40).map(named).collect();
    if fields.len() > 40 {
        shape.push(String::from("…"));
    }
    shape.join(" ")
}

fn kind_of(raw: &str) -> &'static str {
    match raw.as_bytes() {
        [b'n', ..] => "null",
        [b't' | b'f', ..] => "bool",
        [b'"', b'"'] => "empty",
        [b'"', ..] => "string",
        [b'[', ..] => "list",
        [b'{', ..] => "object",
        _ => "number",
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

/// An upstream's own words from an error body, without `secrets` and long numbers, shortened and without control
/// characters; empty if there are none.
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
    let Ok(words) = object::<Words<'_>>(body) else { return String::new() };
    let words = text(words.message).or_else(|| text(words.status_text)).or_else(|| text(words.error));
    // Control characters go first, so that none divides a secret or a number that its going would put together again.
    // Secrets are cut out before it is shortened, so that no half of one stays at the end.
    let safe = |words: Cow<'_, str>| {
        let secrets = secrets.iter().filter(|secret| !secret.is_empty());
        without_numbers(&secrets.fold(clean(&words, usize::MAX), |words, secret| words.replace(secret, "…")))
    };
    words.map(|words| clean(&safe(words), MESSAGE)).unwrap_or_default()
}

/// Without digits in long rows and without mail addresses: nobody's document stands in an error.
fn without_numbers(words: &str) -> String {
    let masked = |word: &str| {
        if word.contains('@') {
            return String::from("…");
        }
        let runs = word.split_inclusive(|c: char| !c.is_ascii_digit());
        runs.map(|run| {
            let number = run.trim_end_matches(|c: char| !c.is_ascii_digit());
            if number.len() < LONG_NUMBER { run.to_owned() } else { run.replace(number, "…") }
        })
        .collect()
    };
    words.split(' ').map(masked).collect::<Vec<String>>().join(" ")
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
        && object::<Envelope<'_>>(body)
            .is_ok_and(|envelope| text(envelope.status).is_some_and(|status| status.eq_ignore_ascii_case("error")))
}

fn clean(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

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
    fn a_flag_is_said_or_not() {
        for (json, expected) in [
            ("true", Some(true)),
            ("\"SÍ\"", Some(true)),
            ("2", Some(true)),
            ("1.0", Some(true)),
            ("\"0\"", Some(false)),
            ("0.00", Some(false)),
            ("\"No\"", Some(false)),
            ("\"quizás\"", None),
            ("-1", None),
            ("null", None),
            ("{}", None),
        ] {
            assert_eq!(yes_or_no(Some(&raw(json))), expected, "{json}");
        }
    }

    #[test]
    fn a_record_is_an_object_and_nothing_else() {
        #[derive(Default, Deserialize)]
        struct One<'a> {
            #[serde(borrow, default)]
            name: Field<'a>,
        }
        assert_eq!(text(part::<One<'_>>(Some(&raw(r#"{"name":"a"}"#))).name).as_deref(), Some("a"));
        for odd in [r#"["a"]"#, r#""a""#, "7", "[]", "true"] {
            assert!(record::<One<'_>>(&raw(odd)).is_none(), "{odd}");
        }
    }

    #[test]
    fn messages_name_nobody() {
        let body = |words: &str| format!(r#"{{"message":"{words}"}}"#);
        for (words, expected) in [
            ("CUIT 27-11111111-2, CVU 0000003100000000000017.", "CUIT 27-…-2, CVU …."),
            ("página 12 de 345678", "página 12 de 345678"),
            ("ana@correo.example no existe", "… no existe"),
            ("2024-05-28T12:30:04Z", "2024-05-28T12:30:04Z"),
        ] {
            assert_eq!(message(body(words).as_bytes(), &[]), expected);
        }
        assert_eq!(message(body("clave sesamo mala").as_bytes(), &["sesamo", ""]), "clave … mala");
    }

    #[test]
    fn messages_are_short_and_harmless() {
        assert_eq!(message(br#"{"message":"no\u0007 se\n puede"}"#, &[]), "no se puede");
        assert_eq!(message(b"<html>", &[]), "");
        assert_eq!(message(br#"["x", "y"]"#, &[]), "", "a list has no fields");
        assert_eq!(message(format!(r#"{{"message":"{}"}}"#, "x".repeat(5_000)).as_bytes(), &[]).len(), MESSAGE);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            drop(message(&body, &["a", ""]));
            drop(object::<Value>(&body));
            drop(shape(&String::from_utf8_lossy(&body)));
        }
    }
}
