//! One answer or one row, field by field, for the typed clients: numbers may be strings, single values lists of one, and
//! what nobody documented is kept beside the rest.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::SourceError;
use super::json::{self, Field};
use crate::domain::money::{Dialect, Money};

/// Data about a person: shown where an operator asks for it, printed by no `Debug`, log or error.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Personal(String);

impl Personal {
    /// The data itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Fields that the document does not name, as they were printed. `Debug` prints their names only.
#[derive(Clone, Default, Serialize)]
#[serde(transparent)]
pub struct Extra(BTreeMap<String, Box<RawValue>>);

impl Extra {
    /// Whether the answer had none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A field's JSON text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|raw| raw.get())
    }

    /// Names and JSON texts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, raw)| (name.as_str(), raw.get()))
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// An amount as `1500.00`, or null.
#[expect(clippy::ref_option, reason = "serde hands over the field")]
pub(super) fn money<S: Serializer>(amount: &Option<Money>, serializer: S) -> Result<S::Ok, S::Error> {
    amount.map(|amount| amount.to_string()).serialize(serializer)
}

/// An amount that may be printed oddly: its exact value where it has one, and what was printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Exact, in the account's `amount_unit`; `None` where the text is no exact amount. JSON: `"1500.00"` or null.
    #[serde(serialize_with = "money")]
    pub value: Option<Money>,
    /// What was printed, without quotes; `None` for null and absent.
    pub raw: Option<String>,
}

impl Amount {
    fn read(field: Field<'_>, dialect: Dialect) -> Self {
        Self { value: json::amount(field, dialect).ok(), raw: json::string(field) }
    }
}

/// The fields of a record that were not taken yet.
pub(super) struct Record<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Record<'a> {
    /// A body: an object, or a list of one.
    pub(super) fn of_body(body: &'a [u8]) -> Result<Self, SourceError> {
        if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            let list: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| json::broken(&error))?;
            let none = || SourceError::Contract(String::from("the answer is no object but a list"));
            let [only] = list.as_slice() else { return Err(none()) };
            return Self::of(only).ok_or_else(none);
        }
        json::object(body).map(Self)
    }

    /// An object, or a list of one.
    pub(super) fn of(raw: &'a RawValue) -> Option<Self> {
        json::record(raw).or_else(|| json::record(only(raw)?)).map(Self)
    }

    /// A field as printed; null counts as absent.
    pub(super) fn take(&mut self, name: &str) -> Field<'a> {
        self.0.remove(name).filter(|raw| raw.get() != "null")
    }

    /// A single value: of a list of one, its item.
    pub(super) fn single(&mut self, name: &str) -> Field<'a> {
        let raw = self.take(name)?;
        only(raw).or(Some(raw))
    }

    /// Text of a string, a number or a flag; `None` for empty.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        json::string(self.single(name))
    }

    /// An id: text that is not 0.
    pub(super) fn id(&mut self, name: &str) -> Option<String> {
        json::id(self.single(name))
    }

    /// Text about a person.
    pub(super) fn personal(&mut self, name: &str) -> Option<Personal> {
        self.text(name).map(Personal)
    }

    /// Yes or no, where it is said.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        json::yes_or_no(self.single(name))
    }

    /// First and last name, or the one that is printed, or `name`.
    pub(super) fn full_name(&mut self) -> Option<Personal> {
        let full = match (self.text("firstName"), self.text("lastName")) {
            (Some(first), Some(last)) => Some(format!("{first} {last}")),
            (first, last) => first.or(last),
        };
        full.or_else(|| self.text("name")).map(Personal)
    }

    /// Whether no field is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A whole number.
    pub(super) fn whole(&mut self, name: &str) -> Option<u64> {
        let text = json::text(self.single(name))?;
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        whole.parse().ok().filter(|_| decimals.bytes().all(|byte| byte == b'0'))
    }

    /// An amount of the account's dialect.
    pub(super) fn amount(&mut self, name: &str, dialect: Dialect) -> Amount {
        Amount::read(self.single(name), dialect)
    }

    /// A part: an object, or a list of one; empty where there is none or something else.
    pub(super) fn part(&mut self, name: &str) -> Self {
        self.take(name).and_then(Self::of).unwrap_or(Self(BTreeMap::new()))
    }

    /// The items of a list that the answer must have. A single object counts as a list of one.
    pub(super) fn list(&mut self, name: &str) -> Result<Vec<&'a RawValue>, SourceError> {
        match self.take(name) {
            Some(raw) if raw.get().starts_with('{') => Ok(vec![raw]),
            other => json::list(name, other),
        }
    }

    /// The items of a list that may be missing.
    pub(super) fn list_if_any(&mut self, name: &str) -> Vec<&'a RawValue> {
        self.list(name).unwrap_or_default()
    }

    /// Documented fields that are deliberately not kept.
    pub(super) fn forget(&mut self, names: &[&str]) {
        for name in names {
            self.0.remove(*name);
        }
    }

    /// What nobody took, without the envelope's `status`. Takes it.
    pub(super) fn without_status(&mut self) -> Extra {
        self.forget(&["status"]);
        Self(std::mem::take(&mut self.0)).rest()
    }

    /// What nobody took.
    pub(super) fn rest(self) -> Extra {
        Extra(self.0.into_iter().map(|(name, raw)| (name, raw.to_owned())).collect())
    }
}

/// The item of a list of one.
fn only(raw: &RawValue) -> Option<&RawValue> {
    if !raw.get().starts_with('[') {
        return None;
    }
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
    if let [only] = items.as_slice() { Some(only) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::money::{Punctuation, Unit};

    const PESOS: Dialect = Dialect { unit: Unit::Pesos, punctuation: Punctuation::Auto };

    #[test]
    fn every_form_of_a_value_is_read() {
        let body =
            br#" [{"a":7,"b":"7","c":["7"],"d":null,"e":[],"f":[1,2],"g":{"x":1},"h":[{"x":1}],"i":"","j":7.0}]"#;
        let mut record = Record::of_body(body).unwrap();
        for name in ["a", "b", "c"] {
            assert_eq!(record.text(name).as_deref(), Some("7"), "{name}");
        }
        for name in ["d", "e", "f", "i", "none"] {
            assert_eq!(record.text(name), None, "{name}");
        }
        assert_eq!((record.part("g").whole("x"), record.part("h").whole("x")), (Some(1), Some(1)));
        assert_eq!(record.whole("j"), Some(7));
        assert!(record.rest().is_empty());
    }

    #[test]
    fn what_nobody_documented_is_kept_to_the_digit() {
        let mut record = Record::of_body(br#"{"id":1,"new":[90071992547409931.10,{"x":null}]}"#).unwrap();
        assert_eq!(record.id("id").as_deref(), Some("1"));
        let extra = record.rest();
        assert_eq!(serde_json::to_string(&extra).unwrap(), r#"{"new":[90071992547409931.10,{"x":null}]}"#);
        assert_eq!(extra.get("new"), Some(r#"[90071992547409931.10,{"x":null}]"#));
        assert_eq!(format!("{extra:?}"), r#"{"new"}"#, "a name, and no value");
    }

    #[test]
    fn an_odd_amount_keeps_what_was_printed() {
        let mut record = Record::of_body(br#"{"a":"$ 1.234,50","b":"mil","c":1e400,"d":12.345}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&record.amount("a", PESOS)).unwrap(),
            r#"{"value":"1234.50","raw":"$ 1.234,50"}"#
        );
        for name in ["b", "c", "d"] {
            let amount = record.amount(name, PESOS);
            assert!(amount.value.is_none() && amount.raw.is_some(), "{name}");
        }
        assert_eq!(record.amount("none", PESOS), Amount::default());
    }

    proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..96)) {
            if let Ok(mut record) = Record::of_body(&body) {
                drop((record.text("a"), record.list("b").is_ok()));
            }
        }
    }
}
