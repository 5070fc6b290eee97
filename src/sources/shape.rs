//! The shape of JSON values: kinds, fields, counts and patterns, and nothing of what they say.
//!
//! A pattern is a text with every digit as `9`, every letter as `a` or `A`: formats of dates and amounts stay visible,
//! nobody's name, number, address or secret does. Shapes of many values merge in any order to the same shape.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

/// How deep values are followed; the documents have six levels.
const DEPTH: u8 = 12;

/// Most patterns and most fields that are kept, the first by their order; the others are counted.
const MOST: usize = 48;

/// The longest pattern.
const LONGEST: usize = 40;

/// What was seen at one place of the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// `null`, `true`, `false`, `number`, `string`, `list`, `object`, `broken`, `deep`: how often each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<&'static str, u64>,
    /// Patterns of strings and numbers: how often each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub patterns: BTreeMap<String, u64>,
    /// Values whose pattern is not kept.
    #[serde(skip_serializing_if = "is_zero")]
    pub other_patterns: u64,
    /// Fields of objects.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Self>,
    /// Fields that are not kept, each time one was seen.
    #[serde(skip_serializing_if = "is_zero")]
    pub other_fields: u64,
    /// Items of lists, merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Self>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over the field")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Shape {
    /// The shape of a body; what is no JSON is `broken`.
    pub fn of_body(body: &[u8]) -> Self {
        match serde_json::from_slice::<&RawValue>(body) {
            Ok(raw) => Self::of(raw),
            Err(_) => Self::kind("broken"),
        }
    }

    /// The shape of one value.
    pub fn of(raw: &RawValue) -> Self {
        Self::at(raw.get(), DEPTH)
    }

    fn kind(kind: &'static str) -> Self {
        Self { kinds: BTreeMap::from([(kind, 1)]), ..Self::default() }
    }

    fn at(raw: &str, depth: u8) -> Self {
        let raw = raw.trim();
        let Some(below) = depth.checked_sub(1) else { return Self::kind("deep") };
        match raw.as_bytes().first() {
            Some(b'n') => Self::kind("null"),
            Some(b't') => Self::kind("true"),
            Some(b'f') => Self::kind("false"),
            Some(b'"') => Self::text("string", &serde_json::from_str::<String>(raw).unwrap_or_default()),
            Some(b'[') => Self::list(raw, below),
            Some(b'{') => Self::object(raw, below),
            Some(_) => Self::text("number", raw),
            None => Self::kind("broken"),
        }
    }

    fn text(kind: &'static str, text: &str) -> Self {
        Self { patterns: BTreeMap::from([(redacted(text), 1)]), ..Self::kind(kind) }
    }

    fn list(raw: &str, depth: u8) -> Self {
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(raw) else { return Self::kind("broken") };
        let mut merged = None;
        for item in items {
            let item = Self::at(item.get(), depth);
            merged.get_or_insert_with(|| Box::new(Self::default())).absorb(item);
        }
        Self { items: merged, ..Self::kind("list") }
    }

    fn object(raw: &str, depth: u8) -> Self {
        let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(raw) else { return Self::kind("broken") };
        let mut shape = Self::kind("object");
        for (name, value) in fields {
            // Two names may be redacted to one.
            shape.fields.entry(field_name(&name)).or_default().absorb(Self::at(value.get(), depth));
        }
        shape.trim();
        shape
    }

    /// Takes what another value looked like, too.
    pub fn absorb(&mut self, other: Self) {
        other.kinds.into_iter().for_each(|(kind, count)| *self.kinds.entry(kind).or_default() += count);
        other.patterns.into_iter().for_each(|(pattern, count)| *self.patterns.entry(pattern).or_default() += count);
        other.fields.into_iter().for_each(|(name, shape)| self.fields.entry(name).or_default().absorb(shape));
        self.other_patterns += other.other_patterns;
        self.other_fields += other.other_fields;
        match (&mut self.items, other.items) {
            (Some(items), Some(more)) => items.absorb(*more),
            (items @ None, more) => *items = more,
            (Some(_), None) => {}
        }
        self.trim();
    }

    /// Keeps the first: one that is among the first of all is among the first of every part, so its count stays right.
    fn trim(&mut self) {
        while self.patterns.len() > MOST {
            self.other_patterns += self.patterns.pop_last().map_or(0, |(_, count)| count);
        }
        while self.fields.len() > MOST {
            self.other_fields += self.fields.pop_last().map_or(0, |(_, shape)| shape.kinds.values().sum::<u64>());
        }
    }

    /// One line for each place, such as `transactions[].date: string 9999-99-99 99:99:99 (12)`.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.describe("", &mut lines);
        lines
    }

    fn describe(&self, place: &str, lines: &mut Vec<String>) {
        let count = |(what, count): (&String, &u64)| format!("{what} ({count})");
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, count)| format!("{kind} ({count})")).collect();
        let mut line = format!("{}: {}", if place.is_empty() { "(whole)" } else { place }, kinds.join(", "));
        if !self.patterns.is_empty() {
            let mut patterns: Vec<_> = self.patterns.iter().collect();
            patterns.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let shown: Vec<String> = patterns.into_iter().take(4).map(count).collect();
            let more = if self.patterns.len() > 4 || self.other_patterns > 0 { ", …" } else { "" };
            line = format!("{line} as {}{more}", shown.join(", "));
        }
        lines.push(line);
        for (name, shape) in &self.fields {
            let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            shape.describe(&place, lines);
        }
        if let Some(items) = &self.items {
            items.describe(&format!("{place}[]"), lines);
        }
    }
}

/// A text as its pattern.
pub fn redacted(text: &str) -> String {
    let cover = |c: char| match c {
        _ if c.is_numeric() => '9',
        _ if c.is_uppercase() => 'A',
        _ if c.is_alphabetic() => 'a',
        ' ' => ' ',
        _ if c.is_ascii_punctuation() => c,
        _ => '·',
    };
    let mut pattern: String = text.chars().take(LONGEST).map(cover).collect();
    if text.chars().nth(LONGEST).is_some() {
        pattern.push('…');
    }
    pattern
}

/// A field's name as it is, where it looks like a programmer's name; where it may be data (a number, an address, a name of
/// somebody), its pattern.
fn field_name(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let starts_low = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if plain && starts_low && digits <= 2 && name.len() <= LONGEST { name.to_owned() } else { redacted(name) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn shape(value: &Value) -> Shape {
        Shape::of_body(value.to_string().as_bytes())
    }

    #[test]
    fn formats_stay_and_words_go() {
        let body = json!({ "transactions": [
            { "date": "2026-11-21 14:03:16", "amount": "1.234,56", "holder": "MARIA PÉREZ", "income": 1 },
            { "date": "2026-11-20 09:00:00", "amount": "99,00", "holder": null, "income": 0, "new": true },
        ] });
        let lines = shape(&body).lines().join("\n");
        for line in [
            "transactions[].date: string (2) as 9999-99-99 99:99:99 (2)",
            "transactions[].amount: string (2) as 9.999,99 (1), 99,99 (1)",
            "transactions[].holder: null (1), string (1) as AAAAA AAAAA (1)",
            "transactions[].new: true (1)",
        ] {
            assert!(lines.contains(line), "{line}\n{lines}");
        }
    }

    #[test]
    fn a_name_that_may_be_data_is_covered_and_what_is_no_json_or_too_deep_ends_nothing() {
        let map = json!({ "20267565393": 1, "juan@example.com": 2, "Perez": 3, "first5Numbers": 4, "_id": 5 });
        let names: Vec<String> = shape(&map).fields.into_keys().collect();
        assert_eq!(names, ["99999999999", "Aaaaa", "_id", "aaaa@aaaaaaa.aaa", "first5Numbers"]);
        assert_eq!(Shape::of_body(b"<html>Juan").kinds, BTreeMap::from([("broken", 1)]));
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Shape::of_body(deep.as_bytes()).lines().len() <= usize::from(DEPTH) + 1);
        let wide: BTreeMap<String, u8> = (0..10_000_usize).map(|n| (format!("a{}", "b".repeat(n % 400)), 1)).collect();
        assert!(shape(&json!(wide)).fields.len() <= MOST);
    }

    /// Texts whose every letter and digit would be covered, so that a trace of one cannot be there by chance.
    fn values() -> impl Strategy<Value = Value> {
        let text = "[b-zB-Z0-8ñÑжЖ @.,:/-]{3,60}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(text, inner, 0..6).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    fn covered(shape: &Shape) -> bool {
        let safe = |text: &str| !text.contains(|c: char| c.is_alphanumeric() && !matches!(c, '9' | 'a' | 'A'));
        let name = |name: &String| safe(name) || *name == field_name(name);
        shape.patterns.keys().all(|pattern| safe(pattern))
            && shape.fields.keys().all(name)
            && shape.fields.values().chain(shape.items.as_deref()).all(covered)
    }

    /// Every text in a value, names of fields that look like data included.
    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                found.extend(Some(name.clone()).filter(|name| field_name(name) != *name));
                texts(value, found);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    proptest! {
        #[test]
        fn no_sample_survives(value in values()) {
            let shape = shape(&value);
            prop_assert!(covered(&shape));
            let mut samples = Vec::new();
            texts(&value, &mut samples);
            let report = format!("{}{}", serde_json::to_string(&shape).unwrap(), shape.lines().join("\n"));
            // Kinds and the fields of a shape are words, too.
            let told = |sample: &&String| sample.chars().filter(|c| c.is_alphanumeric()).count() > 6 && report.contains(sample.as_str());
            prop_assert_eq!(samples.iter().find(told), None);
        }

        #[test]
        fn shapes_merge_in_any_order_to_the_same_shape(a in values(), b in values(), c in values()) {
            let [a, b, c] = [shape(&a), shape(&b), shape(&c)];
            let merged = |parts: [&Shape; 3]| {
                let mut all = Shape::default();
                for part in parts {
                    all.absorb(part.clone());
                }
                all
            };
            let mut tail = b.clone();
            tail.absorb(c.clone());
            let mut right = a.clone();
            right.absorb(tail);
            prop_assert_eq!(&merged([&a, &b, &c]), &right);
            prop_assert_eq!(merged([&c, &a, &b]), right);
        }
    }
}
