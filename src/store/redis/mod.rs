//! The store of many machines: Redis, version 6.2 or newer.
//!
//! An account lives on one of sixteen shards, and whatever is written together is one Lua script on one shard
//! (`lua/*.lua`, keys in `keys`). Scripts read Redis' own clock, so that replicas with wrong clocks agree. Each call
//! of the pipeline is one round trip; on a cluster, where a script may look at one shard only, leasing may take two
//! (`spread`). `link` knows whether it is one server, the master that sentinels name, or a cluster. What a delivery has
//! been through stands in one record per event (`record`); sorted lists say what is due, in flight, held, dead and settled,
//! and scripts keep both in step.

mod archive;
mod commit;
mod copy;
mod exchange;
mod health;
mod keys;
mod leases;
mod ledger;
mod link;
mod payouts;
mod record;
mod reply;
mod scan;
mod spread;
#[cfg(test)]
mod tests;
mod trouble;
mod upkeep;
mod watches;

use std::time::Duration;

use async_trait::async_trait;

use self::keys::Keys;
use self::leases::Leases;
use self::link::{Link, Script};
use self::spread::Hints;
#[cfg(test)]
pub(crate) use self::tests::{Server as RedisServer, cluster, denied, mover, tls_cluster};
use super::{Commit, Committed, Exchange, Settlement, Store, StoreError, Swept, VersionedState, Want};
use crate::config::{RedisUrl, StoreConfig};
use crate::domain::account::{AccountName, Partition};
use crate::domain::ledger::Ledger;

/// How long connecting may take in all, waiting for a server that is still loading included.
const CONNECT: Duration = Duration::from_secs(5);

/// The scripts of this release.
#[derive(Debug)]
struct Scripts {
    commit: Script,
    exchange: Script,
    revive: Script,
    sweep: Script,
    acquire: Script,
    release: Script,
    watch: Script,
    swap: Script,
    load: Script,
}

impl Scripts {
    fn new() -> Self {
        let script = |body| Script::new(include_str!("lua/record.lua"), body);
        Self {
            commit: script(concat!(include_str!("lua/ledger.lua"), "\n", include_str!("lua/commit.lua"))),
            exchange: script(include_str!("lua/exchange.lua")),
            revive: script(include_str!("lua/revive.lua")),
            sweep: script(include_str!("lua/sweep.lua")),
            acquire: script(include_str!("lua/acquire.lua")),
            load: Script::new("", include_str!("lua/load.lua")),
            release: Script::new("", include_str!("lua/release.lua")),
            watch: Script::new("", include_str!("lua/watch.lua")),
            swap: Script::new("", include_str!("lua/swap.lua")),
        }
    }
}

/// A store in Redis. Shared by all tasks; one connection to each server.
#[derive(Debug)]
pub struct RedisStore {
    link: Link,
    keys: Keys,
    scripts: Scripts,
    instance: String,
    leases: Leases,
    hints: Hints,
}

impl RedisStore {
    /// Connects, checks the server and the form of what it holds, and begins a new store where there is none. Takes at
    /// most five seconds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: it cannot be reached or is not ready. [`StoreError::Unusable`]: the URL, the
    /// password, the server or what it holds is not for us. No text carries the password.
    pub async fn connect(config: &StoreConfig, url: &RedisUrl) -> Result<Self, StoreError> {
        Self::connect_to(config, url, false).await
    }

    /// `half`: it may hold a copy that is not whole yet.
    async fn connect_to(config: &StoreConfig, url: &RedisUrl, half: bool) -> Result<Self, StoreError> {
        let link = Link::new(url, &config.tls)?;
        let met = tokio::time::timeout(CONNECT, health::meet(&link, &config.prefix, half)).await;
        let shards = met.unwrap_or_else(|_| {
            let text = format!("redis at {} was not ready within {} s", link.place(), CONNECT.as_secs());
            Err(StoreError::Unavailable(text, None))
        })?;
        let keys = Keys::new(&config.prefix, shards);
        let hints = Hints::new(keys.shards());
        let (scripts, leases) = (Scripts::new(), Leases::default());
        Ok(Self { link, keys, scripts, instance: config.instance.clone(), leases, hints })
    }

    /// Why such a store could never be reached, as far as that shows without trying.
    ///
    /// # Errors
    /// [`StoreError::Unusable`]. No text carries the password.
    pub fn check(config: &StoreConfig, url: &RedisUrl) -> Result<(), StoreError> {
        Link::new(url, &config.tls).map(drop)
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn ledgers(&self, _account: &AccountName, partitions: &[Partition]) -> Result<Vec<Ledger>, StoreError> {
        ledger::ledgers(self, partitions).await
    }

    async fn account(&self, account: &AccountName) -> Result<VersionedState, StoreError> {
        commit::account(self, account).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        commit::commit(self, commit).await
    }

    async fn exchange(&self, settlements: &[Settlement], wants: &[Want]) -> Result<Exchange, StoreError> {
        exchange::exchange(self, settlements, wants).await
    }

    async fn reclaim(&self) -> Result<u64, StoreError> {
        upkeep::reclaim(self).await
    }

    async fn acquire(&self, account: &AccountName, time: Duration) -> Result<Option<u64>, StoreError> {
        leases::acquire(self, account, time).await
    }

    async fn release(&self, account: &AccountName) -> Result<(), StoreError> {
        leases::release(self, account).await
    }

    async fn sweep(&self, retention: Duration) -> Result<Swept, StoreError> {
        upkeep::sweep(self, retention).await
    }

    fn incarnation(&self) -> u64 {
        self.link.opened()
    }

    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        health::warnings(&self.link).await
    }
}
