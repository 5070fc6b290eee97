//! What a command has made at an upstream, followed from then on.

use std::collections::BTreeSet;

use anyhow::anyhow;
use jiff::Timestamp;

use super::output::say;
use crate::config::{Config, watching};
use crate::domain::account::AccountName;
use crate::domain::money::Money;
use crate::domain::watch::{Origin, Terms, WatchId, WatchKind};

/// Whether what is made is followed.
#[derive(Debug, clap::Args)]
pub(super) struct Follow {
    /// Do not follow it: its payment is told by the listing alone
    #[arg(long)]
    no_watch: bool,
}

/// What was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) kind: WatchKind,
    /// `None`: the answer names none.
    pub(super) id: Option<String>,
    pub(super) amount: Option<Money>,
    /// When it can be paid no more, where that is known.
    pub(super) expires: Option<Timestamp>,
    pub(super) reusable: bool,
}

impl Follow {
    /// Puts it among the watches. It exists, whatever comes of that, and was printed: what fails says which command follows
    /// it later, and ends with 1.
    pub(super) async fn begin(&self, config: &Config, account: &AccountName, made: Made) -> anyhow::Result<()> {
        if self.no_watch {
            return Ok(());
        }
        let Some(id) = &made.id else {
            say("the answer names no id to follow it by: its payment is told by the listing alone");
            return Ok(());
        };
        let watch = WatchId { kind: made.kind, id: id.clone() };
        let until = watching::usual_end(made.expires, crate::app::now());
        let (origin, expires, reusable, amount) = (Origin::Created, made.expires, made.reusable, made.amount);
        let terms = Terms { origin, expires, until, reusable, amount };
        let followed = crate::app::watch(config, account, &BTreeSet::from([watch]), &terms).await;
        followed.map(drop).map_err(|error| {
            let later = later(account, &made, id);
            anyhow!(error)
                .context(format!("it is made and not followed; do not make it again, but follow it with `{later}`"))
        })
    }
}

/// The command that follows it.
fn later(account: &AccountName, made: &Made, id: &str) -> String {
    let kind = if made.kind == WatchKind::Order { String::new() } else { format!(" --kind {}", made.kind) };
    let expires = made.expires.map(|at| format!(" --expires {at}")).unwrap_or_default();
    let reusable = if made.reusable { " --reusable" } else { "" };
    format!("pregonero watch add {id} --account {account}{kind}{expires}{reusable}")
}
