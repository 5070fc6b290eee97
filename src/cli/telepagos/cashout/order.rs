//! What is to be sent: typed whole, or remembered under its reference.

use std::path::Path;

use uuid::Uuid;

use crate::app::Payouts;
use crate::app::telepagos_calls::{CashoutRequest, CashoutTo};
use crate::cli::Usage;
use crate::cli::telepagos::given;
use crate::domain::account::AccountName;
use crate::domain::payout::{Payee, PayoutRequest};

#[derive(Debug, clap::Args)]
#[group(id = "order", multiple = true)]
pub(in crate::cli) struct Wish {
    /// Where it goes: CVU or CBU
    #[arg(long, value_name = "CVU", conflicts_with = "alias")]
    cvu: Option<String>,
    /// Where it goes: an alias
    #[arg(long, value_name = "ALIAS")]
    alias: Option<String>,
    /// Tax number of whoever gets it
    #[arg(long, value_name = "CUIT")]
    cuit: Option<String>,
    /// How much, in pesos: `1234.56` or `1.234,56`
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    amount: Option<String>,
    /// A word of `telepagos concepts`
    #[arg(long, value_name = "WORD")]
    concept: Option<String>,
    /// Free text
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Yours, never used for another transfer; made where it is left out
    #[arg(long, value_name = "REFERENCE")]
    reference: Option<String>,
}

impl Wish {
    /// What was typed; `None` where nothing but a reference was.
    pub(super) fn request(&self) -> Result<Option<PayoutRequest>, Usage> {
        let payee = match (&self.cvu, &self.alias) {
            (Some(cvu), _) => Some(Payee::Account(bare(cvu))),
            (None, Some(alias)) => Some(Payee::Alias(alias.trim().to_owned())),
            (None, None) => None,
        };
        let parts = (payee, self.cuit.as_deref(), self.amount.as_deref(), self.concept.as_deref());
        let (payee, cuit, amount, concept) = match parts {
            (None, None, None, None) if self.reference.is_some() && self.description.is_none() => return Ok(None),
            (Some(payee), Some(cuit), Some(amount), Some(concept)) => (payee, cuit, amount, concept),
            (payee, cuit, amount, concept) => {
                let needed = [
                    ("`--cvu` or `--alias`", payee.is_some()),
                    ("`--cuit`", cuit.is_some()),
                    ("`--amount`", amount.is_some()),
                    ("`--concept`", concept.is_some()),
                ];
                let missing: Vec<&str> = needed.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect();
                return Err(Usage(format!("missing: {}", missing.join(", "))));
            }
        };
        let request = PayoutRequest {
            payee,
            cuit: bare(cuit),
            amount: given::amount("--amount", amount)?,
            concept: concept.trim().to_owned(),
            description: self.description.as_deref().unwrap_or_default().trim().to_owned(),
        };
        // Everything that is wrong is said before a store is opened or anybody is asked.
        let reference = self.reference.as_deref().unwrap_or("made");
        call(reference, &request).check().map_err(|invalid| Usage(invalid.to_string()))?;
        Ok(Some(request))
    }

    /// The reference and the whole request.
    pub(super) async fn resolved(
        &self,
        typed: Option<PayoutRequest>,
        store: &dyn Payouts,
        account: &AccountName,
        again: impl Fn(&str) -> String,
    ) -> anyhow::Result<(String, PayoutRequest)> {
        let Some(reference) = self.reference.clone() else {
            let missing = || Usage("missing: `--cvu` or `--alias`".to_owned());
            return Ok((Uuid::new_v4().to_string(), typed.ok_or_else(missing)?));
        };
        let known = store.payout(account, &reference).await?.map(|payout| payout.request);
        match (typed, known) {
            (Some(typed), Some(known)) if typed != known => Err(other_data(&reference, &again(&reference)).into()),
            (Some(request), _) | (None, Some(request)) => Ok((reference, request)),
            (None, None) => Err(Usage(format!(
                "nothing was asked for under the reference `{reference}` of account `{account}`; to send something, \
                 write `--cvu` or `--alias`, `--cuit`, `--amount` and `--concept`"
            ))
            .into()),
        }
    }
}

/// The document: "es importante siempre utilizar los mismos datos junto al `reference_id`".
pub(super) fn other_data(reference: &str, again: &str) -> Usage {
    Usage(format!(
        "under the reference `{reference}` other data were asked for, and nothing was sent now; ask again with the same \
         data by\n  {again}\nor send this under another reference"
    ))
}

/// As the client takes it.
pub(super) fn call(reference: &str, request: &PayoutRequest) -> CashoutRequest {
    CashoutRequest {
        to: match &request.payee {
            Payee::Account(number) => CashoutTo::Cvu(number.clone()),
            Payee::Alias(alias) => CashoutTo::Alias(alias.clone()),
        },
        cuit: request.cuit.clone(),
        amount: request.amount,
        reference_id: reference.to_owned(),
        concept: request.concept.clone(),
        description: request.description.clone(),
    }
}

/// The command that asks what became of it.
pub(super) fn again(file: Option<&Path>, account: &AccountName, reference: &str, yes: bool) -> String {
    let account = quoted(account.as_str());
    let mut command = format!("pregonero telepagos cashout --account {account} --reference {}", quoted(reference));
    if yes {
        command.push_str(" --yes");
    }
    if let Some(file) = file {
        command.push_str(" --config ");
        command.push_str(&quoted(&file.display().to_string()));
    }
    command
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn bare(number: &str) -> String {
    number.chars().filter(|c| !c.is_whitespace() && *c != '-').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_asks_again_survives_a_shell() {
        let command = again(Some(Path::new("/etc/a b.toml")), &AccountName::new("l'una"), "r-1", true);
        let right = r"pregonero telepagos cashout --account 'l'\''una' --reference r-1 --yes --config '/etc/a b.toml'";
        assert_eq!(command, right);
    }
}
