//! `POST /hints/{account}/{secret}`: an upstream's own push as "look now".
//!
//! Nothing in it is believed and nothing is asked before it is answered: the ids in it, found by the account's pointers,
//! are handed over, and 202 goes out. A wrong secret, an unknown account and an account that takes no hints are one
//! answer: 404, as for any other path. Each account takes one hint a second and ten at once; what is more is sent away
//! with 429, so that a sender that means it comes again.

mod read;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::json;
use sha2::{Digest as _, Sha256};

pub use self::read::{MOST_IDS, ids};
use super::ApiState;
use super::routes::{NO_STORE, refusal};
use crate::config::HintsConfig;
use crate::domain::account::{AccountName, SourceKind};

/// Bytes of a body.
const BODY_BYTES: usize = 64 * 1024;

/// For a whole body: who drips one holds a connection no longer.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Hints at once; then one a second.
const BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();

type Give = Arc<dyn Fn(Vec<(SourceKind, String)>) + Send + Sync>;

/// Where hints for one account are taken.
#[derive(Clone)]
pub struct Desk {
    account: AccountName,
    config: HintsConfig,
    limiter: Arc<DefaultDirectRateLimiter>,
    give: Give,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("account", &self.account).finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk that hands the ids of each hint to `give`, which must not wait for anything.
    pub fn new(
        account: AccountName,
        config: HintsConfig,
        give: impl Fn(Vec<(SourceKind, String)>) + Send + Sync + 'static,
    ) -> Self {
        let quota = Quota::per_second(NonZeroU32::MIN).allow_burst(BURST);
        Self { account, config, limiter: Arc::new(RateLimiter::direct(quota)), give: Arc::new(give) }
    }

    /// Compares digests, so that how long it takes tells nothing of the secret.
    fn is_secret(&self, said: &str) -> bool {
        Sha256::digest(said) == Sha256::digest(self.config.secret.expose())
    }
}

/// Answers a hint. What it says is read after the secret and the rate are checked.
pub(super) async fn take(
    State(state): State<ApiState>,
    Path((account, secret)): Path<(String, String)>,
    body: Body,
) -> Response {
    let desk = state.hints.iter().find(|desk| desk.account.as_str() == account && desk.is_secret(&secret));
    let Some(desk) = desk else { return refusal(StatusCode::NOT_FOUND, "no such path") };
    if desk.limiter.check().is_err() {
        let answer = refusal(StatusCode::TOO_MANY_REQUESTS, "too many hints; come again");
        return ([(header::RETRY_AFTER, "1")], answer).into_response();
    }
    let Ok(body) = tokio::time::timeout(BODY_TIME, to_bytes(body, BODY_BYTES)).await else {
        return refusal(StatusCode::REQUEST_TIMEOUT, "the body does not come");
    };
    let Ok(body) = body else { return refusal(StatusCode::PAYLOAD_TOO_LARGE, "a hint has 64 KiB at most") };
    (desk.give)(ids(&desk.config, &body));
    // The same whatever was in it: a stranger learns nothing.
    (StatusCode::ACCEPTED, NO_STORE, axum::Json(json!({ "accepted": true }))).into_response()
}

#[cfg(test)]
mod tests;
