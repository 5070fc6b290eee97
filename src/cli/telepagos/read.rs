//! What only reads.

use serde_json::json;

use super::{Desk, Whose, text, told};
use crate::app::Personal;
use crate::app::telepagos_calls::{Cashin, Concept, Operation, Transaction, TransactionFilter};
use crate::cli::Usage;
use crate::cli::answered::money;
use crate::cli::events::one_line;
use crate::cli::given::{self, Output};
use crate::cli::output::say;
use crate::domain::day::Day;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Transactions {
    /// First day: `2026-11-21`, `today` or `yesterday`
    #[arg(long, value_name = "DAY", default_value = "today")]
    from: String,
    /// Last day, included; default: today, or the first day where that is later
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// Only of this operation, by its id in `filters`
    #[arg(long, value_name = "ID")]
    operation: Option<String>,
    #[command(flatten)]
    pub(super) whose: Whose,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ById {
    /// Its number
    #[arg(value_name = "ID")]
    pub(super) id: String,
    #[command(flatten)]
    pub(super) whose: Whose,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Voucher {
    /// The cash-out's number
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    pub(super) whose: Whose,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Stats {
    /// The document does not say what a period looks like; sent as it is
    #[arg(value_name = "PERIOD")]
    pub(super) period: String,
    #[command(flatten)]
    pub(super) whose: Whose,
}

/// A reading never ends unknown.
const NOTHING: &str = "nothing was changed";

pub(super) async fn balance(mut desk: Desk) -> anyhow::Result<()> {
    let balance = desk.client.balance().await.map_err(|error| told(error, NOTHING))?;
    let row = vec![desk.account().common.name.to_string(), money(&balance.amount)];
    desk.show(&balance, &["ACCOUNT", "BALANCE"], row)
}

pub(super) async fn concepts(mut desk: Desk) -> anyhow::Result<()> {
    let concepts = desk.client.concepts().await.map_err(|error| told(error, NOTHING))?;
    let row = |concept: &Concept| vec![text(concept.id.as_ref()), text(concept.name.as_ref())];
    desk.list(&concepts, &["CONCEPT", "NAME"], row, "there are no concepts")
}

pub(super) async fn filters(mut desk: Desk) -> anyhow::Result<()> {
    let operations = desk.client.filters().await.map_err(|error| told(error, NOTHING))?;
    let row = |one: &Operation| vec![text(one.id.as_ref()), text(one.name.as_ref()), text(one.kind.as_ref())];
    desk.list(&operations, &["OPERATION", "NAME", "TYPE"], row, "there are no operations")
}

pub(super) async fn transactions(mut desk: Desk, args: Transactions) -> anyhow::Result<()> {
    let today = Day::of(crate::app::now(), &desk.account().common.zone);
    let from = given::day("--from", &args.from, today)?;
    let to = args.to.as_deref().map_or(Ok(today.max(from)), |to| given::day("--to", to, today))?;
    if to < from {
        return Err(Usage(format!("`--to` ({to}) is before `--from` ({from}); turn them round")).into());
    }
    let filter = TransactionFilter { from, to, operation: args.operation };
    let transactions = desk.client.transactions(&filter).await.map_err(|error| told(error, NOTHING))?;
    let row = |row: &Transaction| {
        let way = match row.income.as_deref() {
            Some("1") => "in".to_owned(),
            Some("0") => "out".to_owned(),
            _ => text(row.income.as_ref()),
        };
        let (date, operation) = (text(row.date.as_ref()), text(row.operation.as_ref()));
        let (status, holder) = (text(row.status.as_ref()), personal(row.holder.as_ref()));
        vec![date, way, money(&row.amount), operation, status, holder, personal(row.cuit.as_ref())]
    };
    let head = ["DATE", "WAY", "AMOUNT", "OPERATION", "STATUS", "HOLDER", "CUIT"];
    desk.list(&transactions, &head, row, "there are no such transactions")
}

pub(super) async fn cashin(mut desk: Desk, id: &str) -> anyhow::Result<()> {
    let cashin: Cashin = desk.client.cashin(id).await.map_err(|error| told(error, NOTHING))?;
    let row = vec![
        cashin.id.clone(),
        text(cashin.status.as_ref()),
        money(&cashin.amount),
        text(cashin.concept.as_ref()),
        text(cashin.description.as_ref()),
        personal(cashin.buyer.cuit.as_ref()),
        text(cashin.transaction_id.as_ref()),
        text(cashin.qr_order_id.as_ref()),
        text(cashin.link_id.as_ref()),
    ];
    let head = ["CASH-IN", "STATUS", "AMOUNT", "CONCEPT", "DESCRIPTION", "CUIT", "TRANSACTION", "QR ORDER", "LINK"];
    desk.show(&cashin, &head, row)
}

pub(super) async fn voucher(mut desk: Desk, args: Voucher) -> anyhow::Result<()> {
    if !args.output.is_given() && !desk.json {
        return Err(Usage("a voucher is a document; name its file, such as `--output voucher.pdf`".to_owned()).into());
    }
    args.output.check(&[])?;
    let voucher = desk.client.voucher(&args.id).await.map_err(|error| told(error, NOTHING))?;
    if desk.json {
        desk.print(&json!({ "id": args.id.trim(), "voucher": voucher }))?;
    }
    if args.output.is_given() {
        let Some(document) = voucher.decode() else {
            anyhow::bail!("the voucher is no base64; see it as it was printed with `--json`");
        };
        if let Some(name) = args.output.write(&document)? {
            say(&format!("written to `{name}`, {} bytes", document.len()));
        }
    }
    Ok(())
}

pub(super) async fn stats(mut desk: Desk, period: &str) -> anyhow::Result<()> {
    let stats = desk.client.stats(period).await.map_err(|error| told(error, NOTHING))?;
    let count = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
    let row = vec![
        money(&stats.total_cashin),
        money(&stats.total_cashout),
        count(stats.count_open_cvu),
        count(stats.count_payments_services),
        count(stats.count_sent_sms),
    ];
    desk.show(&stats, &["CASH-INS", "CASH-OUTS", "OPEN CVUS", "SERVICES PAID", "SMS SENT"], row)
}

fn personal(data: Option<&Personal>) -> String {
    data.map(|data| one_line(data.expose())).unwrap_or_default()
}
