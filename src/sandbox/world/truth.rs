//! What truly happened, so that it can be held against what was announced.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::domain::account::{SourceKind, Upstream};
use crate::domain::fact::FactKind;
use crate::domain::money::Money;

/// The most happenings that are remembered; the oldest go first.
const MOST_HAPPENINGS: usize = 500_000;

/// One thing that happened at an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When the world did it; a back-dated row bears an earlier date.
    pub at: Timestamp,
    /// Where.
    pub upstream: Upstream,
    /// The source that shows it first. Rows of [`SourceKind::Cashin`] and [`SourceKind::Links`] show only when watched.
    pub source: SourceKind,
    /// The merchant's TelePagos user name or Sipago key; invented, hence no secret.
    pub merchant: String,
    /// What.
    pub kind: FactKind,
    /// To what: the id that the upstream prints (movement `_id`, payment id, cash-in id, order uuid). TelePagos'
    /// transactions have none; theirs is the world's own row number.
    pub identity: String,
    /// How much, without sign.
    pub amount: Money,
}

/// All that happened.
#[derive(Debug, Default)]
pub(super) struct Book(VecDeque<Happening>);

impl Book {
    pub(super) fn enter(&mut self, happening: Happening) {
        if self.0.len() >= MOST_HAPPENINGS {
            self.0.pop_front();
        }
        self.0.push_back(happening);
    }

    pub(super) fn all(&self) -> Vec<Happening> {
        self.0.iter().cloned().collect()
    }
}
