//! What a request must keep to before it is sent. Strict, because a wrong one may move money to the wrong place.
//!
//! Lengths are those that the market fixes: CBU and CVU 22 digits, CUIT 11, alias 6 to 20 characters (FACTS 4.1, 4.2,
//! 2026-11-21). Check digits are no rule: vendors' sandbox numbers fail them; [`Doubt`] names them for the operator.

use serde_json::value::RawValue;

use super::call::Invalid;
use crate::domain::argentina::{cuit_is_valid, cvu_is_valid, digits};
use crate::domain::money::{Money, Unit};

/// The longest free text that is sent. No document names a limit; TelePagos' back end looks like Laravel, whose strings
/// have 255 characters (FACTS 1.1).
const TEXT: usize = 255;

/// The longest reference of our own.
const REFERENCE: usize = 64;

/// Something that is allowed and yet looks wrong. A command says it before it asks for confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// A check digit of the CBU or CVU is wrong.
    #[error("a check digit of the CBU or CVU is wrong")]
    AccountCheckDigits,
    /// The check digit of the CUIT is wrong.
    #[error("the check digit of the CUIT is wrong")]
    CuitCheckDigit,
}

/// 22 digits; spaces and hyphens are dropped, leading zeros stay.
pub(super) fn cvu(field: &'static str, text: &str) -> Result<String, Invalid> {
    let bare = bare(text);
    let right = bare.len() == 22 && bare.bytes().all(|byte| byte.is_ascii_digit());
    if right { Ok(bare) } else { Err(Invalid { field, rule: "is no CBU or CVU of 22 digits" }) }
}

/// 11 digits; spaces and hyphens are dropped.
pub(super) fn cuit(field: &'static str, text: &str) -> Result<String, Invalid> {
    let bare = bare(text);
    let right = bare.len() == 11 && bare.bytes().all(|byte| byte.is_ascii_digit());
    if right { Ok(bare) } else { Err(Invalid { field, rule: "is no CUIT of 11 digits" }) }
}

/// 6 to 20 letters, digits, dots and hyphens.
pub(super) fn alias(field: &'static str, text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let right = (6..=20).contains(&text.chars().count()) && text.chars().all(fits);
    if right {
        Ok(text.to_owned())
    } else {
        Err(Invalid { field, rule: "is no alias of 6 to 20 letters, digits, dots and hyphens" })
    }
}

/// More than nothing.
pub(super) fn positive(field: &'static str, amount: Money) -> Result<Money, Invalid> {
    if amount.cents() > 0 { Ok(amount) } else { Err(Invalid { field, rule: "is not more than 0" }) }
}

/// Text that says something.
pub(super) fn text(field: &'static str, text: &str) -> Result<String, Invalid> {
    let text = free(field, text)?;
    if text.is_empty() { Err(Invalid { field, rule: "is empty" }) } else { Ok(text) }
}

/// Text that may be empty.
pub(super) fn free(field: &'static str, text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(Invalid { field, rule: "holds a control character" });
    }
    if text.chars().count() > TEXT {
        return Err(Invalid { field, rule: "is longer than 255 characters" });
    }
    Ok(text.to_owned())
}

/// A reference of our own: 1 to 64 characters that survive every system.
pub(super) fn reference(field: &'static str, text: &str) -> Result<String, Invalid> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    let right = (1..=REFERENCE).contains(&text.len()) && text.bytes().all(fits);
    if right {
        Ok(text.to_owned())
    } else {
        Err(Invalid { field, rule: "is no reference of 1 to 64 letters, digits, `-`, `_`, `.` and `:`" })
    }
}

/// An id as one segment of a path: nothing in it can lead to another path.
pub(super) fn segment(field: &'static str, text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let right =
        (1..=REFERENCE).contains(&text.len()) && text.bytes().all(fits) && text.bytes().any(|byte| byte != b'.');
    if right {
        Ok(text.to_owned())
    } else {
        Err(Invalid { field, rule: "is no id of letters, digits, `-`, `_` and `.`" })
    }
}

/// A JSON number that is exact: `1500.00` in pesos, `150000` in cents.
pub(super) fn number(amount: Money, unit: Unit) -> Box<RawValue> {
    let text = match unit {
        Unit::Pesos => amount.to_string(),
        Unit::Cents => amount.cents().to_string(),
    };
    // Both texts are JSON numbers, so the default, null, is never sent.
    RawValue::from_string(text).unwrap_or_default()
}

/// Check digits that are wrong. `account` is empty where an alias stands in its place.
pub(super) fn doubts(account: Option<&str>, cuit: &str) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    if account.is_some_and(|account| !cvu_is_valid(&digits(account))) {
        doubts.push(Doubt::AccountCheckDigits);
    }
    if !cuit_is_valid(&digits(cuit)) {
        doubts.push(Doubt::CuitCheckDigit);
    }
    doubts
}

fn bare(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_accounts_and_people_have_their_length() {
        assert_eq!(cvu("cvu", " 0000630-5000000601 95375 ").unwrap(), "0000630500000060195375");
        assert_eq!(cuit("cuit", "20-05536168-2").unwrap(), "20055361682");
        for wrong in ["", "1", "000063050000006019537", "00006305000000601953750", "000063050000006019537x"] {
            assert!(cvu("cvu", wrong).is_err() && cuit("cuit", wrong).is_err(), "{wrong}");
        }
        assert!(cuit("cuit", "٢٠٠٥٥٣٦١٦٨٢").is_err(), "other digits are none");
    }

    #[test]
    fn texts_keep_to_their_rules() {
        assert_eq!(alias("alias", " tienda.LA-plata ").unwrap(), "tienda.LA-plata");
        for wrong in ["corto", "un alias", "demasiado.largo.para.un.alias", "tienda/centro"] {
            assert!(alias("alias", wrong).is_err(), "{wrong}");
        }
        assert!(text("concept", "  ").is_err() && free("description", "  ").is_ok());
        assert!(free("description", "a\nb").is_err() && free("description", &"ñ".repeat(255)).is_ok());
        assert!(free("description", &"ñ".repeat(256)).is_err());
        for wrong in ["", "..", "a/b", "a?b", "a b", "ñ"] {
            assert!(segment("id", wrong).is_err(), "{wrong}");
        }
        assert!(reference("reference_id", "pago-2026:1").is_ok() && reference("reference_id", "a b").is_err());
        assert_eq!(positive("amount", Money::from_cents(0)).unwrap_err().to_string(), "`amount` is not more than 0");
    }

    #[test]
    fn amounts_are_written_to_the_cent() {
        let written = |cents, unit| number(Money::from_cents(cents), unit).get().to_owned();
        assert_eq!(written(9_007_199_254_740_993, Unit::Pesos), "90071992547409.93");
        assert_eq!((written(150_000, Unit::Pesos), written(150_000, Unit::Cents)), ("1500.00".into(), "150000".into()));
    }

    #[test]
    fn wrong_check_digits_are_doubts_and_no_rule() {
        assert_eq!(doubts(Some("0000630500000060195375"), "20055361682"), []);
        let both = [Doubt::AccountCheckDigits, Doubt::CuitCheckDigit];
        assert_eq!(doubts(Some("0000128000000000000000"), "20267565392"), both);
        assert_eq!(doubts(None, "20055361682"), []);
    }
}
