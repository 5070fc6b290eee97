//! Files that are cut, overwritten, or not ours: refused and never touched; what shows later stops with a clear error.

use std::path::{Path, PathBuf};

use super::tests::commit_of_rows;
use super::*;
use crate::store::conformance::ManualClock;

/// A whole store in a file of its own, closed, without a log.
async fn whole(folder: &Path) -> PathBuf {
    let path = folder.join("whole.db");
    let store = EmbeddedStore::open_with(&path, "one", Arc::new(ManualClock::default())).unwrap();
    for expected in 0..4 {
        store.commit(&commit_of_rows(expected, 500)).await.unwrap();
    }
    drop(store);
    path
}

fn refusal(path: &Path) -> String {
    match EmbeddedStore::open(path, "one") {
        Err(StoreError::Unusable(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// Writes the file anew with these bytes, opens it, and finds it refused and unchanged.
fn is_refused(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(format!("{}.db", name.replace(' ', "-")));
    std::fs::write(&path, bytes).unwrap();
    let said = refusal(&path);
    assert!(said.contains("left untouched") && said.contains(".db"), "{name}: {said}");
    assert!(EmbeddedStore::open_reader(&path).is_err() || name.contains("page") || name == "header 18", "{name}");
    assert!(EmbeddedStore::open_target(&path).is_err(), "{name}");
    assert!(std::fs::read(&path).unwrap() == bytes, "{name}: it was overwritten");
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(whole(folder.path()).await).unwrap();
    assert!(bytes.len() > 30 * 4096, "it has pages: {}", bytes.len());
    for length in [1, 15, 16, 99, 100, 4095, 4096, 5000, bytes.len() / 2, bytes.len() - 4096] {
        is_refused(folder.path(), &format!("cut at {length}"), &bytes[..length]);
    }
    // Magic, page size, formats, fractions, schema format, application. SQLite makes nothing of the others.
    for at in [0, 5, 16, 18, 19, 21, 22, 23, 47, 68] {
        let mut bent = bytes.clone();
        bent[at] ^= 0xA5;
        is_refused(folder.path(), &format!("header {at}"), &bent);
    }
    for page in [1, 3, 9, bytes.len() / 4096 - 2] {
        let mut bent = bytes.clone();
        bent[page * 4096..(page + 1) * 4096].iter_mut().for_each(|byte| *byte ^= 0x5A);
        is_refused(folder.path(), &format!("page {page}"), &bent);
    }
    is_refused(folder.path(), "text", "nothing of a database\n".repeat(400).as_bytes());
}

#[tokio::test]
async fn an_empty_or_foreign_log_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = whole(folder.path()).await;
    let account = AccountName::new("centro");
    let partition = commit_of_rows(0, 0).ledgers.remove(0).partition;
    for log in [&b""[..], b"nothing of a log", &[7; 9000]] {
        std::fs::write(path.with_extension("db-wal"), log).unwrap();
        let store = EmbeddedStore::open(&path, "one").unwrap();
        assert_eq!(store.ledgers(&account, std::slice::from_ref(&partition)).await.unwrap()[0].len(), 2000);
    }
}

#[tokio::test]
async fn damage_that_shows_later_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = whole(folder.path()).await;
    let bytes = std::fs::read(&path).unwrap();
    let store = EmbeddedStore::open(&path, "one").unwrap();
    let partition = commit_of_rows(0, 0).ledgers.remove(0).partition;
    // Behind the back of the open store: a disk that goes bad.
    let mut bent = bytes.clone();
    bent[8 * 4096..].iter_mut().for_each(|byte| *byte ^= 0x5A);
    std::fs::write(&path, &bent).unwrap();
    let read = store.ledgers(&AccountName::new("centro"), &[partition]).await;
    assert!(matches!(&read, Err(StoreError::Unusable(text)) if text.contains("damaged")), "{read:?}");
    let written = store.commit(&commit_of_rows(4, 500)).await;
    // The pages that it needs may be in memory still.
    assert!(!matches!(&written, Err(error) if !error.to_string().contains("damaged")), "{written:?}");
}
