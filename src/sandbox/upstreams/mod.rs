//! How the pretend upstreams answer: pure functions of the world and a request, shared by the sockets and by
//! [`super::direct`].
//!
//! The JSON is written here from the two documents, field by field in their order, and never with the clients' types:
//! two copies that were written from the document disagree when one is wrong; one copy never does. A further call is one
//! more arm in `telepagos::answer` or `sipago::answer`.

mod buttons;
mod deposits;
mod fields;
mod movement;
mod order;
mod raw;
mod sipago;
mod telepagos;

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;

pub(super) use self::fields::{Fields, fields};
use super::script::{Face, Script, apply};
use super::world::World;
use crate::domain::account::Upstream;

/// A request, whatever it came through.
#[derive(Clone)]
pub struct Question {
    /// Verb.
    pub method: Method,
    /// Path, decoded no further than it came.
    pub path: String,
    /// What stands behind the question mark.
    pub query: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
}

/// Prints the verb only: the rest holds credentials.
impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Question({})", self.method)
    }
}

impl Question {
    /// Without query, headers and body.
    pub fn new(method: Method, path: &str) -> Self {
        Self { method, path: path.to_owned(), query: String::new(), headers: Vec::new(), body: Bytes::new() }
    }

    /// A header's value; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An answer, and in what manner it goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, in whole seconds.
    pub retry_after: Option<Duration>,
    /// `Location`.
    pub location: Option<String>,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The whole body.
    pub body: Bytes,
    /// How it goes out.
    pub manner: Manner,
}

/// In what manner an answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// At once and whole.
    Whole,
    /// Whole, after that long.
    Delayed(Duration),
    /// Never.
    Hang,
    /// Not at all: the connection is reset.
    Reset,
    /// Half of it, then the connection breaks.
    CutOff,
}

impl Answer {
    /// JSON that is written already.
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            retry_after: None,
            location: None,
            content_type: "application/json; charset=utf-8",
            body: body.into(),
            manner: Manner::Whole,
        }
    }

    fn of(status: u16, value: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::json(status, body),
            // Only a scripted amount that is no JSON gets here: then it goes out as an error that tests notice.
            Err(_) => Self::json(500, r#"{"status":"error","message":"the script's amount is no JSON"}"#),
        }
    }
}

/// How an upstream answers in this world, under this script.
pub fn answer(world: &World, script: &Script, upstream: Upstream, question: &Question) -> Answer {
    let (face, path) = match upstream {
        Upstream::Telepagos => (Face::Telepagos, from_mark(&question.path, "v2")),
        Upstream::Sipago => (Face::Sipago, behind_mark(&question.path, "services")),
    };
    let fault = script.strike(face, path, &[question.query.as_bytes(), &question.body]);
    apply(fault, |twist| match upstream {
        Upstream::Telepagos => telepagos::answer(world, question, path, &twist),
        Upstream::Sipago => sipago::answer(world, question, path, &twist),
    })
}

/// The path from its segment `mark` on, so that a base URL may have a path of its own.
fn from_mark<'a>(path: &'a str, mark: &str) -> &'a str {
    let bare = path.trim_start_matches('/');
    if bare.starts_with(&format!("{mark}/")) {
        return bare;
    }
    bare.find(&format!("/{mark}/")).and_then(|at| bare.get(at + 1..)).unwrap_or(bare)
}

fn behind_mark<'a>(path: &'a str, mark: &str) -> &'a str {
    let rest = from_mark(path, mark);
    rest.strip_prefix(mark).and_then(|rest| rest.strip_prefix('/')).unwrap_or(rest)
}

/// Which rows of a listing make up a page, and which page that truly is.
fn page_of<T>(rows: Vec<T>, page: usize, size: usize) -> Vec<T> {
    rows.into_iter().skip(page.saturating_mul(size)).take(size).collect()
}

#[cfg(test)]
mod tests;
