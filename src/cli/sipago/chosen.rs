//! What an operator chose: the account, days and amounts, checked before anybody is asked.

use jiff::tz::TimeZone;

use super::super::Usage;
use crate::app::SipagoClient;
use crate::config::{Config, SipagoAccount};
use crate::domain::day::Day;
use crate::domain::money::{Dialect, Money, Punctuation, Unit};

/// The Sipago account of that name, or the only one.
pub(super) fn account<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a SipagoAccount, Usage> {
    let known = || config.sipago.iter().map(|account| account.common.name.as_str());
    let listed = || known().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let Some(name) = name else {
        return match config.sipago.as_slice() {
            [only] => Ok(only),
            [] => Err(Usage(String::from("the configuration has no Sipago account; write a `[[sipago]]` section"))),
            _ => Err(Usage(format!("there are several Sipago accounts; write `--account` and one of {}", listed()))),
        };
    };
    if let Some(account) = config.sipago.iter().find(|account| account.common.name.as_str() == name) {
        return Ok(account);
    }
    if config.telepagos.iter().any(|account| account.common.name.as_str() == name) {
        return Err(Usage(format!("`{name}` is an account at TelePagos; known at Sipago: {}", listed())));
    }
    Err(Usage::unknown("Sipago account", name, known()))
}

/// A way to that account.
pub(super) fn client(account: &SipagoAccount) -> anyhow::Result<SipagoClient> {
    crate::app::sipago(account)
}

/// First and last day, both included; today where nothing is said. `zone` is the account's.
pub(super) fn days(from: Option<&str>, to: Option<&str>, zone: &TimeZone) -> Result<(Day, Day), Usage> {
    let today = Day::of(crate::app::now(), zone);
    let day = |text: &str| match text {
        "today" => Ok(today),
        "yesterday" => Ok(today.plus(-1)),
        _ => Day::parse(text).ok_or_else(|| {
            Usage(format!("`{text}` is no day; write one such as `2026-11-21`, `today` or `yesterday`"))
        }),
    };
    let (from, to) = (from.map(day).transpose()?, to.map(day).transpose()?);
    let last = to.or(from.map(|from| from.max(today))).unwrap_or(today);
    let first = from.unwrap_or(last);
    if first > last {
        return Err(Usage(format!("`--from {first}` is after `--to {last}`; exchange them")));
    }
    Ok((first, last))
}

/// An amount in pesos as a person types it: `1500`, `1500.50`, `1.500,50`; more than 0.
pub(super) fn amount(text: &str) -> Result<Money, Usage> {
    let dialect = Dialect { unit: Unit::Pesos, punctuation: Punctuation::Auto };
    let money = Money::from_text(text, dialect)
        .map_err(|_| Usage(format!("`{text}` is no exact amount in pesos; write one such as `1500.00`")))?;
    if money.cents() > 0 {
        return Ok(money);
    }
    Err(Usage(format!("`{text}` is not more than nothing; write an amount such as `1500.00`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_exact_more_than_nothing_and_read_in_one_way_only() {
        for (text, cents) in [("1500", 150_000), ("1500.5", 150_050), ("1.500,50", 150_050), ("$ 10", 1_000)] {
            assert_eq!(amount(text).unwrap().cents(), cents, "{text}");
        }
        for text in ["", "0", "-5", "1.500", "mil", "1.005", "1e3"] {
            assert!(amount(text).unwrap_err().to_string().contains("`1500.00`"), "{text}");
        }
    }

    #[test]
    fn one_day_is_enough_and_two_stand_in_order() {
        let (zone, today) = (TimeZone::UTC, Day::of(crate::app::now(), &TimeZone::UTC));
        let day = |text| Day::parse(text).unwrap();
        assert_eq!(days(None, Some("2026-01-05"), &zone).unwrap(), (day("2026-01-05"), day("2026-01-05")));
        assert_eq!(days(Some("2020-01-05"), None, &zone).unwrap().0, day("2020-01-05"));
        assert!(days(Some("2020-01-05"), None, &zone).unwrap().1 >= today);
        assert!(days(Some("2026-01-06"), Some("2026-01-05"), &zone).unwrap_err().to_string().contains("exchange"));
        assert!(days(Some("5/1/2026"), None, &zone).unwrap_err().to_string().contains("such as"));
    }
}
