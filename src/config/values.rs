//! Values with units, as an operator writes them. Pure: text in, value or complaint out.

use std::num::NonZeroU32;
use std::time::Duration;

use uuid::Uuid;

/// A number of requests in a time, such as `30/min`, with a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In how long.
    pub per: Duration,
    /// How many at once after a pause.
    pub burst: NonZeroU32,
}

/// How many requests at once a rate allows when no `burst` is written: the pages of a usual poll.
const DEFAULT_BURST: u32 = 5;

impl Rate {
    /// A rate whose burst is 5, or what the rate lets pass in 100 ms where that is more; never more than `count`.
    pub fn with_default_burst(count: NonZeroU32, per: Duration) -> Self {
        let tenth_of_a_second = u128::from(count.get()) * 100 / per.as_millis().max(1);
        let burst = u32::try_from(tenth_of_a_second).unwrap_or(u32::MAX).max(DEFAULT_BURST).min(count.get());
        Self { count, per, burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN) }
    }
}

/// Why a text is no such value. Never carries the text.
pub(crate) type Complaint = &'static str;

const UNITS: [(&str, u64); 13] = [
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("hour", 3_600_000),
    ("h", 3_600_000),
    ("minute", 60_000),
    ("min", 60_000),
    ("m", 60_000),
    ("second", 1_000),
    ("sec", 1_000),
    ("s", 1_000),
    ("ms", 1),
    ("day", 86_400_000),
    ("week", 7 * 86_400_000),
];

/// Milliseconds of a unit.
fn unit(name: &str) -> Option<u64> {
    let singular = if name.len() > 2 { name.strip_suffix('s').unwrap_or(name) } else { name };
    UNITS.iter().find(|(known, _)| *known == singular).map(|(_, millis)| *millis)
}

/// Reads `15s`, `15min`, `24h`, `45d`, `500ms`, `1h30m`: whole numbers with units, the larger unit first.
pub(crate) fn duration(text: &str) -> Result<Duration, Complaint> {
    const SHAPE: Complaint = "is no duration";
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("is empty");
    }
    let (mut total, mut last) = (0_u64, u64::MAX);
    while !rest.is_empty() {
        let digits_end = rest.find(|c: char| !c.is_ascii_digit()).ok_or("has a number without a unit")?;
        let (digits, after) = rest.split_at(digits_end);
        let after = after.trim_start();
        let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (name, after) = after.split_at(unit_end);
        if digits.is_empty() || name.is_empty() {
            return Err(SHAPE);
        }
        let millis = unit(name).ok_or("has an unknown unit")?;
        if millis >= last {
            return Err("has its units in no order");
        }
        last = millis;
        let part = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(millis));
        total = part.and_then(|part| total.checked_add(part)).ok_or("is too long")?;
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(total))
}

/// A duration in the largest unit that divides it, as [`duration`] reads it.
pub(super) fn spell(duration: Duration) -> String {
    let millis = duration.as_millis();
    let named = [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)];
    match named.into_iter().find(|(_, size)| millis > 0 && millis.is_multiple_of(*size)) {
        Some((name, size)) => format!("{}{name}", millis / size),
        None => format!("{millis}ms"),
    }
}

/// Reads `30/min`, `5/s`, `100/h`, also `10/10min`.
pub(super) fn rate(text: &str) -> Result<(NonZeroU32, Duration), Complaint> {
    let (count, per) = text.split_once('/').ok_or("is no rate")?;
    let count: NonZeroU32 = count.trim().parse().map_err(|_| "has no whole number above 0 before the `/`")?;
    let per = per.trim();
    let per = match unit(per) {
        Some(millis) => Duration::from_millis(millis),
        None => duration(per).map_err(|_| "has no unit of time after the `/`")?,
    };
    if per.is_zero() || per > Duration::from_secs(86_400) {
        return Err("has a time of zero or of more than a day after the `/`");
    }
    Ok((count, per))
}

/// Reads `8MiB`, `512KiB`, `100B`.
pub(super) fn size(text: &str) -> Result<usize, Complaint> {
    let text = text.trim();
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).ok_or("has no unit")?;
    let (digits, name) = text.split_at(digits_end);
    let factor = match name.trim() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return Err("has an unknown unit"),
    };
    let number: usize = digits.parse().map_err(|_| "is no size")?;
    number.checked_mul(factor).ok_or("is too large")
}

/// The order uuid in a text that is one or is a payment link (`https://…/orders/<uuid>`), in lower case.
/// `None` when there is none or more than one.
pub fn order_uuid(text: &str) -> Option<String> {
    let mut found = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|piece| piece.len() == 36)
        .filter_map(|piece| Uuid::try_parse(piece).ok());
    let first = found.next()?;
    found.all(|other| other == first).then(|| first.hyphenated().to_string())
}

/// Names stand in keys of the store, in URLs and in log fields: letters, digits, `-`, `_`, `.`, at most 64.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Whether a text looks like `name@host` or `Name <name@host>` and can break no mail header.
/// The mail library has the last word; this catches what people mistype.
pub(super) fn is_mailbox(text: &str) -> bool {
    let address = match text.trim().strip_suffix('>') {
        Some(named) => match named.rsplit_once('<') {
            Some((_, address)) => address,
            None => return false,
        },
        None => text.trim(),
    };
    let fits = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "<>@,;\"".contains(c));
    text.len() <= 512
        && !text.contains(char::is_control)
        && address
            .rsplit_once('@')
            .is_some_and(|(user, host)| fits(user) && fits(host) && !host.starts_with('.') && !host.ends_with('.'))
}

/// Undoes `%40`. `None` when a `%` is followed by no two hexadecimal digits or the result is no UTF-8.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut hex = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
            let value = hex()? * 16 + hex()?;
            decoded.push(u8::try_from(value).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_units() {
        let millis = |text| duration(text).map(|duration| duration.as_millis());
        for (text, expected) in [
            ("15s", 15_000),
            ("15min", 900_000),
            ("24h", 86_400_000),
            ("45d", 45 * 86_400_000),
            ("500ms", 500),
            ("1h30m", 5_400_000),
            (" 1h 30 min ", 5_400_000),
            ("2w", 14 * 86_400_000),
            ("90 days", 90 * 86_400_000),
            ("0s", 0),
        ] {
            assert_eq!(millis(text), Ok(expected), "{text}");
        }
        for bad in
            ["", "15", "s", "-5s", "1.5h", "15 fortnights", "30m1h", "1h1h", "99999999999999999999s", "1e3s", "١s"]
        {
            assert!(millis(bad).is_err(), "{bad}");
        }
        assert_eq!(millis("300000000000d"), Err("is too long"));
    }

    #[test]
    fn rates_have_a_count_and_a_time() {
        let read = |text| rate(text).map(|(count, per)| (count.get(), per.as_secs()));
        assert_eq!(read("30/min"), Ok((30, 60)));
        assert_eq!(read("5/s"), Ok((5, 1)));
        assert_eq!(read("100 / h"), Ok((100, 3600)));
        assert_eq!(read("10/10min"), Ok((10, 600)));
        for bad in ["", "30", "30/", "/min", "0/min", "-1/s", "1.5/s", "30/0s", "30/2d", "4294967296/s", "30/mon"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_burst_is_small_but_no_brake_on_a_high_rate() {
        let burst = |text| {
            let (count, per) = rate(text).expect(text);
            Rate::with_default_burst(count, per).burst.get()
        };
        assert_eq!(burst("30/min"), 5);
        assert_eq!(burst("2/min"), 2);
        assert_eq!(burst("1000/s"), 100);
    }

    #[test]
    fn a_uuid_is_cut_from_a_link() {
        let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let read = |text: &str| order_uuid(text);
        assert_eq!(read(uuid).as_deref(), Some(uuid));
        assert_eq!(read(&uuid.to_uppercase()).as_deref(), Some(uuid));
        assert_eq!(read(&format!("https://pay.example/orders/{uuid}")).as_deref(), Some(uuid));
        assert_eq!(read(&format!("https://pay.example/x?o={uuid}#top")).as_deref(), Some(uuid));
        assert_eq!(read(&format!("{uuid} 1f8fad5b-d9cb-469f-a165-70867728950e")), None, "which of the two?");
        assert_eq!(read("https://pay.example/orders/17"), None);
        assert_eq!(read("0f8fad5bd9cb469fa16570867728950e0000"), None);
    }

    #[test]
    fn names_addresses_and_sizes() {
        for good in ["centro", "caja-2", "a.b_C"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-x", "a b", "a:b", "a/b", "caña", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
        for good in ["a@b.c", "Avisos <avisos@example.com>", "x@localhost"] {
            assert!(is_mailbox(good), "{good}");
        }
        for bad in ["", "a", "a@", "@b", "a@b@c", "a b@c", "A <a@b", "a@b>", "a@b\r\nBcc: c@d", "a@b, c@d", "a@.b"] {
            assert!(!is_mailbox(bad), "{bad}");
        }
        assert_eq!(size("8MiB"), Ok(8 << 20));
        assert!(size("8").is_err() && size("8 GB").is_err() && size("").is_err());
        assert_eq!(percent_decoded("a%40b%2b+").as_deref(), Some("a@b++"));
        assert_eq!(percent_decoded("a%4"), None);
        assert_eq!(percent_decoded("%ff"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}|[0-9hmsdw%/ <>@-]{0,60}") {
            drop((duration(&text), rate(&text), size(&text), order_uuid(&text)));
            drop((is_name(&text), is_mailbox(&text), percent_decoded(&text)));
        }

        #[test]
        fn what_is_spelled_reads_back(millis in 0_u64..10_000_000_000) {
            let original = Duration::from_millis(millis);
            prop_assert_eq!(duration(&spell(original)), Ok(original));
        }
    }
}
