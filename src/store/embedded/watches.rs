//! The watches in the file, inside the daemon and beside it.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::commit::account_number;
use super::readers::unreadable;
use super::upkeep::count;
use super::{EmbeddedArchive, EmbeddedStore};
use crate::domain::account::AccountName;
use crate::domain::watch::{Watch, WatchId};
use crate::store::codec::{decode_watch, encode_watch};
use crate::store::{StoreError, Watches, Watchlist};

fn version(conn: &Connection, account: &AccountName) -> Result<u64, StoreError> {
    let found: Option<i64> = conn
        .prepare_cached("SELECT watches FROM account WHERE name = ?1")?
        .query_row([account.as_str()], |row| row.get(0))
        .optional()?;
    Ok(u64::try_from(found.unwrap_or_default()).unwrap_or_default())
}

pub(super) fn list(conn: &Connection, account: &AccountName) -> Result<Watchlist, StoreError> {
    let mut find = conn.prepare_cached(
        "SELECT body FROM watch WHERE account = (SELECT id FROM account WHERE name = ?1) ORDER BY kind, id",
    )?;
    let mut watches = Vec::new();
    let mut rows = find.query([account.as_str()])?;
    while let Some(row) = rows.next()? {
        let body = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        watches.push(decode_watch(body).map_err(unreadable)?);
    }
    watches.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Watchlist { version: version(conn, account)?, watches })
}

fn put(conn: &Connection, account: &AccountName, watches: &[Watch]) -> Result<(), StoreError> {
    if watches.is_empty() {
        return Ok(());
    }
    let number = account_number(conn, account)?;
    let mut insert =
        conn.prepare_cached("INSERT OR REPLACE INTO watch(account, kind, id, body) VALUES(?1, ?2, ?3, ?4)")?;
    for watch in watches {
        insert.execute(params![number, watch.id.kind.as_str(), watch.id.id, encode_watch(watch)])?;
    }
    grow(conn, number)
}

fn remove(conn: &Connection, account: &AccountName, ids: &[WatchId]) -> Result<u64, StoreError> {
    let number = account_number(conn, account)?;
    let mut delete = conn.prepare_cached("DELETE FROM watch WHERE account = ?1 AND kind = ?2 AND id = ?3")?;
    let mut removed = 0;
    for id in ids {
        removed += count(delete.execute(params![number, id.kind.as_str(), id.id])?);
    }
    if removed > 0 {
        grow(conn, number)?;
    }
    Ok(removed)
}

/// The accounts that were ever asked to follow anything: number and name, from a number on.
pub(super) fn accounts(conn: &Connection, from: i64, limit: i64) -> Result<Vec<(i64, AccountName)>, StoreError> {
    let mut find =
        conn.prepare_cached("SELECT id, name FROM account WHERE id > ?1 AND watches > 0 ORDER BY id LIMIT ?2")?;
    let mut rows = find.query([from, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, AccountName::new(&row.get::<_, String>(1)?)));
    }
    Ok(found)
}

/// Makes an account's watches what another store says.
pub(super) fn replace(conn: &Connection, account: &AccountName, list: &Watchlist) -> Result<(), StoreError> {
    let number = account_number(conn, account)?;
    conn.prepare_cached("DELETE FROM watch WHERE account = ?1")?.execute([number])?;
    put(conn, account, &list.watches)?;
    let version = i64::try_from(list.version).unwrap_or(i64::MAX);
    conn.prepare_cached("UPDATE account SET watches = ?2 WHERE id = ?1")?.execute([number, version])?;
    Ok(())
}

fn grow(conn: &Connection, account: i64) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE account SET watches = watches + 1 WHERE id = ?1")?.execute([account])?;
    Ok(())
}

#[async_trait]
impl Watches for EmbeddedStore {
    async fn watches(&self, account: &AccountName) -> Result<Watchlist, StoreError> {
        let account = account.clone();
        self.readers.run(move |conn| list(conn, &account)).await
    }

    async fn watches_version(&self, account: &AccountName) -> Result<u64, StoreError> {
        let account = account.clone();
        self.readers.run(move |conn| version(conn, &account)).await
    }

    async fn put_watches(&self, account: &AccountName, watches: &[Watch]) -> Result<(), StoreError> {
        let (account, watches) = (account.clone(), watches.to_vec());
        self.writer.run(true, move |desk| put(&desk.conn, &account, &watches)).await
    }

    async fn remove_watches(&self, account: &AccountName, ids: &[WatchId]) -> Result<u64, StoreError> {
        let (account, ids) = (account.clone(), ids.to_vec());
        self.writer.run(true, move |desk| remove(&desk.conn, &account, &ids)).await
    }
}

#[async_trait]
impl Watches for EmbeddedArchive {
    async fn watches(&self, account: &AccountName) -> Result<Watchlist, StoreError> {
        let account = account.clone();
        self.readers.run(move |conn| list(conn, &account)).await
    }

    async fn watches_version(&self, account: &AccountName) -> Result<u64, StoreError> {
        let account = account.clone();
        self.readers.run(move |conn| version(conn, &account)).await
    }

    async fn put_watches(&self, account: &AccountName, watches: &[Watch]) -> Result<(), StoreError> {
        let (account, watches) = (account.clone(), watches.to_vec());
        self.write(move |conn| put(conn, &account, &watches).map(|()| 0)).await.map(drop)
    }

    async fn remove_watches(&self, account: &AccountName, ids: &[WatchId]) -> Result<u64, StoreError> {
        let (account, ids) = (account.clone(), ids.to_vec());
        self.write(move |conn| remove(conn, &account, &ids)).await
    }
}
