//! Sending money: allowed by the account, confirmed by a person, written down before it leaves.

mod order;

use std::io::{BufRead, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::{Value, json};

use self::order::Wish;
use super::{Desk, Whose, told};
use crate::app::telepagos_calls::{Cashout, CashoutRequest};
use crate::app::{CallError, Payouts, pesos};
use crate::cli::Usage;
use crate::cli::output::say;
use crate::config::Config;
use crate::domain::account::AccountName;
use crate::domain::day::rfc3339;
use crate::domain::payout::{Begun, Payee, Payout, PayoutRequest, PayoutState};

#[derive(Debug, clap::Args)]
#[command(after_help = "The request is written to the store before it leaves. Where its result stays unknown, \
    `--reference REFERENCE` alone asks again with the very same data.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    wish: Wish,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// List all that were asked for instead
    #[arg(long, conflicts_with_all = ["yes", "pending", "order"])]
    list: bool,
    /// List those whose result is unknown instead
    #[arg(long, conflicts_with_all = ["yes", "order"])]
    pending: bool,
    #[command(flatten)]
    pub(super) whose: Whose,
}

pub(super) async fn run(mut desk: Desk, config: &Config, file: Option<&Path>, args: Args) -> anyhow::Result<()> {
    let account = desk.account().common.name.clone();
    if args.list || args.pending {
        let payouts = crate::app::open_payouts(&config.store, false).await?.0.payouts(&account).await?;
        return list(&mut desk, config, payouts, args.pending);
    }
    if !desk.account().cashout {
        let place = format!("write `cashout = true` in the `[[telepagos]]` of `{account}`");
        return Err(Usage(format!("`telepagos.{account}.cashout` is off, so no money is sent; {place}")).into());
    }
    if !args.yes && !has_terminal() {
        let words = "sending money asks for confirmation, and there is no terminal to ask on; add `--yes`";
        return Err(Usage(words.to_owned()).into());
    }
    let typed = args.wish.request()?;
    let (store, new) = crate::app::open_payouts(&config.store, true).await?;
    if let Some(path) = new {
        say(&format!("a new store was made: {}", path.display()));
    }
    let again = |reference: &str| order::again(file, &account, reference, args.yes);
    let (reference, request) = args.wish.resolved(typed, store.as_ref(), &account, again).await?;
    let call = order::call(&reference, &request);
    call.check().map_err(|invalid| Usage(invalid.to_string()))?;
    for doubt in call.doubts() {
        say(&format!("warning: {doubt}; compare it with what you were given"));
    }
    if !args.yes && !confirmed(&question(&account, &reference, &request), &mut std::io::stdin().lock()) {
        anyhow::bail!("not confirmed; nothing was sent");
    }
    let sending = Sending { store, account: account.clone(), again: again(&reference), reference, request, call };
    sending.run(&mut desk).await
}

fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn question(account: &AccountName, reference: &str, request: &PayoutRequest) -> String {
    let payee = match &request.payee {
        Payee::Account(number) => format!("CVU or CBU {number}"),
        Payee::Alias(alias) => format!("alias {alias}"),
    };
    format!(
        "Send {} from account `{account}` to {payee}, CUIT {}?\n  concept {}, description `{}`, reference {reference}\n\
         Write `yes` to send it: ",
        pesos(request.amount),
        request.cuit,
        request.concept,
        request.description
    )
}

/// Only a whole word counts: a stray key must not send money.
fn confirmed(question: &str, answers: &mut impl BufRead) -> bool {
    drop(write!(std::io::stderr().lock(), "{question}"));
    let mut answer = String::new();
    let read = answers.read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "yes" | "si" | "sí")
}

/// A request on its way.
struct Sending {
    store: Arc<dyn Payouts>,
    account: AccountName,
    reference: String,
    request: PayoutRequest,
    call: CashoutRequest,
    /// The command that asks again.
    again: String,
}

impl Sending {
    async fn run(&self, desk: &mut Desk) -> anyhow::Result<()> {
        let begun = self.store.begin_payout(&self.account, &self.reference, &self.request, crate::app::now()).await;
        let begun = begun.context("nothing was sent, because it could not be written down first")?;
        let (attempt, doubtful) = match begun {
            Begun::Different => return Err(order::other_data(&self.reference, &self.again).into()),
            Begun::Done { id } => {
                say("it was carried out before; nothing was sent now");
                return self.show(desk, "done", Some(&id));
            }
            Begun::Send { attempt, doubtful } => (attempt, doubtful),
        };
        say(&format!("sending under the reference {}", self.reference));
        match desk.client.cashout(&self.call).await {
            Ok(Cashout { id, .. }) => {
                self.settle(attempt, &PayoutState::Done { id: id.clone() }).await;
                self.show(desk, "done", Some(&id))
            }
            Err(error @ CallError::Unknown { .. }) => {
                self.failed(desk, "unknown")?;
                let hint = format!("ask again, with the very same data, by\n  {}\n", self.again);
                Err(told(error, &hint))
            }
            // The answer is about this attempt only.
            Err(error) if doubtful => {
                self.failed(desk, "unknown")?;
                let hint = "this attempt was not carried out, but an earlier one under the same reference may have been: \
                            look at `telepagos transactions` before you send it under another";
                Err(told(error, "").context(hint))
            }
            Err(error) => {
                self.settle(attempt, &PayoutState::Refused).await;
                self.failed(desk, "refused")?;
                Err(told(error, "").context("nothing was sent"))
            }
        }
    }

    /// What the store does not hear stays unknown there, and is asked again under the same reference.
    async fn settle(&self, attempt: u32, state: &PayoutState) {
        if let Err(error) = self.store.settle_payout(&self.account, &self.reference, attempt, state).await {
            say(&format!("warning: how it ended could not be written down: {error}"));
        }
    }

    fn show(&self, desk: &mut Desk, state: &str, id: Option<&str>) -> anyhow::Result<()> {
        let (id, amount) = (id.unwrap_or_default(), pesos(self.request.amount));
        let row = vec![id.to_owned(), self.reference.clone(), amount, state.to_owned()];
        desk.show(&self.as_json(state, Some(id)), &["CASH-OUT", "REFERENCE", "AMOUNT", "STATE"], row)
    }

    /// A program that reads the output learns the reference and the state; a person reads the error.
    fn failed(&self, desk: &mut Desk, state: &str) -> anyhow::Result<()> {
        if desk.json { desk.print(&self.as_json(state, None)) } else { Ok(()) }
    }

    fn as_json(&self, state: &str, id: Option<&str>) -> Value {
        json!({
            "account": self.account.as_str(), "reference": self.reference, "state": state, "id": id,
            "amount": self.request.amount.to_string(),
        })
    }
}

fn list(desk: &mut Desk, config: &Config, payouts: Vec<Payout>, pending: bool) -> anyhow::Result<()> {
    let wanted = |payout: &Payout| !pending || payout.state == PayoutState::Asked;
    let payouts: Vec<Payout> = payouts.into_iter().filter(wanted).collect();
    if desk.json {
        return payouts.iter().try_for_each(|payout| desk.print(&as_json(payout)));
    }
    let row = |payout: &Payout| {
        let (payee, id) = ends(payout);
        let since = rfc3339(payout.since, &config.timezone);
        let (amount, state) = (pesos(payout.request.amount), payout.state.as_str().to_owned());
        vec![since, payout.reference.clone(), amount, payee.to_owned(), state, id.unwrap_or_default().to_owned()]
    };
    let empty = if pending { "the result of every cash-out is known" } else { "there are no cash-outs" };
    let head = ["SINCE", "REFERENCE", "AMOUNT", "TO", "STATE", "CASH-OUT"];
    desk.out.table(&head, payouts.iter().map(row).collect(), empty)
}

/// Where it goes, and its id at the upstream.
fn ends(payout: &Payout) -> (&str, Option<&str>) {
    let payee = match &payout.request.payee {
        Payee::Account(text) | Payee::Alias(text) => text,
    };
    let id = match &payout.state {
        PayoutState::Done { id } => Some(id.as_str()),
        PayoutState::Asked | PayoutState::Refused => None,
    };
    (payee, id)
}

fn as_json(payout: &Payout) -> Value {
    let (payee, id) = ends(payout);
    let request = &payout.request;
    json!({
        "reference": payout.reference, "since": payout.since.to_string(), "state": payout.state.as_str(), "id": id,
        "attempts": payout.attempts, "amount": request.amount.to_string(), "to": payee, "cuit": request.cuit,
        "concept": request.concept, "description": request.description,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_word_sends_money() {
        for (answer, sends) in [
            ("yes\n", true),
            (" Sí \n", true),
            ("si", true),
            ("y\n", false),
            ("\n", false),
            ("", false),
            ("no\n", false),
        ] {
            assert_eq!(confirmed("", &mut answer.as_bytes()), sends, "{answer:?}");
        }
    }

    #[test]
    fn the_question_shows_amount_destination_and_account() {
        let (payee, cuit) = (Payee::Account("0000630500000060195375".to_owned()), "20055361682".to_owned());
        let (amount, concept) = (crate::domain::money::Money::from_cents(150_050), "VAR".to_owned());
        let request = PayoutRequest { payee, cuit, amount, concept, description: String::new() };
        let asked = question(&AccountName::new("centro"), "r-1", &request);
        let right = ["1.500,50", "`centro`", "0000630500000060195375", "20055361682", "VAR", "r-1"];
        assert!(right.into_iter().all(|part| asked.contains(part)), "{asked}");
    }
}
