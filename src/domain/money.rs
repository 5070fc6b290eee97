//! Exact money: integer cents, read from the text that the upstream printed and never through a float.

use std::fmt;

/// An amount in cents of Argentine pesos (ISO 4217 `ARS`, two decimals).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i64);

/// What one unit of a printed amount is worth (setting `amount_unit`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The number counts pesos; decimals are cents.
    Pesos,
    /// The number counts cents; it has no decimals.
    Cents,
}

/// How an amount inside a JSON *string* is punctuated (setting `amount_format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Punctuation {
    /// Decide by the text; what could be read in two ways (`1.500`) is refused.
    Auto,
    /// `1,234.56`
    Dot,
    /// `1.234,56`
    Comma,
}

/// How one source prints its amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Pesos or cents.
    pub unit: Unit,
    /// Decimal mark of amounts in strings. JSON numbers always have a dot.
    pub punctuation: Punctuation,
}

/// Why a text is no amount. Never carries the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Nothing but white space.
    #[error("the amount is empty")]
    Empty,
    /// Something that is no digit, sign or mark.
    #[error("the amount is not a number")]
    NotANumber,
    /// Two readings are possible and the setting does not decide.
    #[error("the amount can be read in two ways; set `amount_format` to \"dot\" or \"comma\"")]
    Ambiguous,
    /// More precision than the currency has.
    #[error("the amount has more than two decimals")]
    TooPrecise,
    /// Beyond the range of 64-bit cents.
    #[error("the amount is out of range")]
    OutOfRange,
}

impl Money {
    /// From whole cents.
    pub const fn from_cents(cents: i64) -> Self {
        Self(cents)
    }

    /// Whole cents.
    pub const fn cents(self) -> i64 {
        self.0
    }

    /// The amount without its sign. Direction is told by the event's type, not by a sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// Both amounts together; it stops at the ends of what cents can count.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Reads the text of a JSON number: digits, at most one dot, an optional exponent.
    ///
    /// # Errors
    /// Whatever is no exact amount of cents; `1e400` is [`MoneyError::OutOfRange`].
    pub fn from_json_number(text: &str, unit: Unit) -> Result<Self, MoneyError> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
                // A JSON number's exponent may have any number of digits; beyond ±30 nothing fits cents.
                (mantissa, exponent.parse::<i32>().map_err(|_| MoneyError::OutOfRange)?)
            }
            None => (text, 0),
        };
        if exponent.unsigned_abs() > 30 {
            return if mantissa.bytes().all(|b| matches!(b, b'0' | b'.' | b'-')) {
                Ok(Self(0))
            } else {
                Err(MoneyError::OutOfRange)
            };
        }
        let (negative, digits) = sign(mantissa);
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
        exact(negative, whole, decimals, exponent, unit)
    }

    /// Reads an amount printed inside a string, such as `1500.00` or `$ 1.234,56`.
    ///
    /// # Errors
    /// Whatever is no exact amount of cents in this dialect.
    pub fn from_text(text: &str, dialect: Dialect) -> Result<Self, MoneyError> {
        let bare = text.trim().trim_start_matches("ARS").trim();
        let (negative, bare) = sign(bare);
        let bare = bare.trim_start().trim_start_matches('$').trim_start();
        let (negative, bare) = if negative { (true, bare) } else { sign(bare) };
        if bare.is_empty() {
            return Err(MoneyError::Empty);
        }
        let mark = match dialect.punctuation {
            Punctuation::Dot => '.',
            Punctuation::Comma => ',',
            Punctuation::Auto => guess_mark(bare)?,
        };
        let group = if mark == '.' { ',' } else { '.' };
        let (whole, decimals) = bare.split_once(mark).unwrap_or((bare, ""));
        let whole = ungroup(whole, group)?;
        exact(negative, &whole, decimals, 0, dialect.unit)
    }
}

/// `1500.00`: a dot and two decimals, as the event body prints it.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.0.unsigned_abs();
        write!(f, "{}{}.{:02}", if self.0 < 0 { "-" } else { "" }, cents / 100, cents % 100)
    }
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// The decimal mark of an undeclared dialect, where the text leaves no doubt.
fn guess_mark(text: &str) -> Result<char, MoneyError> {
    let dots = text.matches('.').count();
    let commas = text.matches(',').count();
    match (dots, commas) {
        (0, 1) => lone_mark(text, ','),
        (1, 0) => lone_mark(text, '.'),
        // None at all, or several of one kind, which can only be groups.
        (0, _) => Ok('.'),
        (_, 0) => Ok(','),
        // Both: the last one is the decimal mark.
        _ => Ok(if text.rfind('.') > text.rfind(',') { '.' } else { ',' }),
    }
}

fn lone_mark(text: &str, mark: char) -> Result<char, MoneyError> {
    let (whole, rest) = text.split_once(mark).unwrap_or((text, ""));
    // `1.500` may be a thousand and a half or one and a half; `1500.000` and `0.500` cannot be groups.
    let could_group = rest.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0');
    if could_group { Err(MoneyError::Ambiguous) } else { Ok(mark) }
}

fn ungroup(whole: &str, group: char) -> Result<String, MoneyError> {
    if !whole.contains(group) {
        return Ok(whole.to_owned());
    }
    let mut parts = whole.split(group);
    let first = parts.next().unwrap_or_default();
    let well_formed = (1..=3).contains(&first.len()) && parts.all(|part| part.len() == 3);
    if well_formed { Ok(whole.replace(group, "")) } else { Err(MoneyError::NotANumber) }
}

/// Shifts the decimal point to cents and refuses what would be rounded.
fn exact(negative: bool, whole: &str, decimals: &str, exponent: i32, unit: Unit) -> Result<Money, MoneyError> {
    if whole.is_empty() && decimals.is_empty() {
        return Err(MoneyError::NotANumber);
    }
    if !whole.bytes().chain(decimals.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(MoneyError::NotANumber);
    }
    let places = match unit {
        Unit::Pesos => 2,
        Unit::Cents => 0,
    } + exponent;
    let mut cents: i64 = 0;
    let all = whole.bytes().chain(decimals.bytes()).chain(std::iter::repeat(b'0'));
    let keep = i64::try_from(whole.len()).map_err(|_| MoneyError::OutOfRange)? + i64::from(places);
    let total = whole.len() + decimals.len();
    for (position, digit) in (0_i64..).zip(all) {
        if position < keep {
            let digit = i64::from(digit - b'0');
            cents = cents.checked_mul(10).and_then(|c| c.checked_add(digit)).ok_or(MoneyError::OutOfRange)?;
        } else if usize::try_from(position).is_ok_and(|p| p >= total) {
            break;
        } else if digit != b'0' {
            return Err(MoneyError::TooPrecise);
        }
    }
    Ok(Money(if negative { -cents } else { cents }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AUTO: Dialect = Dialect { unit: Unit::Pesos, punctuation: Punctuation::Auto };
    const COMMA: Dialect = Dialect { unit: Unit::Pesos, punctuation: Punctuation::Comma };
    const DOT: Dialect = Dialect { unit: Unit::Pesos, punctuation: Punctuation::Dot };

    fn text(s: &str, dialect: Dialect) -> Result<i64, MoneyError> {
        Money::from_text(s, dialect).map(Money::cents)
    }

    fn number(s: &str) -> Result<i64, MoneyError> {
        Money::from_json_number(s, Unit::Pesos).map(Money::cents)
    }

    #[test]
    fn the_documented_spellings_are_read_exactly() {
        assert_eq!(text("1500.00", AUTO), Ok(150_000));
        assert_eq!(number("1500"), Ok(150_000));
        assert_eq!(number("1500.5"), Ok(150_050));
        assert_eq!(text("1.234,56", COMMA), Ok(123_456));
        assert_eq!(text("1.234,56", AUTO), Ok(123_456));
        assert_eq!(text("1,234.56", DOT), Ok(123_456));
        assert_eq!(text("$\u{a0}1.234.567,80", AUTO), Ok(123_456_780));
        assert_eq!(text("-$ 10,5", AUTO), Ok(-1_050));
        assert_eq!(number("1.5e3"), Ok(150_000));
        assert_eq!(number("150000e-2"), Ok(150_000));
        assert_eq!(number("90071992547409.93"), Ok(9_007_199_254_740_993));
    }

    #[test]
    fn more_than_two_decimals_pass_only_if_zeros() {
        assert_eq!(number("10.1000"), Ok(1_010));
        assert_eq!(number("10.101"), Err(MoneyError::TooPrecise));
        assert_eq!(text("10.1010", DOT), Err(MoneyError::TooPrecise));
        assert_eq!(Money::from_json_number("100.5", Unit::Cents), Err(MoneyError::TooPrecise));
        assert_eq!(Money::from_json_number("100.0", Unit::Cents), Ok(Money(100)));
    }

    #[test]
    fn two_readings_are_refused_until_the_setting_decides() {
        assert_eq!(text("1.500", AUTO), Err(MoneyError::Ambiguous));
        assert_eq!(text("1,500", AUTO), Err(MoneyError::Ambiguous));
        assert_eq!(text("1.500", COMMA), Ok(150_000));
        assert_eq!(text("1.500", DOT), Ok(150));
        assert_eq!(text("1500.000", AUTO), Ok(150_000));
    }

    #[test]
    fn what_is_no_amount_is_refused_without_a_panic() {
        for bad in ["", " ", "abc", "1.2.3,4,5", "12,34.5", "--1", "NaN", "1_000", "٣", "1e5"] {
            assert!(text(bad, AUTO).is_err(), "{bad}");
        }
        assert_eq!(number("1e400"), Err(MoneyError::OutOfRange));
        assert_eq!(number("1e99999999999999999999"), Err(MoneyError::OutOfRange));
        assert_eq!(number("0e400"), Ok(0));
        assert_eq!(number("1e-2147483648"), Err(MoneyError::OutOfRange));
        assert_eq!(number("92233720368547758.08"), Err(MoneyError::OutOfRange));
    }

    proptest! {
        #[test]
        fn printing_and_reading_are_inverse(cents in -999_999_999_999_999_i64..999_999_999_999_999) {
            let money = Money(cents);
            prop_assert_eq!(Money::from_text(&money.to_string(), DOT), Ok(money));
            prop_assert_eq!(Money::from_json_number(&money.to_string(), Unit::Pesos), Ok(money));
        }

        #[test]
        fn what_is_read_is_what_was_printed_and_nothing_panics(s in "\\PC{0,24}") {
            for money in [Money::from_text(&s, AUTO), Money::from_json_number(&s, Unit::Pesos)].into_iter().flatten() {
                prop_assert_eq!(Money::from_text(&money.to_string(), DOT), Ok(money));
            }
        }
    }
}
