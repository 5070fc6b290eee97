//! What the API shows of the accounts, and their gates.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Account;
use crate::api::{NextView, Permit, QuotaView, SourceView};
use crate::clock::Clock;
use crate::domain::account::{AccountName, SourceKind, Upstream};
use crate::pipeline::watcher::{Board, Standing};
use crate::sources::Source;

/// Where an account's watcher can be seen.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) account: AccountName,
    pub(super) upstream: Upstream,
    pub(super) listing: SourceKind,
    pub(super) board: Board,
}

impl Place {
    pub(super) fn view(&self, clock: &dyn Clock) -> SourceView {
        let standing = self.board.standing();
        let (now, standing) = (clock.now(), standing.as_ref());
        let read_at = standing.and_then(|standing| standing.read_at);
        SourceView {
            account: self.account.to_string(),
            upstream: self.upstream.as_str(),
            source: self.listing.as_str(),
            state: standing.map_or("starting", state),
            read_at: read_at.map(|at| at.to_string()),
            lag_s: read_at.map(|at| since(at, now)),
            tempo: standing.map(|standing| standing.tempo.as_str()),
            every_s: standing.map(|standing| standing.every.as_secs()),
            failures: standing.map_or(0, |standing| standing.failures),
            watches: standing.map_or(0, |standing| standing.watches),
            next: standing.and_then(|standing| standing.upcoming.as_ref()).map(|upcoming| NextView {
                task: upcoming.task,
                id: upcoming.id.clone(),
                due_in_s: upcoming.due_in.as_secs(),
                overdue_s: upcoming.overdue.as_secs(),
            }),
            quota: standing.and_then(|standing| standing.usage).map(|usage| QuotaView {
                used: usage.used,
                of: usage.ceiling,
                share: usage.share,
                closed_s: usage.closed_for.as_secs(),
            }),
        }
    }
}

/// Where each account can be seen.
pub(super) fn places(accounts: &[Account<'_>]) -> Vec<Place> {
    let place = |account: &Account<'_>| Place {
        account: account.config.name.clone(),
        upstream: account.source.upstream(),
        listing: account.source.listing(),
        board: account.board.clone(),
    };
    accounts.iter().map(place).collect()
}

/// Lets whoever asks beside us through the gate of an account.
pub(super) fn permits(accounts: &[Account<'_>]) -> impl Fn(&str) -> Option<Permit> + Send + Sync + 'static {
    let sources: Vec<Arc<dyn Source>> = accounts.iter().map(|account| Arc::clone(&account.source)).collect();
    move |name| {
        let source = Arc::clone(sources.iter().find(|source| source.account().as_str() == name)?);
        Some(Box::pin(async move { source.permit().await }))
    }
}

fn since(at: Timestamp, now: Timestamp) -> u64 {
    Duration::try_from(now.duration_since(at)).unwrap_or_default().as_secs()
}

fn state(standing: &Standing) -> &'static str {
    match standing {
        standing if !standing.polling => "elsewhere",
        standing if standing.failures > 0 => "failing",
        standing if standing.stale => "stale",
        standing if standing.read_at.is_none() => "starting",
        _ => "ok",
    }
}
