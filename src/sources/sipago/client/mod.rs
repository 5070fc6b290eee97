//! Every call of Sipago's documents, typed: one client for one account, shared by the daemon and the commands.
//!
//! Each request passes the account's gate, carries the key and a fresh trace id, and has a time-out and a cap on its
//! answer. Readers are tolerant: numbers may be strings, single values lists of one, nulls count as absent, words that
//! nobody documented stay as printed, and fields that nobody documented stand in `extra`. Writers are strict: what
//! breaks a rule is [`CallError::Invalid`] and is not sent. A request that creates something is sent once; without a
//! clear answer it ends in [`CallError::Unknown`].
//!
//! Source of all shapes: Sipago, "API Comercios", pages Movimientos, Depósitos, Link de Pago and QR, as of 2026-11-21.
//! Whether movements, deposits, links and QR codes count pesos or cents is undocumented: the account's `amount_unit`
//! decides for reading and writing alike. Orders always count cents. Cards, mail, address, birth date and documents of
//! buyers never enter the program.
//!
//! Every call is cancel-safe in the sense of HTTP: dropped before it was sent it leaves a spent permit at most; a dropped
//! write may have been carried out.

mod deposits;
mod links;
mod movements;
mod qr;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use url::Url;
use uuid::Uuid;

pub use self::deposits::{Deposit, DepositState, Named};
pub use self::links::{NewLink, Order, OrderItem, OrderLinkRequest, OrderPayment};
pub use self::movements::{Commission, Movement, MovementItem, MovementPayment};
pub use self::qr::Qr;
use super::pages::{self, Pages};
use super::wire;
use crate::config::SipagoAccount;
use crate::http::{Method, Request, Response, Transport};
use crate::sources::call::Intent;
use crate::sources::gate::{Gate, Usage};
use crate::sources::record::Record;
use crate::sources::{CallError, LONGEST_PAUSE, Said, SourceError, json};

/// The pause of a 429 or 503 that names none.
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// One account's way to Sipago.
#[derive(Debug)]
pub struct SipagoClient {
    pub(super) config: SipagoAccount,
    transport: Arc<dyn Transport>,
    gate: Gate,
    pages_read: AtomicU32,
}

impl SipagoClient {
    /// A client; there is no login.
    pub fn new(config: SipagoAccount, transport: Arc<dyn Transport>) -> Self {
        let gate = Gate::new(config.common.rate);
        Self { config, transport, gate, pages_read: AtomicU32::new(0) }
    }

    /// What the account's gate is doing.
    pub fn usage(&self) -> Usage {
        self.gate.usage()
    }

    /// Waits at the account's gate, on behalf of somebody who asks on a way of their own. Cancel-safe.
    pub async fn permit(&self) {
        self.gate.pass().await;
    }

    /// Pages of lists that were read so far, for whoever waits for a long list.
    pub fn pages_read(&self) -> u32 {
        self.pages_read.load(Ordering::Relaxed)
    }

    /// The account's settings.
    pub const fn config(&self) -> &SipagoAccount {
        &self.config
    }

    /// One GET of a thing by its id, which may be unknown.
    pub(super) async fn get(&self, path: &str) -> Result<Bytes, CallError> {
        self.call(Method::GET, path, None, Intent::Read).await
    }

    /// One POST that asks for a list; one that is not found is a wrong address.
    pub(super) async fn post(&self, path: &str, body: String) -> Result<Bytes, CallError> {
        self.call(Method::POST, path, Some(body), Intent::Read).await
    }

    /// One request that creates something, sent once, and what `read` makes of its answer.
    async fn write<T>(
        &self,
        path: &str,
        body: &impl Serialize,
        read: impl FnOnce(&mut Record<'_>) -> Option<T>,
    ) -> Result<T, CallError> {
        let body = serde_json::to_string(body).map_err(|_| {
            CallError::failed(SourceError::Contract(String::from("the request cannot be written as JSON")), None)
        })?;
        let answer = self.call(Method::POST, path, Some(body), Intent::Write).await?;
        let said = || Said::of(200, &answer, &[self.config.api_key.expose()]);
        let doubt = |error| CallError::after(Intent::Write, error, Some(said()));
        let mut record = Record::of_body(&answer).map_err(doubt)?;
        if let Some(refused) = self.unsuccessful(&mut record, &answer) {
            return Err(refused);
        }
        let told = read(&mut record);
        // It said yes, but not to what: the thing may exist.
        told.ok_or_else(|| doubt(SourceError::Contract(format!("`{path}` answers without what it promises"))))
    }

    /// `success` other than "OK", in whatever letters: the documents print both "OK" and "ok".
    fn unsuccessful(&self, record: &mut Record<'_>, answer: &[u8]) -> Option<CallError> {
        let success = record.text("success")?;
        let fine = ["ok", "true", "1"].iter().any(|word| success.eq_ignore_ascii_case(word));
        if fine {
            return None;
        }
        let secrets = [self.config.api_key.expose()];
        let error = SourceError::Refused { status: 200, message: json::message(answer, &secrets) };
        Some(CallError::failed(error, Some(Said::of(200, answer, &secrets))))
    }

    /// All pages of a list until `existMore` is false. Rows have ids, so that a row that is pushed to the next page is
    /// only read twice; one that is skipped is read the next time.
    pub(super) async fn pages(&self, list: &str, body: &str) -> Result<Vec<Bytes>, CallError> {
        let mut pages = Pages::default();
        let most = self.config.common.max_pages;
        for number in 0..most {
            let answer = self.post(&format!("{list}/page/{number}"), body.to_owned()).await?;
            let more = pages.take(number, answer).map_err(broken)?;
            self.pages_read.fetch_add(1, Ordering::Relaxed);
            if !more {
                return Ok(pages.bodies);
            }
        }
        Err(broken(pages::too_many(most)))
    }

    async fn call(&self, method: Method, path: &str, body: Option<String>, intent: Intent) -> Result<Bytes, CallError> {
        let by_id = method == Method::GET;
        let request = Request {
            method,
            url: self.url(path)?,
            headers: vec![
                ("apikey", self.config.api_key.expose().to_owned()),
                ("x-trace-id", Uuid::new_v4().to_string()),
                ("x-version", self.config.x_version.clone()),
                ("accept", String::from("application/json")),
            ],
            body: body.map(|body| ("application/json", Bytes::from(body))),
            timeout: self.config.common.timeout,
            body_cap: self.config.common.body_cap,
        };
        self.gate.pass().await;
        let answer = self.transport.call(request).await;
        let Response { status, retry_after, body, .. } =
            answer.map_err(|error| CallError::after(intent, SourceError::Transport(error), None))?;
        let secrets = [self.config.api_key.expose()];
        let message = || json::message(&body, &secrets);
        let error = match status {
            200..=299 if !json::is_error(&body) => return Ok(body),
            // The gateway limits with either (FACTS 2.1).
            429 | 503 => {
                self.gate.close_for(retry_after.unwrap_or(SLOW_DOWN).min(LONGEST_PAUSE));
                SourceError::SlowDown { status, retry_after }
            }
            300..=399 => SourceError::Contract(format!("the upstream redirects (HTTP {status}); check `base_url`")),
            401 | 403 => SourceError::Unauthorized { message: message() },
            404 if by_id => SourceError::NotFound,
            // 500 may also mean wrong parameters; the back-off bounds it either way.
            500.. => SourceError::Upstream { status, message: message() },
            _ => SourceError::Refused { status, message: message() },
        };
        Err(CallError::after(intent, error, Some(Said::of(status, &body, &secrets))))
    }

    fn url(&self, path: &str) -> Result<Url, CallError> {
        let url = self.config.common.base_url.join(path);
        url.map_err(|_| broken(SourceError::Contract(String::from("`base_url` cannot be joined with a path"))))
    }
}

/// An answer that does not keep the contract.
fn broken(error: SourceError) -> CallError {
    CallError::failed(error, None)
}

/// The rows of all pages that are objects.
fn rows(bodies: &[Bytes]) -> Result<Vec<Record<'_>>, CallError> {
    let mut rows = Vec::new();
    for body in bodies {
        let page: wire::Page<'_> = json::object(body).map_err(broken)?;
        let items = json::list("listTrx", page.list_trx).map_err(broken)?;
        rows.extend(items.into_iter().filter_map(Record::of));
    }
    Ok(rows)
}
