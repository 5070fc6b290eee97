//! What an agenda will ask next, for people who look.

use std::collections::HashSet;
use std::time::Duration;

use super::{Agenda, Item};
use crate::domain::account::SourceKind;

/// The work that is due first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upcoming {
    /// `hot`, `warm`, `cold`, `follow`, or the source of a watched id.
    pub task: &'static str,
    /// The watched id.
    pub id: Option<String>,
    /// In how long; zero when it is due.
    pub due_in: Duration,
    /// For how long it has been due: what the rate, a pause or a slow reading keeps from being asked.
    pub overdue: Duration,
}

impl Agenda {
    /// What is due first; `None` only for an agenda without work.
    pub fn upcoming(&self, now: Duration) -> Option<Upcoming> {
        let entry = self.entries.iter().min_by_key(|entry| self.due(entry, now))?;
        let (task, id) = match entry.item {
            Item::Hot => ("hot", None),
            Item::Warm => ("warm", None),
            Item::Cold => ("cold", None),
            Item::Follow => ("follow", None),
            Item::Watch(number) => {
                let watch = self.watches.get(&number)?;
                (watch.source.as_str(), Some(watch.id.clone()))
            }
        };
        let due = self.due(entry, now);
        let due_in = due.max(self.paused_until).saturating_sub(now);
        Some(Upcoming { task, id, due_in, overdue: now.saturating_sub(due) })
    }

    /// The watched ids that are asked.
    pub fn followed(&self) -> HashSet<(SourceKind, String)> {
        self.watches.values().map(|watch| (watch.source, watch.id.clone())).collect()
    }

    /// How many watched ids are asked.
    pub fn watched(&self) -> usize {
        self.watches.len()
    }
}
