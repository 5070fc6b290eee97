//! What an account's upstream really prints, held against what the configuration assumes.
//!
//! A probe reads one page of everything that only reads; it makes nothing and moves no money. What it found comes in two
//! forms: for the operator, with the upstream's own words for states and operations, and a report for strangers, in which
//! every value is a pattern ([`super::shape`]).

mod judge;

use serde_json::{Value, json};

pub(super) use self::judge::{Amounts, Dates, days_inclusive, words};
use super::shape::{Shape, redacted};
use super::{CallError, SourceError};
use crate::domain::account::Upstream;
use crate::http::TransportError;

/// Everything that was found at one account.
#[derive(Debug)]
pub struct Probe {
    /// Where.
    pub upstream: Upstream,
    /// Each call, in the order in which it was made.
    pub calls: Vec<Call>,
    /// What the answers say about the settings.
    pub findings: Vec<Finding>,
    /// Words of small sets, such as states.
    pub sets: Vec<Set>,
}

/// One call and its answer.
#[derive(Debug)]
pub struct Call {
    /// As the document names it, without ids.
    pub name: &'static str,
    /// Its shape, or why there is none.
    pub answer: Result<Shape, Trouble>,
    /// Rows of its list.
    pub rows: Option<usize>,
}

/// Why a call brought nothing. `Debug` shows no words.
pub struct Trouble {
    /// One word for the reaction.
    pub class: &'static str,
    /// HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The upstream's own words; for the operator only.
    pub words: String,
}

impl std::fmt::Debug for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trouble({}, {:?}, …)", self.class, self.status)
    }
}

impl From<&CallError> for Trouble {
    fn from(error: &CallError) -> Self {
        let said = error.said();
        Self {
            class: match error.reaction() {
                // The upstream is there; only this answer is more than `max_body`.
                Some(SourceError::Transport(TransportError::TooLarge(_))) => "too_large",
                Some(other) => other.class(),
                None => "invalid",
            },
            status: said.map(|said| said.status),
            words: said.map(|said| said.words.clone()).unwrap_or_default(),
        }
    }
}

/// How an assumption fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What was seen fits.
    Fits,
    /// What was seen contradicts the configuration.
    Differs,
    /// What was seen allows more than one reading.
    Open,
}

impl Verdict {
    /// For lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::Differs => "differs",
            Self::Open => "open",
        }
    }
}

/// What the answers say about one assumption.
#[derive(Debug)]
pub struct Finding {
    /// The setting, or what is asked.
    pub topic: &'static str,
    /// How it fares.
    pub verdict: Verdict,
    /// In words; holds no value of an answer.
    pub says: String,
    /// A TOML line for the account's section. May hold the upstream's words: for the operator only.
    pub suggestion: Option<String>,
}

impl Finding {
    pub(super) const fn new(topic: &'static str, verdict: Verdict, says: String) -> Self {
        Self { topic, verdict, says, suggestion: None }
    }

    pub(super) fn suggest(self, line: String) -> Self {
        Self { suggestion: Some(line), ..self }
    }
}

/// The words of one field.
#[derive(Debug)]
pub struct Set {
    /// The field.
    pub field: &'static str,
    /// Word, what it is taken for, and how often it was seen.
    pub words: Vec<(String, &'static str, u64)>,
}

impl Probe {
    pub(super) const fn new(upstream: Upstream) -> Self {
        Self { upstream, calls: Vec::new(), findings: Vec::new(), sets: Vec::new() }
    }

    /// Notes a call, and hands on its body if there is one.
    pub(super) fn note<B: AsRef<[u8]>>(&mut self, name: &'static str, answer: Result<B, CallError>) -> Option<B> {
        let (answer, body) = match answer {
            Ok(body) => (Ok(Shape::of_body(body.as_ref())), Some(body)),
            Err(error) => (Err(Trouble::from(&error)), None),
        };
        self.calls.push(Call { name, answer, rows: None });
        body
    }

    /// Notes how many rows the last call brought.
    pub(super) fn note_rows(&mut self, rows: usize) {
        if let Some(call) = self.calls.last_mut() {
            call.rows = Some(rows);
        }
    }

    /// Whether going on would only hammer: nobody answers, or the credentials are refused.
    pub(super) fn is_hopeless(&self) -> bool {
        let class = self.calls.last().and_then(|call| call.answer.as_ref().err()).map(|trouble| trouble.class);
        matches!(class, Some("transport" | "unauthorized" | "slow_down"))
    }

    /// For the operator: with words.
    pub fn as_json(&self) -> Value {
        self.json(str::to_owned, true)
    }

    /// For a stranger: patterns only, no word of the upstream, no line that may hold one.
    pub fn as_report(&self) -> Value {
        self.json(redacted, false)
    }

    fn json(&self, word: impl Fn(&str) -> String, whole: bool) -> Value {
        let calls = self.calls.iter().map(|call| match &call.answer {
            Ok(shape) => json!({ "call": call.name, "rows": call.rows, "shape": shape }),
            Err(Trouble { class, status, words }) => {
                json!({ "call": call.name, "failed": class, "status": status, "words": whole.then_some(words) })
            }
        });
        let findings = self.findings.iter().map(|finding| {
            let suggestion = finding.suggestion.as_ref().filter(|_| whole);
            json!({
                "topic": finding.topic, "verdict": finding.verdict.as_str(), "says": finding.says,
                "suggestion": suggestion,
            })
        });
        let sets = self.sets.iter().map(|set| {
            let words = set
                .words
                .iter()
                .map(|(raw, kind, count)| json!({ "word": word(raw), "taken_for": kind, "count": count }));
            json!({ "field": set.field, "words": words.collect::<Vec<_>>() })
        });
        json!({
            "upstream": self.upstream.as_str(),
            "calls": calls.collect::<Vec<_>>(),
            "findings": findings.collect::<Vec<_>>(),
            "words": sets.collect::<Vec<_>>(),
        })
    }
}
