//! Long lists, a page at a time.

use jiff::{SignedDuration, Timestamp};

use super::{Archive, EventFilter, StoreError};
use crate::domain::account::AccountName;
use crate::domain::event::Event;

/// Hands over every event of an account that was detected at or after `since`, in pages of about `page`, newest first;
/// one may come twice.
///
/// # Errors
/// See [`StoreError`].
pub async fn each_event(
    archive: &dyn Archive,
    account: &AccountName,
    since: Timestamp,
    page: usize,
    mut take: impl FnMut(&Event) + Send,
) -> Result<(), StoreError> {
    let mut filter =
        EventFilter { account: Some(account.clone()), since: Some(since), limit: page, ..EventFilter::default() };
    loop {
        let events = archive.events(&filter).await?;
        for event in &events {
            take(event);
        }
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        if events.len() < filter.limit {
            return Ok(());
        }
        // The stores tell times apart to the millisecond, and thousands may be of one.
        let until = last.detected_at.checked_add(SignedDuration::from_millis(1)).unwrap_or(Timestamp::MAX);
        if first.detected_at >= until && filter.until.is_none_or(|before| until < before) {
            (filter.until, filter.limit) = (Some(until), page);
        } else {
            filter.limit = filter.limit.saturating_mul(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use super::*;
    use crate::clock::{Clock, TokioClock};
    use crate::domain::event::{Body, EventId, EventType, Notice};
    use crate::store::memory::MemoryStore;
    use crate::store::{Announcement, Commit, Store as _};

    fn event(n: u32, at: Timestamp, account: &AccountName) -> Event {
        Event {
            id: EventId::of_notice(&[&n.to_string()]),
            kind: EventType::TestPing,
            account: Some(account.clone()),
            upstream: None,
            source: None,
            occurred_at: String::new(),
            detected_at: at,
            late: false,
            sandbox: false,
            body: Body::Notice(Notice::default()),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_event_since_then_comes_even_where_thousands_are_of_one_moment() {
        let start: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(start, 7));
        let store = MemoryStore::new("one", clock);
        let account = AccountName::new("centro");
        // So many at each moment, a microsecond, a millisecond or a second apart.
        let mut at = start;
        let mut n = 0;
        for (crowd, apart) in [(3, 1_000), (25, 1_000_000), (1, 1_000_000_000), (40, 1_000), (7, 1)] {
            let events = (n..n + crowd).map(|n| event(n, at, &account));
            let announcements =
                events.map(|event| Announcement { event: Arc::new(event), destinations: Vec::new(), held: false });
            let commit = Commit {
                account: account.clone(),
                ledgers: Vec::new(),
                state: None,
                announcements: announcements.collect(),
                rejects: Vec::new(),
                remember: std::time::Duration::ZERO,
            };
            store.commit(&commit).await.unwrap();
            n += crowd;
            at = at.checked_add(SignedDuration::from_nanos(apart)).unwrap();
        }
        for page in [1, 2, 10, 1_000] {
            let mut seen = HashSet::new();
            each_event(&store, &account, start, page, |event| seen.extend([event.id])).await.unwrap();
            assert_eq!(seen.len(), 76, "page of {page}");
            let later = start.checked_add(SignedDuration::from_secs(1)).unwrap();
            let mut seen = HashSet::new();
            each_event(&store, &account, later, page, |event| seen.extend([event.id])).await.unwrap();
            assert_eq!(seen.len(), 47, "page of {page}, since later");
        }
    }
}
