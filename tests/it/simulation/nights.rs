//! Days that are closed, and a gap that only their reading shows: rows that an upstream lists for nobody who polls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, ToSpan as _};
use pregonero::domain::account::{AccountName, SourceKind, Upstream};
use pregonero::domain::event::Body;
use pregonero::sandbox::world::{RowId, World};
use pregonero::sources::{Fingerprint, Known, Reading, Source, SourceError, Task};

use super::run::House;

/// A row that polls are not shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unseen {
    Transfer(RowId),
    Sale(u64),
}

/// What is out of the polls' sight. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Gap {
    world: World,
    rows: Arc<Mutex<Vec<(Unseen, Date)>>>,
}

impl Gap {
    pub(super) fn new(world: World) -> Self {
        Self { world, rows: Arc::default() }
    }

    /// Takes a row that nobody saw yet out of sight.
    pub(super) fn take(&self, row: Unseen) {
        self.rows.lock().unwrap().push((row, self.world.wall_clock().date()));
        self.hide(row);
    }

    fn hide(&self, row: Unseen) {
        match row {
            Unseen::Transfer(id) => self.world.telepagos_hide(id),
            Unseen::Sale(id) => self.world.sipago_hide(id),
        };
    }

    fn show(&self, row: Unseen) {
        match row {
            Unseen::Transfer(id) => self.world.telepagos_show(id),
            Unseen::Sale(id) => self.world.sipago_show(id),
        };
    }

    /// The rows of one upstream.
    fn of(&self, upstream: Upstream) -> Vec<(Unseen, Date)> {
        let at = |row: &Unseen| match row {
            Unseen::Transfer(_) => Upstream::Telepagos,
            Unseen::Sale(_) => Upstream::Sipago,
        };
        self.rows.lock().unwrap().iter().filter(|(row, _)| at(row) == upstream).copied().collect()
    }

    /// Whether a day has rows that nobody saw before it was closed.
    fn has(&self, upstream: Upstream, day: Date) -> bool {
        self.of(upstream).iter().any(|(_, of)| *of == day)
    }
}

/// The rows of a gap, visible until this is dropped: a crash in the middle of a reading hides them, too.
struct Lantern<'a> {
    gap: &'a Gap,
    rows: Vec<(Unseen, Date)>,
}

impl<'a> Lantern<'a> {
    fn lift(gap: &'a Gap, upstream: Upstream) -> Self {
        let rows = gap.of(upstream);
        for (row, _) in &rows {
            gap.show(*row);
        }
        Self { gap, rows }
    }
}

impl Drop for Lantern<'_> {
    fn drop(&mut self) {
        for (row, _) in &self.rows {
            self.gap.hide(*row);
        }
    }
}

/// A source whose gap only the reading of yesterday shows that closes it.
#[derive(Debug)]
pub(super) struct Gapped {
    pub(super) inner: Arc<dyn Source>,
    pub(super) gap: Gap,
}

impl Gapped {
    /// Yesterday and its neighbours, in full. Polls go on to tomorrow, or are shorter or longer.
    fn closes(&self, task: &Task, known: Option<Fingerprint>) -> bool {
        let Task::Days { from, to } = task else { return false };
        let today = self.gap.world.wall_clock().date().to_string();
        known.is_none() && to.to_string() == today && from.plus(2) == *to
    }
}

#[async_trait]
impl Source for Gapped {
    fn account(&self) -> &AccountName {
        self.inner.account()
    }

    fn upstream(&self) -> Upstream {
        self.inner.upstream()
    }

    fn listing(&self) -> SourceKind {
        self.inner.listing()
    }

    async fn prepare(&self) -> Result<(), SourceError> {
        self.inner.prepare().await
    }

    async fn read(&self, task: &Task, known: Option<Fingerprint>) -> Result<Reading, SourceError> {
        let _lantern = self.closes(task, known).then(|| Lantern::lift(&self.gap, self.upstream()));
        self.inner.read(task, known).await
    }

    // Without this everything would be read in full, and what is left out when a list is read again never tried.
    async fn read_again(&self, task: &Task, known: &Known) -> Result<Reading, SourceError> {
        self.inner.read_again(task, known).await
    }
}

/// How long after the time of closing the last day must have been closed.
const LEEWAY: Duration = Duration::from_secs(45 * 60);

/// Days that were closed too early, and such as should be closed by now; days with a gap of which nothing was said.
pub(super) fn wrong_nights(house: &House) -> Vec<String> {
    let (Some(nightly), Some(first)) = (house.plan.nightly, *house.contacted.lock().unwrap()) else {
        return Vec::new();
    };
    let now: DateTime = house.world.wall_clock();
    let mut said: BTreeMap<(String, &str, String), usize> = BTreeMap::new();
    house.record.with(|noted| {
        for (event, _) in noted.events.values() {
            let Body::Notice(notice) = &event.body else { continue };
            let (Some(day), Some(account)) = (notice.day, &event.account) else { continue };
            *said.entry((account.to_string(), event.kind.as_str(), day.to_string())).or_default() += 1;
        }
    });
    let mut wrong = Vec::new();
    let early = |day: &str| day >= now.date().to_string().as_str();
    for ((account, kind, day), times) in &said {
        // A clock that is ahead closes its own yesterday.
        if *times > 1 || (house.plan.skew.is_zero() && early(day)) {
            wrong.push(format!("CLOSED {account} {day}: {kind} was told {times} times by {now}"));
        }
    }
    if !house.plan.skew.is_zero() && !house.plan.gap {
        // A clock that was weeks ahead has closed its days, and skipped ours.
        return wrong;
    }
    let leeway = SignedDuration::try_from(LEEWAY).unwrap();
    let over = now.saturating_sub(leeway);
    let back = if over.time() >= nightly.at && over.date() == now.date() { 1 } else { 2 };
    let last = now.date().saturating_sub(back.days());
    for (account, upstream) in [("centro", Upstream::Telepagos), ("palermo", Upstream::Sipago)] {
        for day in first.series(1.day()).take_while(|day| *day <= last) {
            let told = |kind| said.contains_key(&(account.to_owned(), kind, day.to_string()));
            if !told("day.closed") {
                wrong.push(format!("OPEN {account} {day} was not closed by {now}"));
            }
            if house.gap.has(upstream, day) && !told("reconcile.difference") {
                wrong.push(format!("GAP {account} {day} was closed without a word about its gap"));
            }
        }
    }
    wrong
}
