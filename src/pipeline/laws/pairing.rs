//! Laws of payment keys: one payment, one key; two payments, two.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::fragile::Fragile;
use super::*;
use crate::domain::account::{Partition, Scope};
use crate::domain::day::Day;
use crate::domain::event::Event;
use crate::pipeline::digest::{Draft, partitions};
use crate::store::{Commit, Committed};

const ANA: (&str, &str) = ("27123456780", "0000003100012345678901");
const LUIS: (&str, &str) = ("20111111112", "0000003100099999999999");

fn transfer(pesos: i64, time: &str, payer: (&str, &str), status: StatusKind) -> Row {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Row {
        source: SourceKind::Transactions,
        identity: Identity::Counted(format!("1|{time}|{pesos}|transfer")),
        view: View::Credit(status),
        payer: Payer { cuit: text(payer.0), cvu_cbu: text(payer.1), ..Payer::default() },
        references: References::default(),
        ..sale(0, pesos, time)
    }
}

fn paid(pesos: i64, time: &str, payer: (&str, &str)) -> Row {
    transfer(pesos, time, payer, StatusKind::Approved)
}

fn cashin(id: u64, pesos: i64, payer: (&str, &str)) -> Row {
    Row {
        source: SourceKind::Cashin,
        identity: Identity::Keyed(id.to_string()),
        view: View::LinkCashin,
        references: References {
            cashin_id: Some(id.to_string()),
            transaction_id: Some(format!("90{id}")),
            link_id: Some("7".into()),
            ..References::default()
        },
        ..paid(pesos, "2026-11-21T09:00:00", payer)
    }
}

fn refund_of(row: &Row, time: &str) -> Row {
    Row {
        identity: Identity::Counted(format!("0|{time}|{}|refund", row.amount)),
        view: View::RefundRow(StatusKind::Approved),
        occurred: Moment::read(time, &[], &zone()).unwrap(),
        ..row.clone()
    }
}

impl Town {
    /// A TelePagos account, first contact behind it, that watches these cash-ins; each is a question of its own.
    async fn wallet() -> Self {
        let mut town = Self::new();
        *town.upstream.listing.lock().unwrap() = SourceKind::Transactions;
        town.watches = vec![(SourceKind::Cashin, "all".into())];
        town.watch(&mut town.watcher(), MINUTE).await;
        town
    }

    pub(super) async fn every_event(&self) -> Vec<Arc<Event>> {
        let filter = EventFilter { limit: 10_000, ..EventFilter::default() };
        let mut events = self.store.events(&filter).await.unwrap();
        events.reverse();
        events
    }

    /// How many events of which types each key has.
    pub(super) async fn keys(&self) -> Vec<Vec<String>> {
        let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in self.every_event().await {
            if let Body::Payment(payment) = &event.body {
                keys.entry(payment.key.clone()).or_default().push(event.kind.to_string());
            }
        }
        let mut types: Vec<Vec<String>> = keys.into_values().collect();
        for types in &mut types {
            types.sort_unstable();
        }
        types.sort_unstable();
        types
    }

    /// Lists one after the other; each has been read before the next comes. `restarts`: by a new watcher each time.
    async fn tell(&self, rows: &[Row], restarts: bool) {
        let mut watcher = self.watcher();
        for count in 1..=rows.len() {
            self.upstream.list(&rows[..count]);
            if restarts {
                watcher = self.watcher();
            }
            self.watch(&mut watcher, Duration::from_secs(40)).await;
        }
    }
}

fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.len() < 2 {
        return vec![items.to_vec()];
    }
    let rest = |place: usize| items.iter().enumerate().filter(move |(index, _)| *index != place).map(|(_, item)| item);
    let with = |place: usize| {
        orders(&rest(place).cloned().collect::<Vec<_>>()).into_iter().map(move |mut order| {
            order.insert(0, items[place].clone());
            order
        })
    };
    (0..items.len()).flat_map(with).collect()
}

#[tokio::test(start_paused = true)]
async fn a_cashin_and_its_transaction_bear_one_key_in_either_order_and_over_restarts() {
    for rows in orders(&[paid(10, "2026-11-21T09:00:30", ANA), cashin(31, 10, ANA)]) {
        for restarts in [false, true] {
            let town = Town::wallet().await;
            town.tell(&rows, restarts).await;
            assert_eq!(town.keys().await, [["credit.received", "link.paid"]], "{restarts} {rows:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_a_payment_is_told_under_its_key() {
    let time = "2026-11-21T09:00:30";
    for (pending, cashin_at) in [(true, 0), (true, 1), (true, 2), (false, 1), (false, 2)] {
        let town = Town::wallet().await;
        let mut watcher = town.watcher();
        let states = [StatusKind::Pending, StatusKind::Approved, StatusKind::Reversed];
        for (step, status) in states.into_iter().enumerate().filter(|(step, _)| pending || *step > 0) {
            if step == cashin_at {
                // It comes before this state of the transaction is listed.
                let known = states[..step].iter().rfind(|_| pending || step > 1);
                let rows =
                    known.map(|status| transfer(10, time, ANA, *status)).into_iter().chain([cashin(31, 10, ANA)]);
                town.upstream.list(&rows.collect::<Vec<_>>());
                town.watch(&mut watcher, MINUTE).await;
            }
            let mut rows = vec![transfer(10, time, ANA, status)];
            rows.extend((step >= cashin_at).then(|| cashin(31, 10, ANA)));
            town.upstream.list(&rows);
            town.watch(&mut watcher, MINUTE).await;
        }
        let keys = town.keys().await;
        assert_eq!(keys.len(), 1, "pending first: {pending}, cash-in at {cashin_at}: {keys:?}");
        assert_eq!(keys[0].len(), if pending { 4 } else { 3 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_refund_row_bears_the_key_of_the_only_credit_that_it_can_be_of() {
    let credit = paid(10, "2026-11-21T09:00:30", ANA);
    let back = refund_of(&credit, "2026-11-21T09:05:00");
    let town = Town::wallet().await;
    town.tell(&[cashin(31, 10, ANA), credit.clone(), back.clone()], false).await;
    assert_eq!(town.keys().await, [["credit.received", "link.paid", "payment.refunded"]]);
    // Of two credits nobody knows which.
    let town = Town::wallet().await;
    town.tell(&[credit, paid(10, "2026-11-21T09:00:40", ANA), back], false).await;
    assert_eq!(town.keys().await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn two_equal_transfers_and_one_cashin_are_two_payments_in_every_order() {
    let time = "2026-11-21T09:00:30";
    let twins = [paid(10, time, ANA), paid(10, time, ANA), cashin(31, 10, ANA)];
    let neighbours = [paid(10, time, ANA), paid(10, "2026-11-21T09:00:45", ANA), cashin(31, 10, ANA)];
    for rows in [twins, neighbours].iter().flat_map(|rows| orders(rows)) {
        let town = Town::wallet().await;
        town.tell(&rows, false).await;
        assert_eq!(town.keys().await, [vec!["credit.received"], vec!["credit.received", "link.paid"]], "{rows:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_payment_of_a_link_that_is_paid_often_is_its_own() {
    let rows: Vec<Row> =
        (0..3).flat_map(|n| [cashin(31 + n, 10, ANA), paid(10, &format!("2026-11-21T09:0{n}:30"), ANA)]).collect();
    let reversed: Vec<Row> = rows.iter().rev().cloned().collect();
    let cashins_first: Vec<Row> = rows.iter().step_by(2).chain(rows.iter().skip(1).step_by(2)).cloned().collect();
    for rows in [rows, reversed, cashins_first] {
        let town = Town::wallet().await;
        // By a new watcher each time, because an answered question is asked again a day later.
        town.tell(&rows, true).await;
        assert_eq!(town.keys().await, vec![["credit.received", "link.paid"]; 3], "{rows:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_payments_never_share_a_key() {
    let time = "2026-11-21T09:00:30";
    let other_account = (ANA.0, LUIS.1);
    for (credit, cashin) in [
        (paid(10, time, ANA), cashin(31, 11, ANA)),
        (paid(10, time, ANA), cashin(31, 10, LUIS)),
        (paid(10, time, ANA), cashin(31, 10, other_account)),
        (paid(10, time, ANA), cashin(31, 10, ("", ""))),
        (paid(10, time, ("", "")), cashin(31, 10, ANA)),
        (paid(10, time, ("0", "-")), cashin(31, 10, ("0", "-"))),
        (paid(10, "2026-11-20T08:00:00", ANA), cashin(31, 10, ANA)),
        (paid(10, "2026-11-21T09:30:00", ANA), cashin(31, 10, ANA)),
        (transfer(10, time, ANA, StatusKind::Rejected), cashin(31, 10, ANA)),
    ] {
        for rows in orders(&[credit.clone(), cashin.clone()]) {
            let town = Town::wallet().await;
            town.tell(&rows, false).await;
            assert!(town.keys().await.iter().all(|types| types.len() == 1), "{rows:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_of_the_baseline_may_be_that_of_a_cashin_of_today_but_not_of_one_of_later() {
    for (time, same) in [("2026-11-21T08:30:00", true), ("2026-11-20T08:30:00", false), ("2026-11-10T08:30:00", false)]
    {
        let town = Town::new();
        *town.upstream.listing.lock().unwrap() = SourceKind::Transactions;
        let credit = paid(10, time, ANA);
        town.upstream.list(std::slice::from_ref(&credit));
        town.watch(&mut town.watcher(), MINUTE).await;
        let town = Town { watches: vec![(SourceKind::Cashin, "all".into())], ..town };
        let reversed = transfer(10, time, ANA, StatusKind::Reversed);
        town.upstream.list(&[credit, cashin(31, 10, ANA)]);
        town.watch(&mut town.watcher(), MINUTE).await;
        town.upstream.list(&[reversed]);
        // Old days are read at night.
        town.watch(&mut town.watcher(), Duration::from_secs(2 * 86_400)).await;
        let keys = town.keys().await;
        assert_eq!((keys.len(), keys.iter().map(Vec::len).sum::<usize>()), (if same { 1 } else { 2 }, 2), "{time}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_commit_changes_no_key_and_no_byte_of_what_was_told() {
    for rows in orders(&[paid(10, "2026-11-21T09:00:30", ANA), cashin(31, 10, ANA)]) {
        for commits in 0..4 {
            let town = Town::wallet().await;
            let fragile = Arc::new(Fragile::new(&town.store, commits));
            let mut dying = town.watcher_on(fragile);
            for count in 1..=2 {
                town.upstream.list(&rows[..count]);
                town.watch(&mut dying, MINUTE).await;
            }
            drop(dying);
            let before = town.every_event().await;
            town.watch(&mut town.watcher(), MINUTE).await;
            assert_eq!(town.every_event().await[..before.len()], before[..], "{commits} {rows:?}");
            assert_eq!(town.keys().await, [["credit.received", "link.paid"]], "{commits} {rows:?}");
        }
    }
}

/// What a watcher that knows only the store as it is now would commit.
async fn computed(town: &Town, task: &Task, rows: Vec<Row>) -> Vec<Commit> {
    let (herald, now) = (town.herald(), town.clock.now());
    let source = task_source(task, SourceKind::Transactions);
    let snapshot = Snapshot::whole(source, now, rows, Vec::new(), 0);
    let before = town.store.account(&herald.account).await.unwrap();
    let mut known: HashMap<Partition, crate::domain::ledger::Ledger> = HashMap::new();
    let wanted: Vec<Partition> = partitions(&herald, task, &snapshot).into_keys().collect();
    known.extend(wanted.clone().into_iter().zip(town.store.ledgers(&herald.account, &wanted).await.unwrap()));
    let mut draft = Draft::new(&herald, &town.policy, task, &snapshot, &before, &known, now);
    let wanted = draft.needed_to_pair();
    let more = town.store.ledgers(&herald.account, &wanted).await.unwrap();
    known.extend(wanted.into_iter().zip(more));
    draft.pair(&known);
    let (mut plan, _) = draft.finish(&[], &HashMap::new(), None);
    std::iter::from_fn(|| plan.next()).collect()
}

fn days(from: &str, to: &str) -> Task {
    let day = |text| Day::parse(text).unwrap();
    Task::Days { from: day(from), to: day(to) }
}

fn question(id: &str) -> Task {
    Task::Watched { source: SourceKind::Cashin, id: id.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn two_replicas_cannot_conclude_from_halves_of_the_truth() {
    // A day that was read before, and one that was not.
    for contacted in [true, false] {
        let mut town = if contacted { Town::wallet().await } else { Town::new() };
        town.policy.start = Start::Today;
        let time = "2026-11-21T08:59:30";
        let today = days("2026-11-21", "2026-11-21");
        let listed = computed(&town, &today, vec![paid(10, time, ANA)]).await;
        let watched = computed(&town, &question("31"), vec![cashin(31, 10, ANA)]).await;
        let another = computed(&town, &question("32"), vec![cashin(32, 10, ANA)]).await;
        for (first, second) in [(&listed, &watched), (&watched, &listed), (&watched, &another)] {
            let store = MemoryStore::new("one", Arc::clone(&town.clock));
            let fresh = Arc::new(store);
            let copy = Town { store: fresh, ..Town::new() };
            if contacted {
                *copy.upstream.listing.lock().unwrap() = SourceKind::Transactions;
                let at_first = Town { watches: vec![(SourceKind::Cashin, "all".into())], ..copy };
                at_first.watch(&mut at_first.watcher(), MINUTE).await;
                clash(&at_first, first, second).await;
            } else {
                clash(&copy, first, second).await;
            }
        }
    }
}

async fn clash(town: &Town, first: &[Commit], second: &[Commit]) {
    assert!(matches!(town.store.commit(&first[0]).await.unwrap(), Committed::Done { .. }));
    assert_eq!(town.store.commit(&second[0]).await.unwrap(), Committed::Conflict);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_watched_a_commit_writes_the_day_and_nothing_else() {
    let mut town = Town::wallet().await;
    town.policy.flood.limit = 0;
    let rows: Vec<Row> =
        (0..500).map(|n| paid(10 + n, &format!("2026-11-21T08:{:02}:{:02}", n / 60, n % 60), ANA)).collect();
    let commits = computed(&town, &days("2026-11-20", "2026-11-22"), rows.clone()).await;
    let written: Vec<String> = commits.iter().flat_map(|c| &c.ledgers).map(|write| write.partition.key()).collect();
    assert_eq!((commits.len(), written), (1, vec!["transactions:2026-11-21".to_owned()]));
    // With a cash-in that waits: one book more.
    for commit in computed(&town, &question("31"), vec![cashin(31, 12, ANA)]).await {
        assert!(matches!(town.store.commit(&commit).await.unwrap(), Committed::Done { .. }));
    }
    let commits = computed(&town, &days("2026-11-20", "2026-11-22"), rows).await;
    let written: BTreeSet<String> = commits.iter().flat_map(|c| &c.ledgers).map(|w| w.partition.key()).collect();
    assert_eq!(written.into_iter().collect::<Vec<_>>(), ["transactions:2026-11-21", "transactions~2026-11-21"]);
}

#[tokio::test(start_paused = true)]
async fn a_pair_among_thousands_survives_a_crash_between_the_commits() {
    let mut town = Town::wallet().await;
    town.policy.flood.limit = 0;
    town.upstream.list(&[cashin(31, 10, ANA)]);
    town.watch(&mut town.watcher(), MINUTE).await;
    // Twins of the one that pairs stand in its slot, and are told elsewhere.
    let twins = std::iter::repeat_n(paid(10, "2026-11-21T09:00:30", ANA), 700);
    let others = (0..700).map(|n| paid(20 + n, "2026-11-21T09:00:31", LUIS));
    let rows: Vec<Row> = twins.chain(others).chain([cashin(31, 10, ANA)]).collect();
    town.upstream.list(&rows);
    for commits in 0..3 {
        let fragile = Arc::new(Fragile::new(&town.store, commits));
        town.watch(&mut town.watcher_on(fragile), MINUTE).await;
    }
    // The cash-in is taken: one more like the others is one more payment.
    let mut rows = rows;
    rows.push(paid(10, "2026-11-21T09:00:32", ANA));
    town.upstream.list(&rows);
    town.watch(&mut town.watcher(), MINUTE).await;
    let keys = town.keys().await;
    assert_eq!((keys.len(), keys.iter().filter(|types| types.len() == 2).count()), (1401, 1));
}

#[test]
fn books_have_keys_of_their_own() {
    let day = Day::parse("2026-11-21").unwrap();
    let key = |scope| Partition { account: AccountName::new("a"), source: SourceKind::Transactions, scope }.key();
    let text = || day.to_string();
    let keys = [Scope::Day(day), Scope::Pairs(day), Scope::Watched(text()), Scope::Refunds(text())].map(key);
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 4, "{keys:?}");
}
