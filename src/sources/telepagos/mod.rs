//! TelePagos: account transactions by day, cash-ins by id.

mod auth;
mod client;
mod read;
mod wire;

use std::collections::HashSet;
use std::sync::{Arc, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use self::client::Client;
use self::read::{Catalogue, Reader};
use super::{Fingerprint, Reading, Snapshot, Source, SourceError, Task, json};
use crate::clock::Clock;
use crate::config::TelepagosAccount;
use crate::domain::account::{AccountName, SourceKind, Upstream};
use crate::domain::day::Day;
use crate::http::Transport;

/// One TelePagos account.
#[derive(Debug)]
pub struct TelepagosSource {
    client: Client,
    clock: Arc<dyn Clock>,
    /// What the upstream calls its operations.
    catalogue: RwLock<Arc<Catalogue>>,
}

impl TelepagosSource {
    /// A source that has not logged in yet.
    pub fn new(config: TelepagosAccount, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self { client: Client::new(config, transport, Arc::clone(&clock)), clock, catalogue: RwLock::default() }
    }

    fn reader(&self) -> Reader<'_> {
        let catalogue = Arc::clone(&self.catalogue.read().unwrap_or_else(std::sync::PoisonError::into_inner));
        Reader { config: &self.client.config, catalogue }
    }

    async fn days(&self, from: Day, to: Day, known: Option<Fingerprint>) -> Result<Reading, SourceError> {
        let read_at = self.clock.now();
        let filters = vec![("date_from", from.to_string()), ("date_to", to.to_string())];
        let paged = self.client.config.paginate;
        let (bodies, fingerprint) = if paged {
            self.pages(&filters).await?
        } else {
            let body = self.client.get("v2/account/transactions", &filters).await?;
            let fingerprint = xxh3_128(&body);
            (vec![body], fingerprint)
        };
        if known == Some(fingerprint) {
            return Ok(Reading::Unchanged);
        }
        let (rows, rejects) = self.reader().listing(&bodies)?;
        Ok(Reading::Snapshot(Snapshot { source: SourceKind::Transactions, read_at, paged, rows, rejects, fingerprint }))
    }

    /// All pages, which must tell one story: the same totals on each, each its own number and its own rows, and as many
    /// rows as they say. A page that repeats another one, as a cache in between may, would double every payment on it.
    async fn pages(&self, filters: &[(&str, String)]) -> Result<(Vec<Bytes>, Fingerprint), SourceError> {
        let (mut bodies, mut hash, mut rows) = (Vec::new(), Xxh3::new(), 0);
        let (mut story, mut contents): (Option<(u64, u64)>, HashSet<u128>) = (None, HashSet::new());
        let most = self.client.config.common.max_pages;
        for page in 1..=most {
            let mut filters = filters.to_vec();
            filters.extend([("paginate", String::from("1")), ("page", page.to_string())]);
            let body = self.client.get("v2/account/transactions", &filters).await?;
            let told = wire::paging(&body)?;
            if story.is_some_and(|story| story != (told.results, told.pages)) {
                return Err(SourceError::Contract(String::from("the list changed while its pages were read")));
            }
            if told.page != u64::from(page) {
                return Err(SourceError::Contract(format!("page {page} was asked for and page {} came", told.page)));
            }
            if told.content.is_some_and(|content| !contents.insert(content)) {
                return Err(SourceError::Contract(format!("page {page} repeats the rows of an earlier page")));
            }
            if told.pages > u64::from(most) {
                break;
            }
            story = Some((told.results, told.pages));
            rows += told.rows;
            hash.update(&body);
            bodies.push(body);
            if u64::from(page) >= told.pages {
                if rows != told.results {
                    return Err(SourceError::Contract(format!(
                        "the pages hold {rows} rows and promise {}",
                        told.results
                    )));
                }
                return Ok((bodies, hash.digest128()));
            }
        }
        Err(SourceError::Contract(format!("the list is longer than `max_pages` ({most})")))
    }

    async fn cashin(&self, id: &str, known: Option<Fingerprint>) -> Result<Reading, SourceError> {
        let read_at = self.clock.now();
        let body = self.client.get_by_id(&format!("v2/payment/cashin/{id}")).await?;
        let fingerprint = xxh3_128(&body);
        if known == Some(fingerprint) {
            return Ok(Reading::Unchanged);
        }
        let row = self.reader().cashin(id, &body, read_at)?;
        let (rows, rejects) = (vec![row], Vec::new());
        Ok(Reading::Snapshot(Snapshot {
            source: SourceKind::Cashin,
            read_at,
            paged: false,
            rows,
            rejects,
            fingerprint,
        }))
    }
}

#[async_trait]
impl Source for TelepagosSource {
    fn account(&self) -> &AccountName {
        &self.client.config.common.name
    }

    fn upstream(&self) -> Upstream {
        Upstream::Telepagos
    }

    fn listing(&self) -> SourceKind {
        SourceKind::Transactions
    }

    async fn prepare(&self) -> Result<(), SourceError> {
        let body = self.client.get("v2/account/transactions_filters", &[]).await?;
        let answer: wire::Filters<'_> = json::object(&body)?;
        let catalogue = Catalogue::of(&json::list("operations", answer.operations)?);
        *self.catalogue.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(catalogue);
        Ok(())
    }

    async fn read(&self, task: &Task, known: Option<Fingerprint>) -> Result<Reading, SourceError> {
        match task {
            Task::Days { from, to } => self.days(*from, *to, known).await,
            Task::Watched { source: SourceKind::Cashin, id } => self.cashin(id, known).await,
            Task::Watched { source, .. } => Err(SourceError::Contract(format!("TelePagos has no source `{source}`"))),
        }
    }
}

#[cfg(test)]
mod tests;
