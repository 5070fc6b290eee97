//! How calls end badly, and what an operator is told.

use super::*;
use crate::sources::scripted::{assert_silent_about, data, status};
use crate::sources::sipago::tests::API_KEY;

#[tokio::test(start_paused = true)]
async fn a_creation_without_a_clear_answer_is_unknown_and_sent_once() {
    for (answer, unknown) in [
        (Answer::Silence, true),
        (Answer::Broken, true),
        (status(500, data("sipago/wrong_parameters.json")), true),
        (status(503, ""), true),
        (ok("<html>"), true),
        (ok(r#"{"success":"OK"}"#), true),
        (ok("[]"), true),
        (status(400, "{}"), false),
        (status(401, data("sipago/invalid_key.json")), false),
        (status(404, ""), false),
        (status(429, ""), false),
        (ok(r#"{"success":"error","message":"no"}"#), false),
    ] {
        let (client, transport) = client([answer.clone(), ok(r#"{"success":"OK","successUrl":"https://x.example"}"#)]);
        let error = client.link_create(&soda()).await.unwrap_err();
        assert_eq!(error.is_unknown(), unknown, "{answer:?}: {error:?}");
        assert_eq!(transport.asked().len(), 1, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_reads_status_and_words() {
    let validation = r#"{"statusText":"Bad Request","jsonSchemaValidation":true,"validations":{"body":[{"keyword":"required","dataPath":"","message":"should have required property 'amount'"}]}}"#;
    let (client_, _) = client([status(400, validation), status(401, data("sipago/invalid_key.json"))]);
    let error = client_.link_create(&soda()).await.unwrap_err();
    let said = error.said().unwrap();
    assert_eq!((said.status, said.words.as_str()), (400, "Bad Request; should have required property 'amount'"));
    let error = client_.by_code("006417").await.unwrap_err();
    assert_eq!(error.said().map(|said| (said.status, said.words.as_str())), Some((401, "Invalid API key in request")));
    let (client, _) = client([status(500, format!(r#"{{"message":"{API_KEY}"}}"#))]);
    let error = client.qr().await.unwrap_err();
    assert_silent_about(&format!("{error:?} {error} {}", error.said().unwrap().words), &[API_KEY]);
}

#[tokio::test(start_paused = true)]
async fn what_breaks_a_rule_is_not_sent() {
    let (client, transport) = client([]);
    for request in [
        OrderLinkRequest { amount: pesos(0), ..soda() },
        OrderLinkRequest { description: " ".to_owned(), ..soda() },
        OrderLinkRequest { description: "x".repeat(256), ..soda() },
    ] {
        assert!(matches!(client.link_create(&request).await, Err(CallError::Invalid(_))));
    }
    assert!(matches!(client.qr_create(pesos(-1)).await, Err(CallError::Invalid(_))));
    assert!(transport.asked().is_empty());
}
