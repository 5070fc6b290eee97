//! JSON numbers that are exact: written as text, never through a float.

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::money::Money;

/// A piece of JSON text that goes out as it stands.
pub(super) struct Raw(pub(super) String);

impl Raw {
    /// `1500.00`: a decimal.
    pub(super) fn decimal(amount: Money) -> Self {
        Self(amount.to_string())
    }

    /// `1500`, `1500.5`: as a JavaScript back end prints its numbers.
    pub(super) fn number(amount: Money) -> Self {
        let text = amount.to_string();
        let short = text.strip_suffix(".00").or_else(|| text.strip_suffix('0').filter(|text| text.contains('.')));
        Self(short.unwrap_or(&text).to_owned())
    }

    /// `150000`: cents.
    pub(super) fn cents(amount: Money) -> Self {
        Self(amount.cents().to_string())
    }

    /// `"1500.00"`: a string.
    pub(super) fn text(amount: Money) -> Self {
        Self(format!("\"{amount}\""))
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.clone()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_every_cent() {
        let printed = |raw: Raw| serde_json::to_string(&raw).unwrap();
        let big = Money::from_cents(9_007_199_254_740_993);
        assert_eq!(printed(Raw::decimal(big)), "90071992547409.93");
        assert_eq!(printed(Raw::number(big)), "90071992547409.93");
        assert_eq!(printed(Raw::number(Money::from_cents(150_000))), "1500");
        assert_eq!(printed(Raw::number(Money::from_cents(150_050))), "1500.5");
        assert_eq!(printed(Raw::cents(Money::from_cents(20_069))), "20069");
        assert_eq!(printed(Raw::text(Money::from_cents(150_000))), "\"1500.00\"");
        assert!(serde_json::to_string(&Raw("mil".to_owned())).is_err());
    }
}
