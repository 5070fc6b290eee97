//! What a fault makes of a request and its answer.

use bytes::Bytes;

use super::Fault;
use crate::sandbox::upstreams::{Answer, Manner};

/// How the upstream's own printing goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sandbox) enum Twist {
    /// It does not.
    Straight,
    /// See [`Fault::TokenExpiry`].
    TokenExpiry,
    /// See [`Fault::PageShift`].
    PageShift,
    /// See [`Fault::RepeatedPage`].
    RepeatedPage,
    /// See [`Fault::LyingTotals`].
    LyingTotals,
    /// See [`Fault::EndlessPages`].
    EndlessPages,
    /// See [`Fault::RowWithoutDate`].
    RowWithoutDate,
    /// See [`Fault::RowAmount`].
    RowAmount(String),
}

/// Lets the fault, if any, fall on a request; `perform` does what was asked and makes the right answer.
pub(in crate::sandbox) fn apply(fault: Option<Fault>, perform: impl FnOnce(Twist) -> Answer) -> Answer {
    let Some(fault) = fault else { return perform(Twist::Straight) };
    match fault {
        Fault::Status { status, body, retry_after } => Answer { retry_after, ..Answer::json(status, body) },
        Fault::ErrorInOk(message) => {
            Answer::json(200, format!(r#"{{"status":"error","message":{}}}"#, serde_json::Value::from(message)))
        }
        Fault::Html => Answer {
            content_type: "text/html; charset=utf-8",
            ..Answer::json(
                200,
                "<!DOCTYPE html>\n<html><head><title>Mantenimiento</title></head><body>Volvemos en unos minutos.</body></html>\n",
            )
        },
        Fault::Body(body) => Answer::json(200, body),
        Fault::Redirect(to) => Answer { location: Some(to), ..Answer::json(302, "") },
        Fault::Truncated => {
            let answer = perform(Twist::Straight);
            let half = answer.body.len() / 2;
            Answer { body: answer.body.slice(..half), ..answer }
        }
        Fault::CutOff => Answer { manner: Manner::CutOff, ..perform(Twist::Straight) },
        Fault::Slow(delay) => Answer { manner: Manner::Delayed(delay), ..perform(Twist::Straight) },
        Fault::Hang { after_effect } => without_answer(after_effect, Manner::Hang, perform),
        Fault::Reset { after_effect } => without_answer(after_effect, Manner::Reset, perform),
        Fault::Oversized(spaces) => {
            let answer = perform(Twist::Straight);
            let mut body = answer.body.to_vec();
            body.resize(body.len().saturating_add(spaces.min(MOST_PADDING)), b' ');
            Answer { body: Bytes::from(body), ..answer }
        }
        Fault::TokenExpiry => perform(Twist::TokenExpiry),
        Fault::PageShift => perform(Twist::PageShift),
        Fault::RepeatedPage => perform(Twist::RepeatedPage),
        Fault::LyingTotals => perform(Twist::LyingTotals),
        Fault::EndlessPages => perform(Twist::EndlessPages),
        Fault::RowWithoutDate => perform(Twist::RowWithoutDate),
        Fault::RowAmount(text) => perform(Twist::RowAmount(text)),
    }
}

/// The most padding of one answer: eight times the daemon's default cap.
const MOST_PADDING: usize = 64 << 20;

fn without_answer(after_effect: bool, manner: Manner, perform: impl FnOnce(Twist) -> Answer) -> Answer {
    let answer = if after_effect { perform(Twist::Straight) } else { Answer::json(500, "") };
    Answer { manner, ..answer }
}
