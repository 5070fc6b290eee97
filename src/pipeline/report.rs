//! A day as it stands now: what was announced of it and, if the upstream is asked, what is missing. Writes nothing.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::announce::Herald;
use super::audit::{Auditor, look_up};
use super::digest::{Draft, partitions};
use super::reconcile;
use crate::domain::account::Partition;
use crate::domain::closing::Closing;
use crate::domain::day::Day;
use crate::domain::ledger::Ledger;
use crate::domain::policy::Policy;
use crate::sources::{Reading, Source, SourceError};
use crate::store::{Archive, Recall, StoreError};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The upstream was not read; without it there still is the report of what was announced.
    #[error("the upstream cannot be read")]
    Source(#[source] SourceError),
    /// The store was not read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One day of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The sums; the differences are those of now, and zero where the upstream was not asked.
    pub closing: Closing,
    /// `day.closed` was announced.
    pub closed: bool,
    /// The upstream was asked.
    pub checked: bool,
}

/// Who makes reports of one account.
#[derive(Debug)]
pub struct Reporter {
    /// What is remembered.
    pub recall: Arc<dyn Recall>,
    /// What was announced.
    pub archive: Arc<dyn Archive>,
    /// The account.
    pub herald: Herald,
    /// How it is read.
    pub policy: Policy,
}

impl Reporter {
    /// What was announced of a day.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn announced(&self, day: Day) -> Result<Report, StoreError> {
        let auditor = self.auditor();
        let closing = auditor.heard(day).await?.closing(day);
        Ok(Report { closing, closed: auditor.is_closed(day).await?, checked: false })
    }

    /// The same, held against what the upstream lists now.
    ///
    /// # Errors
    /// See [`ReportError`].
    pub async fn checked(&self, day: Day, source: &dyn Source, now: Timestamp) -> Result<Report, ReportError> {
        // Without the list of operations a reading only knows fewer words, as in the daemon.
        drop(source.prepare().await);
        let task = reconcile::task(day);
        let Reading::Snapshot(snapshot) = source.read(&task, None).await.map_err(ReportError::Source)? else {
            return Err(ReportError::Source(SourceError::Contract("an answer without rows".to_owned())));
        };
        // Read after the upstream, so that what the daemon announced meanwhile is known.
        let (herald, auditor) = (&self.herald, self.auditor());
        let before = self.recall.state_of(&herald.account).await?;
        let wanted: Vec<Partition> = partitions(herald, &task, &snapshot).into_keys().collect();
        let ledgers = self.load(&wanted).await?;
        let mut audit = auditor.audit(day, &wanted, &ledgers, &before.state).await?;
        let doubted = audit.doubted(&ledgers);
        let draft = Draft::new(herald, &self.policy, &task, &snapshot, &before, &doubted, now);
        let found = look_up(&*self.recall, &draft, source.listing()).await?;
        let claims = draft.claims(&found);
        let mut books: Vec<Partition> = claims.iter().flat_map(|claim| claim.books(&herald.account)).collect();
        books.sort_unstable();
        books.dedup();
        let books = self.load(&books).await?;
        auditor.books(&mut audit, &books).await?;
        let (_, tally) = draft.finish(&claims, &books, Some(&audit.doubts));
        let (vanished, baseline) = reconcile::odd(ledgers.iter(), &audit.heard, day, now);
        let differences = reconcile::count(tally.differences);
        let closing = Closing { differences, vanished, baseline, ..audit.heard.closing(day) };
        Ok(Report { closing, closed: auditor.is_closed(day).await?, checked: true })
    }

    fn auditor(&self) -> Auditor {
        Auditor { archive: Arc::clone(&self.archive), herald: self.herald.clone() }
    }

    async fn load(&self, partitions: &[Partition]) -> Result<HashMap<Partition, Ledger>, StoreError> {
        if partitions.is_empty() {
            return Ok(HashMap::new());
        }
        let ledgers = self.recall.ledgers_of(&self.herald.account, partitions).await?;
        Ok(partitions.iter().cloned().zip(ledgers).collect())
    }
}
