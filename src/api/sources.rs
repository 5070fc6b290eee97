//! `/api/v1/sources`: how each account is doing: how far behind it is, what of its quota is used, what is asked next.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::json;

use super::ApiState;
use super::routes::NO_STORE;

/// One account as this process sees it. Seconds are whole ones.
#[derive(Clone, Debug, Serialize)]
pub struct SourceView {
    /// Its name.
    pub account: String,
    /// Its company.
    pub upstream: &'static str,
    /// Its listing.
    pub source: &'static str,
    /// `starting`, `ok`, `failing`, `stale`, or `elsewhere`: another replica has the right to poll it, or the store does not answer.
    pub state: &'static str,
    /// When a reading that covers today was completed last, by this process.
    pub read_at: Option<String>,
    /// How long ago that was.
    pub lag_s: Option<u64>,
    /// `expecting`, `awake` or `quiet`.
    pub tempo: Option<&'static str>,
    /// How often its listing is asked now.
    pub every_s: Option<u64>,
    /// Failures of the listing in a row.
    pub failures: u32,
    /// How many ids are followed.
    pub watches: usize,
    /// What is asked next.
    pub next: Option<NextView>,
    /// What its gate is doing.
    pub quota: Option<QuotaView>,
}

/// The work of an account that is due first.
#[derive(Clone, Debug, Serialize)]
pub struct NextView {
    /// `hot`, `warm`, `cold`, `follow`, or the source of a watched id.
    pub task: &'static str,
    /// The watched id.
    pub id: Option<String>,
    /// In how long.
    pub due_in_s: u64,
    /// For how long it has been due: what the rate, a pause or a slow reading keeps from being asked.
    pub overdue_s: u64,
}

/// The gate of an account.
#[derive(Clone, Debug, Serialize)]
pub struct QuotaView {
    /// Requests within about the last period.
    pub used: u32,
    /// Requests that the configured rate allows in a period.
    pub of: u32,
    /// The part of that which is allowed now; less than 1 after complaints of the upstream.
    pub share: f64,
    /// For how long nothing is asked, because the upstream wants a pause.
    pub closed_s: u64,
}

/// Answers with all accounts, in the order of the configuration.
pub(super) async fn list(State(state): State<ApiState>) -> Response {
    let sources = (state.sources)();
    (NO_STORE, Json(json!({ "sources": sources }))).into_response()
}
