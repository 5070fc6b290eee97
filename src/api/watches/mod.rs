//! `/api/v1/watches`: what the accounts follow by id, for other programs. The rules and the words are those of
//! `pregonero watch`, the objects those of `watch list --json`.

mod told;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

pub use self::told::watch_json;
use super::ApiState;
use super::routes::{NO_STORE, refusal};
use crate::clock::Clock;
use crate::config::watching::{self, Ends, Named, Unclear, Wording};
use crate::config::{Config, Secret};
use crate::domain::account::AccountName;
use crate::domain::watch::{Origin, WatchId};
use crate::store::{FollowError, StoreError, Watches, follow};

/// Bytes of a body.
const BODY_BYTES: usize = 64 * 1024;

/// For a whole body: who drips one holds a connection no longer.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Watches in one answer: where nobody says, and at the most.
const USUAL: usize = 1_000;
const MOST: usize = 10_000;

/// What the answers are made of.
#[derive(Clone)]
pub struct WatchDesk {
    config: Arc<Config>,
    store: Arc<dyn Watches>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for WatchDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchDesk").finish_non_exhaustive()
    }
}

impl WatchDesk {
    /// A desk for the watches of every account of a configuration, behind its token.
    pub fn new(config: Arc<Config>, store: Arc<dyn Watches>, clock: Arc<dyn Clock>) -> Self {
        Self { config, store, clock }
    }

    pub(super) fn token(&self) -> Option<&Secret> {
        self.config.http.token.as_ref()
    }
}

/// Why nothing was done.
enum Refused {
    /// It cannot be meant; says what to write instead.
    Unclear(String),
    /// It is not there.
    Absent(String),
    /// No more fits.
    Full(String),
    /// The body.
    Body(StatusCode, &'static str),
    /// The store.
    Store(StoreError),
}

impl From<Unclear> for Refused {
    fn from(unclear: Unclear) -> Self {
        Self::Unclear(unclear.to_string())
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<FollowError> for Refused {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Full { .. } => Self::Full(error.to_string()),
            FollowError::Store(error) => Self::Store(error),
        }
    }
}

fn answer(done: Result<Value, Refused>) -> Response {
    match done {
        Ok(value) => (StatusCode::OK, NO_STORE, Json(value)).into_response(),
        Err(Refused::Unclear(what)) => refusal(StatusCode::BAD_REQUEST, &what),
        Err(Refused::Absent(what)) => refusal(StatusCode::NOT_FOUND, &what),
        Err(Refused::Full(what)) => refusal(StatusCode::CONFLICT, &what),
        Err(Refused::Body(status, what)) => refusal(status, what),
        Err(Refused::Store(error)) => {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(error, "a request of the API could not be served");
            let what = "the store does not answer; whether anything was written is unknown; ask again";
            ([(header::RETRY_AFTER, "5")], refusal(StatusCode::SERVICE_UNAVAILABLE, what)).into_response()
        }
    }
}

fn desk(state: &ApiState) -> Result<&WatchDesk, Refused> {
    state.watches.as_ref().ok_or_else(|| Refused::Absent("no such path".to_owned()))
}

/// What to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    account: Option<String>,
    #[serde(default)]
    all: bool,
    limit: Option<usize>,
    after: Option<String>,
}

/// `GET /api/v1/watches`
pub(super) async fn list(State(state): State<ApiState>, wanted: Result<Query<Wanted>, QueryRejection>) -> Response {
    answer(listed(&state, wanted).await)
}

async fn listed(state: &ApiState, wanted: Result<Query<Wanted>, QueryRejection>) -> Result<Value, Refused> {
    let Query(wanted) = wanted.map_err(|error| Refused::Unclear(error.body_text()))?;
    let desk = desk(state)?;
    let only = wanted.account.as_deref().map(|name| watching::account(&desk.config, name)).transpose()?;
    let limit = wanted.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Refused::Unclear(format!("`limit` is from 1 to {MOST}")));
    }
    let mut accounts: Vec<&AccountName> = desk.config.accounts().map(|account| &account.name).collect();
    accounts.retain(|name| only.as_ref().is_none_or(|only| only == *name));
    // In the order of the places, so that `after` has a meaning over accounts: a `-` in a name comes before the `/` behind it.
    accounts.sort_by_key(|account| format!("{account}/"));
    let (now, mut watches) = (desk.clock.now(), Vec::new());
    for account in accounts {
        // One more than is wanted tells whether there is more.
        if watches.len() > limit || wanted.after.as_deref().is_some_and(|after| told::is_before(account, after)) {
            continue;
        }
        let kept = desk.store.watches(account).await?.watches;
        let shown = kept.into_iter().filter(|watch| wanted.all || watch.ended.is_none());
        let room = limit.saturating_add(1).saturating_sub(watches.len());
        let shown = shown.filter(|watch| {
            wanted.after.as_deref().is_none_or(|after| told::place(account, &watch.id).as_str() > after)
        });
        let mut shown: Vec<_> = shown.map(|watch| (told::place(account, &watch.id), watch)).collect();
        shown.sort_by(|(a, _), (b, _)| a.cmp(b));
        watches.extend(shown.into_iter().take(room).map(|(place, watch)| (place, watch_json(account, &watch, now))));
    }
    let more = watches.len() > limit;
    watches.truncate(limit);
    let next = watches.last().filter(|_| more).map(|(place, _)| place.clone());
    let watches: Vec<Value> = watches.into_iter().map(|(_, watch)| watch).collect();
    Ok(json!({ "watches": watches, "next": next }))
}

/// What to follow.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    account: Option<String>,
    ids: Vec<Value>,
    kind: Option<String>,
    until: Option<String>,
    expires: Option<String>,
    #[serde(default)]
    reusable: bool,
}

/// `POST /api/v1/watches`
pub(super) async fn add(State(state): State<ApiState>, headers: HeaderMap, body: Body) -> Response {
    answer(added(&state, &headers, body).await)
}

async fn added(state: &ApiState, headers: &HeaderMap, body: Body) -> Result<Value, Refused> {
    let desk = desk(state)?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let what = "send JSON, with `Content-Type: application/json`";
        return Err(Refused::Body(StatusCode::UNSUPPORTED_MEDIA_TYPE, what));
    }
    let wish = wish(body).await?;
    let ids = wish.ids.iter().map(id).collect::<Result<Vec<String>, Refused>>()?;
    let (account, kind, wording) = (wish.account.as_deref(), wish.kind.as_deref(), Wording::Fields);
    let (account, ids) = watching::named(&desk.config, &Named { ids: &ids, account, kind, wording })?;
    let ends = Ends { until: wish.until.as_deref(), expires: wish.expires.as_deref(), reusable: wish.reusable };
    let now = desk.clock.now();
    let terms = watching::terms(&ids, &ends, wording, now)?;
    let known = follow(&*desk.store, &account, &ids, &terms, now).await?;
    Ok(json!({ "account": account.as_str(), "following": ids.len(), "known": known }))
}

async fn wish(body: Body) -> Result<Wish, Refused> {
    let Ok(body) = tokio::time::timeout(BODY_TIME, to_bytes(body, BODY_BYTES)).await else {
        return Err(Refused::Body(StatusCode::REQUEST_TIMEOUT, "the body does not come"));
    };
    let body = body.map_err(|_| {
        let what = "a body has 64 KiB at most; name fewer ids at once, or ranges such as `1000..1050`";
        Refused::Body(StatusCode::PAYLOAD_TOO_LARGE, what)
    })?;
    serde_json::from_slice(&body).map_err(|error| {
        let sample = r#"{"account": "centro", "ids": [1000, "1001..1050"]}"#;
        Refused::Unclear(format!("{error}; write an object such as `{sample}`"))
    })
}

/// As text, or as a number.
fn id(value: &Value) -> Result<String, Refused> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(Refused::Unclear("an id is a number or a text, such as `1000` or `\"1000..1050\"`".to_owned()))
        }
    }
}

/// `DELETE /api/v1/watches/{account}/{kind}/{id}`
pub(super) async fn remove(
    State(state): State<ApiState>,
    path: Result<Path<(String, String, String)>, PathRejection>,
) -> Response {
    answer(removed(&state, path).await)
}

async fn removed(
    state: &ApiState,
    path: Result<Path<(String, String, String)>, PathRejection>,
) -> Result<Value, Refused> {
    let Path((account, kind, text)) = path.map_err(|error| Refused::Unclear(error.body_text()))?;
    let desk = desk(state)?;
    if text.contains("..") {
        return Err(Refused::Unclear("one id at a time here; `pregonero watch remove` takes ranges".to_owned()));
    }
    let (account, kind) = (Some(account.as_str()), Some(kind.as_str()));
    let ids = [text];
    let named = Named { ids: &ids, account, kind, wording: Wording::Fields };
    let (account, ids): (AccountName, BTreeSet<WatchId>) = watching::named(&desk.config, &named)?;
    let known = desk.store.watches(&account).await?.watches;
    let ids: Vec<WatchId> = ids.into_iter().collect();
    if desk.store.remove_watches(&account, &ids).await? == 0 {
        return Err(Refused::Absent(format!("{} of {account} is not followed anyway", told::listed(&ids))));
    }
    let lasting = |origin| known.iter().any(|watch| watch.origin == origin && ids.contains(&watch.id));
    let note = if lasting(Origin::Configured) {
        Some("it stands in the configuration, too: remove it there, or it is followed again after a restart")
    } else {
        None
    };
    Ok(json!({ "account": account.as_str(), "removed": ids.len(), "note": note }))
}

#[cfg(test)]
mod tests;
