//! `pregonero telepagos`: every call of TelePagos' document, by hand. One account, one command.

mod cashout;
mod charge;
mod points;
mod read;

use std::path::Path;

use serde::Serialize;

use super::Usage;
use super::output::Out;
use super::{answered, given};
use crate::app::CallError;
use crate::app::telepagos_calls::TelepagosClient;
use crate::config::{Config, Loaded, TelepagosAccount};

/// Its name for people.
const UPSTREAM: &str = "TelePagos";

/// Ask TelePagos something, or have it make something.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// What is in the account
    Balance(Whose),
    /// The words that `--concept` takes
    Concepts(Whose),
    /// The operations that `transactions --operation` takes
    Filters(Whose),
    /// List the account's transactions
    Transactions(read::Transactions),
    /// Show a cash-in
    Cashin(read::ById),
    /// Payment links
    #[command(subcommand)]
    Link(charge::LinkVerb),
    /// QR codes of an amount
    #[command(subcommand)]
    Qr(charge::QrVerb),
    /// Links that ask for a transfer
    #[command(subcommand)]
    TransferLink(charge::TransferVerb),
    /// Sale points
    #[command(subcommand)]
    SalePoint(points::Verb),
    /// The printed QR code of a sale point
    StaticQr(points::StaticQr),
    /// Put an amount on the closed QR code of a sale point
    Order(points::Order),
    /// Send money, where the account allows it with `cashout = true`
    Cashout(cashout::Args),
    /// Write the voucher of a cash-out to a file
    Voucher(read::Voucher),
    /// Statistics of a brand, for whoever owns its collecting account
    Stats(read::Stats),
}

/// What every verb takes.
#[derive(Debug, clap::Args)]
pub(super) struct Whose {
    /// Which account; may be left out where there is only one
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(loaded: Loaded, file: Option<&Path>, verb: Verb) -> anyhow::Result<()> {
    let config = &loaded.config;
    match verb {
        Verb::Balance(whose) => read::balance(Desk::open(config, &whose)?).await,
        Verb::Concepts(whose) => read::concepts(Desk::open(config, &whose)?).await,
        Verb::Filters(whose) => read::filters(Desk::open(config, &whose)?).await,
        Verb::Transactions(args) => read::transactions(Desk::open(config, &args.whose)?, args).await,
        Verb::Cashin(args) => read::cashin(Desk::open(config, &args.whose)?, &args.id).await,
        Verb::Link(charge::LinkVerb::Create(args)) => {
            charge::link(Desk::open(config, &args.whose)?, config, args).await
        }
        Verb::Qr(charge::QrVerb::Create(args)) => charge::qr(Desk::open(config, &args.whose)?, config, args).await,
        Verb::TransferLink(charge::TransferVerb::Create(args)) => {
            charge::transfer(Desk::open(config, &args.whose)?, args).await
        }
        Verb::SalePoint(verb) => points::run(Desk::open(config, verb.whose())?, verb).await,
        Verb::StaticQr(args) => points::static_qr(Desk::open(config, &args.whose)?, args).await,
        Verb::Order(args) => points::order(Desk::open(config, &args.whose)?, args).await,
        Verb::Cashout(args) => cashout::run(Desk::open(config, &args.whose)?, config, file, args).await,
        Verb::Voucher(args) => read::voucher(Desk::open(config, &args.whose)?, args).await,
        Verb::Stats(args) => read::stats(Desk::open(config, &args.whose)?, &args.period).await,
    }
}

/// One account, and where its answers go.
struct Desk {
    client: TelepagosClient,
    out: Out,
    json: bool,
}

impl Desk {
    fn open(config: &Config, whose: &Whose) -> anyhow::Result<Self> {
        let account = account(config, whose.account.as_deref())?;
        Ok(Self { client: crate::app::telepagos(config, account)?, out: Out::new(), json: whose.json })
    }

    fn account(&self) -> &TelepagosAccount {
        self.client.config()
    }

    /// One answer on a line of its own; numbers stay as they were printed.
    fn print(&mut self, answer: &impl Serialize) -> anyhow::Result<()> {
        self.out.line(&serde_json::to_string(answer)?)
    }

    /// A list, one object a line or as a table.
    fn list<T: Serialize>(
        &mut self,
        items: &[T],
        head: &[&str],
        row: impl Fn(&T) -> Vec<String>,
        empty: &str,
    ) -> anyhow::Result<()> {
        if self.json {
            return items.iter().try_for_each(|item| self.print(item));
        }
        self.out.table(head, items.iter().map(row).collect(), empty)
    }

    /// One thing, as an object or as a table of one row.
    fn show<T: Serialize>(&mut self, item: &T, head: &[&str], row: Vec<String>) -> anyhow::Result<()> {
        if self.json {
            return self.print(item);
        }
        self.out.table(head, vec![row], "")
    }
}

/// The account of that name, or the only one.
fn account<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a TelepagosAccount, Usage> {
    given::account(UPSTREAM, &config.telepagos, |account| &account.common, config.accounts(), name)
}

/// The end of a call in words; see [`answered::failed`].
fn told(error: CallError, unknown: &str) -> anyhow::Error {
    answered::failed(UPSTREAM, error, unknown)
}

/// What was printed, in one line that moves no cursor.
fn text(printed: Option<&String>) -> String {
    answered::cell(printed.map(String::as_str))
}
