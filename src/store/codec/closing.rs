//! The persisted form of a closed day, a part of its event.

use serde::{Deserialize, Serialize};

use crate::domain::closing::{Closing, Sum, Totals};
use crate::domain::money::Money;

#[derive(Serialize, Deserialize)]
pub(super) struct StoredClosing {
    /// Of the day.
    d: StoredTotals,
    /// Of earlier days.
    #[serde(default, skip_serializing_if = "StoredTotals::is_empty")]
    e: StoredTotals,
    /// Differences.
    #[serde(default, skip_serializing_if = "is_zero")]
    x: u64,
    /// Vanished.
    #[serde(default, skip_serializing_if = "is_zero")]
    v: u64,
    /// Baseline.
    #[serde(default, skip_serializing_if = "is_zero")]
    b: u64,
}

/// Each: how many, how many cents.
#[derive(Serialize, Deserialize, Default, PartialEq)]
struct StoredTotals {
    /// Credits.
    #[serde(default)]
    c: (u64, i64),
    /// Refunds.
    #[serde(default)]
    r: (u64, i64),
    /// Voids.
    #[serde(default)]
    v: (u64, i64),
}

impl StoredTotals {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    const fn of(totals: &Totals) -> Self {
        const fn pair(sum: Sum) -> (u64, i64) {
            (sum.count, sum.total.cents())
        }
        Self { c: pair(totals.credits), r: pair(totals.refunds), v: pair(totals.voids) }
    }

    const fn read(&self) -> Totals {
        const fn sum((count, cents): (u64, i64)) -> Sum {
            Sum { count, total: Money::from_cents(cents) }
        }
        Totals { credits: sum(self.c), refunds: sum(self.r), voids: sum(self.v) }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl StoredClosing {
    pub(super) const fn of(closing: &Closing) -> Self {
        Self {
            d: StoredTotals::of(&closing.of_day),
            e: StoredTotals::of(&closing.earlier),
            x: closing.differences,
            v: closing.vanished,
            b: closing.baseline,
        }
    }

    pub(super) const fn read(&self) -> Closing {
        Closing {
            of_day: self.d.read(),
            earlier: self.e.read(),
            differences: self.x,
            vanished: self.v,
            baseline: self.b,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Body, Notice};
    use crate::store::codec::{decode_event, encode_event};

    /// Written by the first release; stores in the field hold it. Never edit: add a version and read both.
    const GOLDEN: &str = r#"1{"i":"evt_00000000000000000000000000000000","k":"day.closed","a":"centro","o":"2026-11-20","d":"2026-11-21T06:30:00Z","n":{"r":"closed","y":"2026-11-20","z":{"d":{"c":[37,12345600],"r":[2,-5],"v":[0,0]},"e":{"c":[0,0],"r":[1,100],"v":[0,0]},"x":3,"v":1,"b":4}}}"#;

    #[test]
    fn a_closed_day_of_the_first_release_is_written_and_read() {
        let event = decode_event(GOLDEN.as_bytes()).unwrap();
        let sum = |count, cents| Sum { count, total: Money::from_cents(cents) };
        let Body::Notice(Notice { day, closing, .. }) = &event.body else { unreachable!() };
        assert_eq!(day.map(|day| day.to_string()).as_deref(), Some("2026-11-20"));
        let closing = closing.as_deref().unwrap();
        assert_eq!(closing.of_day, Totals { credits: sum(37, 12_345_600), refunds: sum(2, -5), voids: sum(0, 0) });
        assert_eq!((closing.earlier.refunds, closing.differences), (sum(1, 100), 3));
        assert_eq!((closing.vanished, closing.baseline), (1, 4));
        assert_eq!(String::from_utf8(encode_event(&event)).unwrap(), GOLDEN);
    }

    #[test]
    fn what_is_zero_is_left_out_and_what_is_left_out_is_zero() {
        let short = serde_json::to_string(&StoredClosing::of(&Closing::default())).unwrap();
        assert_eq!(short, r#"{"d":{"c":[0,0],"r":[0,0],"v":[0,0]}}"#);
        let read: StoredClosing = serde_json::from_str(r#"{"d":{},"new":1}"#).unwrap();
        assert_eq!(read.read(), Closing::default());
    }
}
