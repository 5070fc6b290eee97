//! The right to poll accounts, for all accounts of this process together.
//!
//! Whoever asks first takes its neighbours along: one command renews every account of the process, and the others find
//! the answer here while it is fresh. So the idle cost does not grow with the number of accounts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use redis::Cmd;
use tokio::sync::Mutex;

use super::commit::milliseconds;
use super::keys::LEASES;
use super::{RedisStore, reply};
use crate::clock::Stopwatch;
use crate::domain::account::AccountName;
use crate::store::StoreError;

/// Most accounts in one command; a script holds up everyone.
const AT_ONCE: usize = 500;

/// How long an account is renewed for its neighbours' asking alone. Its own seeker may be in a long reading; one that has
/// gone for good must not keep it from other instances.
const SOUGHT: Duration = Duration::from_secs(60);

/// The accounts that somebody here wants to poll.
#[derive(Debug, Default)]
pub(super) struct Leases {
    /// For how long each is wanted, and since when its seeker asked. Whoever waits in line stands here already, so that the
    /// one in front asks for all: ten thousand accounts that start together are twenty commands and not ten thousand.
    sought: std::sync::Mutex<HashMap<AccountName, (Duration, Stopwatch)>>,
    known: Mutex<HashMap<AccountName, Known>>,
    /// Commands that failed: who waited behind one does not repeat it.
    failures: AtomicU64,
}

impl Leases {
    fn sought(&self) -> MutexGuard<'_, HashMap<AccountName, (Duration, Stopwatch)>> {
        self.sought.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seek<'a>(&'a self, account: &'a AccountName, time: Duration) -> Seeking<'a> {
        let before = self.sought().insert(account.clone(), (time, Stopwatch::start()));
        Seeking { leases: self, account, is_new: before.is_none() }
    }
}

/// Somebody who asks. Who gives up before the first answer is sought no more, or others would hold it for nobody.
struct Seeking<'a> {
    leases: &'a Leases,
    account: &'a AccountName,
    is_new: bool,
}

impl Drop for Seeking<'_> {
    fn drop(&mut self) {
        if self.is_new {
            self.leases.sought().remove(self.account);
        }
    }
}

/// What the store said last of an account.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// Since the store was asked.
    asked: Stopwatch,
    time: Duration,
    /// `None`: another instance holds it.
    fence: Option<u64>,
    /// The version of its watches.
    watches: u64,
    /// Its seeker has had this answer.
    is_told: bool,
    incarnation: u64,
}

impl Known {
    /// Whether the answer may be given: a right is held for three fifths of its time yet; that it is another's may have
    /// changed since, and is said to each seeker once.
    fn is_fresh(&self, incarnation: u64) -> bool {
        let (part, may_repeat) =
            if self.fence.is_some() { (self.time * 2 / 5, true) } else { (self.time / 8, !self.is_told) };
        self.incarnation == incarnation && may_repeat && self.asked.elapsed() < part
    }
}

/// Takes or renews the right to poll an account, and with it those of all others that are sought here.
///
/// # Errors
/// See [`StoreError`].
pub(super) async fn acquire(
    store: &RedisStore,
    account: &AccountName,
    time: Duration,
) -> Result<Option<u64>, StoreError> {
    let leases = &store.leases;
    let mut seeking = leases.seek(account, time);
    let failures = leases.failures.load(Ordering::Acquire);
    // Held over the round trip: those who wait find the answer, and a release cannot be overtaken by a renewal.
    let mut known = leases.known.lock().await;
    let incarnation = store.link.opened();
    if let Some(known) = known.get_mut(account)
        && known.time == time
        && known.is_fresh(incarnation)
    {
        (known.is_told, seeking.is_new) = (true, false);
        return Ok(known.fence);
    }
    if leases.failures.load(Ordering::Acquire) != failures {
        return Err(StoreError::Unavailable("redis did not answer a moment ago".to_owned(), None));
    }
    let asked = Stopwatch::start();
    let sought: Vec<Sought> = {
        let mut sought = leases.sought();
        sought.retain(|_, (_, since)| since.elapsed() < SOUGHT);
        known.retain(|name, _| sought.contains_key(name));
        sought.iter().map(|(name, (time, _))| (name.clone(), *time)).collect()
    };
    let parts = parts(store, sought);
    let calls = parts.iter().map(|part| call(store, part)).collect();
    let mut own = Ok(None);
    for (part, answer) in parts.into_iter().zip(store.link.run_each(&store.scripts.acquire, calls).await) {
        match answer.and_then(reply::list) {
            Ok(fences) => {
                for ((name, time), said) in part.into_iter().zip(fences.chunks(2)) {
                    let mut said = said.iter().map(reply::integer);
                    let fence = said.next().transpose()?.and_then(|fence| u64::try_from(fence).ok());
                    let watches = said.next().transpose()?.and_then(|it| u64::try_from(it).ok()).unwrap_or_default();
                    let is_told = name == *account;
                    if is_told {
                        own = Ok(fence);
                    }
                    known.insert(name, Known { asked, time, fence, watches, is_told, incarnation });
                }
            }
            // The others' seekers will ask for themselves.
            Err(error) if part.iter().any(|(name, ..)| name == account) => own = Err(error),
            Err(_) => {}
        }
    }
    match &own {
        Ok(_) => seeking.is_new = false,
        Err(_) => drop(leases.failures.fetch_add(1, Ordering::AcqRel)),
    }
    own
}

/// An account, and for how long it is wanted.
type Sought = (AccountName, Duration);

/// What may go together: anything on one server, a shard on a cluster.
fn parts(store: &RedisStore, sought: Vec<Sought>) -> Vec<Vec<Sought>> {
    let mut groups: BTreeMap<u16, Vec<Sought>> = BTreeMap::new();
    for one in sought {
        let group = if store.link.is_cluster() { store.keys.shard_of(&one.0) } else { 0 };
        groups.entry(group).or_default().push(one);
    }
    groups.into_values().flat_map(|group| group.chunks(AT_ONCE).map(<[Sought]>::to_vec).collect::<Vec<_>>()).collect()
}

fn call(store: &RedisStore, part: &[Sought]) -> Cmd {
    let shards: BTreeSet<u16> = part.iter().map(|(name, ..)| store.keys.shard_of(name)).collect();
    let number: HashMap<u16, usize> = shards.iter().copied().zip(1..).collect();
    let mut keys: Vec<_> = shards.iter().map(|shard| store.keys.at(*shard, LEASES)).collect();
    keys.extend(part.iter().map(|(name, ..)| store.keys.watches(name)));
    let mut call = store.scripts.acquire.call(&keys);
    call.arg(&store.instance);
    for (name, time) in part {
        let shard = number.get(&store.keys.shard_of(name)).copied().unwrap_or(1);
        call.arg(shard).arg(name.as_str()).arg(milliseconds(*time));
    }
    call
}

/// The version of the watches of an account that is held here, as it was when the right to it was renewed: so a look at it
/// costs nothing.
pub(super) async fn watches_version(store: &RedisStore, account: &AccountName) -> Option<u64> {
    let incarnation = store.link.opened();
    let known = store.leases.known.lock().await.get(account).copied()?;
    // Every holder renews before the lease is over, so that this never costs a command of its own.
    let holds = known.fence.is_some() && known.incarnation == incarnation && known.asked.elapsed() < known.time;
    holds.then_some(known.watches)
}

/// Gives it back.
///
/// # Errors
/// See [`StoreError`].
pub(super) async fn release(store: &RedisStore, account: &AccountName) -> Result<(), StoreError> {
    let mut known = store.leases.known.lock().await;
    store.leases.sought().remove(account);
    known.remove(account);
    let mut call = store.scripts.release.call(&[store.keys.at(store.keys.shard_of(account), LEASES)]);
    call.arg(account.as_str()).arg(&store.instance);
    store.link.run(&store.scripts.release, call).await.map(drop)
}
