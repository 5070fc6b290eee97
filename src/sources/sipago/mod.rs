//! Sipago: movements by day, orders behind payment links by uuid, and the list of paid deposits.

pub mod client;
mod days;
mod deposits;
mod pages;
mod probe;
mod read;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

pub use self::client::SipagoClient;
use self::read::Reader;
use super::newest::Order;
use super::{Fingerprint, Known, Listed, Reading, Snapshot, Source, SourceError, Task, json};
use crate::clock::Clock;
use crate::config::SipagoAccount;
use crate::domain::account::{AccountName, SourceKind, Upstream};
use crate::domain::day::Day;
use crate::domain::row::{Reject, Row};
use crate::http::Transport;

/// The id by which the list of paid deposits is watched: it has no filter, and so is one partition.
pub const PAID_DEPOSITS: &str = "paid";

/// One Sipago account.
#[derive(Debug)]
pub struct SipagoSource {
    client: Arc<SipagoClient>,
    clock: Arc<dyn Clock>,
    order: Order,
}

impl SipagoSource {
    /// A source with a client of its own; there is no login.
    pub fn new(config: SipagoAccount, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self::over(Arc::new(SipagoClient::new(config, transport)), clock)
    }

    /// A source on a client that others use too: they share its gate.
    pub fn over(client: Arc<SipagoClient>, clock: Arc<dyn Clock>) -> Self {
        Self { client, clock, order: Order::default() }
    }

    /// The same, taking the list for newest first although nobody has seen that. For trials of what happens when it is not.
    #[must_use]
    pub fn believing(mut self) -> Self {
        self.order = Order::believed();
        self
    }

    /// The account's client.
    pub const fn client(&self) -> &Arc<SipagoClient> {
        &self.client
    }

    async fn order(&self, uuid: &str, known: Option<Fingerprint>) -> Result<Reading, SourceError> {
        let read_at = self.clock.now();
        let body = self.client.get(&format!("checkout/getLink/{uuid}")).await?;
        let fingerprint = xxh3_128(&body);
        if known == Some(fingerprint) {
            return Ok(Reading::Unchanged);
        }
        let (rows, rejects) = Reader { config: &self.client.config }.order(uuid, &body, read_at)?;
        Ok(Reading::Snapshot(Snapshot::whole(SourceKind::Links, read_at, rows, rejects, fingerprint)))
    }

    /// The whole list of paid deposits. The row of the list itself changes each day, so that its ledger is written at
    /// least once a day and never expires while the list is read: a forgotten ledger would make news a baseline.
    async fn deposits(&self, known: Option<Fingerprint>) -> Result<Reading, SourceError> {
        let read_at = self.clock.now();
        let today = Day::of(read_at, &self.client.config.common.zone);
        let bodies = self.client.pages("deposits/paid", "{}").await?;
        let mut hash = Xxh3::new();
        hash.update(today.to_string().as_bytes());
        for body in &bodies {
            hash.update(body);
        }
        let fingerprint = hash.digest128();
        if known == Some(fingerprint) {
            return Ok(Reading::Unchanged);
        }
        let reader = Reader { config: &self.client.config };
        let (mut rows, rejects) = records(&bodies, |position, raw| reader.deposit(position, raw, read_at))?;
        rows.insert(0, reader.deposit_list(today, read_at));
        Ok(Reading::Snapshot(Snapshot::whole(SourceKind::Deposits, read_at, rows, rejects, fingerprint)))
    }
}

/// The records of all pages, read one by one; `read` is told the place of each in the whole list.
fn records(
    pages: &[Bytes],
    read: impl Fn(usize, &RawValue) -> Result<Row, Reject>,
) -> Result<(Vec<Row>, Vec<Reject>), SourceError> {
    let (mut rows, mut rejects) = (Vec::new(), Vec::new());
    for body in pages {
        let page: wire::Page<'_> = json::object(body)?;
        for raw in json::list("listTrx", page.list_trx)? {
            match read(rows.len() + rejects.len(), raw) {
                Ok(row) => rows.push(row),
                Err(reject) => rejects.push(reject),
            }
        }
    }
    Ok((rows, rejects))
}

#[async_trait]
impl Source for SipagoSource {
    fn account(&self) -> &AccountName {
        &self.client.config.common.name
    }

    fn upstream(&self) -> Upstream {
        Upstream::Sipago
    }

    fn listing(&self) -> SourceKind {
        SourceKind::Movements
    }

    fn usage(&self) -> Option<super::Usage> {
        Some(self.client.usage())
    }

    async fn permit(&self) {
        self.client.permit().await;
    }

    /// There is nothing to prepare: a wrong key shows at the first reading.
    async fn prepare(&self) -> Result<(), SourceError> {
        Ok(())
    }

    async fn read(&self, task: &Task, known: Option<Fingerprint>) -> Result<Reading, SourceError> {
        match task {
            Task::Days { from, to } => self.days((*from, *to), known, None).await,
            Task::Watched { source: SourceKind::Links, id } => self.order(id, known).await,
            Task::Watched { source: SourceKind::Deposits, id } if id == PAID_DEPOSITS => self.deposits(known).await,
            Task::Watched { source, .. } => Err(SourceError::Contract(format!("Sipago has no source `{source}`"))),
        }
    }

    async fn read_again(&self, task: &Task, known: &Known) -> Result<Reading, SourceError> {
        match task {
            Task::Days { from, to } => {
                let listed = known.listed.as_deref().and_then(Listed::pages);
                self.days((*from, *to), Some(known.fingerprint), listed).await
            }
            Task::Watched { .. } => self.read(task, Some(known.fingerprint)).await,
        }
    }
}

#[cfg(test)]
mod tests;
