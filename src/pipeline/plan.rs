//! What a reading tells, put into commits.
//!
//! Nearly always one. A reading with thousands of new facts is written in several, each whole in itself: the memory of
//! its rows, their events and their deliveries. A crash between two of them leaves facts that the next reading finds.
//! What belongs to the reading as a whole (the account's state, baselines, books of refunds, rejects) comes last.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

use super::announce::Herald;
use super::reconcile::{count, difference};
use crate::domain::account::Partition;
use crate::domain::closing::Closing;
use crate::domain::day::{Day, local_day};
use crate::domain::event::{Event, EventId, EventType, Notice, is_late};
use crate::domain::fact::FactKind;
use crate::domain::ledger::{Change, Slot};
use crate::domain::policy::Policy;
use crate::domain::row::Row;
use crate::sources::Snapshot;
use crate::store::{AccountState, Announcement, Commit, LedgerWrite};

/// The most events of one commit: some MiB at once, and deliveries begin while the rest is written.
const CHUNK: usize = 500;

/// A fact that is to be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// Index of its row in the snapshot.
    pub(super) row: usize,
    /// The slot and number that its id comes from.
    pub(super) slot: Slot,
    pub(super) ordinal: u32,
    pub(super) fact: FactKind,
    /// The payment that it is told under.
    pub(super) payment: u64,
    /// The slot of its row, whose memory is written with it.
    pub(super) from: Slot,
    /// It shares a book of refunds or pairs, so that it is written with the books.
    pub(super) shares: bool,
}

/// All that a plan is made of.
pub(super) struct Inputs<'a> {
    pub(super) herald: &'a Herald,
    pub(super) policy: &'a Policy,
    pub(super) snapshot: &'a Snapshot,
    pub(super) now: Timestamp,
    pub(super) state: Option<(u64, AccountState)>,
    pub(super) parts: Vec<Part>,
    pub(super) book_writes: Vec<LedgerWrite>,
    pub(super) told: Vec<Told>,
    /// The day that is reconciled: what is told of it had been missed.
    pub(super) reconciles: Option<Day>,
}

/// The changes of one partition, sorted by slot, and which of them are written already.
pub(super) struct Part {
    partition: Partition,
    version: u64,
    changes: Vec<Change>,
    written: Vec<bool>,
    /// It is written even if nothing in it changes: what was concluded from its content must not be concluded from
    /// another content by somebody else.
    guarded: bool,
}

impl Part {
    pub(super) fn new(partition: Partition, version: u64, changes: Vec<Change>) -> Self {
        Self { partition, version, written: vec![false; changes.len()], changes, guarded: false }
    }

    /// A part that the conclusions of this reading rest on.
    pub(super) fn guarded(partition: Partition, version: u64, changes: Vec<Change>) -> Self {
        Self { guarded: true, ..Self::new(partition, version, changes) }
    }

    /// The change of a slot, once.
    fn take(&mut self, slot: &Slot) -> Option<Change> {
        let place = self.changes.binary_search_by_key(slot, |change| change.slot).ok()?;
        let written = self.written.get_mut(place)?;
        if std::mem::replace(written, true) {
            return None;
        }
        let change = self.changes.get_mut(place)?;
        Some(Change { slot: change.slot, memories: std::mem::take(&mut change.memories) })
    }

    /// What was not taken.
    fn rest(self) -> Vec<Change> {
        let left = self.changes.into_iter().zip(self.written).filter(|(_, written)| !*written);
        left.map(|(change, _)| change).collect()
    }
}

/// The commits of one reading, made one at a time.
pub(super) struct Plan<'a> {
    inputs: Inputs<'a>,
    /// Told in chunks before the last commit.
    early: VecDeque<Told>,
    /// Told in the last commit.
    late: Vec<Told>,
    held: usize,
    first_held: Option<EventId>,
    differences: usize,
    /// To be told in the first commit, so that no crash separates a difference from what is said of it.
    opening: Option<Announcement>,
    finished: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn new(mut inputs: Inputs<'a>) -> Self {
        let rows = &inputs.snapshot.rows;
        // In the order in which it happened; what happened at once stays in the upstream's order.
        let when = |told: &Told| rows.get(told.row).map(|row| (row.occurred.day(), row.occurred.instant()));
        inputs.told.sort_by_key(when);
        let told = std::mem::take(&mut inputs.told);
        let mut plan = Self {
            inputs,
            early: VecDeque::new(),
            late: Vec::new(),
            held: 0,
            first_held: None,
            differences: 0,
            opening: None,
            finished: false,
        };
        if let Some(day) = plan.inputs.reconciles {
            let zone = &plan.inputs.herald.zone;
            let of_day = |told: &&Told| plan.row(told).is_some_and(|row| local_day(&row.occurred, zone) == day);
            plan.differences = told.iter().filter(of_day).count();
            let closing = Closing { differences: count(plan.differences), ..Closing::default() };
            let difference = difference(plan.inputs.herald, day, closing, plan.inputs.now);
            plan.opening = difference.filter(|_| plan.differences > 0);
        }
        let old: Vec<&Told> = told.iter().filter(|told| plan.is_old(told)).collect();
        let limit = plan.inputs.policy.flood.limit;
        if limit > 0 && old.len() > limit {
            plan.held = old.len();
            plan.first_held = old.first().map(|told| EventId::of_fact(&told.slot, told.ordinal, told.fact));
        }
        // A flood is one decision and so one commit.
        if told.len() <= CHUNK || plan.held > 0 {
            plan.late = told;
        } else {
            let (late, early): (Vec<Told>, Vec<Told>) = told.into_iter().partition(|told| told.shares);
            (plan.late, plan.early) = (late, Vec::into(early));
        }
        plan
    }

    /// How many facts the flood guard holds.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// How many facts of the reconciled day had not been announced.
    pub(super) const fn differences(&self) -> usize {
        self.differences
    }

    /// The next commit. To be called again only after this one was written; dropped where it met a conflict.
    pub(super) fn next(&mut self) -> Option<Commit> {
        if !self.early.is_empty() {
            return Some(self.chunk());
        }
        if std::mem::replace(&mut self.finished, true) {
            return None;
        }
        Some(self.last())
    }

    /// So many facts, and the memories of their rows; a slot is never torn.
    fn chunk(&mut self) -> Commit {
        let mut announcements = Vec::with_capacity(CHUNK);
        let mut changes: HashMap<usize, Vec<Change>> = HashMap::new();
        let mut slot = None;
        while let Some(told) = self.early.front().copied() {
            if announcements.len() >= CHUNK && slot != Some(told.from) {
                break;
            }
            slot = Some(told.from);
            self.early.pop_front();
            announcements.extend(self.announce(&told));
            let parts = self.inputs.parts.iter_mut().enumerate();
            for (part, change) in parts.filter_map(|(index, part)| Some((index, part.take(&told.from)?))) {
                changes.entry(part).or_default().push(change);
            }
        }
        let mut ledgers: Vec<LedgerWrite> = Vec::new();
        for (index, part) in self.inputs.parts.iter_mut().enumerate() {
            let changes = changes.remove(&index);
            // The first commit carries the guards, since it is the first that others see.
            if changes.is_some() || part.guarded {
                let changes = changes.unwrap_or_default();
                ledgers.push(LedgerWrite { partition: part.partition.clone(), expected: part.version, changes });
                // What is written moves the version on, for the next commit of this plan.
                part.version += 1;
                part.guarded = false;
            }
        }
        self.commit(ledgers, announcements)
    }

    fn last(&mut self) -> Commit {
        let late = std::mem::take(&mut self.late);
        let mut announcements: Vec<Announcement> = late.iter().filter_map(|told| self.announce(told)).collect();
        announcements.extend(self.flood_notice());
        let mut ledgers = Vec::new();
        for part in std::mem::take(&mut self.inputs.parts) {
            let (partition, expected, guarded) = (part.partition.clone(), part.version, part.guarded);
            let changes = part.rest();
            // An unread partition is written even if it is empty: from then on it is no baseline.
            if expected == 0 || guarded || !changes.is_empty() {
                ledgers.push(LedgerWrite { partition, expected, changes });
            }
        }
        ledgers.append(&mut self.inputs.book_writes);
        let mut commit = self.commit(ledgers, announcements);
        commit.state = self.inputs.state.take();
        commit.rejects.clone_from(&self.inputs.snapshot.rejects);
        commit
    }

    fn commit(&mut self, ledgers: Vec<LedgerWrite>, mut announcements: Vec<Announcement>) -> Commit {
        announcements.extend(self.opening.take());
        Commit {
            account: self.inputs.herald.account.clone(),
            ledgers,
            state: None,
            announcements,
            rejects: Vec::new(),
            remember: self.inputs.policy.remember,
        }
    }

    fn announce(&self, told: &Told) -> Option<Announcement> {
        let Inputs { herald, now, .. } = &self.inputs;
        let row = self.row(told)?;
        let event: Event = herald.fact(row, &told.slot, told.ordinal, told.fact, Some(told.payment), *now);
        // Recent ones pass: the guard is against a history that looks new, not against a good day.
        Some(herald.route(event, self.held > 0 && self.is_old(told)))
    }

    fn flood_notice(&self) -> Option<Announcement> {
        let Inputs { herald, policy, snapshot, now, .. } = &self.inputs;
        let first = self.first_held?.to_string();
        let minutes = policy.flood.older_than.as_secs() / 60;
        let notice = Notice {
            reason: format!(
                "{} facts older than {minutes} min would be announced at once; run `pregonero release`",
                self.held
            ),
            since: Some(*now),
            count: u64::try_from(self.held).ok(),
            ..Notice::default()
        };
        let event = herald.notice(EventType::FloodHeld, Some(snapshot.source), &[&first], notice, *now);
        Some(herald.route(event, false))
    }

    fn is_old(&self, told: &Told) -> bool {
        let Inputs { herald, policy, now, .. } = &self.inputs;
        let today = herald.today(*now);
        self.row(told).is_some_and(|row| is_late(&row.occurred, *now, today, policy.flood.older_than))
    }

    fn row(&self, told: &Told) -> Option<&'a Row> {
        self.inputs.snapshot.rows.get(told.row)
    }
}
