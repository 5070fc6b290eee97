//! Random histories of readings against the laws of the diff and its slow twin.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::entropy::Entropy;
use crate::domain::account::{AccountName, SourceKind};
use crate::domain::day::{Day, Moment};
use crate::domain::event::EventId;
use crate::domain::fact::{FactKind, View};
use crate::domain::ledger::model::Model;
use crate::domain::ledger::{Coverage, Diff, Ledger, diff as compare};
use crate::domain::money::Money;
use crate::domain::row::{Identity, Label, OperationKind, Payer, References, Row, StatusKind};
use crate::store::codec::{decode_memories, encode_memories};

/// The twin tries every pairing: more rows or readings would only cost time.
const ROWS: u8 = 5;
const READINGS: usize = 8;

/// A history of readings, then the same reading once more after each.
///
/// Laws: no event id is given twice, whatever comes; the real diff and the obvious one agree on rows that are counted;
/// the order of the rows does not matter; what was read twice in a row brings nothing; numbers have no gap and are
/// never used again; a ledger that was stored and loaded is the same ledger.
pub fn diff(data: &[u8]) {
    let mut entropy = Entropy(data);
    let (mut town, mut mirror, mut twin) = (Town::default(), Town::default(), Model::default());
    for _ in 0..READINGS {
        if entropy.is_spent() {
            break;
        }
        let coverage = Coverage {
            complete: !entropy.flag(),
            baseline: false,
            paged: entropy.flag(),
            read_at: Timestamp::UNIX_EPOCH,
        };
        let rows: Vec<Row> = (0..entropy.below(ROWS)).map(|_| row(&mut entropy)).collect();
        let counted: Vec<Row> = rows.iter().filter(|row| is_counted(row)).cloned().collect();
        let found = town.read(&rows, coverage);
        let told: BTreeSet<(String, u32, FactKind)> = found
            .findings
            .iter()
            .filter_map(|finding| Some((rows.get(finding.row)?, finding)))
            .filter(|(row, _)| is_counted(row))
            .flat_map(|(row, finding)| {
                finding.facts.iter().map(move |fact| (format!("{:?}", row.identity), finding.ordinal, fact))
            })
            .collect();
        assert_eq!(told, twin.read(&counted, coverage), "the diff and its twin disagree");
        let mut turned = rows.clone();
        turned.reverse();
        mirror.read(&turned, coverage);
        assert_eq!(town.cried, mirror.cried, "the order of the rows matters");
        if !coverage.paged {
            let again = town.read(&rows, coverage);
            assert!(again.findings.is_empty(), "the same reading brings news");
            mirror.read(&turned, coverage);
            twin.read(&counted, coverage);
        }
        town.assert_stored();
    }
}

const fn is_counted(row: &Row) -> bool {
    matches!(row.identity, Identity::Counted(_))
}

/// Memory and everything that was announced from it.
#[derive(Default)]
struct Town {
    ledger: Ledger,
    cried: BTreeSet<EventId>,
}

impl Town {
    fn read(&mut self, rows: &[Row], coverage: Coverage) -> Diff {
        let rows: Vec<&Row> = rows.iter().collect();
        let diff = compare(&AccountName::new("centro"), &self.ledger, &rows, coverage);
        self.ledger.apply(self.ledger.version() + 1, &diff.changes);
        for finding in &diff.findings {
            assert!(finding.ordinal > 0 && finding.row < rows.len());
            for fact in finding.facts.iter() {
                let id = EventId::of_fact(&finding.slot, finding.ordinal, fact);
                assert!(self.cried.insert(id), "an event id was given twice");
            }
        }
        diff
    }

    /// What is remembered can be stored, and its numbers are each used once.
    fn assert_stored(&self) {
        for (_, memories) in self.ledger.iter() {
            let stored = decode_memories(&encode_memories(memories));
            assert_eq!(stored.as_ref(), Ok(memories), "a memory changes in the store");
            let mut numbers: Vec<u32> =
                memories.iter().map(|memory| memory.ordinal).filter(|ordinal| *ordinal > 0).collect();
            numbers.sort_unstable();
            assert!(numbers.iter().zip(1..).all(|(number, wanted)| *number == wanted), "numbers {numbers:?}");
        }
    }
}

/// A row of few possible ones, so that rows meet.
fn row(entropy: &mut Entropy<'_>) -> Row {
    let kind = entropy.byte();
    let party = |byte: u8| (byte != 0).then(|| format!("c{byte}"));
    let status = entropy.pick(&StatusKind::ALL).unwrap_or(StatusKind::Unknown);
    let (flag, other) = (kind & 8 != 0, kind & 16 != 0);
    let (identity, source, view) = match kind & 7 {
        0..4 => (Identity::Counted(format!("b{}", kind & 1)), SourceKind::Transactions, View::Credit(status)),
        4 => (Identity::Counted(String::from("d")), SourceKind::Transactions, View::Debit(status)),
        5 => (Identity::Keyed(String::from("s")), SourceKind::Movements, View::Sale { refunded: flag, voided: other }),
        6 => {
            (Identity::Keyed(String::from("p")), SourceKind::Links, View::OrderPayment { paid: flag, refunded: other })
        }
        _ => (Identity::Keyed(String::from("o")), SourceKind::Links, order(entropy)),
    };
    let who = entropy.byte();
    Row {
        source,
        identity,
        view,
        occurred: Moment::on(Day::new(jiff::civil::Date::constant(2026, 11, 21))),
        amount: Money::from_cents(150_000),
        status: Label { kind: status, raw: status.as_str().to_owned() },
        operation: Label { kind: OperationKind::Credit, raw: String::new() },
        payer: Payer {
            cuit: party(who & 3),
            cvu_cbu: party(who >> 2 & 3),
            name: party(who >> 4 & 3),
            ..Payer::default()
        },
        references: References::default(),
    }
}

fn order(entropy: &mut Entropy<'_>) -> View {
    let views = [View::OrderOpen, View::OrderDone, View::OrderExpired, View::OrderFailed];
    entropy.pick(&views).unwrap_or(View::OrderOpen)
}
