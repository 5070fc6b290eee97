//! Something of everything that a store can hold, and all that it shows of it.

use std::collections::BTreeMap;

use super::*;
use crate::domain::account::{Partition, Scope, SourceKind};
use crate::domain::day::Day;
use crate::domain::delivery::{DeathReason, FailureClass, Verdict};
use crate::domain::event::{Body, EventId, EventType, Notice};
use crate::domain::fact::{FactKind, FactSet};
use crate::domain::ledger::{Change, Ledger, Memory, Party};
use crate::domain::money::Money;
use crate::domain::payout::{Payee, PayoutRequest, PayoutState};
use crate::domain::watch::{Origin, Watch, WatchId, WatchKind};
use crate::store::{
    AccountState, Announcement, Archive, Commit, Counts, DeliveryFilter, EventFilter, LedgerWrite, Payouts, Settlement,
    Store, Want, Watches,
};

pub(super) const LONG: Duration = Duration::from_secs(40 * 86_400);

pub(super) fn account(name: &str) -> AccountName {
    AccountName::new(name)
}

pub(super) fn to(name: &str) -> DestinationName {
    DestinationName::new(name)
}

/// Now, to the millisecond: finer times are not kept by every back-end.
pub(super) fn now() -> Timestamp {
    let now = crate::clock::Clock::now(&crate::clock::SystemClock);
    Timestamp::from_millisecond(now.as_millisecond()).unwrap()
}

pub(super) fn partitions(name: &str) -> Vec<Partition> {
    let of = |source, scope| Partition { account: account(name), source, scope };
    vec![
        of(SourceKind::Transactions, Scope::Day(Day::parse("2026-11-20").unwrap())),
        of(SourceKind::Links, Scope::Watched("a:b/{c} !ñ".to_owned())),
        of(SourceKind::Movements, Scope::Refunds("77/!:x".to_owned())),
    ]
}

pub(super) fn row(n: u32, twins: u32) -> Change {
    let id = EventId::of_notice(&["slot", &n.to_string()]);
    let memory = |ordinal| Memory {
        ordinal,
        facts: FactSet::EMPTY.with(FactKind::Credited),
        rank: 2,
        party: Party { cuit: n.into(), account: u64::MAX },
        details: 7,
        sale: 0,
        payment: u64::from(n % 2),
        seen: u64::from(n % 3),
        missing_since: n.is_multiple_of(5).then(|| Timestamp::from_second(1_800_000_000).unwrap()),
    };
    Change { slot: Slot::from_bytes(*id.as_bytes()), memories: (1..=twins).map(memory).collect() }
}

pub(super) fn announcement(name: &str, n: u32, held: bool) -> Announcement {
    let event = Event {
        id: EventId::of_notice(&[name, &n.to_string()]),
        kind: EventType::CreditReceived,
        account: (!name.is_empty()).then(|| account(name)),
        upstream: None,
        source: None,
        occurred_at: "2026-11-21".to_owned(),
        detected_at: now() - Duration::from_secs(3600) + Duration::from_secs(n.into()),
        late: false,
        sandbox: false,
        body: Body::Notice(Notice { reason: format!("número {n}"), ..Notice::default() }),
    };
    let destinations = ["erp", "caja {1}", "mudo"].map(to);
    Announcement { event: Arc::new(event), destinations: destinations.to_vec(), held }
}

pub(super) fn commit(name: &str, expected: u64, announcements: Vec<Announcement>) -> Commit {
    let rows = [600, 3, 0];
    let writes = partitions(name).into_iter().zip(rows).map(|(partition, rows)| LedgerWrite {
        partition,
        expected,
        changes: (0..rows).map(|n| row(n, if n == 1 { 30 } else { 1 })).collect(),
    });
    let reject = |fingerprint| Reject {
        fingerprint,
        source: SourceKind::Movements,
        position: 3,
        reason: "amount: not a number".to_owned(),
        shape: "{amount:string}".to_owned(),
    };
    Commit {
        account: account(name),
        ledgers: writes.collect(),
        state: Some((expected, AccountState { contacted_at: Some(now()), ..AccountState::default() })),
        announcements,
        rejects: vec![reject(1), reject(u64::MAX)],
        remember: LONG,
    }
}

pub(super) const ACCOUNTS: [&str; 4] = ["centro", "palermo:1", "once {x}", "ñandú 1%"];

/// Something of everything: each state of a delivery, twins, empty ledgers, odd names.
pub(super) async fn fill<S: Store + Watches + Payouts>(store: &S) {
    for (name, many) in [("once {x}", 700), ("only %watches", 1), ("none any more", 0)] {
        let watch = |n: usize| {
            let id = WatchId { kind: WatchKind::ALL[n % 4], id: n.to_string() };
            Watch { expires: Some(now()), reusable: n.is_multiple_of(2), ..Watch::new(id, Origin::Operator, now()) }
        };
        let watches: Vec<Watch> = (0..=many).map(watch).collect();
        store.put_watches(&account(name), &watches).await.unwrap();
        store.remove_watches(&account(name), &[watches[0].id.clone()]).await.unwrap();
    }
    pay(store).await;
    for name in ACCOUNTS {
        let announcements = (0..150).map(|n| announcement(name, n, n >= 140)).collect();
        store.commit(&commit(name, 0, announcements)).await.unwrap();
    }
    let lonely = Commit { ledgers: Vec::new(), state: None, ..commit("centro", 0, vec![announcement("", 1, false)]) };
    store.commit(&lonely).await.unwrap();
    for (destination, room) in [("erp", 400), ("caja {1}", 500)] {
        let want = Want { destination: to(destination), room, lease: LONG };
        let leases = store.exchange(&[], &[want]).await.unwrap().leases;
        assert_eq!(leases.len(), room);
        let settle = |(n, lease): (usize, &crate::store::Lease)| {
            let failure = (n % 6 != 0).then_some(FailureClass::Http);
            let detail = failure.map(|_| "ocupado".to_owned()).unwrap_or_default();
            let attempt = Attempt { at: now(), took: Duration::from_micros(1234), failure, status: Some(200), detail };
            let verdict = match n % 6 {
                0 => Verdict::Delivered,
                1 => Verdict::Dead { reason: DeathReason::Exhausted },
                2 => Verdict::Dead { reason: DeathReason::Refused },
                3 => Verdict::Retry { after: LONG, spent: true },
                4 => Verdict::Retry { after: Duration::ZERO, spent: true },
                _ => return None,
            };
            Some(Settlement { id: lease.id.clone(), fence: lease.fence, verdict, attempt: Some(attempt) })
        };
        let settlements: Vec<_> = leases.iter().enumerate().filter_map(settle).collect();
        let settled = store.exchange(&settlements, &[]).await.unwrap().settled;
        assert!(settled.iter().all(|settled| *settled));
    }
}

pub(super) fn request(cents: i64) -> PayoutRequest {
    PayoutRequest {
        payee: Payee::Account("0000003100000000000017".to_owned()),
        cuit: "20055361682".to_owned(),
        amount: Money::from_cents(cents),
        concept: "VAR".to_owned(),
        description: "alquiler ñ".to_owned(),
    }
}

/// Whose cash-outs are looked at.
const PAYING: [&str; 6] = ["once {x}", "pays: only", "a", "b", "c", "d"];

/// Cash-outs in each state, of accounts with and without anything else.
async fn pay<S: Payouts>(store: &S) {
    for (name, many) in PAYING.into_iter().zip([300, 3, 1, 1, 1, 1]) {
        for n in 0..many {
            let (account, reference) = (account(name), format!("{n}: {{r}} ñ"));
            store.begin_payout(&account, &reference, &request(n), now()).await.unwrap();
            let state = match n % 3 {
                0 => PayoutState::Done { id: n.to_string() },
                1 => PayoutState::Refused,
                _ => continue,
            };
            store.settle_payout(&account, &reference, 1, &state).await.unwrap();
        }
    }
}

/// A delivery to the millisecond.
fn as_kept(view: &crate::store::DeliveryView) -> String {
    let at = match &view.state {
        State::Pending { due: at }
        | State::InFlight { until: at }
        | State::Delivered { at }
        | State::Dead { at, .. } => at.as_millisecond(),
        State::Held => 0,
    };
    let reason = if let State::Dead { reason, .. } = &view.state { reason.as_str() } else { "" };
    format!(
        "{:?} {} {reason} {at} {} {:?} {}",
        view.id,
        view.state.as_str(),
        view.attempts,
        view.last,
        view.detected_at
    )
}

/// All that a store shows, in one order.
#[derive(Debug, PartialEq)]
pub(super) struct Shown {
    events: BTreeMap<EventId, Arc<Event>>,
    deliveries: Vec<String>,
    counts: Counts,
    rejects: Vec<String>,
    states: Vec<VersionedState>,
    ledgers: Vec<(u64, BTreeMap<Slot, Memories>)>,
    watches: Vec<Watchlist>,
    payouts: Vec<Payout>,
}

pub(super) async fn shown<S: Store + Archive + Watches + Payouts>(store: &S) -> Shown {
    let events = store.events(&EventFilter { limit: 10_000, ..EventFilter::default() }).await.unwrap();
    let filter = DeliveryFilter { limit: 10_000, ..DeliveryFilter::default() };
    let mut deliveries: Vec<_> = store.deliveries(&filter).await.unwrap().iter().map(as_kept).collect();
    deliveries.sort();
    let mut rejects: Vec<_> = store
        .rejects(None, 100)
        .await
        .unwrap()
        .iter()
        .map(|reject| (reject.account.clone(), reject.first_seen.as_millisecond(), reject.reject.fingerprint))
        .map(|reject| format!("{reject:?}"))
        .collect();
    rejects.sort();
    let (mut states, mut ledgers, mut watches) = (Vec::new(), Vec::new(), Vec::new());
    for name in ACCOUNTS {
        states.push(store.account(&account(name)).await.unwrap());
        watches.push(store.watches(&account(name)).await.unwrap());
        let read: Vec<Ledger> = store.ledgers(&account(name), &partitions(name)).await.unwrap();
        let content = |ledger: &Ledger| ledger.iter().map(|(slot, memories)| (*slot, memories.clone())).collect();
        ledgers.extend(read.iter().map(|ledger| (ledger.version(), content(ledger))));
    }
    let mut payouts = Vec::new();
    for name in PAYING {
        payouts.extend(store.payouts(&account(name)).await.unwrap());
    }
    let events = events.into_iter().map(|event| (event.id, event)).collect();
    Shown { events, deliveries, counts: store.counts().await.unwrap(), rejects, states, ledgers, watches, payouts }
}
