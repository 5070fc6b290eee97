//! What TelePagos really prints, asked by calls that only read.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::auth;
use super::client::{TelepagosClient, days};
use super::read::{self, Catalogue};
use super::wire::{Cashin, Filters, Listing, Transaction};
use crate::config::Income;
use crate::domain::account::Upstream;
use crate::domain::day::Day;
use crate::domain::row::{OperationKind, StatusKind};
use crate::sources::json::{self, Field};
use crate::sources::probe::{Amounts, Dates, Finding, Probe, Verdict, days_inclusive, words};
use crate::sources::{CallError, words as meaning};

/// Days back that are looked at.
const DAYS: i64 = 6;

/// Watched cash-ins that are looked at.
const CASHINS: usize = 3;

impl TelepagosClient {
    /// Logs in and reads one page of everything that only reads. What fails is noted; a refused login ends it.
    pub async fn probe(&self, now: Timestamp) -> Probe {
        let mut probe = Probe::new(Upstream::Telepagos);
        let login = self.login_answer().await;
        if let Some(answer) = probe.note("auth/token", login) {
            probe.findings.push(expiry(&answer));
        }
        if probe.is_hopeless() || !matches!(probe.calls.last().map(|call| &call.answer), Some(Ok(_))) {
            return probe;
        }
        let filters =
            probe.note("account/transactions_filters", self.get("v2/account/transactions_filters", &[]).await);
        let catalogue = filters.as_deref().map(catalogue).unwrap_or_default();
        for (name, path) in [
            ("payment/concepts", "v2/payment/concepts"),
            ("account/balance", "v2/account/balance"),
            ("payment/cashin/qr/sale-point", "v2/payment/cashin/qr/sale-point"),
        ] {
            if probe.is_hopeless() {
                return probe;
            }
            probe.note(name, self.get(path, &[]).await);
        }
        self.transactions_of(&mut probe, &catalogue, now).await;
        for id in self.config.watch_cashin.iter().take(CASHINS) {
            if probe.is_hopeless() {
                return probe;
            }
            let body = probe.note("payment/cashin/{id}", self.get_by_id(&format!("v2/payment/cashin/{id}"), &[]).await);
            if let Some(cashin) = body.as_deref().and_then(|body| json::object::<Cashin<'_>>(body).ok()) {
                let amount = Amounts { printed: vec![cashin.amount], dialect: self.config.common.dialect }.judge();
                probe.findings.push(Finding { topic: "amounts of cash-ins", ..amount });
            }
        }
        probe
    }

    async fn transactions_of(&self, probe: &mut Probe, catalogue: &Catalogue, now: Timestamp) {
        if probe.is_hopeless() {
            return;
        }
        let today = Day::of(now, &self.config.common.zone);
        let (from, to) = (today.plus(-DAYS), today.plus(1));
        let all = self.page(from, to, false).await;
        let whole = probe.note("account/transactions", all);
        probe.note_rows(whole.as_deref().map_or(0, |body| list(body).len()));
        if probe.is_hopeless() {
            return;
        }
        let first = probe.note("account/transactions?paginate=1&page=1", self.page(from, to, true).await);
        probe.note_rows(first.as_deref().map_or(0, |body| list(body).len()));
        probe.findings.extend(self.paging(whole.as_deref(), first.as_deref()));
        // A list that is too long for one answer is judged by its first page.
        let rows = whole.as_deref().or(first.as_deref()).map(list).unwrap_or_default();
        let rows: Vec<Transaction<'_>> = rows.into_iter().filter_map(json::record).collect();
        self.judge(probe, &rows, catalogue, now);
        let common = &self.config.common;
        let moment =
            |row: &Transaction<'_>| json::moment("date", row.date, &common.date_formats, &common.provider_zone);
        let printed: Vec<Day> = rows.iter().filter_map(|row| moment(row).ok()).map(|moment| moment.day()).collect();
        let outside = printed.iter().filter(|day| **day < from || **day > to).count();
        if outside > 0 {
            let says = format!("{outside} rows are of other days than were asked for: the filter is not heard");
            let line = format!("filters_in_body = {}", !self.config.filters_in_body);
            probe.findings.push(Finding::new("filters_in_body", Verdict::Differs, says).suggest(line));
        }
        if let Some(day) = printed.iter().max().filter(|_| outside == 0) {
            let alone = probe.note("account/transactions, one day", self.page(*day, *day, self.config.paginate).await);
            let rows = alone.as_deref().map(|body| list(body).len());
            probe.note_rows(rows.unwrap_or_default());
            probe.findings.extend(days_inclusive("date_to", rows));
        }
    }

    async fn page(&self, from: Day, to: Day, paged: bool) -> Result<Bytes, CallError> {
        let mut filters = days(from, to);
        if paged {
            filters.extend([("paginate", String::from("1")), ("page", String::from("1"))]);
        }
        self.get("v2/account/transactions", &filters).await
    }

    /// Whether a reading without pages is whole, and one by pages says how many there are.
    fn paging(&self, whole: Option<&[u8]>, page: Option<&[u8]>) -> Vec<Finding> {
        let mut found = Vec::new();
        let told = page.map(super::wire::paging);
        let rows = whole.map(|body| u64::try_from(list(body).len()).unwrap_or(u64::MAX));
        let promised = whole.and_then(|body| {
            let listing: Listing<'_> = json::object(body).ok()?;
            json::text(listing.number_of_results)?.parse::<u64>().ok()
        });
        let results = promised.or_else(|| told.as_ref()?.as_ref().ok().map(|told| told.results));
        if let Some(Ok(told)) = &told {
            let size = if told.pages > 1 {
                format!("a page has {} rows", told.rows)
            } else {
                format!("{} rows fit one page", told.rows)
            };
            found.push(Finding::new("page size", Verdict::Open, size));
        }
        let (verdict, says, line) = match (rows, results, &told, self.config.paginate) {
            (Some(rows), Some(results), _, false) if rows < results => {
                (Verdict::Differs, "without pages only a part of the list comes", Some("paginate = true"))
            }
            (_, _, Some(Err(_)), true) => {
                (Verdict::Differs, "pages do not say how many there are", Some("paginate = false"))
            }
            (Some(rows), Some(results), _, _) if rows == results => {
                (Verdict::Fits, "without pages the whole list comes", None)
            }
            _ => (Verdict::Open, "whether the list is whole without pages cannot be told", None),
        };
        let finding = Finding::new("paginate", verdict, says.to_owned());
        found.push(line.map(str::to_owned).into_iter().fold(finding, Finding::suggest));
        found
    }

    fn judge(&self, probe: &mut Probe, rows: &[Transaction<'_>], catalogue: &Catalogue, now: Timestamp) {
        let common = &self.config.common;
        let printed = rows.iter().map(|row| row.date).collect();
        probe.findings.extend(Dates { name: "date", printed, common, now }.judge());
        let printed = rows.iter().map(|row| row.amount).collect();
        probe.findings.push(Amounts { printed, dialect: common.dialect }.judge());
        let texts = |field: fn(&Transaction<'_>) -> Option<String>| rows.iter().filter_map(field).collect::<Vec<_>>();
        let known: Vec<_> = common.status.iter().map(|(word, kind)| (word.clone(), kind.as_str())).collect();
        let status = |word: &str| Some(meaning::status(word, &common.status).as_str());
        let kinds = StatusKind::ALL.map(StatusKind::as_str).join(", ");
        let all = [words("status", texts(|row| json::string(row.status)), &known, status, &kinds)];
        let known: Vec<_> = self.config.income.iter().map(|(word, income)| (word.clone(), side(*income))).collect();
        let income = |word: &str| {
            self.config.income.get(&meaning::key(word)).copied().or_else(|| read::income_word(word)).map(side)
        };
        let sides = words("income", texts(|row| json::string(row.income)), &known, income, "credit, debit");
        let known: Vec<_> = common.operation.iter().map(|(word, kind)| (word.clone(), kind.as_str())).collect();
        // What only has a direction is told by `income` and the upstream's own list of operations.
        let operation = |word: &str| {
            let kind = meaning::operation(word, catalogue.name(word), &common.operation);
            kind.map(OperationKind::as_str)
                .or_else(|| Some(side(catalogue.income(word)?)))
                .or_else(|| catalogue.name(word).map(|_| "listed"))
        };
        let kinds = OperationKind::ALL.map(OperationKind::as_str).join(", ");
        let operations = words("operation", texts(|row| json::string(row.operation)), &known, operation, &kinds);
        for (set, finding) in all.into_iter().chain([sides, operations]) {
            probe.sets.push(set);
            probe.findings.push(finding);
        }
    }
}

const fn side(income: Income) -> &'static str {
    match income {
        Income::Credit => "credit",
        Income::Debit => "debit",
    }
}

fn list(body: &[u8]) -> Vec<&RawValue> {
    read::items(body, true).unwrap_or_default()
}

fn catalogue(body: &[u8]) -> Catalogue {
    let items =
        json::object::<Filters<'_>>(body).ok().and_then(|filters| json::list("operations", filters.operations).ok());
    Catalogue::of(&items.unwrap_or_default())
}

/// In what form a login tells the end of its token.
fn expiry(answer: &[u8]) -> Finding {
    let told: Field<'_> = auth::expires_at(answer);
    let form = match json::text(told) {
        None => "the login does not say when its token ends; ten minutes are assumed",
        Some(text) => match text.split('.').next().unwrap_or_default().parse::<i64>() {
            Ok(..=99_999_999) => "seconds of life",
            Ok(100_000_000..=99_999_999_999) => "seconds since 1970",
            Ok(_) => "milliseconds since 1970",
            Err(_) if crate::domain::day::Moment::read(&text, &[], &jiff::tz::TimeZone::UTC).is_some() => {
                "a date and time"
            }
            Err(_) => "a text that cannot be read; ten minutes are assumed",
        },
    };
    let odd = form.contains("assumed");
    Finding::new("expires_at", if odd { Verdict::Differs } else { Verdict::Fits }, form.to_owned())
}
