//! A long listing, read by what differs from the last time.

use std::collections::HashSet;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::read::{Reader, is_part};
use super::scan::scan;
use crate::domain::day::Day;
use crate::domain::ledger::Slot;
use crate::domain::row::{Reject, Row};
use crate::sources::listed::Listed;

/// What is to be compared, and what need not be.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) rows: Vec<Row>,
    pub(super) rejects: Vec<Reject>,
    pub(super) same: Vec<(Day, Slot)>,
    pub(super) listed: Listed,
}

/// Reads what `listed` does not know, and with it all rows of the same slots. `None`: the answer is odd, or has too few
/// rows, fewer than `least`; read it the long way.
pub(super) fn again(reader: &Reader<'_>, bodies: &[Bytes], mut listed: Listed, least: usize) -> Option<Again> {
    let (mut fresh, mut all) = (Vec::new(), 0);
    for body in bodies {
        let scan = scan(body, |text| listed.meet(text))?;
        if !reader.config.paginate && is_part(scan.promised, scan.rows) {
            return None;
        }
        fresh.extend(scan.fresh.into_iter().map(|(place, raw)| (all + place, raw)));
        all += scan.rows;
    }
    if all < least {
        return None;
    }
    let mut rows: Vec<(usize, Row)> = Vec::new();
    let (mut rejects, mut texts) = (Vec::new(), Vec::new());
    let mut touched: HashSet<Slot> = listed.changed().collect();
    for (position, raw) in fresh {
        match reader.row(position, raw) {
            Ok(row) => {
                let slot = Slot::of(&reader.config.common.name, row.source, &row.identity);
                touched.insert(slot);
                texts.push((raw, slot, row.occurred.day()));
                rows.push((position, row));
            }
            Err(reject) => rejects.push(reject),
        }
    }
    let (same, is_left) = listed.settle(&touched);
    if is_left {
        for (position, raw) in of_touched(bodies, &listed, &touched)? {
            // It could be read before.
            rows.push((position, reader.row(position, raw).ok()?));
        }
        rows.sort_by_key(|(position, _)| *position);
    }
    for (raw, slot, day) in texts {
        listed.add(raw.get().as_bytes(), slot, day);
    }
    Some(Again { rows: rows.into_iter().map(|(_, row)| row).collect(), rejects, same, listed })
}

/// The rows of known texts whose slots have to be compared: twins of something that is new or gone.
fn of_touched<'a>(bodies: &'a [Bytes], listed: &Listed, touched: &HashSet<Slot>) -> Option<Vec<(usize, &'a RawValue)>> {
    let (mut found, mut all) = (Vec::new(), 0);
    for body in bodies {
        let scan = scan(body, |text| listed.is_met(text) && !listed.is_touched(text, touched))?;
        let known = scan.fresh.into_iter().filter(|(_, raw)| listed.is_met(raw.get().as_bytes()));
        found.extend(known.map(|(place, raw)| (all + place, raw)));
        all += scan.rows;
    }
    Some(found)
}
