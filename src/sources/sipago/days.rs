//! The movements of some days: all pages, or as many as bring news where that is seen to be safe.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::pages::{Pages, too_many};
use super::read::Reader;
use super::{SipagoSource, records};
use crate::clock::Stopwatch;
use crate::domain::account::SourceKind;
use crate::domain::day::Day;
use crate::domain::ledger::Slot;
use crate::domain::row::{Reject, Row};
use crate::sources::newest::{Entry, Front, Newest};
use crate::sources::{Fingerprint, Listed, Reading, Snapshot, SourceError, is_recognised};

impl SipagoSource {
    /// All pages until `existMore` is false. Rows have ids, so that a row that is pushed to the next page is only read
    /// twice; one that is skipped is read by the next poll.
    ///
    /// The document promises no order of the rows and no total, so that a first page that brings nothing new does not
    /// prove that no later page does. Where the account's own list was seen to be newest first, and was read to its end no
    /// longer ago than `poll.warm`, it is left where `listed` begins, which is what it was the last time.
    pub(super) async fn days(
        &self,
        (from, to): (Day, Day),
        known: Option<Fingerprint>,
        listed: Option<&Newest>,
    ) -> Result<Reading, SourceError> {
        let (read_at, began) = (self.clock.now(), Stopwatch::start());
        let common = &self.client.config.common;
        let days = (from, to);
        let is_due = listed.is_some_and(|listed| listed.since_whole() >= common.poll.warm);
        let mut may_end = listed.filter(|_| self.client.config.early_stop && !is_due && self.order.holds());
        let body = format!(r#"{{"startDate":"{from}","endDate":"{to}"}}"#);
        let mut pages = Pages::default();
        for number in 0..common.max_pages {
            let answer = self.client.post(&format!("transactions/page/{number}"), body.clone()).await?;
            let more = pages.take(number, answer)?;
            if !more {
                // One that is due is read although nothing changed, to know that.
                if known == Some(pages.fingerprint()) && !is_due {
                    return Ok(Reading::Unchanged);
                }
                return self.whole(days, &pages, began, read_at).map(Reading::Snapshot);
            }
            let Some(before) = may_end else { continue };
            if before.begins_with(&pages.once) {
                return Ok(Reading::Unchanged);
            }
            if pages.once.last().is_some_and(|text| before.has(*text)) {
                if let Some(snapshot) = self.news(days, &pages, before, (began, read_at))? {
                    return Ok(Reading::Snapshot(snapshot));
                }
                // What one page contradicts another one seldom mends, and each try reads all of them again.
                may_end = None;
            }
        }
        Err(too_many(common.max_pages))
    }

    /// A reading of all pages.
    fn whole(
        &self,
        days: (Day, Day),
        pages: &Pages,
        began: Stopwatch,
        read_at: Timestamp,
    ) -> Result<Snapshot, SourceError> {
        let (rows, rejects) = self.movements(&pages.bodies)?;
        let mut snapshot = Snapshot::whole(SourceKind::Movements, read_at, rows, rejects, pages.fingerprint());
        if self.client.config.early_stop
            && is_recognised(days.0, days.1)
            && let Some(now) = self.list(days, pages, &snapshot, began)
        {
            let now = Arc::new(now);
            self.order.learn(days, &now);
            // One page is as cheap as it can be.
            snapshot.listed = (pages.bodies.len() > 1).then(|| Arc::new(Listed::of_pages(now)));
        }
        Ok(snapshot)
    }

    /// A reading of the first pages, if they say what the others are.
    fn news(
        &self,
        days: (Day, Day),
        pages: &Pages,
        before: &Newest,
        (began, read_at): (Stopwatch, Timestamp),
    ) -> Result<Option<Snapshot>, SourceError> {
        let (rows, rejects) = self.movements(&pages.bodies)?;
        let snapshot = Snapshot::whole(SourceKind::Movements, read_at, rows, rejects, pages.fingerprint());
        let front = self.list(days, pages, &snapshot, began).and_then(|front| before.look(&front));
        let Some(Front { rest, now }) = front else { return Ok(None) };
        Ok(Some(Snapshot { same: rest, listed: Some(Arc::new(Listed::of_pages(Arc::new(now)))), ..snapshot }))
    }

    fn movements(&self, bodies: &[Bytes]) -> Result<(Vec<Row>, Vec<Reject>), SourceError> {
        let reader = Reader { config: &self.client.config };
        records(bodies, |position, raw| reader.movement(position, raw))
    }

    /// What was read as a list in its order; `None` where a row cannot be read, or stands on another day, which may be left out
    /// of the ledgers.
    fn list(&self, (from, to): (Day, Day), pages: &Pages, snapshot: &Snapshot, began: Stopwatch) -> Option<Newest> {
        let Snapshot { rows, rejects, .. } = snapshot;
        let is_within = rows.iter().all(|row| (from..=to).contains(&row.occurred.day()));
        let entry = |(text, row): (&u128, &Row)| {
            let slot = Slot::of(&self.client.config.common.name, row.source, &row.identity);
            Entry { text: *text, slot, day: row.occurred.day() }
        };
        (rejects.is_empty() && is_within).then(|| Newest::of(pages.texts.iter().zip(rows).map(entry), began))
    }
}
