//! What an operator is told: masked records, a line while pages are read.

use std::io::IsTerminal as _;
use std::pin::pin;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::Value;

use super::UPSTREAM;
use crate::app::{CallError, SipagoClient};
use crate::cli::answered;
use crate::domain::argentina::mask_name;

/// What a call ended with; see [`answered::failed`].
pub(super) fn failed(error: CallError) -> anyhow::Error {
    answered::failed(UPSTREAM, error, "it may have been carried out: look before you repeat it")
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
    use serde_json::json;

    #[test]
    fn without_full_payers_are_masked_and_undocumented_fields_are_left_out_however_deep() {
        let record = json!({ "payer": "MARIA LUISA PEREZ", "extra": { "dni": 1 }, "payments": [{ "id": "7", "extra": { "mail": "a@b" } }] });
        let masked = super::json(&record, false).unwrap();
        assert_eq!(masked, json!({ "payer": "MARIA P.", "payments": [{ "id": "7" }] }));
        assert_eq!(super::json(&record, true).unwrap(), record);
    }
}
