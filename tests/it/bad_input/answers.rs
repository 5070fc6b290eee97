//! Answers that are no listing at all.

use std::time::Duration;

use futures_util::future::join_all;
use pregonero::sandbox::Fault;

use super::trial::Trial;

/// Runs them beside each other; each has a house of its own.
async fn all(trials: Vec<Trial>) {
    join_all(trials.into_iter().zip(100..).map(|(trial, seed)| trial.run(seed))).await;
}

#[tokio::test]
async fn an_answer_that_is_no_listing_moves_no_ledger() {
    let body = |body: &str| Fault::Body(body.to_owned());
    let no_json = "the answer is no valid JSON";
    all(vec![
        Trial::new("HTML instead of JSON", Fault::Html, "contract", "HTML and no JSON"),
        Trial::new("truncated JSON", Fault::Truncated, "contract", no_json),
        Trial::new("a list for an object", body("[]"), "contract", "no object"),
        Trial::new("null for an object", body("null"), "contract", "no object"),
        Trial::new("an empty object", body("{}"), "contract", ""),
        Trial::new("nothing", body(""), "contract", "the answer is empty"),
        Trial::new(
            "null for a list",
            body(r#"{"status":"ok","transactions":null,"listTrx":null,"page":0,"existMore":false}"#),
            "contract",
            "",
        ),
        Trial::new(
            "an object for a list",
            body(r#"{"status":"ok","transactions":{},"listTrx":{},"page":0,"existMore":false}"#),
            "contract",
            "is no list",
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_error_that_hides_in_a_200_moves_no_ledger() {
    let refusal = || Fault::ErrorInOk(String::from("Servicio no disponible"));
    let server = |status| Fault::Status { status, body: String::from("<html>Bad gateway</html>"), retry_after: None };
    all(vec![
        Trial::new("an error in a 200", refusal(), "refused", "Servicio no disponible"),
        Trial::new("502 in HTML", server(502), "upstream", "HTTP 502"),
        Trial::new("400", Fault::status(400), "refused", "HTTP 400"),
        Trial::new("a redirect", Fault::Redirect(String::from("http://127.0.0.1:9/")), "contract", "redirects"),
    ])
    .await;
}

#[tokio::test]
async fn an_answer_that_is_too_large_too_slow_or_cut_off_moves_no_ledger() {
    let late = Fault::Slow(Duration::from_secs(20));
    all(vec![
        Trial::new("more than 8 MiB", Fault::Oversized(9 << 20), "transport", "larger than"),
        Trial::new("late", late, "transport", "no complete answer").with("timeout = \"2s\"\n"),
        Trial::new("never", Fault::Hang { after_effect: true }, "transport", "no complete answer")
            .with("timeout = \"2s\"\n"),
        Trial::new("reset", Fault::Reset { after_effect: true }, "transport", "could not be reached"),
        Trial::new("cut off", Fault::CutOff, "transport", "could not be reached"),
    ])
    .await;
}
