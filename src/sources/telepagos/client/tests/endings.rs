//! How calls end badly, and what an operator is told.

use super::*;
use crate::sources::scripted::{assert_silent_about, status};
use crate::sources::telepagos::tests::{PASSWORD, USERNAME};

const NO: &str = r#"{"status":"error","message":"Saldo insuficiente"}"#;

#[tokio::test(start_paused = true)]
async fn a_write_without_a_clear_answer_is_unknown_and_sent_once() {
    for (answer, unknown) in [
        (Answer::Silence, true),
        (Answer::Broken, true),
        (status(500, NO), true),
        (status(502, "<html>"), true),
        (status(504, ""), true),
        (status(503, NO), true),
        (status(408, NO), true),
        (ok("<html>"), true),
        (ok(""), true),
        (ok("[]"), true),
        (ok(r#"{"status":"ok","id":"#), true),
        (ok(r#"{"status":"ok"}"#), true),
        (ok(r#"{"status":"ok","id":null}"#), true),
        (status(302, ""), true),
        (status(400, NO), false),
        (status(404, NO), false),
        (status(409, NO), false),
        (status(422, NO), false),
        (status(429, NO), false),
        (ok(NO), false),
    ] {
        let (client, transport) = client([answer.clone(), ok(r#"{"status":"ok","id":1}"#)]);
        let error = client.cashout(&cashout()).await.unwrap_err();
        assert_eq!(error.is_unknown(), unknown, "{answer:?}: {error:?}");
        assert_eq!(transport.asked().len(), 2, "a login and one request: {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_refused_token_lets_a_write_be_sent_again() {
    let refused = || status(401, r#"{"status":"error","message":"Token vencido"}"#);
    let login = || file("telepagos/login.json");
    let (client_, transport) = client([refused(), login(), ok(r#"{"status":"ok","id":9}"#)]);
    assert_eq!(client_.cashout(&cashout()).await.unwrap().id, "9");
    let asked = transport.asked();
    assert_eq!(asked[1].body, asked[3].body, "the very same data");
    let (client, _) = client([refused(), login(), refused()]);
    let error = client.cashout(&cashout()).await.unwrap_err();
    assert!(!error.is_unknown());
    let said = error.said().unwrap();
    assert_eq!((said.status, said.words.as_str()), (401, "Token vencido"));
}

#[tokio::test(start_paused = true)]
async fn an_operator_reads_status_and_words_whatever_the_call() {
    let words = "El CUIT 20-05536168-2 no existe";
    let body = format!(r#"{{"status":"error","message":"{words}"}}"#);
    for code in [200, 400, 404, 409, 500, 503, 429] {
        let (client, _) = client([status(code, body.clone())]);
        let error = client.cashin("7").await.unwrap_err();
        let said = error.said().unwrap();
        assert_eq!((said.status, said.words.as_str()), (code, words));
        assert_silent_about(&format!("{error:?} {error}"), &["05536168"]);
    }
    let transport: Arc<dyn Transport> =
        Scripted::queue([status(401, r#"{"status":"error","message":"Usuario incorrecto"}"#)]);
    let error = TelepagosClient::new(config(), transport, clock()).balance().await.unwrap_err();
    assert_eq!(error.said().map(|said| (said.status, said.words.as_str())), Some((401, "Usuario incorrecto")));
    assert!(matches!(error.reaction(), Some(SourceError::Unauthorized { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_id_is_not_found() {
    for answer in [status(404, "{}"), ok(r#"{"status":"error","message":"No existe"}"#)] {
        let (client, _) = client([answer.clone(), answer.clone(), answer]);
        assert!(matches!(client.cashin("7").await.unwrap_err().reaction(), Some(SourceError::NotFound)));
        assert!(matches!(client.voucher("7").await.unwrap_err().reaction(), Some(SourceError::NotFound)));
        let code = client.static_qr("7", StaticAmount::Open).await.unwrap_err();
        assert!(matches!(code.reaction(), Some(SourceError::NotFound)));
    }
}

#[tokio::test(start_paused = true)]
async fn no_secret_stands_in_what_an_operator_is_told() {
    let body = format!(r#"{{"status":"error","message":"{USERNAME} {PASSWORD} ficha-de-prueba-1"}}"#);
    for code in [200, 400, 401, 403, 404, 429, 500, 503] {
        let answers = [status(code, body.clone()), file("telepagos/login.json"), status(code, body.clone())];
        let (client, _) = client(answers);
        let error = client.cashout(&cashout()).await.unwrap_err();
        let words = error.said().map(|said| said.words.clone()).unwrap_or_default();
        assert_silent_about(&format!("{error:?} {error} {words}"), &[USERNAME, PASSWORD, "ficha-de-prueba", CVU, CUIT]);
    }
}
