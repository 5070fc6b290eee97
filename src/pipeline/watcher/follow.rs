//! Cash-ins that nobody named: what a probe found is a watch from then on, in the store, where whoever polls the account next
//! sees how far the probing has come.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::debug;

use super::Watcher;
use crate::domain::watch::{Origin, Watch, WatchId, WatchKind};
use crate::sources::{SourceError, Task, Work};
use crate::store::StoreError;

/// So many found cash-ins are kept at the most; beyond that the eldest go. Refunds of them are in the listing, too.
const MOST_FOLLOWED: usize = 1_000;

/// The number of a cash-in.
pub(super) fn number(id: &WatchId) -> Option<u64> {
    if id.kind == WatchKind::Cashin { id.id.parse().ok() } else { None }
}

/// Whether nothing more is to be asked of it: its time is over, or it ended so long ago that no refund is listed any more.
/// What the configuration names stays for as long as it does.
pub(super) fn is_over(watch: &Watch, now: Timestamp, lookback: SignedDuration) -> bool {
    let since = if watch.origin == Origin::Followed { Some(watch.ended.unwrap_or(watch.since)) } else { watch.ended };
    watch.until.is_some_and(|until| until <= now)
        || watch.origin != Origin::Configured && since.is_some_and(|since| now.duration_since(since) >= lookback)
}

impl Watcher {
    /// Keeps what a probe found. Its payment is told already: whoever dies in between finds it again and tells nothing anew.
    pub(super) async fn found(&mut self, work: &Work, ended: bool) -> Result<(), StoreError> {
        let now = self.clock.now();
        let Task::Watched { source, id } = work.task() else { return Ok(()) };
        let (Some(register), Some(id), true) = (&mut self.register, Watch::id_at(source, &id), work.is_probe()) else {
            return Ok(());
        };
        if !register.list.contains_key(&id) {
            let ended = ended.then_some(now);
            register.put(Watch { ended, ..Watch::new(id.clone(), Origin::Followed, now) });
        }
        let followed = register.list.values().filter(|watch| watch.origin == Origin::Followed);
        // Those that are open may be paid yet: they go last.
        let mut followed: Vec<(bool, u64)> =
            followed.filter_map(|watch| Some((watch.ended.is_none(), number(&watch.id)?))).collect();
        followed.sort_unstable();
        followed.truncate(followed.len().saturating_sub(MOST_FOLLOWED));
        for (_, eldest) in followed {
            register.remove(&WatchId { kind: WatchKind::Cashin, id: eldest.to_string() });
        }
        debug!(account.name = %self.herald.account, watch.id = %id, "found by probing");
        self.write_watches().await?;
        self.align(now);
        Ok(())
    }

    /// A probe that found nothing is everyday, whatever the upstream says of an id that may be another merchant's.
    pub(super) fn not_found(&self, work: &Work, error: &SourceError) {
        let (account, class, task) = (&self.herald.account, error.class(), work.task());
        let error: &(dyn std::error::Error + 'static) = error;
        debug!(account.name = %account, ?task, class, error, "nothing is there yet");
    }

    /// Tells the agenda which cash-ins are known.
    pub(super) fn know_cashins(&mut self) {
        let Some(register) = &self.register else { return };
        let exists = |watch: &Watch| watch.origin == Origin::Followed || watch.ended.is_some();
        let known = register.list.values().filter_map(|watch| Some((number(&watch.id)?, exists(watch))));
        let known: Vec<(u64, bool)> = known.collect();
        self.agenda.know_cashins(&known, self.started.elapsed());
    }

    pub(super) fn lookback(&self) -> SignedDuration {
        SignedDuration::from_hours(i64::from(self.policy.lookback_days) * 24)
    }

    /// Until when payments were seen, as far as probing goes.
    pub(super) fn probed_through(&self) -> Duration {
        self.agenda.probed_through(self.started.elapsed())
    }
}
