//! The contract for webhooks.

use std::num::NonZeroU32;

use super::receiver::{Act, Receiver};
use super::*;
use crate::channels::webhook::{WebhookChannel, WebhookClients};
use crate::config::{Rate, WebhookConfig};

const SECRET: &str = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0";
const OLD_SECRET: &str = "whsec_b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQ=";

fn config(port: u16) -> WebhookConfig {
    WebhookConfig {
        common: destination("erp"),
        url: format!("http://127.0.0.1:{port}/path-s3cret?key=query-s3cret").parse().unwrap(),
        secrets: vec![secret(SECRET)],
        allow_private: vec!["127.0.0.0/8".parse().unwrap()],
        rate: None,
        headers: vec![(String::from("X-Key"), secret("header-s3cret"))],
    }
}

fn channel(config: &WebhookConfig) -> WebhookChannel {
    WebhookChannel::new(config, &mut WebhookClients::default(), clock()).unwrap()
}

fn impatient(port: u16) -> WebhookChannel {
    let mut config = config(port);
    config.common.timeout = Duration::from_millis(400);
    channel(&config)
}

fn answer(status: u16) -> Act {
    Act::Answer(status, "", String::from("because 20267565393"))
}

#[tokio::test]
async fn every_behaviour_has_its_reaction() {
    use FailureClass::{Connect, Http, RateLimited, Recipient, Timeout};
    for (act, expected) in [
        (answer(200), Word::Accepted),
        (answer(201), Word::Accepted),
        (Act::Answer(204, "", String::new()), Word::Accepted),
        (Act::EndlessBody(200), Word::Accepted),
        (Act::SlowBody(200), Word::Accepted),
        (Act::Answer(301, "location: http://127.0.0.1:9/\r\n", String::new()), Word::Later(Http)),
        (Act::Answer(302, "location: /\r\n", String::new()), Word::Later(Http)),
        (Act::Answer(307, "location: /\r\n", String::new()), Word::Later(Http)),
        (Act::Answer(304, "", String::new()), Word::Later(Http)),
        (answer(400), Word::Later(Http)),
        (answer(401), Word::Later(Http)),
        (answer(404), Word::Later(Http)),
        (answer(410), Word::Park(Recipient)),
        (answer(429), Word::Later(RateLimited)),
        (Act::Echo(500), Word::Later(Http)),
        (answer(503), Word::Later(Http)),
        (Act::SlowBody(500), Word::Later(Http)),
        (Act::EndlessBody(500), Word::Later(Http)),
        (Act::Hang, Word::Later(Timeout)),
        (Act::Reset, Word::Later(Connect)),
        (Act::Nonsense, Word::Later(Connect)),
    ] {
        let receiver = Receiver::start([act.clone()]).await;
        let report = announce(&impatient(receiver.port)).await;
        assert_eq!(word(&report), expected, "{act:?}");
        assert_eq!(receiver.got().len(), 1, "one try, no redirect followed: {act:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_no_connection_and_no_such_name_is_dns() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(word(&announce(&impatient(free)).await), Word::Later(FailureClass::Connect));
    let mut nowhere = config(free);
    nowhere.url = "http://does-not-exist.invalid/path-s3cret".parse().unwrap();
    assert_eq!(word(&announce(&channel(&nowhere)).await), Word::Later(FailureClass::Dns));
}

#[tokio::test]
async fn who_speaks_no_tls_fails_as_tls() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.ok();
    });
    let mut config = config(port);
    config.url = format!("https://127.0.0.1:{port}/").parse().unwrap();
    let report = announce(&channel(&config)).await;
    assert_eq!(word(&report), Word::Later(FailureClass::Tls), "{report:?}");
    plain.await.unwrap();
}

#[tokio::test]
async fn a_private_target_is_refused_before_and_after_dns() {
    let receiver = Receiver::start([]).await;
    for url in ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "localhost"] {
        let mut config = config(receiver.port);
        config.allow_private = Vec::new();
        config.url = format!("http://{url}:{}/", receiver.port).parse().unwrap();
        assert_eq!(word(&announce(&channel(&config)).await), Word::Later(FailureClass::RefusedTarget), "{url}");
    }
    assert!(receiver.got().is_empty());
    let mut named = config(receiver.port);
    named.url = format!("http://localhost:{}/", receiver.port).parse().unwrap();
    assert_eq!(word(&announce(&channel(&named)).await), Word::Accepted, "the name is allowed by its address");
}

#[tokio::test]
async fn a_stranger_verifies_every_try_of_the_same_body() {
    let receiver = Receiver::start([Act::Answer(500, "", String::from("x")), Act::Reset]).await;
    let mut config = config(receiver.port);
    config.secrets.push(secret(OLD_SECRET));
    let channel = channel(&config);
    for attempt in 1..=3 {
        send(&channel, &samples::payment(EventType::CreditReceived), attempt).await;
    }
    let got = receiver.got();
    assert_eq!(got.len(), 3);
    for request in &got {
        assert_eq!(request.body, got[0].body, "byte-identical on every try");
        assert_eq!(request.target, "/path-s3cret?key=query-s3cret");
        assert_eq!(request.header("webhook-id"), "evt_0123456789abcdef0123456789abcdef");
        assert_eq!(request.header("content-type"), "application/json");
        assert_eq!(request.header("x-key"), "header-s3cret");
        assert!(request.header("user-agent").starts_with("pregonero/"));
        assert_eq!(request.header("webhook-signature").split(' ').count(), 2);
        let mut headers = reqwest::header::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            headers.insert(name, request.header(name).parse().unwrap());
        }
        for key in [SECRET, OLD_SECRET] {
            standardwebhooks::Webhook::new(key).unwrap().verify(&request.body, &headers).unwrap();
        }
        let mut forged = request.body.clone();
        forged[20] ^= 1;
        assert!(standardwebhooks::Webhook::new(SECRET).unwrap().verify(&forged, &headers).is_err());
    }
}

#[tokio::test]
async fn a_wish_to_wait_is_passed_on_whatever_the_status() {
    for (status, header, wait) in [
        (429, "retry-after: 120\r\n", Some(120)),
        (503, "retry-after: 7\r\n", Some(7)),
        (400, "retry-after: 9\r\n", Some(9)),
        (500, "retry-after: soon\r\n", None),
        (500, "retry-after: Sat, 01 Jan 2000 00:00:00 GMT\r\n", Some(0)),
    ] {
        let receiver = Receiver::start([Act::Answer(status, header, String::from("x"))]).await;
        let report = announce(&channel(&config(receiver.port))).await;
        let Outcome::Later { retry_after, .. } = report.outcome else { panic!("{report:?}") };
        assert_eq!(retry_after.map(|wait| wait.as_secs()), wait, "{status} {header}");
        assert_eq!(report.status, Some(status));
    }
}

#[tokio::test]
async fn connections_are_kept_also_after_a_failure() {
    let receiver = Receiver::start([answer(200), answer(500), answer(410)]).await;
    let channel = channel(&config(receiver.port));
    for _ in 0..5 {
        announce(&channel).await;
    }
    let connections: Vec<_> = receiver.got().iter().map(|got| got.connection).collect();
    assert_eq!(connections, [0; 5]);
}

#[tokio::test]
async fn a_failed_answer_is_kept_without_what_it_echoes() {
    let receiver = Receiver::start([Act::Echo(422)]).await;
    let report = announce(&channel(&config(receiver.port))).await;
    assert!(report.detail.contains("credit.received") && report.detail.contains("1500.00"), "{}", report.detail);
    let receiver =
        Receiver::start([Act::Answer(400, "", String::from("bad key header-s3cret for caja@example.org\u{7}"))]).await;
    assert_eq!(announce(&channel(&config(receiver.port))).await.detail, "bad key … for …");
}

#[tokio::test]
async fn an_own_rate_rests_the_destination_and_spends_no_attempt() {
    let receiver = Receiver::start([]).await;
    let mut config = config(receiver.port);
    let (one, two) = (NonZeroU32::new(1).unwrap(), NonZeroU32::new(2).unwrap());
    config.rate = Some(Rate { count: one, per: Duration::from_secs(3600), burst: two });
    let channel = channel(&config);
    assert_eq!(channel.rest(), Duration::ZERO);
    assert_eq!(word(&announce(&channel).await), Word::Accepted);
    assert_eq!(word(&announce(&channel).await), Word::Accepted);
    assert!(channel.rest() > Duration::from_secs(3000));
    assert_eq!(word(&announce(&channel).await), Word::Park(FailureClass::RateLimited));
    assert_eq!(receiver.got().len(), 2);
}
