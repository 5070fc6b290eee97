//! The laws of the desk, over a socket.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::api::{Health, serve};
use crate::clock::SystemClock;
use crate::domain::watch::{Terms, WatchKind};
use crate::store::memory::MemoryStore;
use crate::store::{MOST_KEPT, MOST_OPEN};

const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

const CONFIG: &str = r#"
[[telepagos]]
name = "centro"
base_url = "https://telepagos.example"
username = "someone"
password = "not-a-real-password"
watch = { cashin = [5] }
[[sipago]]
name = "palermo"
base_url = "https://sipago.example"
api_key = "x"
"#;

struct Served {
    at: SocketAddr,
    store: Arc<MemoryStore>,
}

async fn served(token: &str) -> Served {
    served_of(token, CONFIG).await
}

async fn served_of(token: &str, accounts: &str) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let config = crate::config::from_toml(&format!("[http]\nlisten = \"{at}\"\n{token}\n{accounts}")).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Arc::new(MemoryStore::new("one", Arc::clone(&clock)));
    let desk = WatchDesk::new(Arc::new(config), Arc::<MemoryStore>::clone(&store), clock);
    let state = ApiState::new(Arc::new(Health::default()), Vec::new).with_watches(desk);
    tokio::spawn(serve(listener, state, std::future::pending()));
    Served { at, store }
}

impl Served {
    /// Sends a request and reads its answer: status and body.
    async fn asked(&self, line: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        let head = format!("{line} HTTP/1.1\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        // The answer may come before the body is taken.
        let _sent = stream.write_all(body.as_bytes()).await;
        let mut answer = Vec::new();
        let _end =
            tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await.expect("in time");
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn get(&self, query: &str) -> (u16, Value) {
        let (status, body) = self.asked(&format!("GET /api/v1/watches{query}"), "host: localhost\r\n", "").await;
        (status, serde_json::from_str(&body).unwrap())
    }

    async fn post(&self, body: &str) -> (u16, Value) {
        let headers = "host: localhost\r\ncontent-type: application/json\r\n";
        let (status, body) = self.asked("POST /api/v1/watches", headers, body).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    async fn delete(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.asked(&format!("DELETE /api/v1/watches/{path}"), "host: localhost\r\n", "").await;
        (status, serde_json::from_str(&body).unwrap())
    }

    async fn ids(&self, query: &str) -> Vec<String> {
        let (_, list) = self.get(query).await;
        let word = |watch: &Value| format!("{}/{}", watch["kind"], watch["id"]).replace('"', "");
        list["watches"].as_array().unwrap().iter().map(word).collect()
    }
}

#[tokio::test]
async fn what_is_posted_is_listed_and_what_is_deleted_is_not() {
    let served = served("").await;
    let (status, said) = served.post(r#"{"ids": [7, "0009", "1000..1002", "7"]}"#).await;
    assert_eq!((status, said), (200, json!({ "account": "centro", "following": 5, "known": 0 })));
    let (_, said) = served.post(r#"{"account": "centro", "ids": ["7"]}"#).await;
    assert_eq!(said["known"], 1);
    let order = format!(r#"{{"ids": ["https://pay.example/orders/{UUID}"], "until": "2h"}}"#);
    assert_eq!(served.post(&order).await.0, 200);
    let link = r#"{"ids": [7], "kind": "link", "expires": "2027-01-01T00:00:00Z", "reusable": true}"#;
    assert_eq!(served.post(link).await.0, 200);
    let all = ["cashin/1000", "cashin/1001", "cashin/1002", "cashin/7", "cashin/9", "link/7"];
    let order = format!("order/{UUID}");
    assert_eq!(served.ids("").await, [&all[..], &[order.as_str()]].concat());
    assert_eq!(served.ids("?account=palermo").await, [order.as_str()]);
    let (_, list) = served.get("?account=centro&limit=2").await;
    assert_eq!(list["next"], "centro/cashin/1001");
    assert_eq!(served.ids("?limit=4&after=centro/cashin/1001").await, all[2..]);
    assert_eq!(served.ids("?after=centro/link/7").await, [order.as_str()]);
    assert_eq!(served.get("?after=centro/link/7").await.1["next"], Value::Null);
    assert_eq!(list["watches"][0]["origin"], "operator");
    assert_eq!(
        served.delete("centro/cashin/1001").await,
        (200, json!({ "account": "centro", "removed": 1, "note": null }))
    );
    let (status, said) = served.delete("centro/cashin/1001").await;
    assert!(status == 404 && said["error"].as_str().unwrap().contains("not followed anyway"), "{said}");
    assert_eq!(served.delete(&format!("palermo/order/{UUID}")).await.0, 200);
    assert_eq!(served.ids("").await, ["cashin/1000", "cashin/1002", "cashin/7", "cashin/9", "link/7"]);
}

#[tokio::test]
async fn page_by_page_every_watch_comes_once_whatever_the_accounts_are_called() {
    let account = |name: &str| {
        format!(
            "[[telepagos]]\nname = \"{name}\"\nbase_url = \"https://t.example\"\nusername = \"u\"\npassword = \"p\"\n"
        )
    };
    // Names that begin alike, one of them with a character that sorts before the `/` behind the name.
    let names = ["centro", "centro-2", "centro2", "a"];
    let served = served_of("", &names.map(account).concat()).await;
    for name in names {
        assert_eq!(served.post(&format!(r#"{{"account": "{name}", "ids": ["1..3"]}}"#)).await.0, 200);
    }
    for limit in 1..=13 {
        let (mut seen, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            let (status, list) = served.get(&query).await;
            assert_eq!(status, 200);
            let place = |watch: &Value| format!("{}/{}", watch["account"], watch["id"]).replace('"', "");
            seen.extend(list["watches"].as_array().unwrap().iter().map(place));
            let Some(next) = list["next"].as_str() else { break };
            assert!(seen.len() < 12, "there is more after all: {seen:?}");
            query = format!("?limit={limit}&after={next}");
        }
        let unique: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!((seen.len(), unique.len()), (12, 12), "{limit}: {seen:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_what_to_write_instead() {
    let served = served("").await;
    for (body, words) in [
        ("", "write an object such as"),
        ("[]", "write an object such as"),
        ("{", "write an object such as"),
        (r#"{"ids": []}"#, "no id is named"),
        (r#"{"account": "centro"}"#, "missing field `ids`"),
        (r#"{"ids": [1], "kinds": "link"}"#, "unknown field `kinds`, expected one of `account`, `ids`"),
        (r#"{"ids": [true]}"#, "an id is a number or a text"),
        (r#"{"ids": [-1]}"#, "is no id"),
        (r#"{"ids": [1.5]}"#, "is no id"),
        (r#"{"ids": [0]}"#, "is no id"),
        (r#"{"ids": ["9..7"]}"#, "upwards"),
        (r#"{"ids": ["1..9000", "10000..12000"]}"#, "name fewer"),
        (r#"{"ids": [1], "kind": "barcode"}"#, "write one of `cashin`, `order`, `link`, `qr`"),
        (r#"{"ids": [1], "kind": "order"}"#, "is no id"),
        (r#"{"ids": [1], "expires": "2h"}"#, r#"add `"kind": "link"`"#),
        (r#"{"ids": [1], "until": "soon"}"#, "such as `30s`"),
        (r#"{"ids": [1], "account": "nowhere"}"#, "known: `centro`, `palermo`"),
        (r#"{"ids": [1], "account": "palermo"}"#, "those that do: `centro`"),
    ] {
        let (status, said) = served.post(body).await;
        assert!(status == 400 && said["error"].as_str().unwrap().contains(words), "{body}: {status} {said}");
    }
    for (query, words) in [
        ("?account=nowhere", "known: `centro`, `palermo`"),
        ("?limit=0", "from 1 to 10000"),
        ("?limit=many", "limit"),
        ("?all=perhaps", "all"),
        ("?every=true", "unknown field `every`"),
    ] {
        let (status, said) = served.get(query).await;
        assert!(status == 400 && said["error"].as_str().unwrap().contains(words), "{query}: {status} {said}");
    }
    for (path, words) in [
        ("nowhere/cashin/7", "known: `centro`"),
        ("centro/barcode/7", "is no kind"),
        ("centro/cashin/1..3", "one id at a time"),
        ("centro/cashin/seven", "is no id"),
    ] {
        let (status, said) = served.delete(path).await;
        assert!(status == 400 && said["error"].as_str().unwrap().contains(words), "{path}: {status} {said}");
    }
    assert_eq!(served.ids("?all=true").await, [""; 0], "nothing was written");
}

#[tokio::test]
async fn a_body_is_json_and_has_an_end() {
    let served = served("").await;
    for kind in ["", "content-type: text/plain\r\n", "content-type: application/x-www-form-urlencoded\r\n"] {
        let headers = format!("host: localhost\r\n{kind}");
        let (status, said) = served.asked("POST /api/v1/watches", &headers, r#"{"ids": [1]}"#).await;
        assert!(status == 415 && said.contains("application/json"), "{said}");
    }
    let (status, said) = served.post(&format!(r#"{{"ids": [1{}]}}"#, " ".repeat(BODY_BYTES))).await;
    assert!(status == 413 && said["error"].as_str().unwrap().contains("name fewer ids"), "{said}");
    let (status, said) = served.asked("PUT /api/v1/watches", "host: localhost\r\n", "").await;
    assert_eq!((status, said.as_str()), (405, r#"{"error":"another method here"}"#));
}

#[tokio::test]
async fn a_page_of_another_origin_and_a_wrong_token_reach_nothing() {
    let served_openly = served("").await;
    let json = "content-type: application/json\r\n";
    for stranger in [
        "host: evil.example\r\n",
        "host: localhost\r\norigin: https://evil.example\r\n",
        "host: localhost\r\norigin: null\r\n",
        "host: localhost\r\nsec-fetch-site: cross-site\r\n",
    ] {
        let headers = format!("{stranger}{json}");
        for line in ["GET /api/v1/watches", "POST /api/v1/watches", "DELETE /api/v1/watches/centro/cashin/1"] {
            let (status, said) = served_openly.asked(line, &headers, r#"{"ids": [1]}"#).await;
            assert!(status == 403 && said.contains("http.token"), "{line} {stranger}: {said}");
        }
    }
    assert_eq!(served_openly.ids("?all=true").await, [""; 0]);
    let served = served("token = \"a-token-of-tests\"").await;
    let with = |token: &str| format!("host: pagos.example\r\n{json}authorization: Bearer {token}\r\n");
    for headers in [with("a-token-of-test"), with(""), format!("host: localhost\r\n{json}")] {
        let (status, said) = served.asked("POST /api/v1/watches", &headers, r#"{"ids": [1]}"#).await;
        assert!(status == 401 && said.contains("Authorization: Bearer"), "{said}");
    }
    assert_eq!(served.asked("POST /api/v1/watches", &with("a-token-of-tests"), r#"{"ids": [1]}"#).await.0, 200);
    assert_eq!(served.store.watches(&AccountName::new("centro")).await.unwrap().watches.len(), 1);
}

#[tokio::test]
async fn an_account_follows_only_so_much_and_what_it_follows_may_be_named_again() {
    let served = served("").await;
    let (centro, now) = (AccountName::new("centro"), SystemClock.now());
    let cashins = |range: std::ops::RangeInclusive<usize>| -> BTreeSet<WatchId> {
        range.map(|id| WatchId { kind: WatchKind::Cashin, id: id.to_string() }).collect()
    };
    let terms = |origin| Terms { origin, expires: None, until: None, reusable: false, amount: None };
    let hinted = cashins(1..=100);
    follow(&*served.store, &centro, &hinted, &terms(Origin::Hinted), now).await.unwrap();
    follow(&*served.store, &centro, &cashins(101..=100 + MOST_OPEN), &terms(Origin::Operator), now).await.unwrap();
    let (status, said) = served.post(r#"{"ids": [999999]}"#).await;
    let error = said["error"].as_str().unwrap();
    assert!(status == 409 && error.contains("10000 things") && error.contains("watch list"), "{said}");
    assert_eq!(served.post(r#"{"ids": ["101..200"]}"#).await.0, 200, "that is followed already");
    assert_eq!(served.post(r#"{"ids": ["1..2"]}"#).await.0, 409, "a hint takes no room, an operator's word does");
    assert_eq!(served.delete("centro/cashin/101").await.0, 200);
    assert_eq!(served.post(r#"{"ids": [999999]}"#).await.0, 200);
    let full = follow(&*served.store, &centro, &cashins(200_000..=200_001), &terms(Origin::Created), now).await;
    assert!(matches!(full, Err(FollowError::Full { .. })), "whoever asks");

    let ended = cashins(300_000..=300_000 + MOST_KEPT);
    let ended: Vec<_> = ended.iter().map(|id| terms(Origin::Operator).watch(id, None, now)).collect();
    let ended: Vec<_> =
        ended.into_iter().map(|watch| crate::domain::watch::Watch { ended: Some(now), ..watch }).collect();
    let palermo = AccountName::new("palermo");
    served.store.put_watches(&palermo, &ended).await.unwrap();
    let one = cashins(1..=1);
    assert!(matches!(
        follow(&*served.store, &palermo, &one, &terms(Origin::Operator), now).await,
        Err(FollowError::Full { .. })
    ));
}
