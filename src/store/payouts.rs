//! Money that was asked to be sent, as the stores keep it.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::domain::account::AccountName;
use crate::domain::payout::{Begun, Payout, PayoutRequest, PayoutState};

/// The cash-outs of an account by reference, as the operator's command sees them. They are never forgotten: a reference
/// must never be used for a second request.
///
/// Cancel-safety: a dropped call may or may not have taken effect; each may be repeated.
#[async_trait]
pub trait Payouts: Send + Sync + std::fmt::Debug {
    /// Writes a request down before it is sent; when this returns it is as durable as the store is. Atomic: of two at
    /// once with different data one is told [`Begun::Different`].
    ///
    /// # Errors
    /// See [`StoreError`]; then nothing may be sent.
    async fn begin_payout(
        &self,
        account: &AccountName,
        reference: &str,
        request: &PayoutRequest,
        now: Timestamp,
    ) -> Result<Begun, StoreError>;

    /// Writes down how the attempt of that number ended; see [`Payout::settled`].
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn settle_payout(
        &self,
        account: &AccountName,
        reference: &str,
        attempt: u32,
        state: &PayoutState,
    ) -> Result<(), StoreError>;

    /// The one of that reference.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn payout(&self, account: &AccountName, reference: &str) -> Result<Option<Payout>, StoreError>;

    /// All of an account, the newest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn payouts(&self, account: &AccountName) -> Result<Vec<Payout>, StoreError>;
}

/// The newest first; of one moment by their references.
pub(super) fn newest_first(payouts: &mut [Payout]) {
    payouts.sort_by(|a, b| b.since.cmp(&a.since).then_with(|| a.reference.cmp(&b.reference)));
}
