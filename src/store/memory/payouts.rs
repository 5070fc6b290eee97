//! Money that was asked to be sent, in memory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::MemoryStore;
use crate::domain::account::AccountName;
use crate::domain::payout::{Begun, Payout, PayoutRequest, PayoutState};
use crate::store::payouts::newest_first;
use crate::store::{Payouts, StoreError};

#[async_trait]
impl Payouts for MemoryStore {
    async fn begin_payout(
        &self,
        account: &AccountName,
        reference: &str,
        request: &PayoutRequest,
        now: Timestamp,
    ) -> Result<Begun, StoreError> {
        let (mut data, key) = (self.data(), (account.clone(), reference.to_owned()));
        let (begun, changed) = Payout::begin(data.payouts.get(&key).cloned(), reference, request, now);
        data.payouts.extend(changed.map(|payout| (key, payout)));
        Ok(begun)
    }

    async fn settle_payout(
        &self,
        account: &AccountName,
        reference: &str,
        attempt: u32,
        state: &PayoutState,
    ) -> Result<(), StoreError> {
        let (mut data, key) = (self.data(), (account.clone(), reference.to_owned()));
        let changed = data.payouts.get(&key).and_then(|payout| payout.settled(attempt, state));
        data.payouts.extend(changed.map(|payout| (key, payout)));
        Ok(())
    }

    async fn payout(&self, account: &AccountName, reference: &str) -> Result<Option<Payout>, StoreError> {
        Ok(self.data().payouts.get(&(account.clone(), reference.to_owned())).cloned())
    }

    async fn payouts(&self, account: &AccountName) -> Result<Vec<Payout>, StoreError> {
        let data = self.data();
        let mut found: Vec<Payout> =
            data.payouts.iter().filter(|((of, _), _)| of == account).map(|(_, payout)| payout.clone()).collect();
        newest_first(&mut found);
        Ok(found)
    }
}
