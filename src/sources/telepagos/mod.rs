//! TelePagos: account transactions by day, cash-ins by id.

mod again;
mod auth;
pub mod client;
mod probe;
mod read;
mod scan;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use async_trait::async_trait;
use xxhash_rust::xxh3::xxh3_128;

use self::again::{Again, again};
pub use self::client::TelepagosClient;
use self::read::{Catalogue, Reader};
use super::{Fingerprint, Known, Listed, Reading, Snapshot, Source, SourceError, Task, is_recognised, json};
use crate::clock::Clock;
use crate::config::TelepagosAccount;
use crate::domain::account::{AccountName, SourceKind, Upstream};
use crate::domain::day::Day;
use crate::http::Transport;

/// Lists of fewer rows are read anew when anything changed; remembering their texts would cost more than it saves.
const LEAST: usize = 1_000;

/// One TelePagos account.
#[derive(Debug)]
pub struct TelepagosSource {
    client: Arc<TelepagosClient>,
    clock: Arc<dyn Clock>,
    /// What the upstream calls its operations.
    catalogue: RwLock<Arc<Catalogue>>,
    /// Grows with every catalogue.
    stamp: AtomicU64,
    least: usize,
}

impl TelepagosSource {
    /// A source that has not logged in yet, with a client of its own.
    pub fn new(config: TelepagosAccount, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self::over(Arc::new(TelepagosClient::new(config, transport, Arc::clone(&clock))), clock)
    }

    /// A source on a client that others use too: they share its gate and its token.
    pub fn over(client: Arc<TelepagosClient>, clock: Arc<dyn Clock>) -> Self {
        Self { client, clock, catalogue: RwLock::default(), stamp: AtomicU64::new(0), least: LEAST }
    }

    /// The same, with the rows of lists from `least` on recognised by their texts. Usually 1,000.
    #[must_use]
    pub const fn recognising_from(mut self, least: usize) -> Self {
        self.least = least;
        self
    }

    /// The account's client.
    pub const fn client(&self) -> &Arc<TelepagosClient> {
        &self.client
    }

    fn reader(&self) -> Reader<'_> {
        let catalogue = Arc::clone(&self.catalogue.read().unwrap_or_else(std::sync::PoisonError::into_inner));
        Reader { config: &self.client.config, catalogue }
    }

    async fn days(
        &self,
        (from, to): (Day, Day),
        known: Option<Fingerprint>,
        listed: Option<&Listed>,
    ) -> Result<Reading, SourceError> {
        let read_at = self.clock.now();
        let paged = self.client.config.paginate;
        let (bodies, fingerprint) = self.client.listing(&client::days(from, to)).await?;
        if known == Some(fingerprint) {
            return Ok(Reading::Unchanged);
        }
        // Read before the catalogue, so that a table never bears the stamp of a younger one.
        let stamp = self.stamp.load(Ordering::Acquire);
        let reader = self.reader();
        let source = SourceKind::Transactions;
        if is_recognised(from, to) {
            let before = listed.filter(|listed| listed.is_of(stamp)).cloned().unwrap_or_else(|| Listed::new(stamp));
            if let Some(again) = again(&reader, &bodies, before, self.least) {
                let Again { rows, rejects, same, listed } = again;
                // What stands on other days may be left out of the ledgers.
                let is_within = rows.iter().all(|row| (from..=to).contains(&row.occurred.day()));
                let listed = is_within.then(|| Arc::new(listed));
                let snapshot = Snapshot { source, read_at, paged, rows, same, listed, rejects, fingerprint };
                return Ok(Reading::Snapshot(snapshot));
            }
        }
        let (rows, rejects) = reader.listing(&bodies)?;
        let (same, listed) = (Vec::new(), None);
        Ok(Reading::Snapshot(Snapshot { source, read_at, paged, rows, same, listed, rejects, fingerprint }))
    }

    async fn cashin(&self, id: &str, known: Option<Fingerprint>) -> Result<Reading, SourceError> {
        let read_at = self.clock.now();
        let body = self.client.get_by_id(&format!("v2/payment/cashin/{id}"), &[]).await?;
        let fingerprint = xxh3_128(&body);
        if known == Some(fingerprint) {
            return Ok(Reading::Unchanged);
        }
        let row = self.reader().cashin(id, &body, read_at)?;
        Ok(Reading::Snapshot(Snapshot::whole(SourceKind::Cashin, read_at, vec![row], Vec::new(), fingerprint)))
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

    fn usage(&self) -> Option<super::Usage> {
        Some(self.client.usage())
    }

    async fn permit(&self) {
        self.client.permit().await;
    }

    async fn prepare(&self) -> Result<(), SourceError> {
        let body = self.client.get("v2/account/transactions_filters", &[]).await?;
        let answer: wire::Filters<'_> = json::object(&body)?;
        let catalogue = Catalogue::of(&json::list("operations", answer.operations)?);
        *self.catalogue.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(catalogue);
        self.stamp.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    async fn read(&self, task: &Task, known: Option<Fingerprint>) -> Result<Reading, SourceError> {
        match task {
            Task::Days { from, to } => self.days((*from, *to), known, None).await,
            Task::Watched { source: SourceKind::Cashin, id } => self.cashin(id, known).await,
            Task::Watched { source, .. } => Err(SourceError::Contract(format!("TelePagos has no source `{source}`"))),
        }
    }

    async fn read_again(&self, task: &Task, known: &Known) -> Result<Reading, SourceError> {
        match task {
            Task::Days { from, to } => self.days((*from, *to), Some(known.fingerprint), known.listed.as_deref()).await,
            Task::Watched { .. } => self.read(task, Some(known.fingerprint)).await,
        }
    }
}

#[cfg(test)]
mod tests;
