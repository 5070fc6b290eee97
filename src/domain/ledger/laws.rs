//! The laws of the diff.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;

use super::model::Model;
use super::{Coverage, Diff, Ledger, diff};
use crate::domain::account::{AccountName, SourceKind};
use crate::domain::day::{Day, Moment};
use crate::domain::event::EventId;
use crate::domain::fact::{FactKind, View};
use crate::domain::money::Money;
use crate::domain::row::{Identity, Label, OperationKind, Payer, References, Row, StatusKind};

const WHOLE: Coverage = Coverage { complete: true, baseline: false, paged: false, read_at: Timestamp::UNIX_EPOCH };
const PAGED: Coverage = Coverage { complete: true, baseline: false, paged: true, read_at: Timestamp::UNIX_EPOCH };

fn credit(bucket: &str, status: StatusKind) -> Row {
    Row {
        source: SourceKind::Transactions,
        identity: Identity::Counted(bucket.to_owned()),
        view: View::Credit(status),
        occurred: Moment::on(Day::parse("2026-11-21").unwrap()),
        amount: Money::from_cents(150_000),
        status: Label { kind: status, raw: status.as_str().to_owned() },
        operation: Label { kind: OperationKind::Credit, raw: "Transferencia recibida".into() },
        payer: Payer::default(),
        references: References::default(),
    }
}

fn approved(bucket: &str) -> Row {
    credit(bucket, StatusKind::Approved)
}

fn from(mut row: Row, cuit: &str, holder: &str) -> Row {
    row.payer.cuit = (!cuit.is_empty()).then(|| cuit.to_owned());
    row.payer.name = (!holder.is_empty()).then(|| holder.to_owned());
    row
}

fn sale(id: &str, refunded: bool, voided: bool) -> Row {
    Row {
        source: SourceKind::Movements,
        identity: Identity::Keyed(id.to_owned()),
        view: View::Sale { refunded, voided },
        ..approved("")
    }
}

/// Memory and everything that was announced from it.
#[derive(Default)]
struct Town {
    ledger: Ledger,
    cried: Vec<EventId>,
}

impl Town {
    fn read(&mut self, rows: &[Row], coverage: Coverage) -> Diff {
        let account = AccountName::new("centro");
        let rows: Vec<&Row> = rows.iter().collect();
        let diff = diff(&account, &self.ledger, &rows, coverage);
        self.ledger.apply(self.ledger.version() + 1, &diff.changes);
        for finding in &diff.findings {
            self.cried.extend(finding.facts.iter().map(|fact| EventId::of_fact(&finding.slot, finding.ordinal, fact)));
        }
        let unique: BTreeSet<_> = self.cried.iter().collect();
        assert_eq!(unique.len(), self.cried.len(), "an event id was given twice");
        diff
    }

    /// Facts found, as (ordinal, kind).
    fn facts(&mut self, rows: &[Row], coverage: Coverage) -> Vec<(u32, FactKind)> {
        let diff = self.read(rows, coverage);
        diff.findings.iter().flat_map(|finding| finding.facts.iter().map(|fact| (finding.ordinal, fact))).collect()
    }
}

use FactKind::{Credited, Pending, Refunded, Voided};

#[test]
fn two_equal_payments_in_one_second_are_two_credits() {
    let mut town = Town::default();
    assert_eq!(town.facts(&[approved("b"), approved("b")], WHOLE), [(1, Credited), (2, Credited)]);
    assert_eq!(town.facts(&[approved("b"), approved("b")], WHOLE), []);
    assert_eq!(town.facts(&[approved("b"), approved("b"), approved("b")], WHOLE), [(3, Credited)]);
}

#[test]
fn a_partial_day_and_then_the_full_day_end_exact() {
    let mut town = Town::default();
    town.read(&[approved("a"), approved("b")], WHOLE);
    let full = [approved("c"), approved("a"), approved("b"), approved("b")];
    assert_eq!(town.read(&full, WHOLE).findings.len(), 2);
    assert_eq!(town.cried.len(), 4);
}

#[test]
fn an_amendment_fills_and_rewords_but_is_no_new_payment() {
    let mut town = Town::default();
    town.read(&[from(approved("b"), "", "")], WHOLE);
    let diff = town.read(&[from(approved("b"), "20267565393", "PEREZ MARIA")], WHOLE);
    assert_eq!((diff.findings.len(), diff.amended), (0, 1));
    let diff = town.read(&[from(approved("b"), "20267565393", "Perez, María")], WHOLE);
    assert_eq!((diff.findings.len(), diff.amended), (0, 1));
    assert_eq!(town.facts(&[from(approved("b"), "", "x")], WHOLE), [], "a forgotten CUIT contradicts nothing");
}

#[test]
fn a_contradiction_is_a_different_payment() {
    let mut town = Town::default();
    town.read(&[from(approved("b"), "20267565393", "")], WHOLE);
    assert_eq!(town.facts(&[from(approved("b"), "20055361682", "")], WHOLE), [(2, Credited)]);
}

#[test]
fn a_row_that_could_be_either_does_not_rob_one_that_could_only_be_one() {
    let mut town = Town::default();
    town.read(&[from(approved("b"), "20267565393", ""), from(approved("b"), "20055361682", "")], WHOLE);
    let again = [from(approved("b"), "", "reworded"), from(approved("b"), "20267565393", "reworded")];
    assert_eq!(town.facts(&again, WHOLE), []);
}

#[test]
fn what_vanishes_is_kept_and_matches_again_when_it_returns() {
    let mut town = Town::default();
    town.read(&[approved("b"), approved("b"), approved("c")], WHOLE);
    let gone = town.read(&[approved("b")], WHOLE);
    assert_eq!((gone.vanished, gone.findings.len()), (2, 0));
    assert_eq!(town.read(&[approved("b")], WHOLE).changes, [], "it is reported once");
    let back = town.read(&[approved("b"), approved("b"), approved("c")], WHOLE);
    assert_eq!((back.returned, back.findings.len()), (2, 0));
}

#[test]
fn numbers_are_never_used_again() {
    let mut town = Town::default();
    town.read(&[from(approved("b"), "1", ""), from(approved("b"), "2", "")], WHOLE);
    town.read(&[], WHOLE);
    assert_eq!(town.facts(&[from(approved("b"), "3", "")], WHOLE), [(3, Credited)]);
}

#[test]
fn a_partial_reading_reports_nothing_missing() {
    let mut town = Town::default();
    town.read(&[approved("b"), approved("c")], WHOLE);
    let diff = town.read(&[approved("b")], Coverage { complete: false, ..WHOLE });
    assert_eq!((diff.vanished, diff.changes.len()), (0, 0));
}

#[test]
fn a_status_moves_forward_and_a_stale_view_takes_nothing_back() {
    let mut town = Town::default();
    let view = |status| [credit("b", status)];
    assert_eq!(town.facts(&view(StatusKind::Pending), WHOLE), [(1, Pending)]);
    assert_eq!(town.facts(&view(StatusKind::Approved), WHOLE), [(1, Credited)]);
    assert_eq!(town.facts(&view(StatusKind::Pending), WHOLE), []);
    assert_eq!(town.facts(&view(StatusKind::Approved), WHOLE), []);
    assert_eq!(town.facts(&view(StatusKind::Reversed), WHOLE), [(1, Refunded)]);
}

#[test]
fn a_stale_view_of_twins_does_not_credit_one_of_them_twice() {
    let mut town = Town::default();
    let (p, a) = (credit("b", StatusKind::Pending), approved("b"));
    town.read(&[p.clone(), p.clone()], WHOLE);
    assert_eq!(town.facts(&[a.clone(), p.clone()], WHOLE), [(1, Credited)]);
    assert_eq!(town.facts(&[p.clone(), p.clone()], WHOLE), []);
    assert_eq!(town.facts(&[p, a.clone()], WHOLE), []);
    assert_eq!(town.facts(&[a.clone(), a], WHOLE), [(2, Credited)]);
}

#[test]
fn a_row_pushed_to_the_next_page_is_not_a_second_payment() {
    let mut town = Town::default();
    town.read(&[approved("b")], PAGED);
    let shifted = town.read(&[approved("b"), approved("b")], PAGED);
    assert_eq!((shifted.findings.len(), shifted.unconfirmed), (0, 1));
    assert_eq!(town.facts(&[approved("b")], PAGED), [], "it was a phantom");
    assert_eq!(town.facts(&[approved("b"), approved("b")], PAGED), [], "a new suspicion needs two opinions again");
    assert_eq!(town.facts(&[approved("b"), approved("b")], PAGED), [(2, Credited)], "two readings agree");
}

#[test]
fn twins_of_a_baseline_stay_silent_when_the_second_reading_confirms_them() {
    let mut town = Town::default();
    let twins = [approved("b"), approved("b"), approved("b")];
    let first = town.read(&twins, Coverage { baseline: true, ..PAGED });
    assert_eq!((first.findings.len(), first.unconfirmed), (1, 2), "the watcher passes over what a baseline finds");
    assert_eq!(town.facts(&twins, PAGED), [], "history stays history");
    let reversed = [credit("b", StatusKind::Reversed), approved("b"), approved("b")];
    assert_eq!(town.facts(&reversed, PAGED), [(1, Refunded)], "what happens to it afterwards is news");
    let more = [credit("b", StatusKind::Reversed), approved("b"), approved("b"), approved("b")];
    town.read(&more, PAGED);
    assert_eq!(town.facts(&more, PAGED), [(4, Credited)], "and so is one more");
}

#[test]
fn a_row_that_changes_state_while_the_pages_shift_is_not_a_second_payment() {
    let mut town = Town::default();
    assert_eq!(town.facts(&[credit("b", StatusKind::Pending), approved("b")], PAGED).len(), 1);
    assert_eq!(town.read(&[approved("b")], PAGED).findings.len(), 0);
}

#[test]
fn rows_with_an_id_are_one_row_however_often_a_page_repeats_them() {
    let mut town = Town::default();
    assert_eq!(town.facts(&[sale("7", false, false), sale("7", false, false)], WHOLE), [(1, Credited)]);
    assert_eq!(town.facts(&[sale("7", true, false), sale("7", false, false)], WHOLE), [(1, Refunded)]);
    assert_eq!(town.facts(&[sale("7", false, false)], WHOLE), []);
    assert_eq!(
        town.facts(&[sale("7", true, true), sale("8", false, true)], WHOLE),
        [(1, Voided), (1, Credited), (1, Voided)]
    );
}

#[test]
fn an_unchanged_reading_changes_nothing() {
    let mut town = Town::default();
    let rows = [approved("a"), approved("a"), sale("1", true, false), from(approved("b"), "1", "x")];
    town.read(&rows, WHOLE);
    assert_eq!(town.read(&rows, WHOLE), Diff::default());
}

/// One true payment of a random world.
#[derive(Clone, Debug)]
struct Truth {
    bucket: u8,
    party: u8,
    born: usize,
    approved: usize,
    reversed: usize,
    reworded: usize,
}

fn truth() -> impl Strategy<Value = Truth> {
    (0_u8..3, 0_u8..3, 0_usize..6, 0_usize..4, 1_usize..8, 0_usize..8).prop_map(
        |(bucket, party, born, wait, life, reworded)| Truth {
            bucket,
            party,
            born,
            approved: born + wait,
            reversed: born + wait + life,
            reworded,
        },
    )
}

impl Truth {
    fn at(&self, time: usize) -> Option<Row> {
        (self.born <= time).then(|| {
            let status = match time {
                t if t >= self.reversed => StatusKind::Reversed,
                t if t >= self.approved => StatusKind::Approved,
                _ => StatusKind::Pending,
            };
            let holder = if time >= self.reworded { "reworded" } else { "" };
            from(credit(&format!("b{}", self.bucket), status), &format!("c{}", self.party), holder)
        })
    }
}

/// Times at which a snapshot is taken; they may go back, as a stale replica does.
fn looks() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0_usize..12, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_fact_of_a_random_world_is_told_once_and_no_other(world in proptest::collection::vec(truth(), 0..8), looks in looks(), order in any::<u64>()) {
        let mut town = Town::default();
        let mut credited = BTreeMap::<u8, u32>::new();
        for (turn, time) in looks.iter().enumerate() {
            let mut rows: Vec<Row> = world.iter().filter_map(|truth| truth.at(*time)).collect();
            let places = rows.len().max(1);
            rows.rotate_left(usize::try_from(order).unwrap_or(turn) % places);
            town.read(&rows, WHOLE);
        }
        // However the views went forth and back: as many credits as payments were ever seen approved.
        let latest = looks.iter().copied().max().unwrap_or(0);
        for truth in world.iter().filter(|truth| truth.approved <= latest) {
            *credited.entry(truth.bucket).or_default() += 1;
        }
        let told = town.ledger.iter().flat_map(|(_, memories)| memories).filter(|memory| memory.facts.has(Credited)).count();
        prop_assert_eq!(told, usize::try_from(credited.values().sum::<u32>()).unwrap());
        let refunded = world.iter().filter(|truth| truth.reversed <= latest).count();
        let told = town.ledger.iter().flat_map(|(_, memories)| memories).filter(|memory| memory.facts.has(Refunded)).count();
        prop_assert_eq!(told, refunded);
    }

    #[test]
    fn the_order_of_rows_does_not_matter(world in proptest::collection::vec(truth(), 0..8), looks in looks(), turn in 0_usize..8) {
        let (mut one, mut other) = (Town::default(), Town::default());
        for time in looks {
            let mut rows: Vec<Row> = world.iter().filter_map(|truth| truth.at(time)).collect();
            one.read(&rows, WHOLE);
            let places = rows.len().max(1);
            rows.rotate_left(turn % places);
            rows.reverse();
            other.read(&rows, WHOLE);
        }
        one.cried.sort_unstable();
        other.cried.sort_unstable();
        prop_assert_eq!(one.cried, other.cried);
    }

    #[test]
    fn the_real_diff_and_the_obvious_one_agree(
        history in proptest::collection::vec((proptest::collection::vec((0_u8..2, 0_u8..3, 0_u8..3, 0_u8..4), 0..5), any::<bool>(), any::<bool>()), 1..6),
    ) {
        let statuses = [StatusKind::Pending, StatusKind::Approved, StatusKind::Reversed, StatusKind::Rejected];
        let (mut town, mut model) = (Town::default(), Model::default());
        for (rows, paged, complete) in history {
            let rows: Vec<Row> = rows.into_iter().map(|(bucket, party, holder, status)| {
                let cuit = if party == 0 { String::new() } else { format!("c{party}") };
                from(credit(&format!("b{bucket}"), statuses[usize::from(status)]), &cuit, &format!("h{holder}"))
            }).collect();
            let coverage = Coverage { complete, paged, ..WHOLE };
            let real: BTreeSet<(String, u32, FactKind)> = town.read(&rows, coverage).findings.iter()
                .flat_map(|finding| finding.facts.iter().map(|fact| (format!("{:?}", rows[finding.row].identity), finding.ordinal, fact)))
                .collect();
            prop_assert_eq!(real, model.read(&rows, coverage));
        }
    }
}
