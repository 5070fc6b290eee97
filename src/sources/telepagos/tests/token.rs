//! Logging in: once, in time, and once more.

use std::time::Duration;

use tokio::time::{Instant, advance};

use super::{PASSWORD, TOKEN, USERNAME, after_login, config, source, watched};
use crate::http::Method;
use crate::sources::scripted::{Answer, Scripted, days, failure, file, ok, status};
use crate::sources::{Reading, Source, SourceError};

const LOGIN: &str = "/base/v2/auth/token";
const LIST: &str = "/base/v2/account/transactions";

fn token(value: &str) -> Answer {
    ok(format!(r#"{{"status":"ok","token":"{value}","expires_at":3600}}"#))
}

#[tokio::test(start_paused = true)]
async fn one_login_serves_many_readings() {
    let list = || file("telepagos/documented.json");
    let transport = after_login([file("telepagos/filters.json"), list(), list()]);
    let source = source(config(), &transport);
    source.prepare().await.unwrap();
    source.read(&days(), None).await.unwrap();
    source.read(&days(), None).await.unwrap();
    let asked = transport.asked();
    assert_eq!(transport.paths(), [LOGIN, "/base/v2/account/transactions_filters", LIST, LIST]);
    assert_eq!(asked[0].method, Method::POST);
    assert_eq!(asked[0].content_type, Some("application/json"));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&asked[0].body).unwrap(),
        serde_json::json!({ "username": USERNAME, "password": PASSWORD })
    );
    assert!(!asked[0].headers.contains_key("authorization"));
    for later in &asked[1..] {
        assert_eq!(later.method, Method::GET);
        assert_eq!(later.headers["authorization"], format!("Bearer {TOKEN}"));
        assert_eq!(later.headers["accept"], "application/json");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_a_minute_before_its_end() {
    let list = || file("telepagos/documented.json");
    let transport = Scripted::queue([token("one"), list(), list(), token("two"), list()]);
    let source = source(config(), &transport);
    source.read(&days(), None).await.unwrap();
    advance(Duration::from_secs(3_539)).await;
    source.read(&days(), None).await.unwrap();
    advance(Duration::from_secs(1)).await;
    source.read(&days(), None).await.unwrap();
    assert_eq!(transport.paths(), [LOGIN, LIST, LIST, LOGIN, LIST]);
    assert_eq!(transport.asked()[4].headers["authorization"], "Bearer two");
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_renewed_once_and_the_question_asked_again() {
    let transport = Scripted::queue([
        token("one"),
        status(401, r#"{"status":"error","message":"Token vencido"}"#),
        token("two"),
        file("telepagos/documented.json"),
    ]);
    let reading = source(config(), &transport).read(&days(), None).await.unwrap();
    assert!(matches!(reading, Reading::Snapshot(snapshot) if snapshot.rows.len() == 2));
    let asked = transport.asked();
    assert_eq!(transport.paths(), [LOGIN, LIST, LOGIN, LIST]);
    assert_eq!(asked[1].query, asked[3].query);
}

#[tokio::test(start_paused = true)]
async fn refused_twice_is_unauthorized_and_nothing_more_is_tried() {
    let no = || status(401, r#"{"status":"error","message":"Token inválido"}"#);
    let transport = Scripted::queue([token("one"), no(), token("two"), no(), token("three"), no()]);
    let error = failure(&source(config(), &transport), &days()).await;
    assert!(matches!(&error, SourceError::Unauthorized { message } if message == "Token inválido"), "{error:?}");
    assert_eq!(transport.paths(), [LOGIN, LIST, LOGIN, LIST]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_may_hide_in_a_200() {
    for words in ["Token vencido", "Unauthenticated.", "La sesión expiró"] {
        let transport = Scripted::queue([
            token("one"),
            ok(format!(r#"{{"status":"error","message":"{words}"}}"#)),
            token("two"),
            file("telepagos/documented.json"),
        ]);
        assert!(source(config(), &transport).read(&days(), None).await.is_ok(), "{words}");
        assert_eq!(transport.paths(), [LOGIN, LIST, LOGIN, LIST]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_refused_in_a_page_is_renewed_and_the_page_read_again() {
    let mut paged = config();
    paged.paginate = true;
    let transport = Scripted::queue([
        token("one"),
        file("telepagos/page_1.json"),
        status(401, ""),
        token("two"),
        file("telepagos/page_2.json"),
    ]);
    let reading = source(paged, &transport).read(&days(), None).await.unwrap();
    assert!(matches!(reading, Reading::Snapshot(snapshot) if snapshot.rows.len() == 3));
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_unauthorized_in_every_form() {
    for answer in [
        status(401, r#"{"status":"error","message":"Usuario incorrecto"}"#),
        status(403, r#"{"status":"error","message":"Usuario incorrecto"}"#),
        status(400, r#"{"status":"error","message":"Usuario incorrecto"}"#),
        status(422, r#"{"status":"error","message":"Usuario incorrecto"}"#),
        ok(r#"{"status":"error","message":"Usuario incorrecto"}"#),
    ] {
        let transport = Scripted::queue([answer.clone()]);
        let error = failure(&source(config(), &transport), &days()).await;
        let SourceError::Unauthorized { message } = &error else { panic!("{answer:?}: {error:?}") };
        assert_eq!(message, "Usuario incorrecto");
        assert_eq!(transport.paths(), [LOGIN]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_fails_otherwise_says_so_and_is_tried_again_by_the_next_reading() {
    for (answer, class) in [
        (status(500, ""), "upstream"),
        (status(429, ""), "slow_down"),
        (status(302, ""), "contract"),
        (status(418, r#"{"message":"el usuario no existe"}"#), "refused"),
        (ok(r#"{"status":"ok"}"#), "contract"),
        (ok("<html>"), "contract"),
        (ok("[]"), "contract"),
        (ok(""), "contract"),
        (Answer::Silence, "transport"),
        (Answer::Broken, "transport"),
    ] {
        let transport = Scripted::queue([answer.clone(), token("one"), file("telepagos/documented.json")]);
        let source = source(config(), &transport);
        assert_eq!(failure(&source, &days()).await.class(), class, "{answer:?}");
        assert!(source.read(&days(), None).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_at_the_wrong_address_is_not_taken_for_an_unknown_id() {
    for task in [days(), watched()] {
        let transport = Scripted::queue([status(404, r#"{"status":"error","message":"Ruta inexistente"}"#)]);
        let error = failure(&source(config(), &transport), &task).await;
        assert!(!matches!(error, SourceError::NotFound), "{task:?}: the watch would wait for ever in silence");
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_does_not_wait_longer_than_half_a_minute() {
    let mut patient = config();
    patient.common.timeout = Duration::from_secs(300);
    let transport = Scripted::queue([Answer::Silence]);
    let start = Instant::now();
    assert_eq!(failure(&source(patient, &transport), &days()).await.class(), "transport");
    assert_eq!(start.elapsed(), Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn readings_at_the_same_time_share_one_login() {
    let transport =
        Scripted::rule(|asked| if asked.path == LOGIN { token("one") } else { file("telepagos/documented.json") });
    let source = source(config(), &transport);
    let task = days();
    let all = futures_util::future::join_all((0..10).map(|_| source.read(&task, None))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(transport.paths().iter().filter(|path| *path == LOGIN).count(), 1);
}
