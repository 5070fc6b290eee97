//! How the forms of Redis are reached, refused, and followed when slots move.

use std::time::Duration;

use redis::Value;

use super::forms::{Servers, acl, among_nodes, cluster, sentinel, tell};
use super::secure::{tls, tls_cluster, tls_sentinel};
use super::{Server, config};
use crate::clock::Stopwatch;
use crate::config::{RedisTls, RedisUrl, StoreConfig};
use crate::domain::account::AccountName;
use crate::domain::route::DestinationName;
use crate::store::redis::RedisStore;
use crate::store::{AccountState, Commit, Committed, Store as _, StoreError, Want};

async fn refused(url: &str, tls: RedisTls) -> String {
    let url = RedisUrl(url.to_owned());
    let config = StoreConfig { tls, ..config(&url, "one") };
    let error = RedisStore::connect(&config, &url).await.expect_err("it is refused");
    assert!(!format!("{error:?}").contains("geheim-7"), "{error:?}");
    error.to_string()
}

fn state(account: &str, expected: u64) -> Commit {
    Commit {
        account: AccountName::new(account),
        ledgers: Vec::new(),
        state: Some((expected, AccountState::default())),
        announcements: Vec::new(),
        rejects: Vec::new(),
        remember: Duration::from_secs(60),
    }
}

async fn version(store: &RedisStore, account: &str) -> u64 {
    store.account(&AccountName::new(account)).await.unwrap().version
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused() {
    let servers = tls().await;
    let url = servers.url().0;
    assert!(refused(&url, RedisTls::default()).await.contains("failed"));
    let anonymous = RedisTls { client: None, ..servers.config.tls.clone() };
    refused(&url, anonymous).await;
    let nowhere = RedisTls { ca_file: Some(servers.folder.path().join("none")), client: None };
    assert!(refused(&url, nowhere).await.contains("cannot be read"));
    let plain = url.replace("rediss://", "redis://");
    assert!(refused(&plain, servers.config.tls.clone()).await.contains("with TLS only"));
    assert!(!refused(&plain, RedisTls::default()).await.is_empty());
    let key = servers.folder.path().join("client.key");
    let wrong = RedisTls { ca_file: Some(key), client: None };
    assert!(refused(&url, wrong).await.contains("holds no certificate"));
}

#[tokio::test]
async fn sentinels_and_nodes_that_are_not_trusted_are_refused() {
    for servers in [tls_sentinel().await, tls_cluster().await] {
        let url = servers.url().0;
        refused(&url, RedisTls::default()).await;
        refused(&url, RedisTls { client: None, ..servers.config.tls.clone() }).await;
        refused(&url.replace("rediss+", "redis+"), RedisTls::default()).await;
    }
}

#[tokio::test]
async fn sentinels_that_know_no_master_are_told_from_those_that_are_away() {
    let servers = sentinel().await;
    let url = servers.url().0;
    assert!(refused(&url.replace("/caja/", "/otra/"), RedisTls::default()).await.contains("know no service `otra`"));
    assert!(
        refused("redis+sentinel://:geheim-7@127.0.0.1:1/caja", RedisTls::default()).await.contains("is it running")
    );
    let direct = format!("redis://127.0.0.1:{}", servers.ports[1]);
    assert!(refused(&direct, RedisTls::default()).await.contains("is a sentinel"));
}

#[tokio::test]
async fn a_server_that_is_no_master_any_more_is_not_used() {
    let servers = sentinel().await;
    let store = servers.connect("p", "one").await.unwrap();
    assert!(matches!(store.commit(&state("centro", 0)).await.unwrap(), Committed::Done { .. }));
    let before = store.incarnation();
    tell(servers.ports[0], &["REPLICAOF", "127.0.0.1", "1"]);
    for _ in 0..2 {
        assert!(matches!(store.commit(&state("centro", 1)).await, Err(StoreError::Unavailable(..))));
    }
    tell(servers.ports[0], &["REPLICAOF", "NO", "ONE"]);
    assert!(matches!(store.commit(&state("centro", 1)).await.unwrap(), Committed::Done { .. }));
    assert_ne!(store.incarnation(), before, "what was read before is in doubt");
}

#[tokio::test]
async fn a_node_of_a_cluster_is_no_single_server() {
    let servers = cluster().await;
    let direct = format!("redis://127.0.0.1:{}", servers.ports[0]);
    assert!(refused(&direct, RedisTls::default()).await.contains("redis+cluster://"));
    let server = acl().await;
    let single = format!("redis+cluster://127.0.0.1:{}", server.ports[0]);
    assert!(refused(&single, RedisTls::default()).await.contains("cluster support disabled"));
}

fn id(port: u16) -> String {
    let Value::BulkString(id) = tell(port, &["CLUSTER", "MYID"]) else { panic!("it is text") };
    String::from_utf8(id).unwrap()
}

/// Moves a slot with all its keys.
async fn migrate(servers: &Servers, slot: &str, [from, to]: [u16; 2]) {
    tell(to, &["CLUSTER", "SETSLOT", slot, "IMPORTING", &id(from)]);
    tell(from, &["CLUSTER", "SETSLOT", slot, "MIGRATING", &id(to)]);
    let Value::Array(keys) = tell(from, &["CLUSTER", "GETKEYSINSLOT", slot, "1000"]) else { panic!("it is a list") };
    for key in keys {
        let Value::BulkString(key) = key else { panic!("it is text") };
        let key = String::from_utf8(key).unwrap();
        tell(from, &["MIGRATE", "127.0.0.1", &among_nodes(to), &key, "0", "5000"]);
    }
    let owner = id(to);
    assert!(matches!(tell(from, &["CLUSTER", "COUNTKEYSINSLOT", slot]), Value::Int(0)));
    for port in [to, from].iter().chain(&servers.ports) {
        tell(*port, &["CLUSTER", "SETSLOT", slot, "NODE", &owner]);
    }
    // What they tell each other meanwhile may be older than what they were told: they may change their minds for a while.
    let number = slot.parse().unwrap();
    let watch = Stopwatch::start();
    let mut agreed = 0;
    while agreed < 15 {
        assert!(watch.elapsed() < Duration::from_secs(30), "the nodes do not agree who serves the slot");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let agree = servers.ports.iter().all(|port| owner_at(*port, number) == to);
        agreed = if agree { agreed + 1 } else { 0 };
    }
}

fn owner_of(servers: &Servers, slot: i64) -> u16 {
    owner_at(servers.ports[0], slot)
}

fn owner_at(port: u16, slot: i64) -> u16 {
    let Value::Array(ranges) = tell(port, &["CLUSTER", "SLOTS"]) else { panic!("it is a list") };
    for range in ranges {
        let Value::Array(parts) = range else { panic!("it is a list") };
        let (Value::Int(first), Value::Int(last), Value::Array(master)) = (&parts[0], &parts[1], &parts[2]) else {
            panic!("it is a range")
        };
        if let (true, Value::Int(port)) = ((*first..=*last).contains(&slot), &master[1]) {
            return u16::try_from(*port).unwrap();
        }
    }
    panic!("nobody serves it");
}

#[tokio::test]
async fn a_slot_that_moves_is_followed_and_puts_copies_in_doubt() {
    moved_slots(cluster().await).await;
}

#[tokio::test]
async fn a_slot_that_moves_over_tls_is_followed() {
    moved_slots(tls_cluster().await).await;
}

async fn moved_slots(servers: Servers) {
    let store = servers.connect("p", "one").await.unwrap();
    let key = store.keys.at(store.keys.shard_of(&AccountName::new("centro")), "accounts");
    let Value::Int(slot) = tell(servers.ports[0], &["CLUSTER", "KEYSLOT", &key]) else { panic!("it is a number") };
    for round in 0..4 {
        assert!(matches!(store.commit(&state("centro", round)).await.unwrap(), Committed::Done { .. }));
        let from = owner_of(&servers, slot);
        let to = *servers.ports.iter().find(|port| **port != from).unwrap();
        let before = store.incarnation();
        migrate(&servers, &slot.to_string(), [from, to]).await;
        assert_eq!(version(&store, "centro").await, round + 1);
        let fence = store.acquire(&AccountName::new("centro"), Duration::from_secs(9)).await.unwrap();
        assert!(fence.is_some());
        assert_ne!(store.incarnation(), before);
    }
}

#[tokio::test]
async fn while_a_slot_is_on_its_way_its_shard_alone_is_unavailable() {
    let servers = cluster().await;
    let store = servers.connect("p", "one").await.unwrap();
    let keys = |account: &str| store.keys.at(store.keys.shard_of(&AccountName::new(account)), "accounts");
    store.commit(&state("centro", 0)).await.unwrap();
    let Value::Int(slot) = tell(servers.ports[0], &["CLUSTER", "KEYSLOT", &keys("centro")]) else { panic!("a number") };
    let from = owner_of(&servers, slot);
    let to = *servers.ports.iter().find(|port| **port != from).unwrap();
    let slot = slot.to_string();
    tell(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(from)]);
    tell(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(to)]);
    // One key is asked for where it is, a script with keys that are not there has to wait.
    assert_eq!(version(&store, "centro").await, 1);
    let moving = store.commit(&state("centro", 1)).await;
    assert!(matches!(&moving, Err(StoreError::Unavailable(text, _)) if text.contains("TRYAGAIN")), "{moving:?}");
    assert!(matches!(store.commit(&state("palermo", 0)).await.unwrap(), Committed::Done { .. }));
    let want = Want { destination: DestinationName::new("erp"), room: 4, lease: Duration::from_secs(60) };
    let exchange = store.exchange(&[], &[want]).await.unwrap();
    assert!(exchange.leases.is_empty());
    tell(from, &["MIGRATE", "127.0.0.1", &to.to_string(), &keys("centro"), "0", "5000"]);
    assert_eq!(version(&store, "centro").await, 1, "asked for where it has gone");
    for port in [to, from] {
        tell(port, &["CLUSTER", "SETSLOT", &slot, "NODE", &id(to)]);
    }
    assert!(matches!(store.commit(&state("centro", 1)).await.unwrap(), Committed::Done { .. }));
}

#[tokio::test]
async fn a_socket_is_reached_under_both_names() {
    let server = Server::start().await;
    let path = server.url().0;
    for url in [path.clone(), path.replace("unix://", "redis+unix://")] {
        let url = RedisUrl(url);
        let store = RedisStore::connect(&config(&url, "one"), &url).await.unwrap();
        let before = version(&store, "centro").await;
        assert!(matches!(store.commit(&state("centro", before)).await.unwrap(), Committed::Done { .. }));
    }
}

#[tokio::test]
async fn every_key_begins_with_the_prefix_and_two_prefixes_do_not_meet() {
    let server = Server::start().await;
    let url = server.url();
    for prefix in ["caja", "otra"] {
        let config = StoreConfig { prefix: prefix.to_owned(), ..config(&url, "one") };
        let store = RedisStore::connect(&config, &url).await.unwrap();
        assert!(matches!(store.commit(&state("centro", 0)).await.unwrap(), Committed::Done { .. }), "{prefix}");
        assert!(store.acquire(&AccountName::new("centro"), Duration::from_secs(60)).await.unwrap().is_some());
    }
    let keys = super::layout::all_keys(&server.store().await).await;
    let strange = |key: &&Vec<u8>| !["caja:{", "otra:{", "pregonero:{"].iter().any(|p| key.starts_with(p.as_bytes()));
    assert_eq!(keys.iter().find(strange), None);
}
