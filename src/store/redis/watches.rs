//! The watches in Redis: one hash an account, id → watch, and under the empty id the version.

use async_trait::async_trait;

use super::{RedisStore, leases, reply};
use crate::domain::account::AccountName;
use crate::domain::watch::{Watch, WatchId};
use crate::store::codec::{decode_watch, encode_watch};
use crate::store::{StoreError, Watches, Watchlist};

/// Most watches that one call writes or removes; a script holds up everyone.
const AT_ONCE: usize = 500;

#[async_trait]
impl Watches for RedisStore {
    async fn watches(&self, account: &AccountName) -> Result<Watchlist, StoreError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(self.keys.watches(account));
        let mut list = Watchlist::default();
        for (field, value) in reply::pairs(self.link.ask_one(command).await?)? {
            let value = reply::bytes(value)?;
            if reply::bytes(field)?.is_empty() {
                list.version = reply::parse(&value)?;
            } else {
                list.watches.push(decode_watch(&value).map_err(|error| StoreError::Unusable(error.to_string()))?);
            }
        }
        list.watches.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(list)
    }

    async fn watches_version(&self, account: &AccountName) -> Result<u64, StoreError> {
        if let Some(version) = leases::watches_version(self, account).await {
            return Ok(version);
        }
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.watches(account)).arg("");
        reply::maybe_bytes(self.link.ask_one(command).await?)?.map_or(Ok(0), |version| reply::parse(&version))
    }

    async fn put_watches(&self, account: &AccountName, watches: &[Watch]) -> Result<(), StoreError> {
        for some in watches.chunks(AT_ONCE) {
            let mut call = self.scripts.watch.call(&[self.keys.watches(account)]);
            call.arg(some.len());
            for watch in some {
                call.arg(watch.id.to_string()).arg(encode_watch(watch));
            }
            self.link.run(&self.scripts.watch, call).await?;
        }
        Ok(())
    }

    async fn remove_watches(&self, account: &AccountName, ids: &[WatchId]) -> Result<u64, StoreError> {
        let mut removed = 0;
        for some in ids.chunks(AT_ONCE) {
            let mut call = self.scripts.watch.call(&[self.keys.watches(account)]);
            call.arg(0);
            for id in some {
                call.arg(id.to_string());
            }
            removed += reply::count(&self.link.run(&self.scripts.watch, call).await?)?;
        }
        Ok(removed)
    }
}
