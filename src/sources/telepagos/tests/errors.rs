//! Every way in which an answer can be none, and what is said about it.

use std::time::Duration;

use tokio::time::Instant;

use super::{PASSWORD, TOKEN, USERNAME, after_login, config, source, watched};
use crate::sources::scripted::{
    Answer, Scripted, assert_silent_about, data, days, failure, file, ok, printed, rate, status,
};
use crate::sources::{Reading, Source, SourceError};

#[tokio::test(start_paused = true)]
async fn an_answer_is_sorted_by_what_to_do_about_it() {
    for (answer, class) in [
        (file("telepagos/refusal.json"), "refused"),
        (status(400, data("telepagos/refusal.json")), "refused"),
        (status(403, ""), "refused"),
        (status(404, ""), "refused"),
        (ok(r#"{"status":"error","message":"no hay movimientos"}"#), "refused"),
        (status(500, r#"{"status":"error","message":"ups"}"#), "upstream"),
        (status(502, data("telepagos/unavailable.html")), "upstream"),
        (status(504, ""), "upstream"),
        (status(301, ""), "contract"),
        (status(302, data("telepagos/documented.json")), "contract"),
        (status(304, ""), "contract"),
        (file("telepagos/unavailable.html"), "contract"),
        (ok(r#"{"status":"ok","transactions":[{"income":1,"#), "contract"),
        (ok("[]"), "contract"),
        (ok(r#"{"status":"ok","transactions":null}"#), "contract"),
        (ok(""), "contract"),
        (status(204, ""), "contract"),
        (Answer::Silence, "transport"),
        (Answer::Broken, "transport"),
    ] {
        let error = failure(&source(config(), &after_login([answer.clone()])), &days()).await;
        assert_eq!(error.class(), class, "{answer:?}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_keeps_the_upstreams_words_and_its_status() {
    let error = failure(&source(config(), &after_login([file("telepagos/refusal.json")])), &days()).await;
    let SourceError::Refused { status: 200, message } = error else { panic!("{error:?}") };
    assert_eq!(message, "El rango de fechas es inválido");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_cashin_is_not_found_in_every_form() {
    for answer in [
        status(404, ""),
        status(400, r#"{"status":"error","message":"La acreditación no existe"}"#),
        ok(r#"{"status":"error","message":"Cashin not found"}"#),
    ] {
        let error = failure(&source(config(), &after_login([answer.clone()])), &watched()).await;
        assert!(matches!(error, SourceError::NotFound), "{answer:?}: {error:?}");
    }
    let error = failure(&source(config(), &after_login([file("telepagos/refusal.json")])), &watched()).await;
    assert!(matches!(error, SourceError::Refused { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn slow_down_closes_the_gate_for_as_long_as_was_asked() {
    for (code, asked_for, pause) in [
        (429, None, 5),
        (503, None, 5),
        (429, Some(17), 17),
        (503, Some(90), 90),
        (429, Some(0), 0),
        (503, Some(1_000_000), 3_600),
    ] {
        let slow = status(code, "<html>");
        let slow = asked_for.map_or(slow.clone(), |seconds| slow.retry_after(seconds));
        let transport = after_login([slow, file("telepagos/documented.json")]);
        let source = source(config(), &transport);
        let error = failure(&source, &days()).await;
        assert!(matches!(error, SourceError::SlowDown { status, .. } if status == code), "{error:?}");
        assert_eq!(error.retry_after(), asked_for.map(Duration::from_secs));
        let start = Instant::now();
        source.read(&days(), None).await.unwrap();
        // And the rate is halved: one that could follow at once waits for its turn.
        assert_eq!(start.elapsed().as_secs(), pause, "{code} {asked_for:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_never_followed() {
    let transport = after_login([status(307, ""), file("telepagos/documented.json")]);
    let error = failure(&source(config(), &transport), &days()).await;
    assert!(error.to_string().contains("redirects") && error.to_string().contains("base_url"), "{error}");
    assert_eq!(transport.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_bears_the_accounts_bounds() {
    let transport = after_login([Answer::Silence]);
    let start = Instant::now();
    failure(&source(config(), &transport), &days()).await;
    assert_eq!(start.elapsed(), Duration::from_secs(20));
    assert!(transport.asked().iter().all(|asked| asked.body_cap == 1 << 20));
}

#[tokio::test(start_paused = true)]
async fn no_error_tells_a_secret() {
    let echo = format!(r#"{{"status":"error","message":"{USERNAME}/{PASSWORD}/{TOKEN} CUIT 27111111112"}}"#);
    // The second secret straddles the place where long messages are cut.
    let cut = |secret: &str| format!(r#"{{"message":"{}{secret}"}}"#, "x".repeat(190));
    let answers = |body: &str| {
        [
            ok(body.to_owned()),
            status(400, body.to_owned()),
            status(403, body.to_owned()),
            status(404, body.to_owned()),
            status(500, body.to_owned()),
            status(429, body.to_owned()),
            status(302, body.to_owned()),
        ]
    };
    let secrets = [USERNAME, PASSWORD, TOKEN, "27111111112", &PASSWORD[..8], &TOKEN[..8]];
    for body in [echo, cut(PASSWORD), cut(TOKEN), String::from_utf8(data("telepagos/unavailable.html")).unwrap()] {
        for answer in answers(&body) {
            let error = failure(&source(config(), &after_login([answer.clone()])), &days()).await;
            assert_silent_about(&printed(&error), &secrets);
            // A login that echoes a token echoes none of ours.
            let error = failure(&source(config(), &Scripted::queue([answer])), &days()).await;
            assert_silent_about(&printed(&error), &[USERNAME, PASSWORD, &PASSWORD[..8], "27111111112"]);
        }
        let no = || status(401, body.clone());
        let transport = after_login([no(), file("telepagos/login.json"), no()]);
        assert_silent_about(&printed(&failure(&source(config(), &transport), &days()).await), &secrets);
    }
    let source = source(config(), &after_login([file("telepagos/documented.json")]));
    source.read(&days(), None).await.unwrap();
    assert_silent_about(&format!("{source:?}"), &[PASSWORD, TOKEN]);
}

#[tokio::test(start_paused = true)]
async fn the_same_bytes_are_unchanged_and_any_other_byte_is_not() {
    let one = data("telepagos/documented.json");
    let mut other = one.clone();
    other.push(b'\n');
    let cashin = || file("telepagos/cashin_documented.json");
    let transport = after_login([ok(one.clone()), ok(one), ok(other), cashin(), cashin()]);
    let source = source(config(), &transport);
    let Reading::Snapshot(first) = source.read(&days(), None).await.unwrap() else { panic!("nothing was known") };
    assert!(!first.paged);
    assert!(matches!(source.read(&days(), Some(first.fingerprint)).await.unwrap(), Reading::Unchanged));
    assert!(matches!(source.read(&days(), Some(first.fingerprint)).await.unwrap(), Reading::Snapshot(_)));
    let Reading::Snapshot(first) = source.read(&watched(), None).await.unwrap() else { panic!("nothing was known") };
    assert!(matches!(source.read(&watched(), Some(first.fingerprint)).await.unwrap(), Reading::Unchanged));
}

#[tokio::test(start_paused = true)]
async fn the_quota_holds_for_logins_pages_and_watched_ids_together() {
    let mut slow = config();
    slow.common.rate = rate(30, 3);
    let transport = Scripted::rule(|asked| {
        if asked.path.ends_with("token") {
            ok(r#"{"token":"t","expires_at":1}"#)
        } else if asked.path.contains("cashin") {
            file("telepagos/cashin_documented.json")
        } else {
            status(401, "")
        }
    });
    let source = source(slow, &transport);
    for _ in 0..20 {
        failure(&source, &days()).await;
        source.read(&watched(), None).await.unwrap();
    }
    let asked = transport.asked();
    assert!(asked.len() >= 80);
    for from in &asked {
        let end = from.at + Duration::from_secs(60);
        let inside = asked.iter().filter(|other| other.at >= from.at && other.at < end).count();
        assert!(inside <= 33, "{inside} requests within a minute");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_telepagos_does_not_have_asks_nothing() {
    let transport = Scripted::queue([]);
    let task = crate::sources::Task::Watched { source: crate::domain::account::SourceKind::Links, id: "1".to_owned() };
    assert_eq!(failure(&source(config(), &transport), &task).await.class(), "contract");
    assert!(transport.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_operations_are_called_is_learnt_before_reading() {
    let list =
        ok(r#"{"transactions":[{"income":0,"date":"2026-11-21","amount":1,"operation":"DEV_QR","status":"ok"}]}"#);
    let transport = after_login([list.clone(), file("telepagos/filters.json"), list]);
    let source = source(config(), &transport);
    let kind = async || match source.read(&days(), None).await.unwrap() {
        Reading::Snapshot(snapshot) => snapshot.rows[0].operation.kind.as_str(),
        Reading::Unchanged => panic!("nothing was known"),
    };
    assert_eq!(kind().await, "debit");
    source.prepare().await.unwrap();
    assert_eq!(kind().await, "refund");
}
