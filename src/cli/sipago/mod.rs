//! `pregonero sipago`: every call of Sipago's documents, by hand.
//!
//! Each command asks within the account's `rate`. Payers are masked and undocumented fields left out, in tables and JSON
//! alike, unless `--full` is given.

mod deposits;
mod links;
mod movements;
mod qr;
mod told;

use super::{Usage, given};
use crate::app::SipagoClient;
use crate::config::{Config, SipagoAccount};

/// Its name for people.
const UPSTREAM: &str = "Sipago";

/// Ask Sipago by hand.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// List the movements of some days
    Movements(movements::Days),
    /// List the movements with an authorisation code, which is not unique
    Code(movements::Code),
    /// Show or make a payment link
    #[command(subcommand)]
    Link(links::Verb),
    /// Show the merchant's QR code, or make one of an amount
    Qr(qr::Args),
    /// List the deposits that were paid out, or those to come
    Deposits(deposits::Args),
}

/// What all of them take.
#[derive(Debug, clap::Args)]
struct Shared {
    /// Which account; needed where there are several
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Print JSON, one line for each record
    #[arg(long)]
    json: bool,
}

impl Shared {
    /// The account of that name, or the only one.
    fn account<'a>(&self, config: &'a Config) -> Result<&'a SipagoAccount, Usage> {
        let name = self.account.as_deref();
        given::account(UPSTREAM, &config.sipago, |account| &account.common, config.accounts(), name)
    }
}

/// A way to an account.
fn client(config: &Config, account: &SipagoAccount) -> anyhow::Result<SipagoClient> {
    crate::app::sipago(config, account)
}

pub(super) async fn run(config: &Config, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Movements(args) => movements::of_days(config, args).await,
        Verb::Code(args) => movements::by_code(config, args).await,
        Verb::Link(links::Verb::Show(args)) => links::show(config, args).await,
        Verb::Link(links::Verb::Create(args)) => links::create(config, args).await,
        Verb::Qr(args) => qr::run(config, args).await,
        Verb::Deposits(args) => deposits::run(config, args).await,
    }
}
