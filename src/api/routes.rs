//! Which path gives which answer.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::json;

use super::{ApiState, Unready, guard, hints, sources, watches};

/// No cache between a probe and us.
pub(super) const NO_STORE: [(HeaderName, HeaderValue); 1] =
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];

pub(super) fn router(state: ApiState) -> Router {
    Router::new()
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/hints/{account}/{secret}", post(hints::take))
        .merge(guarded(state.clone()))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "no such path") })
        .method_not_allowed_fallback(|| async { refusal(StatusCode::METHOD_NOT_ALLOWED, "another method here") })
        .with_state(state)
}

/// What only programs of the operator's may use.
fn guarded(state: ApiState) -> Router<ApiState> {
    Router::new()
        .route("/api/v1/sources", get(sources::list))
        .route("/api/v1/sources/{account}/permit", post(sources::permit))
        .route("/api/v1/watches", get(watches::list).post(watches::add))
        .route("/api/v1/watches/{account}/{kind}/{id}", delete(watches::remove))
        .route_layer(from_fn_with_state(state, guard::pass))
}

async fn live(State(state): State<ApiState>) -> Response {
    let stalled = (state.stalled)();
    if stalled.is_empty() {
        (NO_STORE, "live\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, NO_STORE, format!("stalled: {}\n", stalled.join(", "))).into_response()
    }
}

async fn ready(State(state): State<ApiState>) -> Response {
    let reasons: Vec<&str> = state.health.unready().into_iter().map(Unready::as_str).collect();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, NO_STORE, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons }))).into_response()
}

pub(super) fn refusal(status: StatusCode, error: &str) -> Response {
    (status, NO_STORE, Json(json!({ "error": error }))).into_response()
}
