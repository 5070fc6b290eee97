//! Sipago's deposits, every documented field in the document's order.

use serde::Serialize;

use super::raw::Raw;
use super::{Answer, Question, page_of};
use crate::domain::money::Money;
use crate::sandbox::script::Twist;
use crate::sandbox::world::{Deposit, World};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    page: usize,
    exist_more: bool,
    list_trx: Vec<DepositRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DepositRow {
    #[serde(rename = "_id")]
    id: String,
    amount: Raw,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_time: Option<String>,
    currency: &'static str,
    commission: Named,
    commission_amount: Raw,
    commission_and_financial_cost_amount: Named,
    commission_and_financial_cost_tax_amount: Named,
    commission_tax_amount: Raw,
    cost_per_installment: Raw,
    financial_cost_tax_amount: Raw,
    withholding_tax: Raw,
    withholding_tax_amount: Raw,
    total: Raw,
    /// The document names no word; these are ours.
    state: &'static str,
    to_deposit: &'static str,
}

#[derive(Serialize)]
struct Named {
    name: &'static str,
    value: Raw,
}

impl DepositRow {
    fn of(deposit: &Deposit, cents: bool) -> Self {
        let print = |amount: Money| if cents { Raw::cents(amount) } else { Raw::number(amount) };
        let zero = || print(Money::from_cents(0));
        let (commission, tax) = (deposit.commission(), deposit.commission_tax());
        Self {
            id: deposit.id.clone(),
            amount: print(deposit.amount),
            date_time: Some(deposit.at.strftime("%Y-%m-%dT%H:%M:%S").to_string()),
            currency: "032",
            commission: Named { name: "Comisión", value: Raw(String::from("2.9")) },
            commission_amount: print(commission),
            commission_and_financial_cost_amount: Named {
                name: "Comisión y costo financiero",
                value: print(commission),
            },
            commission_and_financial_cost_tax_amount: Named { name: "IVA", value: print(tax) },
            commission_tax_amount: print(tax),
            cost_per_installment: zero(),
            financial_cost_tax_amount: zero(),
            withholding_tax: Raw(String::from("1")),
            withholding_tax_amount: print(deposit.withheld()),
            total: print(deposit.total()),
            state: if deposit.paid { "PAGADO" } else { "PENDIENTE" },
            to_deposit: "CBU ****5201",
        }
    }
}

/// One page of one of the lists; `None` for wrong parameters. The body is `{}` in the document; nothing is read of it.
pub(super) fn list(world: &World, paid: bool, page: &str, question: &Question, twist: &Twist) -> Option<Answer> {
    let page = page.parse::<usize>().ok()?;
    let fits = question.body.is_empty() || question.body.first() == Some(&b'{');
    let settings = world.settings();
    let size = settings.sipago_page.max(1);
    let rows = world.sipago_deposits(paid);
    let pages = rows.len().div_ceil(size).max(1);
    let shown = match twist {
        Twist::RepeatedPage => page.saturating_sub(1),
        Twist::EndlessPages => page % pages,
        Twist::Straight
        | Twist::TokenExpiry
        | Twist::PageShift
        | Twist::LyingTotals
        | Twist::RowWithoutDate
        | Twist::RowAmount(_) => page,
    };
    let mut list_trx: Vec<DepositRow> =
        page_of(rows, shown, size).iter().map(|deposit| DepositRow::of(deposit, settings.movements_in_cents)).collect();
    if let Some(first) = list_trx.first_mut() {
        match twist {
            Twist::RowWithoutDate => first.date_time = None,
            Twist::RowAmount(text) => first.total = Raw(text.clone()),
            Twist::Straight
            | Twist::TokenExpiry
            | Twist::PageShift
            | Twist::RepeatedPage
            | Twist::LyingTotals
            | Twist::EndlessPages => {}
        }
    }
    let exist_more = page + 1 < pages || *twist == Twist::EndlessPages;
    let page = if *twist == Twist::LyingTotals { page.saturating_add(1) } else { page };
    fits.then(|| Answer::of(200, &Listing { page, exist_more, list_trx }))
}
