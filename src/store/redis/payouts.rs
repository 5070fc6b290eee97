//! Money that was asked to be sent, in Redis: one hash an account, reference → request and what is known of it.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{RedisStore, reply};
use crate::domain::account::AccountName;
use crate::domain::payout::{Begun, Payout, PayoutRequest, PayoutState};
use crate::store::codec::{CodecError, decode_payout, encode_payout};
use crate::store::payouts::newest_first;
use crate::store::{Payouts, StoreError};

/// How often a write is tried that somebody else keeps overtaking. Two at once under one reference are rare.
const ROUNDS: u32 = 100;

impl RedisStore {
    fn read_payout(&self, account: &AccountName, bytes: &[u8]) -> Result<Payout, StoreError> {
        decode_payout(bytes).map_err(|error| reply::unreadable(&self.keys.payouts(account), error))
    }

    /// Reads, asks `change` what is to stand there, and writes that if nobody was faster.
    async fn change_payout<T>(
        &self,
        account: &AccountName,
        reference: &str,
        change: impl Fn(Option<Payout>) -> (T, Option<Payout>) + Send + Sync,
    ) -> Result<T, StoreError> {
        let key = self.keys.payouts(account);
        for _ in 0..ROUNDS {
            let mut command = redis::cmd("HGET");
            command.arg(&key).arg(reference);
            let bytes = reply::maybe_bytes(self.link.ask_one(command).await?)?.unwrap_or_default();
            let known = if bytes.is_empty() { None } else { Some(self.read_payout(account, &bytes)?) };
            let (told, changed) = change(known);
            let Some(changed) = changed else { return Ok(told) };
            let mut call = self.scripts.swap.call(std::slice::from_ref(&key));
            call.arg(reference).arg(bytes).arg(encode_payout(&changed));
            if reply::count(&self.link.run(&self.scripts.swap, call).await?)? == 1 {
                return Ok(told);
            }
        }
        Err(StoreError::Unavailable(String::from("others keep writing under this reference"), None))
    }
}

#[async_trait]
impl Payouts for RedisStore {
    async fn begin_payout(
        &self,
        account: &AccountName,
        reference: &str,
        request: &PayoutRequest,
        now: Timestamp,
    ) -> Result<Begun, StoreError> {
        self.change_payout(account, reference, |known| Payout::begin(known, reference, request, now)).await
    }

    async fn settle_payout(
        &self,
        account: &AccountName,
        reference: &str,
        attempt: u32,
        state: &PayoutState,
    ) -> Result<(), StoreError> {
        let change = |known: Option<Payout>| ((), known.and_then(|payout| payout.settled(attempt, state)));
        self.change_payout(account, reference, change).await
    }

    async fn payout(&self, account: &AccountName, reference: &str) -> Result<Option<Payout>, StoreError> {
        self.change_payout(account, reference, |known| (known, None)).await
    }

    async fn payouts(&self, account: &AccountName) -> Result<Vec<Payout>, StoreError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(self.keys.payouts(account));
        let pairs = reply::pairs(self.link.ask_one(command).await?)?;
        let read = |(reference, value)| {
            let payout = self.read_payout(account, &reply::bytes(value)?)?;
            // Under another reference it would protect nothing.
            let is_there = reply::bytes(reference)? == payout.reference.as_bytes();
            let damaged = || reply::unreadable(&self.keys.payouts(account), CodecError::Damaged("cash-out"));
            if is_there { Ok(payout) } else { Err(damaged()) }
        };
        let mut found: Vec<Payout> = pairs.into_iter().map(read).collect::<Result<_, _>>()?;
        newest_first(&mut found);
        Ok(found)
    }
}
