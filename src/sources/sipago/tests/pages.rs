//! Reading movements page by page, and what travels with each request.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{API_KEY, UUID, source, source_with, watched};
use crate::domain::row::Identity;
use crate::http::Method;
use crate::sources::scripted::{Answer, Scripted, days, failure, file, ok};
use crate::sources::{Reading, Snapshot, Source, SourceError};

fn page(number: u32, more: &str, ids: &[u32]) -> Answer {
    let row = |id: &u32| format!(r#"{{"_id":{id},"amount":1,"dateTime":"2026-11-21","operation":"Venta"}}"#);
    let rows: Vec<String> = ids.iter().map(row).collect();
    ok(format!(r#"{{"page":{number},"existMore":{more},"listTrx":[{}]}}"#, rows.join(",")))
}

async fn snapshot(answers: impl IntoIterator<Item = Answer>) -> Snapshot {
    match source(&Scripted::queue(answers)).read(&days(), None).await.unwrap() {
        Reading::Snapshot(snapshot) => snapshot,
        Reading::Unchanged => panic!("nothing was known"),
    }
}

async fn contract(answers: impl IntoIterator<Item = Answer>) -> (String, usize) {
    let transport = Scripted::queue(answers);
    let error = failure(&source(&transport), &days()).await;
    let SourceError::Contract(text) = error else { panic!("{error:?}") };
    (text, transport.asked().len())
}

#[tokio::test(start_paused = true)]
async fn pages_are_read_until_there_are_no_more() {
    let transport = Scripted::queue([file("sipago/page_0.json"), file("sipago/page_1.json")]);
    let reading = source(&transport).read(&days(), None).await.unwrap();
    let Reading::Snapshot(snapshot) = reading else { panic!("nothing was known") };
    let ids: Vec<_> = snapshot.rows.iter().map(|row| row.identity.clone()).collect();
    assert_eq!(ids, ["3", "2", "2", "1"].map(|id| Identity::Keyed(id.to_owned())), "a shifted row is read twice");
    assert!(!snapshot.paged, "ids make a second opinion needless");
    assert_eq!(transport.paths(), ["/base/transactions/page/0", "/base/transactions/page/1"]);
}

#[tokio::test(start_paused = true)]
async fn every_request_bears_the_documented_headers_and_a_fresh_trace_id() {
    let transport =
        Scripted::queue([file("sipago/page_0.json"), file("sipago/page_1.json"), file("sipago/order_documented.json")]);
    let source = source(&transport);
    source.read(&days(), None).await.unwrap();
    source.read(&watched(), None).await.unwrap();
    let asked = transport.asked();
    let mut traces = BTreeSet::new();
    for asked in &asked {
        assert_eq!(asked.headers["apikey"], API_KEY);
        assert_eq!(asked.headers["x-version"], "100");
        assert_eq!(asked.headers["accept"], "application/json");
        let trace: Uuid = asked.headers["x-trace-id"].parse().unwrap();
        assert_eq!(trace.get_version_num(), 4);
        assert!(traces.insert(trace), "a trace id is never used twice");
        assert_eq!(asked.body_cap, 1 << 20);
    }
    for post in &asked[..2] {
        assert_eq!((&post.method, post.content_type), (&Method::POST, Some("application/json")));
        assert_eq!(post.body, r#"{"startDate":"2026-11-20","endDate":"2026-11-22"}"#);
    }
    let get = &asked[2];
    assert_eq!((&get.method, get.content_type, get.body.as_str()), (&Method::GET, None, ""));
    assert_eq!(get.path, format!("/base/checkout/getLink/{UUID}"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_to_prepare() {
    let transport = Scripted::queue([]);
    source(&transport).prepare().await.unwrap();
    assert!(transport.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_same_pages_are_unchanged_and_any_other_byte_is_not() {
    let pages = || [file("sipago/page_0.json"), file("sipago/page_1.json")];
    let mut answers: Vec<Answer> = pages().into_iter().chain(pages()).collect();
    answers.extend([file("sipago/page_0.json"), page(1, "false", &[1])]);
    let source = source(&Scripted::queue(answers));
    let Reading::Snapshot(first) = source.read(&days(), None).await.unwrap() else { panic!("nothing was known") };
    assert!(matches!(source.read(&days(), Some(first.fingerprint)).await.unwrap(), Reading::Unchanged));
    assert!(matches!(source.read(&days(), Some(first.fingerprint)).await.unwrap(), Reading::Snapshot(_)));
}

#[tokio::test(start_paused = true)]
async fn the_same_order_is_unchanged() {
    let order = || file("sipago/order_documented.json");
    let source = source(&Scripted::queue([order(), order()]));
    let Reading::Snapshot(first) = source.read(&watched(), None).await.unwrap() else { panic!("nothing was known") };
    assert!(matches!(source.read(&watched(), Some(first.fingerprint)).await.unwrap(), Reading::Unchanged));
}

#[tokio::test(start_paused = true)]
async fn an_empty_day_is_empty() {
    assert!(snapshot([page(0, "false", &[])]).await.rows.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_end_is_believed_in_every_spelling_and_only_where_it_is_told() {
    for no in ["false", "\"false\"", "0", "\"0\"", "\"no\""] {
        assert_eq!(snapshot([page(0, no, &[1])]).await.rows.len(), 1, "{no}");
    }
    for yes in ["true", "\"true\"", "1", "\"1\"", "\"si\"", "2"] {
        assert_eq!(snapshot([page(0, yes, &[1]), page(1, "false", &[2])]).await.rows.len(), 2, "{yes}");
    }
    for unsaid in ["null", "\"\"", "{}", "[]", "\"quizás\"", "\"undefined\""] {
        let (text, _) = contract([page(0, unsaid, &[1])]).await;
        assert!(text.contains("`existMore`"), "{unsaid}: a guess could end the reading too early");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_without_end_fail() {
    let (text, asked) = contract((0..99).map(|number| page(number, "true", &[number]))).await;
    assert!(text.contains("max_pages"), "{text}");
    assert_eq!(asked, 5);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_brings_nothing_new_and_promises_more_fails() {
    for (repeated, words) in [(page(1, "true", &[2, 1]), "repeats"), (page(1, "true", &[]), "nothing new")] {
        let (text, asked) = contract([page(0, "true", &[1, 2]), repeated]).await;
        assert!(text.contains(words), "{text}");
        assert_eq!(asked, 2);
    }
    let rejects = || ok(r#"{"existMore":true,"listTrx":[null,7]}"#);
    assert_eq!(contract([rejects(), rejects()]).await.1, 2, "rejects that repeat are nothing new either");
}

#[tokio::test(start_paused = true)]
async fn a_last_page_that_repeats_what_came_before_it_fails() {
    let (text, _) = contract([page(0, "true", &[1, 2]), page(1, "false", &[2, 1])]).await;
    assert!(text.contains("repeats"), "what stood in its place would be missing from a whole reading: {text}");
}

#[tokio::test(start_paused = true)]
async fn another_page_than_was_asked_for_fails() {
    let (text, _) = contract([page(0, "true", &[1]), page(0, "false", &[2])]).await;
    assert!(text.contains("page 1 was asked for and page 0 came"), "{text}");
    let unnumbered = ok(r#"{"existMore":false,"listTrx":[{"_id":1,"amount":1,"dateTime":"2026-11-21"}]}"#);
    assert_eq!(snapshot([unnumbered]).await.rows.len(), 1, "a page may leave its number out");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_none_fails() {
    for (list, words) in [("null", "`listTrx`"), ("{}", "an object"), ("\"\"", "a string")] {
        let (text, _) = contract([ok(format!(r#"{{"page":0,"existMore":false,"listTrx":{list}}}"#))]).await;
        assert!(text.contains("`listTrx`") && text.contains(words), "{text}");
    }
    let (text, _) = contract([ok(r#"{"page":0,"existMore":false}"#)]).await;
    assert!(text.contains("`listTrx` is no list but null, or missing"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn odd_rows_of_all_pages_are_rejects_with_places_of_their_own() {
    let first = ok(r#"{"page":0,"existMore":true,"listTrx":[null,{"_id":1,"amount":1,"dateTime":"2026-11-21"}]}"#);
    let second = ok(r#"{"page":1,"existMore":false,"listTrx":[7]}"#);
    let snapshot = snapshot([first, second]).await;
    let places: Vec<usize> = snapshot.rejects.iter().map(|reject| reject.position).collect();
    assert_eq!((snapshot.rows.len(), places), (1, vec![0, 2]));
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_the_middle_leaves_no_half_reading() {
    for odd in [Answer::Broken, Answer::Silence, ok("<html>"), ok("")] {
        let transport = Scripted::queue([page(0, "true", &[1]), odd]);
        failure(&source_with(super::config(), &transport), &days()).await;
        assert_eq!(transport.asked().len(), 2);
    }
}
