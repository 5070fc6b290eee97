//! What the watcher does with its register: looks at it, tells what is over, and writes what a reading says of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::debug;

use super::Register;
use crate::clock::Stopwatch;
use crate::domain::account::SourceKind;
use crate::domain::fact::View;
use crate::domain::row::Row;
use crate::domain::watch::{Origin, Watch, WatchId, WatchKind};
use crate::pipeline::watcher::follow::{is_over, number};
use crate::pipeline::watcher::{RENEW, Watcher};
use crate::sources::{Kept, MOST_HINTED, Task};
use crate::store::{Commit, StoreError, Watches};

/// The store is looked at no more often, where that costs a reading for each account.
const LOOK: Duration = Duration::from_secs(5);

/// Whoever paid in the last moment is known upstream by then.
const GRACE: SignedDuration = SignedDuration::from_secs(10);

/// A hinted id is followed for so long while it is open, as the agenda does.
const HINTED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Whoever is handed a link or a QR pays within that time, or takes time.
const EXPECTED: SignedDuration = SignedDuration::from_mins(15);

/// An open watch is young for so long: the account is asked as often as it is configured whatever the hour.
const YOUNG: SignedDuration = SignedDuration::from_hours(1);

/// The most expiries in one commit.
const CHUNK: usize = 500;

impl Watcher {
    /// The same, following what `store` keeps for the account, and `configured`, which is put there.
    #[must_use]
    pub fn following(mut self, store: Arc<dyn Watches>, configured: impl IntoIterator<Item = WatchId>) -> Self {
        self.register = Some(Register::new(store, configured));
        self
    }

    fn look_pause(&self) -> Duration {
        self.store.patience().clamp(LOOK, RENEW)
    }

    /// How long the watches in the store need no look.
    pub(in crate::pipeline::watcher) fn until_look(&self) -> Duration {
        let Some(register) = &self.register else { return Duration::MAX };
        register.looked.map_or(Duration::ZERO, |looked| self.look_pause().saturating_sub(looked.elapsed()))
    }

    /// Looks at the store when that is due, follows what it keeps, and tells and lets go what is over.
    pub(in crate::pipeline::watcher) async fn look_at_watches(&mut self) -> Result<(), StoreError> {
        if self.register.is_none() || !self.until_look().is_zero() {
            return Ok(());
        }
        self.write_watches().await?;
        let (account, now) = (self.herald.account.clone(), self.clock.now());
        let Some(register) = &mut self.register else { return Ok(()) };
        let changed = register.refresh(&account, now).await?;
        let let_go = self.agenda.let_go();
        for (source, id) in let_go {
            if let Some(id) = Watch::id_at(source, &id)
                && register.list.get(&id).is_some_and(|watch| watch.origin == Origin::Hinted)
            {
                register.remove(&id);
            }
        }
        if changed {
            self.align(now);
        }
        self.tell_expired(now).await?;
        if self.let_go_what_is_over(now) {
            self.align(now);
        }
        self.write_watches().await?;
        if let Some(register) = &mut self.register {
            register.looked = Some(Stopwatch::start());
        }
        Ok(())
    }

    pub(in crate::pipeline::watcher) fn align(&mut self, now: Timestamp) {
        self.know_cashins();
        let lookback = self.lookback();
        let Some(register) = &mut self.register else { return };
        let open = || register.list.values().filter(|watch| watch.ended.is_none() && watch.origin != Origin::Hinted);
        let issued = open().filter(|watch| watch.id.kind.source().is_none());
        let expects = issued.filter_map(|watch| watch.since.checked_add(EXPECTED).ok()).max();
        let young = open().filter_map(|watch| watch.since.checked_add(YOUNG).ok()).max();
        (register.expects, register.young) = (expects, young);
        // What is over is kept only to know by it how far the probing has come.
        let asked = register.list.values().filter(|watch| !is_over(watch, now, lookback));
        let kept = asked.filter_map(|watch| {
            let age = Duration::try_from(now.duration_since(watch.since)).unwrap_or_default();
            let (ended, hinted) = (watch.ended.is_some(), watch.origin == Origin::Hinted);
            Some(Kept { source: watch.id.kind.source()?, id: watch.id.id.clone(), age, ended, hinted })
        });
        let kept: Vec<Kept> = kept.collect();
        debug!(account.name = %self.herald.account, watches = kept.len(), "following what the store keeps");
        self.agenda.keep(&kept, self.started.elapsed());
        let followed = self.agenda.followed();
        let is_followed = |source: SourceKind, id: &str| followed.contains(&(source, id.to_owned()));
        self.memory.keep_watched(is_followed);
        let is_kept = |task: &Task| match task {
            Task::Watched { source, id } => is_followed(*source, id),
            Task::Days { .. } => true,
        };
        self.ended.retain(is_kept);
        self.unreadable.retain(is_kept);
    }

    /// Whether a payer is expected, and whether something young is followed.
    pub(in crate::pipeline::watcher) fn expectations(&self, now: Timestamp) -> (bool, bool) {
        let is_ahead = |until: Option<Timestamp>| until.is_some_and(|until| until > now);
        self.register.as_ref().map_or((false, false), |register| (is_ahead(register.expects), is_ahead(register.young)))
    }

    /// Announces issued links and QRs whose time ran out. Not before every open cash-in was asked since, because one may
    /// name the link.
    async fn tell_expired(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(register) = &self.register else { return Ok(()) };
        let (elapsed, looked) = (self.started.elapsed(), self.agenda.looked_through(SourceKind::Cashin));
        let looked = looked.map(|looked| looked.min(self.probed_through()));
        let is_over = |watch: &&Watch| {
            let ago = watch.expires.map(|at| now.duration_since(at));
            let ago = ago.filter(|ago| watch.id.kind.source().is_none() && watch.ended.is_none() && *ago >= GRACE);
            ago.and_then(|ago| Duration::try_from(ago).ok())
                .is_some_and(|ago| looked.is_some_and(|looked| looked >= elapsed.saturating_sub(ago)))
        };
        let over: Vec<Watch> = register.list.values().filter(is_over).cloned().collect();
        for some in over.chunks(CHUNK) {
            let told = some.iter().filter_map(|watch| Some(self.herald.expired(watch, watch.expires?, now)));
            let commit = Commit {
                account: self.herald.account.clone(),
                ledgers: Vec::new(),
                state: None,
                announcements: told.map(|event| self.herald.route(event, false)).collect(),
                rejects: Vec::new(),
                remember: self.policy.remember,
            };
            // Without a guard there is no conflict; one that was told before is passed over by its id.
            self.write(&commit).await?;
            if let Some(register) = &mut self.register {
                for watch in some {
                    register.end(&watch.id, now);
                }
            }
        }
        Ok(())
    }

    /// What was to be followed until now, and what ended so long ago that no refund is listed any more. What the configuration
    /// names stays for as long as it does.
    fn let_go_what_is_over(&mut self, now: Timestamp) -> bool {
        let lookback = self.lookback();
        let Some(register) = &mut self.register else { return false };
        let is_landmark = |watch: &Watch| number(&watch.id).is_some_and(|id| self.agenda.is_landmark(id));
        let over = register.list.values().filter(|watch| is_over(watch, now, lookback) && !is_landmark(watch));
        let over: Vec<WatchId> = over.map(|watch| watch.id.clone()).collect();
        for id in &over {
            register.remove(id);
        }
        !over.is_empty()
    }

    /// Takes in what a reading says of watches; [`Watcher::write_watches`] writes it.
    pub(in crate::pipeline::watcher) fn settle_watches(&mut self, task: &Task, rows: &[Row], ended: bool) {
        let now = self.clock.now();
        let (Some(register), Task::Watched { source, id }) = (&mut self.register, task) else { return };
        for row in rows.iter().filter(|row| matches!(row.view, View::LinkCashin | View::QrCashin)) {
            register.paid(WatchKind::IssuedLink, row.references.link_id.as_ref(), now);
            register.paid(WatchKind::IssuedQr, row.references.qr_order_id.as_ref(), now);
        }
        if let Some(id) = Watch::id_at(*source, id).filter(|_| ended) {
            register.end(&id, now);
        }
    }

    /// Writes what changed here.
    pub(in crate::pipeline::watcher) async fn write_watches(&mut self) -> Result<(), StoreError> {
        let Some(register) = &mut self.register else { return Ok(()) };
        register.write(&self.herald.account).await
    }

    /// Keeps what a hint named and the agenda follows, so that a restart or another replica goes on with it.
    pub(in crate::pipeline::watcher) fn keep_hinted(&mut self, ids: &BTreeSet<(SourceKind, String)>) {
        let now = self.clock.now();
        let Some(register) = &mut self.register else { return };
        for id in ids.iter().filter_map(|(source, id)| Watch::id_at(*source, id)) {
            if !register.list.contains_key(&id) {
                register.put(hinted(id, now));
            }
        }
    }

    /// Leaves hints that were heard here to the replica that holds the account. What fails is dropped, as any hint may be.
    pub(in crate::pipeline::watcher) async fn pass_hints_on(&mut self) {
        let (Some(register), Some(ids)) = (&self.register, self.hints.take()) else { return };
        let now = self.clock.now();
        let mut ids: BTreeSet<WatchId> = ids.iter().filter_map(|(source, id)| Watch::id_at(*source, id)).collect();
        if ids.is_empty() {
            return;
        }
        let passed = async {
            let list = register.store.watches(&self.herald.account).await?;
            for watch in &list.watches {
                ids.remove(&watch.id);
            }
            let there = list.watches.iter().filter(|watch| watch.origin == Origin::Hinted).count();
            let room = MOST_HINTED.saturating_sub(there);
            let new: Vec<Watch> = ids.into_iter().take(room).map(|id| hinted(id, now)).collect();
            register.store.put_watches(&self.herald.account, &new).await
        };
        if let Err(error) = passed.await {
            let error: &(dyn std::error::Error + 'static) = &error;
            debug!(account.name = %self.herald.account, error, "a hint could not be left to the replica that polls");
        }
    }
}

fn hinted(id: WatchId, now: Timestamp) -> Watch {
    let until = now.checked_add(HINTED).ok();
    Watch { until, ..Watch::new(id, Origin::Hinted, now) }
}
