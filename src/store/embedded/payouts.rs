//! Money that was asked to be sent, in the file, inside the daemon and beside it.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::commit::account_number;
use super::readers::unreadable;
use super::{EmbeddedArchive, EmbeddedStore};
use crate::domain::account::AccountName;
use crate::domain::payout::{Begun, Payout, PayoutRequest, PayoutState};
use crate::store::codec::{decode_payout, encode_payout};
use crate::store::payouts::newest_first;
use crate::store::{Payouts, StoreError};

fn one(conn: &Connection, account: &AccountName, reference: &str) -> Result<Option<Payout>, StoreError> {
    let found: Option<Vec<u8>> = conn
        .prepare_cached(
            "SELECT body FROM payout WHERE account = (SELECT id FROM account WHERE name = ?1) AND reference = ?2",
        )?
        .query_row(params![account.as_str(), reference], |row| row.get(0))
        .optional()?;
    found.map(|body| decode_payout(&body).map_err(unreadable)).transpose()
}

pub(super) fn all(conn: &Connection, account: &AccountName) -> Result<Vec<Payout>, StoreError> {
    let mut find =
        conn.prepare_cached("SELECT body FROM payout WHERE account = (SELECT id FROM account WHERE name = ?1)")?;
    let mut payouts = Vec::new();
    let mut rows = find.query([account.as_str()])?;
    while let Some(row) = rows.next()? {
        let body = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        payouts.push(decode_payout(body).map_err(unreadable)?);
    }
    newest_first(&mut payouts);
    Ok(payouts)
}

/// The accounts that ever asked to send money: number and name, from a number on.
pub(super) fn accounts(conn: &Connection, from: i64, limit: i64) -> Result<Vec<(i64, AccountName)>, StoreError> {
    let mut find = conn.prepare_cached(
        "SELECT id, name FROM account WHERE id > ?1 AND EXISTS(SELECT 1 FROM payout WHERE account = account.id)
         ORDER BY id LIMIT ?2",
    )?;
    let mut rows = find.query([from, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, AccountName::new(&row.get::<_, String>(1)?)));
    }
    Ok(found)
}

pub(super) fn put(conn: &Connection, account: &AccountName, payout: &Payout) -> Result<(), StoreError> {
    let number = account_number(conn, account)?;
    conn.prepare_cached("INSERT OR REPLACE INTO payout(account, reference, body) VALUES(?1, ?2, ?3)")?
        .execute(params![number, payout.reference, encode_payout(payout)])?;
    Ok(())
}

/// A request to send as a job of its own.
struct Beginning {
    account: AccountName,
    reference: String,
    request: PayoutRequest,
    now: Timestamp,
}

impl Beginning {
    /// Inside a transaction.
    fn run(&self, conn: &Connection) -> Result<Begun, StoreError> {
        let known = one(conn, &self.account, &self.reference)?;
        let (begun, changed) = Payout::begin(known, &self.reference, &self.request, self.now);
        if let Some(payout) = changed {
            put(conn, &self.account, &payout)?;
        }
        Ok(begun)
    }
}

/// The end of an attempt.
struct Ending {
    account: AccountName,
    reference: String,
    attempt: u32,
    state: PayoutState,
}

impl Ending {
    /// Inside a transaction.
    fn run(&self, conn: &Connection) -> Result<(), StoreError> {
        let known = one(conn, &self.account, &self.reference)?;
        let changed = known.and_then(|payout| payout.settled(self.attempt, &self.state));
        changed.map_or(Ok(()), |payout| put(conn, &self.account, &payout))
    }
}

#[async_trait]
impl Payouts for EmbeddedStore {
    async fn begin_payout(
        &self,
        account: &AccountName,
        reference: &str,
        request: &PayoutRequest,
        now: Timestamp,
    ) -> Result<Begun, StoreError> {
        let (account, reference, request) = (account.clone(), reference.to_owned(), request.clone());
        let job = Beginning { account, reference, request, now };
        self.writer.run(true, move |desk| job.run(&desk.conn)).await
    }

    async fn settle_payout(
        &self,
        account: &AccountName,
        reference: &str,
        attempt: u32,
        state: &PayoutState,
    ) -> Result<(), StoreError> {
        let (account, reference, state) = (account.clone(), reference.to_owned(), state.clone());
        let job = Ending { account, reference, attempt, state };
        self.writer.run(true, move |desk| job.run(&desk.conn)).await
    }

    async fn payout(&self, account: &AccountName, reference: &str) -> Result<Option<Payout>, StoreError> {
        let (account, reference) = (account.clone(), reference.to_owned());
        self.readers.run(move |conn| one(conn, &account, &reference)).await
    }

    async fn payouts(&self, account: &AccountName) -> Result<Vec<Payout>, StoreError> {
        let account = account.clone();
        self.readers.run(move |conn| all(conn, &account)).await
    }
}

#[async_trait]
impl Payouts for EmbeddedArchive {
    async fn begin_payout(
        &self,
        account: &AccountName,
        reference: &str,
        request: &PayoutRequest,
        now: Timestamp,
    ) -> Result<Begun, StoreError> {
        let (account, reference, request) = (account.clone(), reference.to_owned(), request.clone());
        let job = Beginning { account, reference, request, now };
        self.write(move |conn| job.run(conn)).await
    }

    async fn settle_payout(
        &self,
        account: &AccountName,
        reference: &str,
        attempt: u32,
        state: &PayoutState,
    ) -> Result<(), StoreError> {
        let (account, reference, state) = (account.clone(), reference.to_owned(), state.clone());
        let job = Ending { account, reference, attempt, state };
        self.write(move |conn| job.run(conn)).await
    }

    async fn payout(&self, account: &AccountName, reference: &str) -> Result<Option<Payout>, StoreError> {
        let (account, reference) = (account.clone(), reference.to_owned());
        self.readers.run(move |conn| one(conn, &account, &reference)).await
    }

    async fn payouts(&self, account: &AccountName) -> Result<Vec<Payout>, StoreError> {
        let account = account.clone();
        self.readers.run(move |conn| all(conn, &account)).await
    }
}
