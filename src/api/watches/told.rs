//! A watch as other programs see it.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::account::AccountName;
use crate::domain::watch::{Watch, WatchId};

/// One object of `GET /api/v1/watches` and of `watch list --json`.
pub fn watch_json(account: &AccountName, watch: &Watch, now: Timestamp) -> Value {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "account": account.as_str(), "kind": watch.id.kind.as_str(), "id": watch.id.id, "state": watch.state(now),
        "origin": watch.origin.as_str(), "since": watch.since.to_string(), "expires": text(watch.expires),
        "until": text(watch.until), "ended": text(watch.ended), "reusable": watch.reusable,
        "amount": watch.amount.map(|amount| json!({ "value": amount.to_string(), "currency": "ARS" })),
    })
}

/// Where a watch stands among all of them; what `after` says.
pub(super) fn place(account: &AccountName, id: &WatchId) -> String {
    format!("{account}/{id}")
}

/// Whether every watch of an account stands before that place.
pub(super) fn is_before(account: &AccountName, after: &str) -> bool {
    // `0` is what follows `/`.
    format!("{account}0").as_str() <= after
}

/// Ids in words.
pub(super) fn listed(ids: &[WatchId]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}
