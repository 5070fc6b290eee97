//! Reading by pages: one consistent story, or nothing.

use super::{after_login, config, source};
use crate::config::TelepagosAccount;
use crate::sources::scripted::{Answer, days, failure, file, ok};
use crate::sources::{Reading, Source, SourceError};

fn paged() -> TelepagosAccount {
    TelepagosAccount { paginate: true, ..config() }
}

fn page(page: u32, pages: u32, results: u32, rows: u32) -> Answer {
    let row = format!(r#"{{"income":1,"date":"2026-11-21","amount":{page},"operation":"Cobro","status":"ok"}}"#);
    let rows = vec![row; rows.try_into().unwrap()].join(",");
    ok(format!(
        r#"{{"status":"ok","transactions":[{rows}],"number_of_results":{results},"page":{page},"pages":{pages}}}"#
    ))
}

async fn contract(answers: impl IntoIterator<Item = Answer>) -> (String, usize) {
    let transport = after_login(answers);
    let error = failure(&source(paged(), &transport), &days()).await;
    let SourceError::Contract(text) = error else { panic!("{error:?}") };
    (text, transport.asked().len() - 1)
}

#[tokio::test(start_paused = true)]
async fn all_pages_are_one_reading() {
    let transport = after_login([file("telepagos/page_1.json"), file("telepagos/page_2.json")]);
    let reading = source(paged(), &transport).read(&days(), None).await.unwrap();
    let Reading::Snapshot(snapshot) = reading else { panic!("nothing was known") };
    assert!(snapshot.paged);
    let amounts: Vec<i64> = snapshot.rows.iter().map(|row| row.amount.cents()).collect();
    assert_eq!(amounts, [300, 200, 100]);
    let asked = transport.asked();
    for (number, page) in ["1", "2"].iter().zip(&asked[1..]) {
        let expected = [("date_from", "2026-11-20"), ("date_to", "2026-11-22"), ("paginate", "1"), ("page", number)];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(page.query, expected.into());
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_pages_are_unchanged() {
    let pages = [file("telepagos/page_1.json"), file("telepagos/page_2.json")];
    let transport = after_login(pages.iter().chain(&pages).cloned());
    let source = source(paged(), &transport);
    let Reading::Snapshot(first) = source.read(&days(), None).await.unwrap() else { panic!("nothing was known") };
    assert!(matches!(source.read(&days(), Some(first.fingerprint)).await.unwrap(), Reading::Unchanged));
}

#[tokio::test(start_paused = true)]
async fn an_empty_day_has_one_page_or_none() {
    for pages in [0, 1] {
        let transport = after_login([page(1, pages, 0, 0)]);
        let reading = source(paged(), &transport).read(&days(), None).await.unwrap();
        assert!(matches!(reading, Reading::Snapshot(snapshot) if snapshot.rows.is_empty()));
    }
}

#[tokio::test(start_paused = true)]
async fn totals_that_change_while_reading_void_the_reading() {
    let (text, _) = contract([page(1, 2, 4, 2), page(2, 2, 5, 2)]).await;
    assert!(text.contains("changed"), "{text}");
    let (text, _) = contract([page(1, 2, 4, 2), page(2, 3, 4, 2)]).await;
    assert!(text.contains("changed"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn totals_that_lie_void_the_reading() {
    for answers in [vec![page(1, 1, 3, 2)], vec![page(1, 1, 1, 2)], vec![page(1, 2, 3, 2), page(2, 2, 3, 2)]] {
        let (text, _) = contract(answers).await;
        assert!(text.contains("promise"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_page_than_was_asked_for_voids_the_reading() {
    let (text, _) = contract([page(1, 2, 4, 2), page(1, 2, 4, 2)]).await;
    assert!(text.contains("page 2 was asked for and page 1 came"), "{text}");
    let (text, _) = contract([page(0, 2, 4, 2)]).await;
    assert!(text.contains("page 1 was asked for and page 0 came"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn more_pages_than_allowed_fail_at_once_and_spend_no_quota() {
    let (text, asked) = contract((1..=9).map(|number| page(number, 9, 18, 2))).await;
    assert!(text.contains("max_pages"), "{text}");
    assert_eq!(asked, 1, "the first page tells already that there are too many");
}

#[tokio::test(start_paused = true)]
async fn as_many_pages_as_allowed_are_read() {
    let transport = after_login((1..=5).map(|number| page(number, 5, 10, 2)));
    let reading = source(paged(), &transport).read(&days(), None).await.unwrap();
    assert!(matches!(reading, Reading::Snapshot(snapshot) if snapshot.rows.len() == 10));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_tells_no_totals_is_no_page() {
    for missing in ["number_of_results", "page", "pages"] {
        for value in ["null", "\"muchas\"", "-1", "1.5", "{}"] {
            let body = r#"{"transactions":[],"number_of_results":1,"page":1,"pages":1}"#;
            let body = body.replace(&format!("\"{missing}\":1"), &format!("\"{missing}\":{value}"));
            let (text, _) = contract([ok(body)]).await;
            assert!(text.contains(&format!("`{missing}`")) && text.contains("paginate"), "{text}");
        }
    }
    let (text, _) = contract([file("telepagos/documented.json")]).await;
    assert!(text.contains("paginate"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_odd_row_in_a_page_counts_as_a_row() {
    let body = r#"{"transactions":[null,{"income":1,"date":"2026-11-21","amount":1,"status":"ok"}],"number_of_results":2,"page":1,"pages":1}"#;
    let reading = source(paged(), &after_login([ok(body)])).read(&days(), None).await.unwrap();
    assert!(matches!(reading, Reading::Snapshot(s) if s.rows.len() == 1 && s.rejects.len() == 1));
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_the_middle_leaves_no_half_reading() {
    for odd in [Answer::Broken, ok("<html>"), ok(r#"{"status":"error"}"#)] {
        let transport = after_login([page(1, 3, 6, 2), odd]);
        failure(&source(paged(), &transport), &days()).await;
        assert_eq!(transport.asked().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn filters_can_travel_in_the_body_of_the_get() {
    let settings = TelepagosAccount { filters_in_body: true, ..paged() };
    let transport = after_login([file("telepagos/page_1.json"), file("telepagos/page_2.json")]);
    source(settings, &transport).read(&days(), None).await.unwrap();
    let asked = transport.asked();
    assert!(asked[2].query.is_empty());
    assert_eq!((asked[2].method.as_str(), asked[2].content_type), ("GET", Some("application/json")));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&asked[2].body).unwrap(),
        serde_json::json!({ "date_from": "2026-11-20", "date_to": "2026-11-22", "paginate": "1", "page": "2" })
    );
}

#[tokio::test(start_paused = true)]
async fn without_pages_the_whole_range_is_asked_at_once() {
    let transport = after_login([file("telepagos/documented.json")]);
    source(config(), &transport).read(&days(), None).await.unwrap();
    let asked: Vec<_> = transport.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].query.keys().collect::<Vec<_>>(), ["date_from", "date_to"]);
    assert_eq!(asked[1].body, "");
}

#[tokio::test(start_paused = true)]
async fn a_part_never_passes_for_the_whole_where_no_pages_were_asked_for() {
    let transport = after_login([page(1, 2, 4, 2), page(1, 1, 2, 2)]);
    let source = source(config(), &transport);
    let error = failure(&source, &days()).await.to_string();
    assert!(error.contains("paginate = true"), "{error}");
    let Reading::Snapshot(whole) = source.read(&days(), None).await.unwrap() else { panic!("nothing was known") };
    assert_eq!(whole.rows.len(), 2);
}
