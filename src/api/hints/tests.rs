//! The laws of the desk, over a socket.

use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::api::{Health, serve};
use crate::config::Secret;

const SECRET: &str = "abcdefghijklmnop";
const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

type Given = Arc<Mutex<Vec<Vec<(SourceKind, String)>>>>;

/// A listener with a desk for `palermo`, and what is handed over there.
async fn served() -> (SocketAddr, Given) {
    let (listener, given) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Given::default());
    let at = listener.local_addr().unwrap();
    let config = HintsConfig {
        secret: Secret::new(String::from(SECRET)),
        cashin: Vec::new(),
        links: vec![String::from("/data/order/uuid")],
    };
    let heard = Arc::clone(&given);
    let desk = Desk::new(AccountName::new("palermo"), config, move |ids| heard.lock().unwrap().push(ids));
    let state = ApiState::new(Arc::new(Health::default()), Vec::new).with_hints(vec![desk]);
    tokio::spawn(serve(listener, state, std::future::pending()));
    (at, given)
}

/// Sends a request and reads its answer to the end.
async fn asked(at: SocketAddr, line: &str, headers: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let head = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // The answer may come before the body is taken.
    let _sent = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _end = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await.expect("in time");
    String::from_utf8(answer).unwrap()
}

async fn post(at: SocketAddr, path: &str, body: &str) -> String {
    asked(at, &format!("POST {path}"), &format!("content-length: {}\r\n", body.len()), body.as_bytes()).await
}

#[tokio::test]
async fn a_hint_is_accepted_whatever_it_says_and_its_ids_are_handed_over() {
    let (at, given) = served().await;
    let order = format!(r#"{{"data":{{"order":{{"uuid":"{UUID}"}}}}}}"#);
    let mut answers = Vec::new();
    for body in [order.as_str(), "", "no JSON", r#"{"data":{"order":{"uuid":"../../etc"}}}"#] {
        let answer = post(at, &format!("/hints/palermo/{SECRET}"), body).await;
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        answers.push(answer.split_once("\r\n\r\n").unwrap().1.to_owned());
    }
    answers.dedup();
    assert_eq!(answers, [r#"{"accepted":true}"#], "the answer tells nothing of what was in it");
    let given = given.lock().unwrap().clone();
    assert_eq!(given.len(), 4);
    assert_eq!(given.concat(), [(SourceKind::Links, String::from(UUID))]);
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_account_are_one_answer() {
    let (at, given) = served().await;
    let mut answers = Vec::new();
    for path in [
        "/hints/palermo/abcdefghijklmnoq",
        "/hints/palermo/abcdefghijklmno",
        "/hints/centro/abcdefghijklmnop",
        "/hints/palermo",
        "/hints/palermo/abcdefghijklmnop/more",
        "/hints",
    ] {
        let answer = post(at, path, "{}").await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        answers.push((head.lines().next().unwrap().to_owned(), body.to_owned()));
    }
    answers.dedup();
    assert_eq!(answers, [(String::from("HTTP/1.1 404 Not Found"), String::from(r#"{"error":"no such path"}"#))]);
    assert!(asked(at, &format!("GET /hints/palermo/{SECRET}"), "", b"").await.starts_with("HTTP/1.1 405"));
    assert!(given.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_body_has_an_end() {
    let (at, given) = served().await;
    let path = format!("POST /hints/palermo/{SECRET}");
    let large = vec![b' '; BODY_BYTES + 1];
    let told = asked(at, &path, &format!("content-length: {}\r\n", large.len()), &large).await;
    assert!(told.starts_with("HTTP/1.1 413"), "{told}");
    // In chunks, so that no header tells the length.
    let mut chunks = format!("{:x}\r\n", large.len()).into_bytes();
    chunks.extend_from_slice(&large);
    chunks.extend_from_slice(b"\r\n0\r\n\r\n");
    let told = asked(at, &path, "transfer-encoding: chunked\r\n", &chunks).await;
    assert!(told.starts_with("HTTP/1.1 413"), "{told}");
    assert!(given.lock().unwrap().is_empty());
    let most = " ".repeat(BODY_BYTES);
    assert!(post(at, &format!("/hints/palermo/{SECRET}"), &most).await.starts_with("HTTP/1.1 202"));
}

#[tokio::test]
async fn a_flood_is_sent_away_and_not_handed_over() {
    let (at, given) = served().await;
    let (mut accepted, watch) = (0, crate::clock::Stopwatch::start());
    for _ in 0..60 {
        let answer = post(at, &format!("/hints/palermo/{SECRET}"), "{}").await;
        if answer.starts_with("HTTP/1.1 202") {
            accepted += 1;
        } else {
            assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after: 1\r\n"), "{answer}");
        }
    }
    let most = 10 + watch.elapsed().as_secs() + 1;
    assert!((10..=most).contains(&accepted), "{accepted} of 60, where {most} are allowed");
    assert_eq!(u64::try_from(given.lock().unwrap().len()), Ok(accepted));
}

#[test]
fn a_desk_prints_no_secret() {
    let config = HintsConfig { secret: Secret::new(String::from(SECRET)), cashin: Vec::new(), links: Vec::new() };
    let desk = Desk::new(AccountName::new("palermo"), config, |_| {});
    assert!(!format!("{desk:?}").contains(SECRET));
}
