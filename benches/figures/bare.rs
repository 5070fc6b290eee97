//! The bare limit: the same HTTP client and the same signed body in a loop, no store. Run as a child of its own, so that
//! its CPU time can be told from the receiver's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pregonero::channels::webhook::signature::Signer;
use pregonero::config::Secret;

/// Sends `count` requests to `url` with `at_once` in flight.
pub async fn run(url: &str, count: usize, at_once: usize) {
    let client = reqwest::Client::builder()
        .tcp_nodelay(true)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(at_once)
        .build()
        .expect("a client");
    let body = body();
    let signer = Arc::new(Signer::new(&[Secret::new(super::SECRET.to_owned())]).expect("a good secret"));
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..at_once)
        .map(|_| {
            let (client, url, body, signer, next) =
                (client.clone(), url.to_owned(), body.clone(), Arc::clone(&signer), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let id = format!("evt_{number:032x}");
                    let time = 1_790_000_000;
                    let signature = signer.sign(&id, &time.to_string(), &body);
                    let request = client
                        .post(&url)
                        .header("content-type", "application/json")
                        .header("webhook-id", id)
                        .header("webhook-timestamp", time.to_string())
                        .header("webhook-signature", signature)
                        .body(body.clone());
                    assert!(request.send().await.expect("an answer").status().is_success());
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("no panic");
    }
}

/// About 600 bytes, as a real one.
fn body() -> bytes::Bytes {
    let head = r#"{"type":"credit.received","timestamp":"2026-11-21T14:03:16-03:00","data":{"id":"evt_0123456789abcdef0123456789abcdef","account":"centro""#;
    format!("{head},\"padding\":\"{}\"}}}}", "x".repeat(600 - head.len())).into()
}
