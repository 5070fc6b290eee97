//! The laws of a store. A new back-end is done when it keeps them.
//!
//! Each law is a function over a [`Harness`]; the macro [`laws!`] lists them once and makes a test of each, by name, for
//! one back-end. Time is the store's own: a law never asserts that something has *not yet* happened within a short
//! time, and waits for what must happen with [`eventually`], so that it holds on a slow machine too.

pub(crate) mod accounts;
pub(crate) mod archive;
pub(crate) mod commits;
pub(crate) mod crowds;
pub(crate) mod leases;
pub(crate) mod payouts;
pub(crate) mod requeue;
pub(crate) mod settling;
pub(crate) mod upkeep;
pub(crate) mod watches;

use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};

use super::{
    AccountState, Announcement, Archive, Commit, Committed, DeliveryFilter, DeliveryView, EventFilter, Exchange, Lease,
    LedgerWrite, Settlement, Store, StoreError, Want,
};
use crate::domain::account::{AccountName, Partition, Scope, SourceKind, Upstream};
use crate::domain::day::Day;
use crate::domain::delivery::{Attempt, FailureClass, State, Verdict};
use crate::domain::event::{Body, Event, EventId, EventType, Notice};
use crate::domain::fact::{FactKind, FactSet};
use crate::domain::ledger::{Change, Ledger, Memory, Party, Slot};
use crate::domain::route::DestinationName;
use crate::domain::row::Reject;

/// One back-end under test.
pub(crate) trait Harness: Sized {
    /// The back-end.
    type Store: Store + Archive + crate::store::Watches + crate::store::Payouts + 'static;

    /// An empty store of its own, opened by the instance `one`.
    async fn fresh() -> Self;

    /// The store as the instance `one` sees it.
    fn store(&self) -> Arc<Self::Store>;

    /// The same data as another instance sees it; `None` where only one daemon can have it.
    async fn replica(&self, instance: &str) -> Option<Arc<Self::Store>>;

    /// Closes the store and opens it again as the instance `one`; `None` where it forgets by design.
    async fn reopen(self) -> Option<Self>;

    /// The store's time when it was made, always the same; events are dated by it.
    fn born(&self) -> Timestamp;

    /// About the store's time now.
    fn now(&self) -> Timestamp;

    /// Lets at least that much of the store's time pass.
    async fn pass(&self, time: Duration);
}

/// A clock that stands until it is told to pass.
#[derive(Debug, Default)]
pub(crate) struct ManualClock(std::sync::Mutex<Duration>);

impl ManualClock {
    /// What it shows at first.
    pub(crate) const BORN: Timestamp = Timestamp::constant(1_795_000_000, 123_000_000);

    /// Moves it on.
    pub(crate) fn pass(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

impl crate::clock::Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Self::BORN + *self.0.lock().unwrap()
    }

    fn chance(&self) -> f64 {
        0.5
    }
}

/// Makes a test of each law for one back-end: `laws!(HarnessOfThatBackEnd);` at the end of its tests.
macro_rules! laws {
    ($harness:ty) => {
        $crate::store::conformance::laws! { @each $harness;
            accounts::a_holder_renews_under_the_same_fence,
            accounts::a_held_account_is_refused_to_another,
            accounts::a_lapsed_account_is_taken_over_with_a_higher_fence,
            accounts::a_released_account_is_free_and_only_its_holder_releases_it,
            archive::an_event_is_shown_with_its_deliveries,
            archive::counts_are_right,
            archive::deliveries_are_listed_by_filter_newest_first,
            archive::events_are_listed_newest_first_by_filter_and_limit,
            archive::odd_names_are_safe,
            archive::rejects_are_listed_newest_first_by_account,
            commits::a_commit_is_all_or_nothing_under_each_ledgers_version,
            commits::a_commit_is_guarded_by_the_version_of_the_state,
            commits::a_fact_told_twice_is_one_event_with_its_deliveries_once,
            commits::a_partition_is_told_from_every_other,
            commits::a_reject_is_kept_once_for_each_account,
            commits::a_state_is_read_as_it_was_written,
            commits::an_event_that_nobody_asked_for_is_kept,
            commits::an_unread_ledger_has_version_0_and_an_empty_write_makes_it_1,
            commits::slots_are_replaced_and_removed_when_empty,
            crowds::a_large_commit_is_read_as_it_was_written,
            crowds::a_ledger_is_read_as_written_however_it_grows_and_changes,
            crowds::commits_of_many_accounts_do_not_mix,
            crowds::eight_tasks_lease_each_delivery_once,
            crowds::of_concurrent_commits_one_wins_each_version,
            leases::a_delivery_is_leased_again_only_after_its_lease_and_with_a_higher_fence,
            leases::a_held_announcement_waits_for_its_release,
            leases::deliveries_leave_in_the_order_of_the_facts,
            leases::room_is_respected_for_each_destination,
            leases::the_next_due_time_is_told,
            leases::the_end_of_another_instances_lease_is_waited_for,
            leases::what_nobody_wants_is_not_leased,
            payouts::a_cash_out_that_was_carried_out_is_not_sent_again,
            payouts::a_refusal_counts_only_while_nobody_else_tries,
            payouts::a_request_is_remembered_before_it_is_sent_and_survives_a_restart,
            payouts::of_many_at_once_under_one_reference_the_first_request_stays,
            payouts::other_data_under_a_reference_are_refused_and_change_nothing,
            requeue::a_dry_run_counts_and_changes_nothing,
            requeue::a_requeue_keeps_to_its_filter_and_limit,
            requeue::dead_and_delivered_get_a_second_chance_from_zero,
            requeue::held_and_in_flight_are_left_alone,
            requeue::waiting_ones_become_due_and_keep_their_attempts,
            settling::a_lease_given_back_keeps_the_count_and_the_last_attempt,
            settling::a_lost_lease_cannot_settle,
            settling::a_retry_falls_due_after_its_wait,
            settling::a_settlement_holds_once,
            settling::every_verdict_is_kept_with_its_attempt,
            upkeep::a_restart_reclaims_its_own_leases_and_no_others,
            upkeep::a_sweep_forgets_ledgers_whose_time_is_over,
            upkeep::a_sweep_removes_old_rejects,
            upkeep::a_sweep_removes_settled_events_only,
            upkeep::everything_survives_a_restart,
            watches::every_change_of_the_watches_shows_in_their_version,
            watches::many_watches_survive_a_restart,
            watches::watches_are_read_as_they_were_written_and_by_account,
        }
    };
    (@each $harness:ty; $($topic:ident :: $law:ident),* $(,)?) => {
        mod laws {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $law() {
                    let harness = <$harness as $crate::store::conformance::Harness>::fresh().await;
                    $crate::store::conformance::$topic::$law(harness).await;
                }
            )*
        }
    };
}
pub(crate) use laws;

/// A lease that no test outlives.
const LONG: Duration = Duration::from_secs(600);
/// A lease or wait that is over soon.
const SHORT: Duration = Duration::from_millis(20);
/// How long ledgers are remembered.
const REMEMBER: Duration = Duration::from_secs(3600);

/// Asks until there is an answer, letting time pass; fails the law after a bounded number of questions.
async fn eventually<H: Harness, T>(harness: &H, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(answer) = ask().await {
            return answer;
        }
        harness.pass(SHORT).await;
    }
    panic!("never: {what}")
}

fn account(name: &str) -> AccountName {
    AccountName::new(name)
}

fn to(name: &str) -> DestinationName {
    DestinationName::new(name)
}

fn day(account: &str, day: i64) -> Partition {
    let first = Day::parse("2026-11-01").unwrap();
    Partition {
        account: AccountName::new(account),
        source: SourceKind::Transactions,
        scope: Scope::Day(first.plus(day)),
    }
}

fn slot(n: u32) -> Slot {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    Slot::from_bytes(bytes)
}

fn memory(ordinal: u32) -> Memory {
    Memory {
        ordinal,
        facts: FactSet::EMPTY.with(FactKind::Credited),
        rank: 2,
        party: Party { cuit: u64::from(ordinal), account: 0 },
        details: u64::MAX,
        sale: 0,
        payment: 9,
        seen: 5,
        missing_since: Timestamp::from_second(1_800_000_000).ok(),
    }
}

fn change(n: u32, memories: &[Memory]) -> Change {
    Change { slot: slot(n), memories: memories.iter().copied().collect() }
}

/// The n-th event of the account `centro`, detected n seconds after an hour before the store was made.
fn event<H: Harness>(harness: &H, n: u32) -> Arc<Event> {
    event_of(harness, "centro", n)
}

fn event_of<H: Harness>(harness: &H, account: &str, n: u32) -> Arc<Event> {
    Arc::new(Event {
        id: EventId::of_notice(&[account, &n.to_string()]),
        kind: if n.is_multiple_of(2) { EventType::CreditReceived } else { EventType::PaymentRefunded },
        account: Some(AccountName::new(account)),
        upstream: Some(Upstream::Telepagos),
        source: Some(SourceKind::Transactions),
        occurred_at: "2026-11-21".to_owned(),
        detected_at: harness.born() + (i64::from(n) - 3600).seconds(),
        late: false,
        sandbox: false,
        body: Body::Notice(Notice { reason: format!("número {n}"), count: Some(u64::from(n)), ..Notice::default() }),
    })
}

fn announce(event: &Arc<Event>, destinations: &[&str]) -> Announcement {
    Announcement { event: event.clone(), destinations: destinations.iter().map(|name| to(name)).collect(), held: false }
}

fn nothing(name: &str) -> Commit {
    Commit {
        account: account(name),
        ledgers: Vec::new(),
        state: None,
        announcements: Vec::new(),
        rejects: Vec::new(),
        remember: REMEMBER,
    }
}

fn write(partition: &Partition, expected: u64, changes: &[Change]) -> Commit {
    let ledgers = vec![LedgerWrite { partition: partition.clone(), expected, changes: changes.to_vec() }];
    Commit { ledgers, ..nothing(partition.account.as_str()) }
}

fn tell(announcements: Vec<Announcement>) -> Commit {
    Commit { announcements, ..nothing("centro") }
}

fn reject(fingerprint: u64) -> Reject {
    Reject {
        fingerprint,
        source: SourceKind::Movements,
        position: 3,
        reason: "amount: not a number".to_owned(),
        shape: "{amount:string}".to_owned(),
    }
}

fn attempt<H: Harness>(harness: &H, failure: Option<FailureClass>) -> Attempt {
    let millis = harness.now().as_millisecond();
    Attempt {
        at: Timestamp::from_millisecond(millis).unwrap(),
        took: Duration::from_millis(12),
        failure,
        status: if failure.is_some() { Some(503) } else { Some(200) },
        detail: if failure.is_some() { "ocupado · {\"a\":1}".to_owned() } else { String::new() },
    }
}

/// Events 1 to `count`, each to these destinations, in one commit.
async fn put<H: Harness>(harness: &H, count: u32, destinations: &[&str]) -> Vec<EventId> {
    let events: Vec<_> = (1..=count).map(|n| event(harness, n)).collect();
    let commit = tell(events.iter().map(|event| announce(event, destinations)).collect());
    let created = created(harness.store().commit(&commit).await);
    assert_eq!(created, events.iter().map(|event| event.id).collect::<Vec<_>>());
    created
}

fn created(committed: Result<Committed, StoreError>) -> Vec<EventId> {
    match committed.expect("the store is there") {
        Committed::Done { created, .. } => created,
        Committed::Conflict => panic!("a conflict where there is none"),
    }
}

fn want(destination: &str, room: usize, lease: Duration) -> Want {
    Want { destination: to(destination), room, lease }
}

async fn exchange<S: Store>(store: &S, settlements: &[Settlement], wants: &[Want]) -> Exchange {
    store.exchange(settlements, wants).await.expect("the store is there")
}

/// Leases what is due for a long time.
async fn lease<S: Store>(store: &S, destination: &str, room: usize) -> Vec<Lease> {
    exchange(store, &[], &[want(destination, room, LONG)]).await.leases
}

fn ids(leases: &[Lease]) -> Vec<EventId> {
    leases.iter().map(|lease| lease.id.event).collect()
}

async fn settle<S: Store>(store: &S, lease: &Lease, verdict: Verdict, attempt: Option<Attempt>) -> bool {
    let settlement = Settlement { id: lease.id.clone(), fence: lease.fence, verdict, attempt };
    let answer = exchange(store, &[settlement], &[]).await;
    assert_eq!(answer.settled.len(), 1);
    answer.settled[0]
}

async fn ledger<S: Store>(store: &S, partition: &Partition) -> Ledger {
    let mut ledgers = store.ledgers(&partition.account, std::slice::from_ref(partition)).await.unwrap();
    assert_eq!(ledgers.len(), 1);
    ledgers.remove(0)
}

fn every_event() -> EventFilter {
    EventFilter { limit: 10_000, ..EventFilter::default() }
}

fn every_delivery() -> DeliveryFilter {
    DeliveryFilter { limit: 10_000, ..DeliveryFilter::default() }
}

async fn event_ids<S: Archive>(store: &S, filter: &EventFilter) -> Vec<EventId> {
    store.events(filter).await.unwrap().iter().map(|event| event.id).collect()
}

async fn view<S: Archive>(store: &S, event: EventId, destination: &str) -> DeliveryView {
    let (_, views) = store.event(&event).await.unwrap().expect("the event is kept");
    views.into_iter().find(|view| view.id.destination == to(destination)).expect("the delivery is kept")
}

/// Contents without order.
fn contents(ledger: &Ledger) -> Vec<(Slot, Vec<Memory>)> {
    let mut all: Vec<_> = ledger.iter().map(|(slot, memories)| (*slot, memories.to_vec())).collect();
    all.sort_by_key(|(slot, _)| *slot);
    all
}

fn some_state() -> AccountState {
    let trouble =
        super::Trouble { since: Timestamp::from_second(1_800_000_000).unwrap(), announced: true, stale: true };
    AccountState {
        contacted_at: Timestamp::from_second(1_790_000_000).ok(),
        silent_before: Day::parse("2026-11-20"),
        floor: None,
        read_through: Day::parse("2026-11-21"),
        closed_through: Day::parse("2026-11-20"),
        troubles: [(SourceKind::Links, trouble)].into(),
    }
}

fn is_pending(state: &State) -> bool {
    matches!(state, State::Pending { .. })
}
