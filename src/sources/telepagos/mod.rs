//! TelePagos: account transactions by day, cash-ins by id.

mod auth;
pub mod client;
mod probe;
mod read;
mod wire;

use std::sync::{Arc, RwLock};

use async_trait::async_trait;
use xxhash_rust::xxh3::xxh3_128;

pub use self::client::TelepagosClient;
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
    client: Arc<TelepagosClient>,
    clock: Arc<dyn Clock>,
    /// What the upstream calls its operations.
    catalogue: RwLock<Arc<Catalogue>>,
}

impl TelepagosSource {
    /// A source that has not logged in yet, with a client of its own.
    pub fn new(config: TelepagosAccount, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self::over(Arc::new(TelepagosClient::new(config, transport, Arc::clone(&clock))), clock)
    }

    /// A source on a client that others use too: they share its gate and its token.
    pub fn over(client: Arc<TelepagosClient>, clock: Arc<dyn Clock>) -> Self {
        Self { client, clock, catalogue: RwLock::default() }
    }

    /// The account's client.
    pub const fn client(&self) -> &Arc<TelepagosClient> {
        &self.client
    }

    fn reader(&self) -> Reader<'_> {
        let catalogue = Arc::clone(&self.catalogue.read().unwrap_or_else(std::sync::PoisonError::into_inner));
        Reader { config: &self.client.config, catalogue }
    }

    async fn days(&self, from: Day, to: Day, known: Option<Fingerprint>) -> Result<Reading, SourceError> {
        let read_at = self.clock.now();
        let paged = self.client.config.paginate;
        let (bodies, fingerprint) = self.client.listing(&client::days(from, to)).await?;
        if known == Some(fingerprint) {
            return Ok(Reading::Unchanged);
        }
        let (rows, rejects) = self.reader().listing(&bodies)?;
        Ok(Reading::Snapshot(Snapshot { source: SourceKind::Transactions, read_at, paged, rows, rejects, fingerprint }))
    }

    async fn cashin(&self, id: &str, known: Option<Fingerprint>) -> Result<Reading, SourceError> {
        let read_at = self.clock.now();
        let body = self.client.get_by_id(&format!("v2/payment/cashin/{id}"), &[]).await?;
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
