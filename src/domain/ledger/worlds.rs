//! The laws of the diff on random worlds and random readings.

use proptest::prelude::*;

use super::Coverage;
use super::laws::{Sketch, Town, WHOLE, drawn};
use super::model::Model;
use crate::domain::fact::FactKind::{Credited, Refunded};
use crate::domain::row::{Row, StatusKind};

/// One true payment of a random world.
#[derive(Clone, Debug)]
struct Truth {
    bucket: u8,
    party: u8,
    born: usize,
    approved: usize,
    reversed: usize,
    reworded: usize,
    /// When the upstream knows the CUIT and the CVU.
    known: (usize, usize),
}

fn truth() -> impl Strategy<Value = Truth> {
    (0_u8..3, 1_u8..4, 0_usize..6, 0_usize..4, 1_usize..8, 0_usize..8).prop_map(
        |(bucket, party, born, wait, life, reworded)| Truth {
            bucket,
            party,
            born,
            approved: born + wait,
            reversed: born + wait + life,
            reworded,
            known: (0, 0),
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
            let shown = |since: usize, number: u8| if time >= since { number } else { 0 };
            let (cuit, cvu_cbu) = (shown(self.known.0, self.party), shown(self.known.1, self.party));
            drawn((self.bucket, cuit, cvu_cbu, shown(self.reworded, 1), status))
        })
    }
}

/// Times at which a snapshot is taken; they may go back, as a stale replica does.
fn looks() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0_usize..12, 1..8)
}

fn sketch() -> impl Strategy<Value = Sketch> {
    (0_u8..2, 0_u8..3, 0_u8..3, 0_u8..3, proptest::sample::select(StatusKind::ALL.as_slice()))
}

/// Readings, each with whether it was paged and whether it was complete.
fn history() -> impl Strategy<Value = Vec<(Vec<Sketch>, bool, bool)>> {
    proptest::collection::vec((proptest::collection::vec(sketch(), 0..5), any::<bool>(), any::<bool>()), 1..8)
}

fn world() -> impl Strategy<Value = Vec<Truth>> {
    proptest::collection::vec(truth(), 0..8)
}

/// However the views went forth and back: as many credits and refunds as payments were ever seen in such a state.
fn every_fact_is_told_once(world: &[Truth], looks: &[usize], order: u64) -> Result<(), TestCaseError> {
    let mut town = Town::default();
    for (turn, time) in looks.iter().enumerate() {
        let mut rows: Vec<Row> = world.iter().filter_map(|truth| truth.at(*time)).collect();
        let places = rows.len().max(1);
        rows.rotate_left(usize::try_from(order).unwrap_or(turn) % places);
        town.read(&rows, WHOLE);
        let latest = looks.iter().copied().take(turn + 1).max().unwrap_or(0);
        let told = |kind| {
            town.ledger.iter().flat_map(|(_, memories)| memories).filter(|memory| memory.facts.has(kind)).count()
        };
        prop_assert_eq!(told(Credited), world.iter().filter(|truth| truth.approved <= latest).count());
        prop_assert_eq!(told(Refunded), world.iter().filter(|truth| truth.reversed <= latest).count());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_fact_of_a_random_world_is_told_once_and_no_other(world in world(), looks in looks(), order in any::<u64>()) {
        every_fact_is_told_once(&world, &looks, order)?;
    }

    /// Views go forth only: a row that forgets its numbers may be anyone's, and nobody can say which.
    #[test]
    fn every_fact_is_told_once_while_numbers_are_filled_in(
        world in world(), known in proptest::collection::vec((0_usize..8, 0_usize..8), 8), mut looks in looks(), order in any::<u64>(),
    ) {
        looks.sort_unstable();
        let own = |((truth, known), party)| Truth { party, known, ..truth };
        let world: Vec<Truth> = world.into_iter().zip(known).zip(1_u8..).map(own).collect();
        every_fact_is_told_once(&world, &looks, order)?;
    }

    #[test]
    fn the_order_of_rows_does_not_matter(world in world(), looks in looks(), turn in 0_usize..8) {
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
    fn the_real_diff_and_the_obvious_one_agree_in_every_order_of_the_rows(history in history()) {
        let (mut town, mut mirror, mut model) = (Town::default(), Town::default(), Model::default());
        for (sketches, paged, complete) in history {
            let mut rows: Vec<Row> = sketches.into_iter().map(drawn).collect();
            let coverage = Coverage { complete, paged, ..WHOLE };
            let told = town.told(&rows, coverage);
            prop_assert_eq!(&told, &model.read(&rows, coverage));
            rows.reverse();
            prop_assert_eq!(told, mirror.told(&rows, coverage));
        }
    }

    #[test]
    fn the_same_reading_again_brings_nothing(history in history()) {
        let mut town = Town::default();
        for (sketches, paged, complete) in history {
            let rows: Vec<Row> = sketches.into_iter().map(drawn).collect();
            let coverage = Coverage { complete, paged, ..WHOLE };
            town.read(&rows, coverage);
            if !paged {
                let again = town.read(&rows, coverage);
                prop_assert_eq!((again.findings, again.amended, again.vanished), (Vec::new(), 0, 0));
            }
        }
    }

    #[test]
    fn leaving_out_what_is_the_same_changes_nothing(world in world(), looks in looks()) {
        let (mut whole, mut part, mut last) = (Town::default(), Town::default(), Vec::new());
        for time in looks {
            let rows: Vec<Row> = world.iter().filter_map(|truth| truth.at(time)).collect();
            let of = |rows: &[Row], bucket: &Row| {
                let mut rows: Vec<String> =
                    rows.iter().filter(|row| row.identity == bucket.identity).map(|row| format!("{row:?}{:?}{:?}{:?}", row.payer.cuit, row.payer.cvu_cbu, row.payer.name)).collect();
                rows.sort();
                rows
            };
            let (same, rest): (Vec<Row>, Vec<Row>) = rows.iter().cloned().partition(|row| of(&last, row) == of(&rows, row));
            let all = whole.read(&rows, WHOLE);
            let some = part.read_beside(&rest, &same, WHOLE);
            prop_assert_eq!((all.changes, all.vanished, all.returned), (some.changes, some.vanished, some.returned));
            last = rows;
        }
        prop_assert_eq!(whole.cried.len(), part.cried.len());
    }
}
