//! Settling and leasing on a cluster, where a script may look at one shard only.
//!
//! Every shard is asked at once. The room of a want is divided first, so that it is never exceeded in sum: among the
//! shards that are known to have something due, or among all. What is left goes in a second round to those that had more
//! than their part. So an exchange is one or two round trips. Of one destination deliveries leave in the order of due time
//! in each shard; between shards nobody waits for another's crowd.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::RedisStore;
use super::exchange::{Answer, Plan, shard_of};
use crate::domain::delivery::Verdict;
use crate::store::{Exchange, Lease, Settlement, StoreError, Want};

/// When to ask again for what is in a shard that did not answer.
const AWAY: Duration = Duration::from_secs(1);

/// Which shards are thought to have something due: those that this process has written to, and those that had more than
/// there was room for. Wrong hints cost a second round trip, nothing else.
#[derive(Debug)]
pub(super) struct Hints {
    due: Vec<AtomicBool>,
    /// Who is first when there is not enough for all.
    turn: AtomicUsize,
}

impl Hints {
    /// For that many shards.
    pub(super) fn new(shards: u16) -> Self {
        Self { due: (0..shards).map(|_| AtomicBool::new(false)).collect(), turn: AtomicUsize::new(0) }
    }

    /// Something may be due there.
    pub(super) fn set(&self, shard: u16, is_due: bool) {
        if let Some(hint) = self.due.get(usize::from(shard)) {
            hint.store(is_due, Ordering::Relaxed);
        }
    }

    fn is_set(&self, shard: u16) -> bool {
        self.due.get(usize::from(shard)).is_some_and(|hint| hint.load(Ordering::Relaxed))
    }
}

/// What a shard is asked: for each want how much room it gets.
type Rooms = BTreeMap<u16, Vec<usize>>;

/// Settlements of one shard, with their places in the question.
type Places<'a> = BTreeMap<u16, Vec<(usize, &'a Settlement)>>;

/// Settles, then leases.
///
/// # Errors
/// See [`StoreError`]. A shard that does not answer fails the whole only when it has something to settle, or when none
/// answers; what the others had leased by then is given back.
pub(super) async fn exchange(
    store: &RedisStore,
    settlements: Vec<(usize, &Settlement)>,
    wants: &[&Want],
) -> Result<Exchange, StoreError> {
    let mut places: Places<'_> = BTreeMap::new();
    for (place, settlement) in settlements {
        places.entry(shard_of(settlement.fence)).or_default().push((place, settlement));
    }
    let mut rooms: Rooms = if wants.is_empty() {
        places.keys().map(|shard| (*shard, Vec::new())).collect()
    } else {
        store.keys.all().map(|shard| (shard, vec![0; wants.len()])).collect()
    };
    let hinted: Vec<u16> = rooms.keys().copied().filter(|shard| store.hints.is_set(*shard)).collect();
    let likely: Vec<u16> = if hinted.is_empty() { rooms.keys().copied().collect() } else { hinted };
    for (number, want) in wants.iter().enumerate() {
        let wishes: Vec<_> = likely.iter().map(|shard| (*shard, usize::MAX)).collect();
        give(&mut rooms, number, &divide(want.room, &wishes, store.hints.turn.fetch_add(1, Ordering::Relaxed)));
    }
    let mut found = Found::default();
    for (shard, answer) in round(store, &mut places, wants, &rooms).await {
        found.take(store, shard, answer, wants.len());
    }
    let carried = found.failed.as_ref().is_some_and(|(shard, _)| places.contains_key(shard));
    if let Some((_, error)) = found.failed.take_if(|_| carried || found.answered.is_empty()) {
        give_back(store, found.leases()).await;
        return Err(error);
    }

    let mut more: Rooms = BTreeMap::new();
    for (number, want) in wants.iter().enumerate() {
        let left = want.room.saturating_sub(found.leased(want));
        let wishes: Vec<_> = found.waiting(number).filter(|(_, wish)| *wish > 0).collect();
        for (shard, _) in &wishes {
            more.entry(*shard).or_insert_with(|| vec![0; wants.len()]);
        }
        give(&mut more, number, &divide(left, &wishes, store.hints.turn.load(Ordering::Relaxed)));
    }
    more.retain(|_, rooms| rooms.iter().any(|room| *room > 0));
    if !more.is_empty() {
        // One that does not answer now keeps what it said before: more is due.
        for (shard, answer) in round(store, &mut Places::new(), wants, &more).await {
            found.take(store, shard, answer, wants.len());
        }
    }
    Ok(found.exchange())
}

/// One call for each shard, all at once.
async fn round(
    store: &RedisStore,
    places: &mut Places<'_>,
    wants: &[&Want],
    rooms: &Rooms,
) -> Vec<(u16, Result<Answer, StoreError>)> {
    let plans: Vec<(u16, Plan<'_>)> = rooms
        .iter()
        .map(|(shard, rooms)| {
            let settlements = places.get(shard).cloned().unwrap_or_default();
            let wants = wants.iter().copied().zip(rooms.iter().copied()).collect();
            (*shard, Plan::new(vec![*shard], settlements, wants))
        })
        .collect();
    let calls = plans.iter().map(|(_, plan)| plan.call(store)).collect();
    let answers = store.link.run_each(&store.scripts.exchange, calls).await;
    plans.into_iter().zip(answers).map(|((shard, plan), value)| (shard, value.and_then(|v| plan.answer(v)))).collect()
}

/// What the shards answered so far.
#[derive(Default)]
struct Found {
    answered: BTreeMap<u16, Part>,
    failed: Option<(u16, StoreError)>,
}

#[derive(Default)]
struct Part {
    settled: Vec<bool>,
    leases: Vec<Lease>,
    next_due: Option<Duration>,
    waiting: Vec<usize>,
}

impl Found {
    fn take(&mut self, store: &RedisStore, shard: u16, answer: Result<Answer, StoreError>, wants: usize) {
        match answer {
            Ok(Answer { exchange, waiting }) => {
                if wants > 0 {
                    store.hints.set(shard, waiting.iter().any(|count| *count > 0));
                }
                let part = self.answered.entry(shard).or_default();
                for (place, settled) in exchange.settled.into_iter().enumerate() {
                    if part.settled.len() <= place {
                        part.settled.resize(place + 1, false);
                    }
                    if let Some(slot) = part.settled.get_mut(place) {
                        *slot |= settled;
                    }
                }
                part.leases.extend(exchange.leases);
                part.next_due = exchange.next_due;
                part.waiting = waiting;
            }
            Err(error) => self.failed = Some((shard, error)),
        }
    }

    fn leased(&self, want: &Want) -> usize {
        let all = self.answered.values().flat_map(|part| &part.leases);
        all.filter(|lease| lease.id.destination == want.destination).count()
    }

    fn waiting(&self, number: usize) -> impl Iterator<Item = (u16, usize)> {
        self.answered.iter().map(move |(shard, part)| (*shard, part.waiting.get(number).copied().unwrap_or(0)))
    }

    fn leases(self) -> Vec<Lease> {
        self.answered.into_values().flat_map(|part| part.leases).collect()
    }

    fn exchange(self) -> Exchange {
        let mut out = Exchange { next_due: self.failed.map(|_| AWAY), ..Exchange::default() };
        for part in self.answered.into_values() {
            out.settled.resize(out.settled.len().max(part.settled.len()), false);
            for (slot, settled) in out.settled.iter_mut().zip(part.settled) {
                *slot |= settled;
            }
            out.leases.extend(part.leases);
            out.next_due = [out.next_due, part.next_due].into_iter().flatten().min();
        }
        out
    }
}

/// What nobody will attempt is due again at once; where that cannot be written, its lease ends by itself.
async fn give_back(store: &RedisStore, leases: Vec<Lease>) {
    let verdict = || Verdict::Retry { after: Duration::ZERO, spent: false };
    let settlements: Vec<_> = leases
        .into_iter()
        .map(|lease| Settlement { id: lease.id, fence: lease.fence, verdict: verdict(), attempt: None })
        .collect();
    let mut places: Places<'_> = BTreeMap::new();
    for settlement in &settlements {
        places.entry(shard_of(settlement.fence)).or_default().push((0, settlement));
    }
    let rooms: Rooms = places.keys().map(|shard| (*shard, Vec::new())).collect();
    if !rooms.is_empty() {
        drop(round(store, &mut places, &[], &rooms).await);
    }
}

fn give(rooms: &mut Rooms, number: usize, shares: &[(u16, usize)]) {
    for (shard, share) in shares {
        if let Some(room) = rooms.get_mut(shard).and_then(|rooms| rooms.get_mut(number)) {
            *room = *share;
        }
    }
}

/// Divides a room evenly, nobody getting more than wished; in sum never more than the room. Who is first when it does not
/// suffice for all changes with `turn`.
fn divide(room: usize, wishes: &[(u16, usize)], turn: usize) -> Vec<(u16, usize)> {
    let mut shares: Vec<(u16, usize, usize)> = wishes.iter().map(|(shard, wish)| (*shard, *wish, 0)).collect();
    if !shares.is_empty() {
        let by = turn % shares.len();
        shares.rotate_left(by);
    }
    let mut left = room;
    loop {
        let open = shares.iter().filter(|(_, wish, share)| share < wish).count();
        if open == 0 || left == 0 {
            return shares.into_iter().map(|(shard, _, share)| (shard, share)).collect();
        }
        let each = (left / open).max(1);
        for (_, wish, share) in &mut shares {
            let more = each.min(*wish - *share).min(left);
            *share += more;
            left -= more;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_room_is_never_exceeded_and_never_wasted(
            room in 0_usize..200,
            wishes in proptest::collection::vec(0_usize..50, 0..20),
            turn in any::<usize>(),
        ) {
            let wishes: Vec<_> = (0..).zip(wishes).collect();
            let shares = divide(room, &wishes, turn);
            let sum: usize = shares.iter().map(|(_, share)| share).sum();
            let wished: usize = wishes.iter().map(|(_, wish)| wish).sum();
            prop_assert_eq!(sum, room.min(wished));
            for (shard, share) in shares {
                prop_assert!(share <= wishes[usize::from(shard)].1);
            }
        }
    }

    #[test]
    fn whoever_is_left_out_is_first_another_time() {
        let wishes: Vec<_> = (0..16).map(|shard| (shard, usize::MAX)).collect();
        let served =
            |turn| divide(3, &wishes, turn).into_iter().filter(|(_, share)| *share > 0).map(|(shard, _)| shard);
        let all: std::collections::BTreeSet<u16> = (0..16).flat_map(served).collect();
        assert_eq!(all.len(), 16);
    }
}
