//! What Sipago really prints, asked by calls that only read. The QR code is left out: its answer bears an id, so that asking
//! for it may make one.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::client::SipagoClient;
use super::wire::{Movement, Page, Payment};
use crate::domain::account::Upstream;
use crate::domain::day::Day;
use crate::domain::money::{Dialect, Unit};
use crate::domain::row::{OperationKind, StatusKind};
use crate::sources::json::{self, Field};
use crate::sources::probe::{Amounts, Dates, Finding, Probe, Verdict, days_inclusive, words};
use crate::sources::record::Record;
use crate::sources::words as meaning;

/// Days back that are looked at.
const DAYS: i64 = 6;

/// Watched orders that are looked at.
const ORDERS: usize = 3;

impl SipagoClient {
    /// Reads one page of everything that only reads. What fails is noted; refused credentials end it.
    pub async fn probe(&self, now: Timestamp) -> Probe {
        let mut probe = Probe::new(Upstream::Sipago);
        let today = Day::of(now, &self.config.common.zone);
        let (from, to) = (today.plus(-DAYS), today.plus(1));
        let body = self.first_page(&mut probe, "transactions/page/0", "transactions", &window(from, to)).await;
        let rows: Vec<Movement<'_>> =
            body.as_deref().map(list).unwrap_or_default().into_iter().filter_map(json::record).collect();
        probe.findings.extend(body.as_deref().map(paging));
        if probe.is_hopeless() {
            return probe;
        }
        self.judge(&mut probe, &rows, now);
        let common = &self.config.common;
        let moment =
            |row: &Movement<'_>| json::moment("dateTime", row.date_time, &common.date_formats, &common.provider_zone);
        if let Some(day) = rows.iter().filter_map(|row| moment(row).ok()).map(|moment| moment.day()).max() {
            let name = "transactions/page/0, one day";
            let alone = self.first_page(&mut probe, name, "transactions", &window(day, day)).await;
            probe.findings.extend(days_inclusive("endDate", alone.as_deref().map(|body| list(body).len())));
        }
        let code = rows.iter().find_map(|row| json::string(row.authorization_code));
        if let Some(code) = code.filter(|code| code.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            probe.note("transactions/code/{code}", self.get(&format!("transactions/code/{code}")).await);
        }
        for state in ["paid", "pending"] {
            let name = if state == "paid" { "deposits/paid/page/0" } else { "deposits/pending/page/0" };
            if !probe.is_hopeless() {
                let body = self.first_page(&mut probe, name, &format!("deposits/{state}"), "{}").await;
                probe.findings.extend(body.as_deref().map(|body| self.deposit_amounts(body)));
            }
        }
        for uuid in self.config.watch_links.iter().take(ORDERS) {
            if !probe.is_hopeless() {
                let body = probe.note("checkout/getLink/{uuid}", self.get(&format!("checkout/getLink/{uuid}")).await);
                self.order(&mut probe, body.as_deref(), &rows);
            }
        }
        probe
    }

    async fn first_page(&self, probe: &mut Probe, name: &'static str, list_name: &str, body: &str) -> Option<Bytes> {
        let answer = self.post(&format!("{list_name}/page/0"), body.to_owned()).await;
        let body = probe.note(name, answer)?;
        probe.note_rows(list(&body).len());
        Some(body)
    }

    fn judge(&self, probe: &mut Probe, rows: &[Movement<'_>], now: Timestamp) {
        let common = &self.config.common;
        let printed = rows.iter().map(|row| row.date_time).collect();
        probe.findings.extend(Dates { name: "dateTime", printed, common, now }.judge());
        let printed = rows.iter().map(|row| row.amount).collect();
        probe.findings.push(Amounts { printed, dialect: common.dialect }.judge());
        let seen = rows.iter().filter_map(|row| json::string(row.operation)).collect();
        let known: Vec<_> = common.operation.iter().map(|(word, kind)| (word.clone(), kind.as_str())).collect();
        let take = |word: &str| meaning::operation(word, None, &common.operation).map(OperationKind::as_str);
        let kinds = OperationKind::ALL.map(OperationKind::as_str).join(", ");
        let (set, finding) = words("operation", seen, &known, take, &kinds);
        probe.sets.push(set);
        probe.findings.push(finding);
    }

    fn deposit_amounts(&self, body: &[u8]) -> Finding {
        let rows = list(body).into_iter().filter_map(Record::of);
        let printed: Vec<Field<'_>> = rows.map(|mut row| row.single("amount")).collect();
        Finding { topic: "amounts of deposits", ..Amounts { printed, dialect: self.config.common.dialect }.judge() }
    }

    /// An order's state, and its payment beside the same payment's movement: orders always count cents.
    fn order(&self, probe: &mut Probe, body: Option<&[u8]>, rows: &[Movement<'_>]) {
        let Some(mut data) = body.and_then(|body| Some(Record::of_body(body).ok()?.part("data"))) else { return };
        let mut attributes = data.part("attributes");
        let known: Vec<_> =
            self.config.common.status.iter().map(|(word, kind)| (word.clone(), kind.as_str())).collect();
        // The platform documents these; the maps are for the others.
        let take = |word: &str| match word.to_ascii_uppercase().as_str() {
            "SUCCESS" | "PENDING" | "EXPIRED" | "FAILED" | "FAILED_CHECKOUT" => Some("documented"),
            _ => Some(meaning::status(word, &self.config.common.status).as_str()),
        };
        let kinds = StatusKind::ALL.map(StatusKind::as_str).join(", ");
        let (set, finding) = words("status", attributes.text("status").into_iter().collect(), &known, take, &kinds);
        probe.sets.push(set);
        probe.findings.push(finding);
        let price = attributes.part("price").single("amount");
        let mut ids: Vec<String> = attributes.part("payment").id("id").into_iter().collect();
        ids.extend(
            attributes
                .list_if_any("payments")
                .into_iter()
                .filter_map(Record::of)
                .filter_map(|mut payment| payment.id("id")),
        );
        let same = rows.iter().find(|row| {
            let payment: Payment<'_> = json::part(row.payment);
            json::id(payment.payment_id).is_some_and(|id| ids.contains(&id))
        });
        probe.findings.extend(same.and_then(|row| self.unit(price, row.amount)));
    }

    fn unit(&self, order: Field<'_>, movement: Field<'_>) -> Option<Finding> {
        let dialect = self.config.common.dialect;
        let cents = json::amount(order, Dialect { unit: Unit::Cents, ..dialect }).ok()?;
        let of = |unit| json::amount(movement, Dialect { unit, ..dialect }).ok();
        let (unit, name) =
            [(Unit::Pesos, "pesos"), (Unit::Cents, "cents")].into_iter().find(|(unit, _)| of(*unit) == Some(cents))?;
        let says = format!("a movement and its order show the same amount if movements count {name}");
        if unit == dialect.unit {
            return Some(Finding::new("amount_unit", Verdict::Fits, says));
        }
        Some(Finding::new("amount_unit", Verdict::Differs, says).suggest(format!("amount_unit = \"{name}\"")))
    }
}

fn window(from: Day, to: Day) -> String {
    format!(r#"{{"startDate":"{from}","endDate":"{to}"}}"#)
}

fn list(body: &[u8]) -> Vec<&RawValue> {
    let page = json::object::<Page<'_>>(body).ok();
    page.and_then(|page| json::list("listTrx", page.list_trx).ok()).unwrap_or_default()
}

fn paging(body: &[u8]) -> Finding {
    let rows = list(body).len();
    let more = json::object::<Page<'_>>(body).ok().and_then(|page| json::yes_or_no(page.exist_more));
    let (verdict, says) = match more {
        Some(true) => (Verdict::Open, format!("a page has {rows} rows")),
        Some(false) => (Verdict::Open, format!("{rows} rows fit one page")),
        None => (Verdict::Differs, String::from("`existMore` is not told; no list can be read to its end")),
    };
    Finding::new("page size", verdict, says)
}
