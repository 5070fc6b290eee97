//! The file: how it is opened, refused, created and locked.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::StoreError;
use crate::store::copy::Mark;

/// The version of the tables, in `PRAGMA user_version`. An older one is upgraded when the daemon opens it.
const VERSION: i64 = 1;
/// `PRAGMA application_id`: the letters `preg`. It tells our file from any other SQLite database.
const APPLICATION: i64 = 0x7072_6567;
/// The same while a copy is being written into the file: the letters `prec`. It keeps every daemon out.
const COPYING: i64 = 0x7072_6563;
/// Pages (of 4 KiB) that are all checked at start: 64 MiB take some tenths of a second.
const CHECKED: i64 = 16 * 1024;
/// How long to wait for another writing process: the CLI's requeue takes milliseconds.
const BUSY: Duration = Duration::from_secs(5);

/// Times are milliseconds since 1970. `delivery.at` is when it is due, in flight until, delivered or dead since,
/// according to its state; so an expired lease falls due by itself. States: see [`state`].
///
/// A success keeps `began` (ms), `took` (µs) and `status`; only a failure keeps its details, in `last`.
const TABLES: &str = "
CREATE TABLE account(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL DEFAULT 0, state BLOB, holder TEXT, fence INTEGER NOT NULL DEFAULT 0,
    watches INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE watch(
    account INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY(account, kind, id)) STRICT, WITHOUT ROWID;
CREATE TABLE payout(
    account INTEGER NOT NULL, reference TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY(account, reference)) STRICT, WITHOUT ROWID;
CREATE TABLE ledger(
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, key TEXT NOT NULL,
    version INTEGER NOT NULL, expires INTEGER NOT NULL, UNIQUE(account, key)) STRICT;
CREATE INDEX ledger_expires ON ledger(expires);
CREATE TABLE memory(
    ledger INTEGER NOT NULL, slot BLOB NOT NULL, memories BLOB NOT NULL,
    PRIMARY KEY(ledger, slot)) STRICT, WITHOUT ROWID;
CREATE TABLE event(
    seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, account INTEGER, kind TEXT NOT NULL,
    detected INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE destination(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE delivery(
    event INTEGER NOT NULL, destination INTEGER NOT NULL, state INTEGER NOT NULL, at INTEGER NOT NULL,
    attempts INTEGER NOT NULL, fence INTEGER NOT NULL,
    began INTEGER, took INTEGER, status INTEGER, last BLOB,
    PRIMARY KEY(event, destination)) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery(destination, at, event, state) WHERE state < 2;
CREATE INDEX delivery_stuck ON delivery(state, event) WHERE state > 2;
CREATE TABLE reject(
    account INTEGER NOT NULL, fingerprint INTEGER NOT NULL, first_seen INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE(account, fingerprint)) STRICT;
";

/// The states of a delivery as numbers. Persisted, and named in the partial indexes: never renumber.
pub(super) mod state {
    pub(in super::super) const PENDING: i64 = 0;
    pub(in super::super) const IN_FLIGHT: i64 = 1;
    pub(in super::super) const DELIVERED: i64 = 2;
    pub(in super::super) const HELD: i64 = 3;
    pub(in super::super) const EXHAUSTED: i64 = 4;
    pub(in super::super) const REFUSED: i64 = 5;
}

/// The right to be the one daemon on this file; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock beside the file.
pub(super) fn lock(path: &Path) -> Result<Lock, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = private(&name).map_err(|error| cannot_open(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(StoreError::Unusable(format!(
            "another daemon uses `{}`; stop it, or give this one a `store.url` of its own",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(cannot_open(path, &error)),
    }
}

/// Opens the file for the daemon, and creates it if it is not there.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    // SQLite would create it readable for all.
    drop(private(path).map_err(|error| cannot_open(path, &error))?);
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let version = version(&conn, path, &[APPLICATION])?;
    check(&conn, path)?;
    prepare_writer(&conn, version).map_err(|error| refused(path, error))?;
    Ok(conn)
}

/// Opens the file for a copy that goes into it, and creates it if it is not there.
pub(super) fn open_target(path: &Path) -> Result<Connection, StoreError> {
    drop(private(path).map_err(|error| cannot_open(path, &error))?);
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let version = version(&conn, path, &[APPLICATION, COPYING])?;
    check(&conn, path)?;
    prepare_writer(&conn, version).map_err(|error| refused(path, error))?;
    Ok(conn)
}

/// Opens a file, which this process is filling, to read it.
pub(super) fn open_within(path: &Path) -> Result<Connection, StoreError> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    version(&conn, path, &[APPLICATION, COPYING])?;
    Ok(conn)
}

/// Reads every page once, unless there are very many: whoever writes into a damaged file makes it worse.
fn check(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    // A form of the file that SQLite would read and not write.
    if conn.is_readonly(rusqlite::MAIN_DB).map_err(|error| refused(path, error))? {
        return Err(damaged(path));
    }
    let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0)).map_err(|e| refused(path, e))?;
    if pages > CHECKED {
        return Ok(());
    }
    let found = conn.query_row("PRAGMA quick_check(1)", (), |row| row.get::<_, String>(0));
    if found.map_err(|error| refused(path, error))? == "ok" { Ok(()) } else { Err(damaged(path)) }
}

/// The mark of a copy that was cut off.
pub(super) fn mark(conn: &Connection) -> Result<Option<Mark>, StoreError> {
    if conn.pragma_query_value(None, "application_id", |row| row.get::<_, i64>(0))? != COPYING {
        return Ok(None);
    }
    let text: String = conn.query_row("SELECT mark FROM copy", (), |row| row.get(0))?;
    Mark::from_text(&text).map(Some).ok_or_else(|| StoreError::Unusable("the mark of a copy is damaged".to_owned()))
}

/// Sets the mark, or takes it away.
pub(super) fn set_mark(conn: &Connection, mark: Option<&Mark>) -> Result<(), StoreError> {
    conn.execute_batch("DROP TABLE IF EXISTS copy")?;
    if let Some(mark) = mark {
        conn.execute_batch("CREATE TABLE copy(mark TEXT NOT NULL) STRICT")?;
        conn.execute("INSERT INTO copy VALUES(?1)", [mark.to_text()])?;
    }
    conn.pragma_update(None, "application_id", if mark.is_some() { COPYING } else { APPLICATION })?;
    Ok(())
}

fn prepare_writer(conn: &Connection, version: i64) -> rusqlite::Result<()> {
    let _: String = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    // 6 MiB of pages and no map keep the memory small. A log of 16 MiB instead of 4: hot pages go back into the file a
    // quarter as often, and it is still read in some 20 ms after a crash.
    conn.execute_batch("PRAGMA cache_size = -4096; PRAGMA mmap_size = 0; PRAGMA journal_size_limit = 16777216; PRAGMA wal_autocheckpoint = 4000;")?;
    conn.set_prepared_statement_cache_capacity(64);
    if version == 0 {
        conn.execute_batch(&format!(
            "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        ))?;
    }
    Ok(())
}

/// Opens the file for the operator, beside a daemon or without one. `write`: for a requeue or release.
pub(super) fn open_beside(path: &Path, write: bool) -> Result<Connection, StoreError> {
    if !path.exists() {
        // The whole path: a relative `store.url` starts from the working folder, and the daemon's may be another one.
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let hint = "the daemon creates it at its first start; check `store.url`";
        return Err(StoreError::Unusable(format!("there is no store at `{}`: {hint}", whole.display())));
    }
    let mode = if write { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let conn = connect(path, mode)?;
    if version(&conn, path, &[APPLICATION])? == 0 {
        return Err(StoreError::Unusable(format!("`{}` is empty: start the daemon on it first", path.display())));
    }
    conn.execute_batch("PRAGMA cache_size = -1024; PRAGMA mmap_size = 0;").map_err(|error| refused(path, error))?;
    Ok(conn)
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, StoreError> {
    let conn =
        Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(|e| refused(path, e))?;
    conn.busy_timeout(BUSY).map_err(|error| refused(path, error))?;
    Ok(conn)
}

/// The version of the tables; 0 when the file is empty. Nothing is written before this has said that the file is ours.
fn version(conn: &Connection, path: &Path, ours: &[i64]) -> Result<i64, StoreError> {
    let number = |pragma: &str| conn.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let tables = conn.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get::<_, i64>(0));
    let read = || Ok((number("application_id")?, number("user_version")?, tables?));
    match read().map_err(|error| refused(path, error))? {
        // SQLite takes a file that is too short for a page for an empty one, and would write over it.
        (0, 0, 0) if !std::fs::metadata(path).is_ok_and(|file| (1..512).contains(&file.len())) => Ok(0),
        (id, version @ 1..=VERSION, _) if ours.contains(&id) => Ok(version),
        (COPYING, 1..=VERSION, _) => Err(StoreError::Unusable(format!(
            "`{}` holds a copy that is not whole yet: run `store copy` again to finish it",
            path.display()
        ))),
        (APPLICATION | COPYING, version, _) if version > VERSION => Err(StoreError::Unusable(format!(
            "`{}` was written by a newer release (its tables have version {version}, this release knows {VERSION}); \
             run that release or a newer one",
            path.display()
        ))),
        _ => Err(foreign(path)),
    }
}

fn foreign(path: &Path) -> StoreError {
    StoreError::Unusable(format!(
        "`{}` is not a pregonero store; it was left untouched: move it away or change `store.url`",
        path.display()
    ))
}

fn damaged(path: &Path) -> StoreError {
    StoreError::Unusable(format!(
        "`{}` is damaged; it was left untouched: restore a backup, or move it away and start anew",
        path.display()
    ))
}

/// Opens or creates a file that only its owner may read.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn cannot_open(path: &Path, error: &io::Error) -> StoreError {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let hint = match parent {
        Some(parent) if !parent.exists() => format!("create the folder `{}` first", parent.display()),
        _ if path.is_dir() => "it is a folder; name a file in it".to_owned(),
        _ => "the daemon's user must be able to write the file and its folder".to_owned(),
    };
    StoreError::Unusable(format!("cannot open `{}` ({error}): {hint}", path.display()))
}

fn refused(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => foreign(path),
        // While it is opened, no statement but a question about the head can fail for no better reason.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => damaged(path),
        _ => StoreError::from(error),
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, FileLockingProtocolFailed, OperationInterrupted,
            OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure,
        };
        let why = match error.sqlite_error_code() {
            Some(DiskFull) => "the disk is full",
            Some(ReadOnly | PermissionDenied) => "the file cannot be written",
            Some(CannotOpen) => "the file cannot be opened",
            Some(SystemIoFailure) => "the disk fails",
            Some(DatabaseBusy | DatabaseLocked | FileLockingProtocolFailed | OperationInterrupted) => {
                "another process keeps it busy"
            }
            Some(OutOfMemory) => "there is no memory left",
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                return Self::Unusable(format!("the file is damaged: restore a backup ({error})"));
            }
            _ => return Self::Unusable(format!("a statement failed ({error})")),
        };
        Self::Unavailable(why.to_owned(), Some(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn text(result: Result<Connection, StoreError>) -> String {
        match result {
            Ok(_) => panic!("it was opened"),
            Err(StoreError::Unusable(text)) => text,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_file_is_its_owners_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let _lock = lock(&path).unwrap();
        let conn = open_writer(&path).unwrap();
        conn.execute("INSERT INTO destination(name) VALUES('erp')", ()).unwrap();
        for name in ["a.db", "a.db-wal", "a.db.lock"] {
            let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_missing_folder_is_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nowhere/a.db");
        let said = text(open_writer(&path));
        assert!(said.contains("nowhere/a.db") && said.contains("create the folder"), "{said}");
        assert!(text(open_writer(dir.path())).contains("it is a folder"));
        assert!(text(open_beside(&path, false)).contains("there is no store"));
    }

    #[test]
    fn what_is_not_ours_is_refused_and_left_untouched() {
        let dir = tempfile::tempdir().unwrap();
        let garbage = dir.path().join("garbage");
        std::fs::write(&garbage, "x".repeat(5000)).unwrap();
        let cut = dir.path().join("cut");
        std::fs::write(&cut, b"SQLite format 3\0 and no more").unwrap();
        let other = dir.path().join("other.db");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE t(a)").unwrap();
        for path in [&garbage, &cut, &other] {
            let before = std::fs::read(path).unwrap();
            let said = text(open_writer(path));
            assert!(said.contains("left untouched"), "{said}");
            assert!(text(open_beside(path, true)).contains("left untouched"));
            assert_eq!(std::fs::read(path).unwrap(), before);
        }
    }

    #[test]
    fn a_newer_store_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        open_writer(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
        for result in [open_writer(&path), open_beside(&path, false)] {
            let said = text(result);
            assert!(said.contains("newer release") && said.contains("a.db"), "{said}");
        }
    }

    #[test]
    fn an_empty_file_becomes_a_store_for_the_daemon_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        std::fs::write(&path, b"").unwrap();
        assert!(text(open_beside(&path, false)).contains("start the daemon"));
        drop(open_writer(&path).unwrap());
        open_beside(&path, false).unwrap();
    }
}
