//! The laws of the diff.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::model::Announced;
use super::{Coverage, Diff, Finding, IDENTITY_VERSION, Ledger, Slot, diff_beside};
use crate::domain::account::{AccountName, SourceKind};
use crate::domain::day::{Day, Moment};
use crate::domain::event::EventId;
use crate::domain::fact::{FactKind, View};
use crate::domain::money::Money;
use crate::domain::row::{Identity, Label, OperationKind, Payer, References, Row, StatusKind};

pub(super) const WHOLE: Coverage =
    Coverage { complete: true, baseline: false, paged: false, read_at: Timestamp::UNIX_EPOCH };
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

/// Bucket, CUIT, CVU, holder (0 is none) and status of a row of few possible ones, so that rows meet.
pub(super) type Sketch = (u8, u8, u8, u8, StatusKind);

pub(super) fn drawn((bucket, cuit, cvu_cbu, name, status): Sketch) -> Row {
    let text = |letter: char, number: u8| (number > 0).then(|| format!("{letter}{number}"));
    let payer = Payer { cuit: text('c', cuit), cvu_cbu: text('v', cvu_cbu), name: text('h', name), ..Payer::default() };
    Row { payer, ..credit(&format!("b{bucket}"), status) }
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
pub(super) struct Town {
    pub(super) ledger: Ledger,
    pub(super) cried: Vec<EventId>,
}

impl Town {
    pub(super) fn read(&mut self, rows: &[Row], coverage: Coverage) -> Diff {
        self.read_beside(rows, &[], coverage)
    }

    /// A reading that leaves out the slots of `same`.
    pub(super) fn read_beside(&mut self, rows: &[Row], same: &[Row], coverage: Coverage) -> Diff {
        let account = AccountName::new("centro");
        let rows: Vec<&Row> = rows.iter().collect();
        let same = same.iter().map(|row| Slot::of(&account, row.source, &row.identity)).collect();
        let diff = diff_beside(IDENTITY_VERSION, &account, &self.ledger, &rows, same, coverage);
        self.ledger.apply(self.ledger.version() + 1, &diff.changes);
        for finding in &diff.findings {
            self.cried.extend(finding.facts.iter().map(|fact| EventId::of_fact(&finding.slot, finding.ordinal, fact)));
        }
        let unique: BTreeSet<_> = self.cried.iter().collect();
        assert_eq!(unique.len(), self.cried.len(), "an event id was given twice");
        diff
    }

    /// Facts found, as the twin tells them.
    pub(super) fn told(&mut self, rows: &[Row], coverage: Coverage) -> BTreeSet<Announced> {
        let of = |finding: &Finding| (format!("{:?}", rows[finding.row].identity), finding.ordinal);
        let told = |finding: &Finding| {
            let (bucket, ordinal) = of(finding);
            finding.facts.iter().map(move |fact| (bucket.clone(), ordinal, fact)).collect::<Vec<_>>()
        };
        self.read(rows, coverage).findings.iter().flat_map(told).collect()
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

/// A credit of this CUIT and CVU, as far as they are known.
fn of(cuit: u8, cvu_cbu: u8, status: StatusKind) -> Row {
    drawn((0, cuit, cvu_cbu, 0, status))
}

#[test]
fn who_shares_a_number_with_a_payer_is_that_payer_before_one_of_whom_nothing_is_known() {
    use StatusKind::{Approved, Reversed};
    let mut town = Town::default();
    town.read(&[of(1, 0, Approved), of(0, 0, Reversed)], WHOLE);
    // The numbers are filled in one by one; no row is paired with the other's memory, which its payer would contradict.
    assert_eq!(town.facts(&[of(1, 1, Approved), of(0, 2, Reversed)], WHOLE), []);
    assert_eq!(town.facts(&[of(1, 1, Approved), of(2, 2, Reversed)], WHOLE), []);
    let mut town = Town::default();
    town.read(&[of(1, 0, Approved), of(0, 0, Reversed)], WHOLE);
    assert_eq!(town.facts(&[of(1, 1, Approved)], WHOLE), []);
    assert_eq!(town.facts(&[of(1, 1, Approved), of(2, 2, Reversed)], WHOLE), []);
}

#[test]
fn a_row_is_what_is_remembered_in_its_state_before_what_is_ahead_of_it() {
    use StatusKind::{Approved, Reversed};
    let mut town = Town::default();
    town.read(&[of(0, 0, Approved), of(0, 0, Reversed)], WHOLE);
    let again = [from(of(0, 0, Approved), "", "reworded"), of(1, 1, Reversed)];
    assert_eq!(town.facts(&again, WHOLE), [], "nothing went back that had not gone back before");
}

#[test]
fn of_equally_large_pairings_it_is_the_same_whatever_the_order_of_the_rows() {
    use StatusKind::{Approved, Pending as Waiting, Rejected};
    let rows = [of(0, 2, Waiting), of(2, 1, Approved), of(0, 0, Approved)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut town = Town::default();
        town.read(&[of(2, 0, Rejected)], WHOLE);
        town.read(&[of(1, 2, Approved)], WHOLE);
        // Both rows that share a number keep their payer; the one of which nothing is known is the third.
        let mut facts = town.facts(&order.map(|place: usize| rows[place].clone()), WHOLE);
        facts.sort_unstable();
        assert_eq!(facts, [(1, Credited), (3, Credited)]);
    }
}

#[test]
fn second_opinions_are_numbered_by_what_they_say_and_not_by_their_place() {
    use StatusKind::{Approved, Pending as Waiting};
    for turned in [false, true] {
        let mut town = Town::default();
        town.read(&[of(0, 0, Approved)], PAGED);
        let mut rows = [of(0, 0, Approved), of(1, 0, Approved), of(2, 0, Waiting)];
        if turned {
            rows.reverse();
        }
        assert_eq!(town.facts(&rows, PAGED), []);
        let mut facts = town.facts(&rows, PAGED);
        facts.sort_unstable();
        assert_eq!(facts, [(2, Credited), (3, Pending)]);
    }
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
    // Nor when the earlier state was announced and the later one is all that is left.
    assert_eq!(town.facts(&[approved("b"), credit("b", StatusKind::Reversed)], PAGED), []);
    assert_eq!(town.facts(&[credit("b", StatusKind::Reversed)], PAGED), [(1, Refunded)]);
    assert_eq!(town.facts(&[credit("b", StatusKind::Reversed)], PAGED), []);
}

#[test]
fn a_second_payment_is_confirmed_although_another_payers_row_vanished() {
    let mut town = Town::default();
    let (one, other) = (from(approved("b"), "20-11111111-2", "A"), from(approved("b"), "20-22222222-3", "B"));
    assert_eq!(town.facts(&[one.clone(), other], PAGED).len(), 2);
    let twins = [one.clone(), one];
    assert_eq!(town.facts(&twins, PAGED), []);
    assert_eq!(town.facts(&twins, PAGED), [(3, Credited)]);
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
