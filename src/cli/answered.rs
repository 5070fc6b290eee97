//! What an upstream answered to a call by hand, for the operator: errors in its own words, cells that move no cursor.

use anyhow::anyhow;

use super::Usage;
use super::events::one_line;
use crate::app::{Amount, CallError, SourceError, pesos};

/// The end of a call in words: the upstream's own, with the HTTP status. `unknown` says what to do where nobody knows
/// whether it was carried out.
pub(super) fn failed(upstream: &str, error: CallError, unknown: &str) -> anyhow::Error {
    let said = error.said().map(|said| match one_line(&said.words) {
        words if words.is_empty() => format!("{upstream} answered HTTP {} without a word", said.status),
        words => format!("{upstream} said (HTTP {}): {words}", said.status),
    });
    let is_unknown = error.is_unknown();
    let (cause, said) = match error {
        CallError::Invalid(invalid) => return Usage(format!("{invalid}; nothing was sent")).into(),
        CallError::Failed(failure) => (failure.error, said),
        CallError::Unknown { cause, .. } => (cause, said),
    };
    let what = match (&cause, said) {
        (SourceError::Unauthorized { .. }, Some(said)) => anyhow!("the credentials were refused; {said}"),
        (SourceError::NotFound, Some(said)) => anyhow!("there is none of that id; {said}"),
        (SourceError::SlowDown { .. }, Some(said)) => anyhow!("it asks to slow down; {said}"),
        (SourceError::Contract(reason), Some(said)) => anyhow!("{reason}; {said}"),
        (SourceError::Upstream { .. } | SourceError::Refused { .. } | SourceError::Transport(_), Some(said)) => {
            anyhow!("{said}")
        }
        (_, None) => anyhow::Error::new(cause),
    };
    if is_unknown { what.context(format!("the request was sent and its result is unknown; {unknown}")) } else { what }
}

/// A stranger's text as a cell: one line that moves no cursor.
pub(super) fn cell(printed: Option<&str>) -> String {
    printed.map(one_line).unwrap_or_default()
}

/// `$ 1.500,00`, or what was printed where that is no exact amount.
pub(super) fn money(amount: &Amount) -> String {
    match amount.value {
        Some(value) => pesos(value).replace('\u{a0}', " "),
        None => cell(amount.raw.as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_does_not_move_the_cursor() {
        assert_eq!(cell(Some("a\u{1b}[2Jb\nc ")), "a [2Jb c");
    }
}
