//! What an operator typed for a call by hand, read before anybody is asked: accounts, amounts, days, ends, and files to be
//! written.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::output::{Out, say};
use super::qr::Qr;
use super::{Usage, when};
use crate::config::AccountConfig;
use crate::domain::argentina::{cuit_is_valid, cvu_is_valid};
use crate::domain::day::{Day, Moment};
use crate::domain::money::{Dialect, Money, MoneyError, Punctuation, Unit};

/// The account of that name, or the only one. `all` are those of the upstream; `every` is each account that there is.
pub(super) fn account<'a, T>(
    upstream: &str,
    all: &'a [T],
    common: impl Fn(&'a T) -> &'a AccountConfig,
    mut every: impl Iterator<Item = &'a AccountConfig>,
    name: Option<&str>,
) -> Result<&'a T, Usage> {
    let known = || all.iter().map(|account| common(account).name.as_str());
    let listed = || known().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let Some(name) = name else {
        return match all {
            [only] => Ok(only),
            [] => Err(Usage(format!(
                "the configuration has no {upstream} account; write a `[[{}]]` section",
                upstream.to_ascii_lowercase()
            ))),
            _ => {
                Err(Usage(format!("there are several {upstream} accounts; write `--account` and one of {}", listed())))
            }
        };
    };
    if let Some(account) = all.iter().find(|account| common(account).name.as_str() == name) {
        return Ok(account);
    }
    if every.any(|other| other.name.as_str() == name) {
        return Err(Usage(format!("`{name}` is an account of another upstream; known at {upstream}: {}", listed())));
    }
    Err(Usage::unknown(&format!("{upstream} account"), name, known()))
}

/// An amount in pesos, with a dot or a comma, of more than nothing.
pub(super) fn amount(option: &str, text: &str) -> Result<Money, Usage> {
    let dialect = Dialect { unit: Unit::Pesos, punctuation: Punctuation::Auto };
    let wrong = |what: &str| {
        Usage(format!("`{option}`: `{text}` {what}; write pesos with their cents, such as `1234.56` or `1.234,56`"))
    };
    let amount = Money::from_text(text, dialect).map_err(|error| {
        wrong(match error {
            MoneyError::Empty => "is empty",
            MoneyError::NotANumber => "is no amount",
            MoneyError::Ambiguous => "can be read in two ways",
            MoneyError::TooPrecise => "has more than two decimals",
            MoneyError::OutOfRange => "is out of range",
        })
    })?;
    if amount.cents() > 0 { Ok(amount) } else { Err(wrong("is not more than 0")) }
}

/// A day such as `2026-11-21`, `today` or `yesterday`.
pub(super) fn day(option: &str, text: &str, today: Day) -> Result<Day, Usage> {
    match text.trim() {
        "today" => Ok(today),
        "yesterday" => Ok(today.plus(-1)),
        date => Day::parse(date).ok_or_else(|| {
            Usage(format!("`{option}`: `{text}` is no day; write one such as `2026-11-21`, `today` or `yesterday`"))
        }),
    }
}

/// When something ends: after a duration, at a time, or with a day.
pub(super) fn end(option: &str, text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, Usage> {
    let instead = "write a duration such as `2d`, a day such as `2026-12-31`, or a time such as `2026-12-31T18:00`";
    let end = if let Ok(duration) = when::duration(text) {
        SignedDuration::try_from(duration).ok().and_then(|duration| now.checked_add(duration).ok())
    } else {
        let last_second = |day: Day| day.next().start(zone).checked_sub(SignedDuration::from_secs(1)).ok();
        Moment::read(text, &[], zone).and_then(|moment| moment.instant().or_else(|| last_second(moment.day())))
    };
    match end {
        None => Err(Usage(format!("`{option}`: `{text}` is no time; {instead}"))),
        Some(end) if end <= now => Err(Usage(format!("`{option}`: `{text}` is in the past; {instead}"))),
        Some(end) => Ok(end),
    }
}

/// Says what is allowed and yet looks wrong.
pub(super) fn doubt(cvu: Option<&str>, cuit: &str) {
    let digits = crate::domain::argentina::digits;
    if cvu.is_some_and(|cvu| !cvu_is_valid(&digits(cvu))) {
        say("warning: a check digit of the CBU or CVU is wrong; compare it with what you were given");
    }
    if !cuit_is_valid(&digits(cuit)) {
        say("warning: the check digit of the CUIT is wrong; compare it with what you were given");
    }
}

/// The endings of a QR code's picture.
pub(super) const PICTURES: [&str; 2] = ["png", "svg"];

/// Where to write.
#[derive(Debug, clap::Args)]
pub(super) struct Output {
    /// File to write
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the file
    #[arg(long, requires = "output")]
    force: bool,
}

impl Output {
    /// Whether there is a file to write.
    pub(super) const fn is_given(&self) -> bool {
        self.output.is_some()
    }

    /// Says what would keep it from being written, before anything is asked for.
    pub(super) fn check(&self, endings: &[&str]) -> Result<(), Usage> {
        let Some(path) = &self.output else { return Ok(()) };
        let name = path.display();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        if !endings.is_empty() && !endings.contains(&ending.as_str()) {
            return Err(Usage(format!("`{name}`: a QR code is written as .png or .svg; end the name so")));
        }
        if path.exists() && !self.force {
            return Err(Usage(format!("`{name}` is there already; name another file, or add `--force`")));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        match folder {
            Some(folder) if !folder.is_dir() => {
                Err(Usage(format!("there is no folder `{}`; create it, or name another", folder.display())))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Writes a document that only its owner may read. Returns its name.
    pub(super) fn write(&self, bytes: &[u8]) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.output else { return Ok(None) };
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600);
        if self.force {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let written = options.open(path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        written.with_context(|| format!("`{}` cannot be written", path.display()))?;
        Ok(Some(path.display().to_string()))
    }

    /// The text of a QR code: on a terminal drawn, else as it is; and the picture, if there is to be one.
    pub(super) fn show(&self, out: &mut Out, code: &str, quiet: bool) -> anyhow::Result<()> {
        use std::io::IsTerminal as _;
        if !quiet {
            let code = crate::cli::events::one_line(code);
            if std::io::stdout().is_terminal() {
                out.line(Qr::new(&code)?.on_terminal().trim_end())?;
            }
            out.line(&code)?;
        }
        if let Some(path) = &self.output {
            Qr::new(code)?.write(path)?;
            say(&format!("written to `{}`", path.display()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them_and_doubts_are_refused() {
        let cents = |text| amount("--amount", text).map(Money::cents);
        for (text, right) in
            [("1.234,56", 123_456), ("1234.56", 123_456), ("1234", 123_400), ("$ 0,01", 1), ("1.234.567", 123_456_700)]
        {
            assert_eq!(cents(text).unwrap(), right, "{text}");
        }
        for (text, words) in [
            ("1.500", "two ways"),
            ("-5", "not more than 0"),
            ("0,00", "not more than 0"),
            ("mil", "is no amount"),
            ("1.005,001", "more than two decimals"),
            ("", "is empty"),
            ("99999999999999999999", "out of range"),
        ] {
            let error = cents(text).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("such as `1234.56`"), "{error}");
        }
    }

    #[test]
    fn an_end_is_a_duration_a_time_or_the_last_second_of_a_day() {
        let (zone, now) = (TimeZone::UTC, "2026-11-21T12:00:00Z".parse().unwrap());
        for (text, right) in [
            ("2h", "2026-11-21T14:00:00Z"),
            ("2026-11-21", "2026-11-21T23:59:59Z"),
            ("2026-11-21T12:00:01", "2026-11-21T12:00:01Z"),
            ("2026-12-31T18:00:00-03:00", "2026-12-31T21:00:00Z"),
        ] {
            assert_eq!(end("--expires", text, &zone, now).unwrap().to_string(), right);
        }
        for (text, words) in
            [("2026-11-20", "in the past"), ("2026-11-21T12:00:00", "in the past"), ("soon", "no time")]
        {
            let error = end("--expires", text, &zone, now).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("`2d`"), "{error}");
        }
    }
}
