//! A Redis that is away, mute, restarted, of another kind, or used by a newer release.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Server, config};
use crate::config::RedisUrl;
use crate::domain::account::AccountName;
use crate::store::redis::RedisStore;
use crate::store::{Commit, Committed, Store as _, StoreError, Want};

fn account() -> AccountName {
    AccountName::new("centro")
}

fn state(expected: u64) -> Commit {
    Commit {
        account: account(),
        ledgers: Vec::new(),
        state: Some((expected, crate::store::AccountState::default())),
        announcements: Vec::new(),
        rejects: Vec::new(),
        remember: Duration::from_secs(60),
    }
}

fn want() -> Want {
    Want { destination: crate::domain::route::DestinationName::new("erp"), room: 1, lease: Duration::from_secs(60) }
}

/// A command of the test's own.
async fn tell(store: &RedisStore, words: &[&str]) {
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    store.link.ask_one(command).await.unwrap();
}

#[tokio::test]
async fn forgotten_scripts_are_loaded_again() {
    let server = Server::start().await;
    let store = server.store().await;
    for version in 0..3 {
        tell(&store, &["SCRIPT", "FLUSH"]).await;
        assert!(matches!(store.commit(&state(version)).await.unwrap(), Committed::Done { .. }));
        tell(&store, &["SCRIPT", "FLUSH"]).await;
        assert!(store.exchange(&[], &[want()]).await.unwrap().leases.is_empty());
        tell(&store, &["SCRIPT", "FLUSH"]).await;
        assert!(store.acquire(&account(), Duration::from_secs(60)).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn an_outage_is_an_error_while_it_lasts_and_heals_afterwards() {
    let mut server = Server::start().await;
    let store = server.store().await;
    assert!(matches!(store.commit(&state(0)).await.unwrap(), Committed::Done { .. }));
    server.kill();
    for _ in 0..20 {
        assert!(matches!(store.account(&account()).await, Err(StoreError::Unavailable(..))));
    }
    server.run().await;
    let mut healed = None;
    for _ in 0..500 {
        match store.account(&account()).await {
            Ok(state) => {
                healed = Some(state.version);
                break;
            }
            // It may still be loading.
            Err(StoreError::Unavailable(..)) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(healed, Some(1), "what was committed is still there");
    assert!(matches!(store.commit(&state(1)).await.unwrap(), Committed::Done { .. }));
}

#[tokio::test]
async fn a_full_or_read_only_server_is_unavailable_not_unusable() {
    let server = Server::start().await;
    let store = server.store().await;
    tell(&store, &["CONFIG", "SET", "maxmemory", "1"]).await;
    assert!(matches!(store.commit(&state(0)).await, Err(StoreError::Unavailable(text, _)) if text.contains("OOM")));
    tell(&store, &["CONFIG", "SET", "maxmemory", "0"]).await;
    tell(&store, &["REPLICAOF", "127.0.0.1", "1"]).await;
    assert!(
        matches!(store.commit(&state(0)).await, Err(StoreError::Unavailable(text, _)) if text.contains("READONLY"))
    );
    tell(&store, &["REPLICAOF", "NO", "ONE"]).await;
    assert!(matches!(store.commit(&state(0)).await.unwrap(), Committed::Done { .. }));
}

#[tokio::test]
async fn a_password_is_needed_checked_and_never_shown() {
    let server = Server::start_with(&["--requirepass", "geheim-7"]).await;
    let socket = server.url().0;
    let none = server.connect("one").await.unwrap_err();
    assert!(matches!(&none, StoreError::Unusable(text) if text.contains("password")), "{none}");
    let url = RedisUrl(format!("{socket}?pass=falsch-8"));
    let wrong = RedisStore::connect(&config(&url, "one"), &url).await.unwrap_err();
    assert!(matches!(&wrong, StoreError::Unusable(_)));
    assert!(!format!("{wrong} {wrong:?}").contains("falsch-8"), "{wrong:?}");
    let url = RedisUrl(format!("{socket}?pass=geheim-7"));
    let store = RedisStore::connect(&config(&url, "one"), &url).await.unwrap();
    assert!(!format!("{store:?}").contains("geheim-7"));
}

#[tokio::test]
async fn what_is_not_redis_is_named_with_its_place_and_without_the_password() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    let peer = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 256];
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
            // The client may have gone already.
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        }
    });
    let url = RedisUrl(format!("redis://ana:geheim-7@{place}/0"));
    let error = RedisStore::connect(&config(&url, "one"), &url).await.unwrap_err();
    peer.abort();
    let text = format!("{error} {error:?}");
    assert!(text.contains(&place.to_string()) && text.contains("not Redis"), "{text}");
    assert!(!text.contains("geheim-7") && !text.contains("ana"), "{text}");

    let error = RedisStore::connect(&config(&url, "one"), &url).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(text, _) if text.contains(&place.to_string())), "{error}");
    assert!(!format!("{error:?}").contains("geheim-7"));
}

#[tokio::test]
async fn urls_of_other_kinds_are_refused_with_words() {
    for url in [
        "redis+cluster://",
        "redis+sentinel://h:1",
        "redis+cluster://h:1/3",
        "http://:geheim-7@h",
        "redis://:geheim-7@h/x",
        "",
        "redis://",
    ] {
        let url = RedisUrl(url.to_owned());
        let error = RedisStore::connect(&config(&url, "one"), &url).await.unwrap_err();
        assert!(matches!(error, StoreError::Unusable(_)), "{error}");
        assert!(!format!("{error:?}").contains("geheim-7"));
    }
}

#[tokio::test]
async fn a_newer_form_is_refused_and_a_recorded_number_of_shards_is_kept() {
    let server = Server::start().await;
    let store = server.store().await;
    assert_eq!(store.keys.shards(), 16);
    tell(&store, &["HSET", "pregonero:{0}:meta", "form", "2"]).await;
    let error = server.connect("one").await.unwrap_err();
    assert!(matches!(&error, StoreError::Unusable(text) if text.contains("newer release")), "{error}");
    tell(&store, &["HSET", "pregonero:{0}:meta", "form", "1", "shards", "5"]).await;
    assert_eq!(server.store().await.keys.shards(), 5);
    tell(&store, &["HSET", "pregonero:{0}:meta", "shards", "0"]).await;
    assert!(matches!(server.connect("one").await, Err(StoreError::Unusable(_))));
    tell(&store, &["SET", "pregonero:{0}:meta", "text"]).await;
    assert!(matches!(server.connect("one").await, Err(StoreError::Unusable(_))));
}

#[tokio::test]
async fn what_can_forget_is_said() {
    let careful = Server::start_with(&["--appendfsync", "always"]).await;
    assert_eq!(careful.store().await.warnings().await.unwrap(), Vec::<String>::new());
    let careless =
        Server::start_with(&["--appendonly", "no", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let warnings = careless.await.store().await.warnings().await.unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("everything") && warnings[1].contains("noeviction"), "{warnings:?}");
}

#[tokio::test]
async fn a_user_who_may_not_ask_about_the_server_can_use_it() {
    let server = Server::start().await;
    let store = server.store().await;
    let user = ["ACL", "SETUSER", "ana", "on", ">geheim-7", "~*", "+@all", "-info", "-config"];
    tell(&store, &user).await;
    let url = RedisUrl(format!("{}?user=ana&pass=geheim-7", server.url().0));
    let store = RedisStore::connect(&config(&url, "one"), &url).await.unwrap();
    assert_eq!(store.warnings().await.unwrap().len(), 1, "it cannot say whether it can forget");
    assert!(matches!(store.commit(&state(0)).await.unwrap(), Committed::Done { .. }));
}
