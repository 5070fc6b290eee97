//! Laws of cash-ins that nobody named and that are found by probing.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::*;
use crate::domain::watch::{Origin, Watch, WatchId, WatchKind};
use crate::store::Watches as _;

/// An upstream whose cash-ins are known by their numbers alone.
#[derive(Debug)]
struct Sequence {
    account: AccountName,
    cashins: Mutex<BTreeMap<u64, Row>>,
    /// What it says of an id that is not there, or not ours: nothing found, or no entry.
    forbids: Mutex<bool>,
    /// Every question, by the seconds since the start; `None`: the listing.
    asked: Mutex<Vec<(u64, Option<u64>)>>,
    clock: Arc<dyn Clock>,
}

impl Sequence {
    fn of(town: &Town) -> Arc<Self> {
        let (account, clock) = (AccountName::new(town.name), Arc::clone(&town.clock));
        let (cashins, forbids, asked) = (Mutex::default(), Mutex::new(false), Mutex::default());
        Arc::new(Self { account, cashins, forbids, asked, clock })
    }

    fn come(&self, ids: impl IntoIterator<Item = u64>) {
        let row = |id: u64| {
            let mut row = sale(id, i64::try_from(id).unwrap(), "2026-11-21T09:01:00");
            (row.source, row.view) = (SourceKind::Cashin, View::LinkCashin);
            row.references = References { link_id: Some(format!("link-{id}")), ..References::default() };
            (id, row)
        };
        self.cashins.lock().unwrap().extend(ids.into_iter().map(row));
    }

    fn probes(&self) -> Vec<(u64, u64)> {
        self.asked.lock().unwrap().iter().filter_map(|(at, id)| Some((*at, (*id)?))).collect()
    }
}

#[async_trait]
impl Source for Sequence {
    fn account(&self) -> &AccountName {
        &self.account
    }

    fn upstream(&self) -> Upstream {
        Upstream::Telepagos
    }

    fn listing(&self) -> SourceKind {
        SourceKind::Transactions
    }

    async fn prepare(&self) -> Result<(), SourceError> {
        Ok(())
    }

    async fn read(&self, task: &Task, _: Option<Fingerprint>) -> Result<Reading, SourceError> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = self.clock.now();
        let at = now.as_second().unsigned_abs();
        let (source, rows) = match task {
            Task::Days { .. } => {
                self.asked.lock().unwrap().push((at, None));
                (SourceKind::Transactions, Vec::new())
            }
            Task::Watched { id, .. } => {
                let id = id.parse().unwrap();
                self.asked.lock().unwrap().push((at, Some(id)));
                let row = self.cashins.lock().unwrap().get(&id).cloned();
                let forbids = *self.forbids.lock().unwrap();
                let refused = SourceError::Refused { status: 403, message: String::from("no es suyo") };
                (SourceKind::Cashin, vec![row.ok_or(if forbids { refused } else { SourceError::NotFound })?])
            }
        };
        Ok(Reading::Snapshot(Snapshot::whole(source, now, rows, Vec::new(), 0)))
    }
}

impl Town {
    /// A watcher that probes from 100 on, ten ahead.
    fn probing(&self, store: Arc<dyn Store>, source: &Arc<Sequence>) -> Watcher {
        let poll = Poll {
            hot: self.hot,
            quiet: self.hot,
            warm: Duration::from_secs(900),
            cold: Duration::from_secs(86_400),
            watch: Duration::from_secs(5),
        };
        let agenda = Agenda::new(poll, self.policy.lookback_days, Vec::new()).following(100, 10);
        let (clock, nudge) = (Arc::clone(&self.clock), self.nudge.clone());
        let source: Arc<dyn Source> = Arc::<Sequence>::clone(source);
        let watcher = Watcher::new(store, source, clock, self.herald(), self.policy, agenda, nudge, Arc::new(Nobody));
        watcher.following(Arc::<MemoryStore>::clone(&self.store), [])
    }

    fn alone(&self, source: &Arc<Sequence>) -> Watcher {
        self.probing(Arc::<MemoryStore>::clone(&self.store), source)
    }

    async fn list(&self) -> Vec<Watch> {
        self.store.watches(&AccountName::new(self.name)).await.unwrap().watches
    }

    async fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.list().await.iter().filter_map(|watch| watch.id.id.parse().ok()).collect();
        numbers.sort_unstable();
        numbers
    }
}

#[tokio::test(start_paused = true)]
async fn a_cashin_that_nobody_named_is_told_once_over_restarts_and_a_take_over() {
    let town = Town::new();
    let source = Sequence::of(&town);
    town.watch(&mut town.alone(&source), MINUTE).await;
    source.come([100, 101]);
    town.watch(&mut town.alone(&source), 3 * MINUTE).await;
    assert_eq!(town.cried().await, ["link.paid 100.00", "link.paid 101.00"]);
    assert!(town.list().await.iter().all(|watch| watch.origin == Origin::Followed && watch.ended.is_some()));
    town.watch(&mut town.alone(&source), 3 * MINUTE).await;
    source.come([102, 103]);
    let other: Arc<dyn Store> = Arc::new(town.store.replica("two"));
    town.watch(&mut town.probing(other, &source), 5 * MINUTE).await;
    assert_eq!(town.cried().await.len(), 4, "each once: {:?}", town.cried().await);
    assert_eq!(town.numbers().await, [100, 101, 102, 103]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_the_telling_and_the_keeping_tells_nothing_twice() {
    let town = Town::new();
    let source = Sequence::of(&town);
    town.watch(&mut town.alone(&source), MINUTE).await;
    source.come([100]);
    town.watch(&mut town.alone(&source), MINUTE).await;
    let id = WatchId { kind: WatchKind::Cashin, id: String::from("100") };
    town.store.remove_watches(&AccountName::new(town.name), &[id]).await.unwrap();
    town.watch(&mut town.alone(&source), MINUTE).await;
    assert_eq!(town.cried().await, ["link.paid 100.00"]);
    assert_eq!(town.numbers().await, [100], "found again and kept");
}

#[tokio::test(start_paused = true)]
async fn ids_of_other_merchants_are_passed_over_and_what_comes_late_below_is_found() {
    for forbids in [false, true] {
        let town = Town::new();
        let source = Sequence::of(&town);
        *source.forbids.lock().unwrap() = forbids;
        let mut watcher = town.alone(&source);
        town.watch(&mut watcher, MINUTE).await;
        source.come([104]);
        town.watch(&mut watcher, 5 * MINUTE).await;
        source.come([102]);
        town.watch(&mut watcher, 10 * MINUTE).await;
        assert_eq!(town.cried().await, ["link.paid 104.00", "link.paid 102.00"]);
        source.come([170]);
        town.watch(&mut watcher, 300 * MINUTE).await;
        assert_eq!(town.cried().await.last().unwrap(), "link.paid 170.00", "beyond a window of strangers");
    }
}

#[tokio::test(start_paused = true)]
async fn probing_leaves_the_listing_and_the_other_watches_their_share() {
    let town = Town::new();
    let source = Sequence::of(&town);
    source.come(100..400);
    let named = WatchId { kind: WatchKind::Cashin, id: String::from("7") };
    let watch = Watch::new(named, Origin::Operator, town.clock.now());
    town.store.put_watches(&AccountName::new(town.name), &[watch]).await.unwrap();
    town.watch(&mut town.alone(&source), 30 * MINUTE).await;
    let probes = source.probes();
    let of_seven = probes.iter().filter(|(_, id)| *id == 7).count();
    let times: Vec<u64> = probes.iter().filter(|(_, id)| *id != 7).map(|(at, _)| *at).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 4), "one in five seconds");
    assert!((300..=362).contains(&times.len()) && of_seven >= 300, "{} probes, {of_seven}", times.len());
    let listings = source.asked.lock().unwrap().iter().filter(|(_, id)| id.is_none()).count();
    assert!(listings >= 110, "{listings}");
    assert_eq!(town.cried().await.len(), 300, "each of them is told");
}

#[tokio::test(start_paused = true)]
async fn the_highest_is_remembered_beyond_the_look_back_without_being_asked() {
    let town = Town::new();
    let source = Sequence::of(&town);
    source.come(100..125);
    town.watch(&mut town.alone(&source), 5 * MINUTE).await;
    assert_eq!(town.numbers().await.len(), 25);
    tokio::time::advance(Duration::from_secs(31 * 86_400)).await;
    let mut watcher = town.alone(&source);
    town.watch(&mut watcher, 2 * MINUTE).await;
    assert_eq!(
        town.numbers().await,
        (114..125).collect::<Vec<_>>(),
        "the highest, and as many below as are probed above"
    );
    let before = source.probes().len();
    town.watch(&mut town.alone(&source), 60 * MINUTE).await;
    assert!(source.probes()[before..].iter().all(|(_, id)| *id > 124), "it is not asked any more");
    source.come([125]);
    town.watch(&mut town.alone(&source), 5 * MINUTE).await;
    assert_eq!(town.cried().await.len(), 26);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_a_probe_shows_to_be_paid_does_not_expire() {
    let town = Town::new();
    let source = Sequence::of(&town);
    let mut watcher = town.alone(&source);
    town.watch(&mut watcher, MINUTE).await;
    let expires = town.clock.now() + SignedDuration::from_secs(60);
    let links = ["link-100", "link-999"].map(|link| {
        let id = WatchId { kind: WatchKind::IssuedLink, id: String::from(link) };
        Watch { expires: Some(expires), ..Watch::new(id, Origin::Created, town.clock.now()) }
    });
    town.store.put_watches(&AccountName::new(town.name), &links).await.unwrap();
    town.watch(&mut watcher, 59 * Duration::from_secs(1)).await;
    source.come([100]);
    town.watch(&mut watcher, 20 * MINUTE).await;
    assert_eq!(town.cried().await, ["link.paid 100.00", "link.expired 0.00"]);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_paid_before_anybody_looked_at_it_does_not_expire() {
    let town = Town::new();
    let source = Sequence::of(&town);
    let mut watcher = town.alone(&source);
    town.watch(&mut watcher, MINUTE).await;
    let made = town.clock.now();
    source.come([100]);
    while town.cried().await.is_empty() {
        town.watch(&mut watcher, Duration::from_secs(1)).await;
    }
    let expires = Some(town.clock.now() + SignedDuration::from_secs(60));
    let watch = |link: &str, origin, since, reusable| {
        let id = WatchId { kind: WatchKind::IssuedLink, id: String::from(link) };
        Watch { expires, reusable, ..Watch::new(id, origin, since) }
    };
    let account = AccountName::new(town.name);
    town.store.put_watches(&account, &[watch("link-100", Origin::Operator, made, false)]).await.unwrap();
    town.watch(&mut watcher, 20 * MINUTE).await;
    assert_eq!(town.cried().await, ["link.paid 100.00"]);
    // Added once more after the payment, it is to be paid once more.
    let anew = Watch { ended: None, ..watch("link-100", Origin::Operator, town.clock.now(), false) };
    town.store.put_watches(&account, &[anew]).await.unwrap();
    town.watch(&mut watcher, 20 * MINUTE).await;
    assert_eq!(town.cried().await, ["link.paid 100.00", "link.expired 0.00"]);
}
