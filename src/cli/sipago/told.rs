//! What an operator is told: errors in the upstream's own words, masked records, a line while pages are read.

use std::io::IsTerminal as _;
use std::pin::pin;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::Value;

use super::super::Usage;
use crate::app::{Amount, CallError, SipagoClient, pesos};
use crate::domain::argentina::mask_name;

/// What a call ended with, in the upstream's own words and with its HTTP status.
pub(super) fn failed(error: CallError) -> anyhow::Error {
    if let CallError::Invalid(invalid) = &error {
        return Usage(format!("{invalid}; nothing was sent")).into();
    }
    let said = error.said().map(|said| match said.words.as_str() {
        "" => format!("Sipago answered HTTP {}", said.status),
        words => format!("Sipago answered HTTP {}: {words}", said.status),
    });
    let unknown = error.is_unknown();
    // The reaction repeats the words, shortened.
    let error = match said {
        Some(said) => anyhow::anyhow!("{said} ({})", error.reaction().map_or("refused", |error| error.class())),
        None => anyhow::Error::new(error),
    };
    if unknown {
        return error.context(
            "the request was sent and its result is unknown; it may have been carried out: look before you repeat it",
        );
    }
    error
}

/// A record as JSON: as it is with `full`, else with masked payers and without undocumented fields, which may hold anything.
pub(super) fn json(record: &impl Serialize, full: bool) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(record)?;
    if !full {
        mask(&mut value);
    }
    Ok(value)
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("extra");
            if let Some(Value::String(payer)) = fields.get_mut("payer") {
                *payer = mask_name(payer);
            }
            fields.values_mut().for_each(mask);
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A stranger's text as a cell, which must not move the cursor.
pub(super) fn cell(text: Option<&str>) -> String {
    text.unwrap_or_default().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// An amount for people; as printed where it cannot be read.
pub(super) fn money(amount: &Amount) -> String {
    match amount.value {
        Some(value) => pesos(value).replace('\u{a0}', " "),
        None => cell(amount.raw.as_deref()),
    }
}

/// Waits for a list that may have many pages; a person sees how many were read.
pub(super) async fn reading<T>(client: &SipagoClient, list: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return list.await;
    }
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} reading: {human_pos} pages ({elapsed})");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    let mut list = pin!(list);
    loop {
        tokio::select! {
            done = &mut list => {
                bar.finish_and_clear();
                return done;
            }
            () = tokio::time::sleep(Duration::from_millis(200)) => {
                bar.set_position(u64::from(client.pages_read()));
                bar.tick();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn without_full_payers_are_masked_and_undocumented_fields_are_left_out_however_deep() {
        let record = json!({ "payer": "MARIA LUISA PEREZ", "extra": { "dni": 1 }, "payments": [{ "id": "7", "extra": { "mail": "a@b" } }] });
        let masked = super::json(&record, false).unwrap();
        assert_eq!(masked, json!({ "payer": "MARIA P.", "payments": [{ "id": "7" }] }));
        assert_eq!(super::json(&record, true).unwrap(), record);
    }

    #[test]
    fn a_strangers_text_does_not_move_the_cursor() {
        assert_eq!(cell(Some("a\u{1b}[2Jb\nc")), "a [2Jb c");
    }
}
