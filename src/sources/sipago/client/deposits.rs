//! Deposits: settlements that were paid out to the merchant, and those that are still to come.

use serde::Serialize;

use super::{SipagoClient, rows};
use crate::domain::money::Dialect;
use crate::sources::record::Record;
use crate::sources::{Amount, CallError, Extra};

/// Which of the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepositState {
    /// `deposits/paid`
    Paid,
    /// `deposits/pending`
    Pending,
}

impl DepositState {
    /// The document's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Pending => "pending",
        }
    }
}

/// One row of `POST /deposits/{paid|pending}/page/N`. There is no filter: the list is always the whole history.
#[derive(Clone, Debug, Serialize)]
pub struct Deposit {
    /// Text here, where a movement's is a number.
    #[serde(rename = "_id")]
    pub id: Option<String>,
    /// Before what is kept.
    pub amount: Amount,
    /// As printed; of what it is the date is undocumented.
    pub date_time: Option<String>,
    /// As printed.
    pub currency: Option<String>,
    /// Name and value, as printed.
    pub commission: Named,
    /// What the acquirer keeps.
    pub commission_amount: Amount,
    /// The tax on it.
    pub commission_tax_amount: Amount,
    /// Name and value, as printed.
    pub commission_and_financial_cost_amount: Named,
    /// Name and value, as printed.
    pub commission_and_financial_cost_tax_amount: Named,
    /// What instalments cost.
    pub cost_per_installment: Amount,
    /// The tax on that.
    pub financial_cost_tax_amount: Amount,
    /// As printed; a rate by its name.
    pub withholding_tax: Option<String>,
    /// What the state keeps.
    pub withholding_tax_amount: Amount,
    /// What is left, by its place in the list.
    pub total: Amount,
    /// As printed; the words are undocumented.
    pub state: Option<String>,
    /// As printed; text of undocumented meaning.
    pub to_deposit: Option<String>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// A value with the name that the upstream gives it.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    /// Its name.
    pub name: Option<String>,
    /// As printed.
    pub value: Option<String>,
}

impl SipagoClient {
    /// The whole list, in the upstream's order. A row that is no object is passed over; every other row comes, with what
    /// could be read of it.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown. Pages that contradict each other are a broken contract, never a part.
    pub async fn deposits(&self, state: DepositState) -> Result<Vec<Deposit>, CallError> {
        let bodies = self.pages(&format!("deposits/{}", state.as_str()), "{}").await?;
        let dialect = self.config.common.dialect;
        Ok(rows(&bodies)?.into_iter().map(|record| deposit(record, dialect)).collect())
    }
}

fn deposit(mut record: Record<'_>, dialect: Dialect) -> Deposit {
    let mut named = |name| {
        let mut part = record.part(name);
        Named { name: part.text("name"), value: part.text("value") }
    };
    let commission = named("commission");
    let commission_and_financial_cost_amount = named("commissionAndFinancialCostAmount");
    let commission_and_financial_cost_tax_amount = named("commissionAndFinancialCostTaxAmount");
    Deposit {
        id: record.text("_id"),
        amount: record.amount("amount", dialect),
        date_time: record.text("dateTime"),
        currency: record.text("currency"),
        commission,
        commission_amount: record.amount("commissionAmount", dialect),
        commission_tax_amount: record.amount("commissionTaxAmount", dialect),
        commission_and_financial_cost_amount,
        commission_and_financial_cost_tax_amount,
        cost_per_installment: record.amount("costPerInstallment", dialect),
        financial_cost_tax_amount: record.amount("financialCostTaxAmount", dialect),
        withholding_tax: record.text("withholdingTax"),
        withholding_tax_amount: record.amount("withholdingTaxAmount", dialect),
        total: record.amount("total", dialect),
        state: record.text("state"),
        to_deposit: record.text("toDeposit"),
        extra: record.rest(),
    }
}
