//! Every way in which an answer can be none, and what is said about it.

use std::time::Duration;

use tokio::time::Instant;

use super::{API_KEY, config, source, source_with, watched};
use crate::domain::account::SourceKind;
use crate::sources::scripted::{
    Answer, Scripted, assert_silent_about, data, days, failure, file, ok, printed, rate, status,
};
use crate::sources::{Source, SourceError, Task};

#[tokio::test(start_paused = true)]
async fn an_answer_is_sorted_by_what_to_do_about_it() {
    for (answer, class) in [
        (status(401, data("sipago/invalid_key.json")), "unauthorized"),
        (status(403, ""), "unauthorized"),
        (status(500, data("sipago/wrong_parameters.json")), "upstream"),
        (status(502, data("sipago/unavailable.html")), "upstream"),
        (status(400, r#"{"statusText":"Bad Request"}"#), "refused"),
        (status(404, ""), "refused"),
        (ok(r#"{"status":"error","message":"no"}"#), "refused"),
        (status(301, ""), "contract"),
        (status(308, data("sipago/movements_documented.json")), "contract"),
        (file("sipago/unavailable.html"), "contract"),
        (ok(r#"{"page":0,"existMore":false,"listTrx":[{"_id":1"#), "contract"),
        (ok("[]"), "contract"),
        (ok("null"), "contract"),
        (ok(""), "contract"),
        (Answer::Silence, "transport"),
        (Answer::Broken, "transport"),
    ] {
        let transport = Scripted::queue([answer.clone()]);
        let error = failure(&source(&transport), &days()).await;
        assert_eq!(error.class(), class, "{answer:?}: {error:?}");
        assert_eq!(transport.asked().len(), 1, "nothing is asked twice");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_watched_order_can_be_unknown() {
    for answer in [status(404, ""), ok("[]")] {
        let error = failure(&source(&Scripted::queue([answer.clone()])), &watched()).await;
        assert!(matches!(error, SourceError::NotFound), "{answer:?}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_the_upstreams_words_and_its_status() {
    let answer = status(401, data("sipago/invalid_key.json"));
    let error = failure(&source(&Scripted::queue([answer])), &days()).await;
    assert!(
        matches!(&error, SourceError::Unauthorized { message } if message == "Invalid API key in request"),
        "{error:?}"
    );
    let answer = status(500, data("sipago/wrong_parameters.json"));
    let error = failure(&source(&Scripted::queue([answer])), &days()).await;
    assert!(matches!(&error, SourceError::Upstream { status: 500, message } if message == "status 500"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn slow_down_closes_the_gate_for_as_long_as_was_asked() {
    for (code, asked_for, pause) in [(429, None, 5), (503, None, 5), (429, Some(17), 17), (503, Some(1 << 30), 3_600)] {
        let slow = status(code, "<html>");
        let slow = asked_for.map_or(slow.clone(), |seconds| slow.retry_after(seconds));
        let source = source(&Scripted::queue([slow, file("sipago/order_documented.json")]));
        let error = failure(&source, &days()).await;
        assert!(matches!(error, SourceError::SlowDown { status, .. } if status == code), "{error:?}");
        assert_eq!(error.retry_after(), asked_for.map(Duration::from_secs));
        let start = Instant::now();
        source.read(&watched(), None).await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(pause), "{code} {asked_for:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_upstream_costs_no_more_than_the_time_out() {
    let start = Instant::now();
    let error = failure(&source(&Scripted::queue([Answer::Silence])), &days()).await;
    assert_eq!(error.class(), "transport");
    assert_eq!(start.elapsed(), Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn no_error_tells_the_key() {
    let said = format!(r#"{{"message":"key {API_KEY} document 11111111"}}"#);
    let cut = format!(r#"{{"message":"{}{API_KEY}"}}"#, "x".repeat(190));
    for body in [said, cut, String::from_utf8(data("sipago/unavailable.html")).unwrap()] {
        for code in [200, 302, 400, 401, 403, 404, 429, 500, 503] {
            for task in [days(), watched()] {
                let error = failure(&source(&Scripted::queue([status(code, body.clone())])), &task).await;
                assert_silent_about(&printed(&error), &[API_KEY, &API_KEY[..8], "11111111"]);
            }
        }
    }
    assert_silent_about(&format!("{:?}", source(&Scripted::queue([]))), &[API_KEY]);
}

#[tokio::test(start_paused = true)]
async fn the_quota_holds_for_pages_and_watched_orders_together() {
    let mut slow = config();
    slow.common.rate = rate(30, 3);
    let transport = Scripted::rule(|asked| {
        let number = asked.path.rsplit('/').next().unwrap_or_default();
        match number.parse::<u32>() {
            Ok(number) => ok(format!(
                r#"{{"page":{number},"existMore":{},"listTrx":[{{"_id":{number},"amount":1,"dateTime":"2026-11-21"}}]}}"#,
                number < 3
            )),
            Err(_) => file("sipago/order_documented.json"),
        }
    });
    let source = source_with(slow, &transport);
    let (listing, order) = (days(), watched());
    for _ in 0..10 {
        let (list, order) = tokio::join!(source.read(&listing, None), source.read(&order, None));
        assert!(list.is_ok() && order.is_ok());
    }
    let asked = transport.asked();
    assert_eq!(asked.len(), 50);
    for from in &asked {
        let end = from.at + Duration::from_secs(60);
        let inside = asked.iter().filter(|other| other.at >= from.at && other.at < end).count();
        assert!(inside <= 33, "{inside} requests within a minute");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_sipago_does_not_have_asks_nothing() {
    let transport = Scripted::queue([]);
    let task = Task::Watched { source: SourceKind::Cashin, id: "1".to_owned() };
    assert_eq!(failure(&source(&transport), &task).await.class(), "contract");
    assert!(transport.asked().is_empty());
}
