//! The diff once more, slow and obvious, to check the real one against on random histories.
//!
//! It keeps occurrences in a plain list, compares everything with everything and tries every pairing.
#![expect(clippy::indexing_slicing, reason = "only tests and the fuzzer build it, and it fails loudly")]

use std::collections::BTreeSet;

use super::diff::Coverage;
use super::{Party, Traits};
use crate::domain::fact::FactKind;
use crate::domain::row::Row;

/// One remembered occurrence of a bucket.
#[derive(Clone, Debug)]
struct Occurrence {
    bucket: String,
    ordinal: u32,
    party: Party,
    details: u64,
    rank: u8,
    facts: BTreeSet<FactKind>,
    /// Payer and details at the last reading.
    seen: (Party, u64),
    /// The last complete reading lacked it.
    missing: bool,
}

/// What is remembered of a partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    occurrences: Vec<Occurrence>,
}

/// Bucket, ordinal, fact: what an event id is computed from.
pub(crate) type Announced = (String, u32, FactKind);

impl Model {
    /// Reads a snapshot and returns what is to be announced.
    pub(crate) fn read(&mut self, rows: &[Row], coverage: Coverage) -> BTreeSet<Announced> {
        let mut announced = BTreeSet::new();
        let mut buckets: BTreeSet<String> = rows.iter().map(bucket).collect();
        buckets.extend(self.occurrences.iter().map(|occurrence| occurrence.bucket.clone()));
        for name in buckets {
            let members: Vec<&Row> = rows.iter().filter(|row| bucket(row) == name).collect();
            self.read_bucket(&name, &members, coverage, &mut announced);
        }
        announced
    }

    fn read_bucket(&mut self, name: &str, rows: &[&Row], coverage: Coverage, announced: &mut BTreeSet<Announced>) {
        let traits: Vec<Traits> = rows.iter().map(|row| Traits::of(row, &mut String::new())).collect();
        let mut free_rows: Vec<usize> = (0..rows.len()).collect();
        // The furthest along meets the furthest along.
        free_rows.sort_by_key(|row| (std::cmp::Reverse(traits[*row].rank), traits[*row].party, traits[*row].details));
        let mut free: Vec<usize> =
            (0..self.occurrences.len()).filter(|i| self.occurrences[*i].bucket == name).collect();
        let mut pairs = self.unchanged(&traits, &free).unwrap_or_else(|| {
            let mut rows = free_rows.clone();
            let (waiting, agreed): (Vec<usize>, Vec<usize>) =
                free.iter().partition(|i| self.occurrences[**i].ordinal == 0);
            let mut pairs = Vec::new();
            // What waits for a second opinion has what the others leave.
            for mut memories in [agreed, waiting] {
                pairs.extend(self.alike(&traits, &mut rows, &mut memories));
                pairs.extend(self.largest(&traits, &rows, &memories));
                rows.retain(|row| !pairs.iter().any(|(taken, _)| taken == row));
            }
            pairs
        });
        free_rows.retain(|row| !pairs.iter().any(|(taken, _)| taken == row));
        free.retain(|i| !pairs.iter().any(|(_, taken)| taken == i));
        let mut highest = self.occurrences.iter().filter(|o| o.bucket == name).map(|o| o.ordinal).max().unwrap_or(0);
        pairs.sort_by_key(|(row, _)| {
            (std::cmp::Reverse(traits[*row].rank), traits[*row].party, traits[*row].details, *row)
        });
        for (row, i) in pairs {
            let occurrence = &mut self.occurrences[i];
            if occurrence.ordinal == 0 {
                highest += 1;
                occurrence.ordinal = highest;
            }
            occurrence.missing = false;
            occurrence.seen = (traits[row].party, traits[row].details);
            occurrence.party = occurrence.party.merged(traits[row].party);
            if traits[row].rank >= occurrence.rank {
                occurrence.rank = traits[row].rank;
                occurrence.details = traits[row].details;
            }
            tell(occurrence, rows[row], announced);
        }
        if coverage.complete {
            for i in &free {
                self.occurrences[*i].missing = true;
            }
            let phantoms: Vec<usize> = free.into_iter().filter(|i| self.occurrences[*i].ordinal == 0).collect();
            let mut index = 0;
            self.occurrences.retain(|_| {
                index += 1;
                !phantoms.contains(&(index - 1))
            });
        }
        for row in free_rows {
            self.admit(name, rows[row], traits[row], coverage, &mut highest, announced);
        }
    }

    /// A new occurrence; it waits for a second opinion where it may be the shadow of a shifted page.
    fn admit(
        &mut self,
        name: &str,
        row: &Row,
        Traits { party, details, rank, .. }: Traits,
        coverage: Coverage,
        highest: &mut u32,
        announced: &mut BTreeSet<Announced>,
    ) {
        let sibling = self.occurrences.iter().any(|o| o.bucket == name && o.party.is_compatible(party));
        let waits = coverage.paged && sibling;
        *highest += u32::from(!waits);
        let mut occurrence = Occurrence {
            bucket: name.to_owned(),
            ordinal: if waits { 0 } else { *highest },
            party,
            details,
            rank,
            facts: BTreeSet::new(),
            seen: (party, details),
            missing: false,
        };
        if !waits {
            tell(&mut occurrence, row, announced);
        }
        self.occurrences.push(occurrence);
    }

    /// Pairs all rows with what looked so at its last reading; `None` where one of them finds nothing.
    fn unchanged(&self, traits: &[Traits], free: &[usize]) -> Option<Vec<(usize, usize)>> {
        let mut left = free.to_vec();
        let find = |(row, wanted): (usize, &Traits)| {
            let alike = |i: &usize| self.occurrences[*i].seen == (wanted.party, wanted.details);
            let age = |i: &usize| {
                let Occurrence { ordinal, missing, .. } = self.occurrences[*i];
                (missing, ordinal == 0, u32::MAX - ordinal)
            };
            let found = left.iter().copied().filter(alike).min_by_key(age)?;
            left.retain(|i| *i != found);
            Some((row, found))
        };
        let pairs: Vec<(usize, usize)> = traits.iter().enumerate().map(find).collect::<Option<_>>()?;
        let waits = |i: &usize| self.occurrences[*i].ordinal == 0;
        let is_agreed = !pairs.iter().any(|(_, i)| waits(i)) || left.iter().all(waits);
        is_agreed.then_some(pairs)
    }

    /// Pairs what is exactly alike, then what has the same payer as far as one is known.
    fn alike(&self, traits: &[Traits], free_rows: &mut Vec<usize>, free: &mut Vec<usize>) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        for exact in [true, false] {
            for row in free_rows.clone() {
                let wanted = traits[row];
                let fits = |i: &&usize| {
                    let Occurrence { party, details, .. } = self.occurrences[**i];
                    let known = party.cuit != 0 || party.account != 0;
                    party == wanted.party && if exact { details == wanted.details } else { known }
                };
                let best = free.iter().copied().enumerate().filter(|(_, i)| fits(&i)).min_by_key(|(_, i)| {
                    let Occurrence { ordinal, .. } = self.occurrences[*i];
                    // Of equals the youngest confirmed one stays as it is, so that it is the eldest that moves on.
                    let age = if exact { u32::MAX - ordinal } else { ordinal.wrapping_sub(1) };
                    (exact && ordinal == 0, self.news(*i, wanted), age, *i)
                });
                if let Some((place, i)) = best {
                    free.remove(place);
                    pairs.push((row, i));
                    free_rows.retain(|other| *other != row);
                }
            }
        }
        pairs
    }

    /// Best is a state just reached, then one a little ahead, as a stale view shows it; then the least behind.
    fn news(&self, i: usize, row: Traits) -> (bool, u8) {
        (self.occurrences[i].rank < row.rank, self.occurrences[i].rank.abs_diff(row.rank))
    }

    /// Tries every pairing. First those have a partner that can have one with whom they share a number, then the others,
    /// of each those furthest along before the rest; of these pairings it is the one that pleases the first most.
    fn largest(&self, traits: &[Traits], rows: &[usize], free: &[usize]) -> Vec<(usize, usize)> {
        let likes = |row: usize, i: usize| shared(self.occurrences[i].party, traits[row].party);
        let alone = |pairing: &Vec<Option<usize>>| pairing.iter().map(Option::is_none).collect::<Vec<_>>();
        let sharing = pairings(rows, free, &|row, i| likes(row, i) > Some(0)).into_iter().min_by_key(alone);
        let mut rows: Vec<(bool, usize)> =
            sharing.iter().flatten().map(Option::is_none).zip(rows.iter().copied()).collect();
        rows.sort_by_key(|(alone, _)| *alone);
        let rows: Vec<usize> = rows.into_iter().map(|(_, row)| row).collect();
        let wishes = |pairing: &Vec<Option<usize>>| {
            let wish = |(row, i): (&usize, &Option<usize>)| {
                i.map(|i| {
                    let age = (self.occurrences[i].ordinal.wrapping_sub(1), i);
                    (std::cmp::Reverse(likes(*row, i)), self.news(i, traits[*row]), age)
                })
            };
            rows.iter().zip(pairing).map(wish).collect::<Vec<_>>()
        };
        let best = pairings(&rows, free, &|row, i| likes(row, i).is_some())
            .into_iter()
            .min_by_key(|pairing| (alone(pairing), wishes(pairing)));
        rows.iter().copied().zip(best.unwrap_or_default()).filter_map(|(row, i)| Some((row, i?))).collect()
    }
}

fn tell(occurrence: &mut Occurrence, row: &Row, announced: &mut BTreeSet<Announced>) {
    let known = occurrence.facts.iter().copied().collect();
    for fact in row.view.facts(known).iter() {
        occurrence.facts.insert(fact);
        announced.insert((occurrence.bucket.clone(), occurrence.ordinal, fact));
    }
}

/// How many numbers both know, unless one contradicts.
fn shared(one: Party, two: Party) -> Option<usize> {
    let numbers = [(one.cuit, two.cuit), (one.account, two.account)];
    let contradicts = numbers.iter().any(|(one, two)| *one != 0 && *two != 0 && one != two);
    (!contradicts).then(|| numbers.iter().filter(|(one, two)| *one != 0 && one == two).count())
}

/// Every pairing there is: for each row its memory or none.
fn pairings(rows: &[usize], free: &[usize], fits: &impl Fn(usize, usize) -> bool) -> Vec<Vec<Option<usize>>> {
    let Some((row, rest)) = rows.split_first() else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for choice in free.iter().copied().filter(|i| fits(*row, *i)).map(Some).chain([None]) {
        let left: Vec<usize> = free.iter().copied().filter(|other| Some(*other) != choice).collect();
        for pairing in pairings(rest, &left, fits) {
            all.push([vec![choice], pairing].concat());
        }
    }
    all
}

fn bucket(row: &Row) -> String {
    format!("{:?}", row.identity)
}
