//! The watches of the store in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::account::AccountName;
use crate::domain::watch::{Watch, WatchId};
use crate::store::{StoreError, Watches, Watchlist};

#[async_trait]
impl Watches for MemoryStore {
    async fn watches(&self, account: &AccountName) -> Result<Watchlist, StoreError> {
        let data = self.data();
        let Some((version, watches)) = data.watches.get(account) else { return Ok(Watchlist::default()) };
        Ok(Watchlist { version: *version, watches: watches.values().cloned().collect() })
    }

    async fn watches_version(&self, account: &AccountName) -> Result<u64, StoreError> {
        Ok(self.data().watches.get(account).map_or(0, |(version, _)| *version))
    }

    async fn put_watches(&self, account: &AccountName, watches: &[Watch]) -> Result<(), StoreError> {
        if watches.is_empty() {
            return Ok(());
        }
        let mut data = self.data();
        let (version, kept) = data.watches.entry(account.clone()).or_default();
        *version += 1;
        kept.extend(watches.iter().map(|watch| (watch.id.clone(), watch.clone())));
        Ok(())
    }

    async fn remove_watches(&self, account: &AccountName, ids: &[WatchId]) -> Result<u64, StoreError> {
        let mut data = self.data();
        let Some((version, kept)) = data.watches.get_mut(account) else { return Ok(0) };
        let removed = ids.iter().filter(|id| kept.remove(id).is_some()).count();
        *version += u64::from(removed > 0);
        Ok(u64::try_from(removed).unwrap_or(u64::MAX))
    }
}
