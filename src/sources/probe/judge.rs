//! What printed dates, amounts and words say about the settings that read them. Pure.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Finding, Set, Verdict};
use crate::config::AccountConfig;
use crate::domain::day::Moment;
use crate::domain::money::{Dialect, Punctuation, Unit};
use crate::sources::json::{self as field, Field};

/// Formats that are tried on dates that the configuration cannot read. Day before month: that is how people here write.
const FORMATS: [&str; 14] = [
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y",
    "%d/%m/%y %H:%M:%S",
    "%d/%m/%y %H:%M",
    "%d/%m/%y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    "%d-%b-%Y %H:%M:%S",
];

/// A clock may be that much ahead of ours.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// The dates of a list, in its order.
pub(in crate::sources) struct Dates<'a> {
    pub(in crate::sources) name: &'static str,
    pub(in crate::sources) printed: Vec<Field<'a>>,
    pub(in crate::sources) common: &'a AccountConfig,
    pub(in crate::sources) now: Timestamp,
}

impl Dates<'_> {
    /// What they say about `date_formats`, `timezone` and the order of the list.
    pub(in crate::sources) fn judge(&self) -> Vec<Finding> {
        let texts: Vec<String> = self.printed.iter().filter_map(|field| field::string(*field)).collect();
        if texts.is_empty() {
            return vec![Finding::new("date_formats", Verdict::Open, String::from("no row has a date"))];
        }
        let mut found = vec![self.formats(&texts)];
        found.extend(self.zone(&texts));
        found.extend(self.order());
        found
    }

    fn moment(&self, field: Field<'_>, zone: &TimeZone) -> Option<Moment> {
        field::moment(self.name, field, &self.common.date_formats, zone).ok()
    }

    fn formats(&self, texts: &[String]) -> Finding {
        let (common, all) = (self.common, texts.len());
        let read = self.printed.iter().filter(|field| self.moment(**field, &common.provider_zone).is_some()).count();
        let by = |formats: &[String]| {
            let reads = |text: &&String| Moment::read(text, formats, &common.provider_zone).is_some();
            texts.iter().filter(reads).count()
        };
        let says = format!("{read} of {all} dates can be read");
        if read < all {
            let whole = FORMATS.iter().find(|format| by(&[String::from(**format)]) == all);
            let finding = Finding::new("date_formats", Verdict::Differs, says);
            return match whole {
                Some(format) => finding.suggest(format!("date_formats = [{}]", json!(format))),
                None => finding,
            };
        }
        if !common.date_formats.is_empty() && by(&[]) == by(&common.date_formats) {
            let says = format!("{says}; none of them needs `date_formats`");
            return Finding::new("date_formats", Verdict::Differs, says).suggest(String::from("date_formats = []"));
        }
        Finding::new("date_formats", Verdict::Fits, says)
    }

    /// The newest date cannot be later than now.
    fn zone(&self, texts: &[String]) -> Option<Finding> {
        let open = |says: &str| Some(Finding::new("timezone", Verdict::Open, says.to_owned()));
        let has_offset = |text: &String| {
            let time = text.get(11..).unwrap_or_default();
            text.parse::<i64>().is_ok() || time.contains(['Z', 'z', '+', '-'])
        };
        if texts.iter().all(has_offset) {
            let says = String::from("dates bear their own offset; the setting is not needed");
            return Some(Finding::new("timezone", Verdict::Fits, says));
        }
        let age = |zone: &TimeZone| {
            let instants = self.printed.iter().filter_map(|field| self.moment(*field, zone)?.instant());
            instants.max().map(|newest| self.now.duration_since(newest))
        };
        let Some(configured) = age(&self.common.provider_zone) else {
            return open("dates have no time of day");
        };
        if configured >= -AHEAD {
            return open(&format!(
                "the newest row is {} minutes old, if the zone is right",
                configured.as_mins().max(0)
            ));
        }
        let says = format!("the newest row is {} minutes in the future", -configured.as_mins());
        let zones = ["America/Argentina/Buenos_Aires", "UTC"].into_iter().filter_map(|name| {
            let age = age(&TimeZone::get(name).ok()?)?;
            (age >= -AHEAD).then_some((age, name))
        });
        let finding = Finding::new("timezone", Verdict::Differs, says);
        Some(match zones.min() {
            Some((_, name)) => finding.suggest(format!("timezone = \"{name}\"")),
            None => finding,
        })
    }

    fn order(&self) -> Option<Finding> {
        let forms: Vec<String> = self
            .printed
            .iter()
            .filter_map(|field| Some(self.moment(*field, &self.common.provider_zone)?.normal_form()))
            .collect();
        let (first, last) = (forms.first()?, forms.last()?);
        let says = if first == last {
            "all rows have the same date"
        } else if forms.is_sorted() {
            "oldest first"
        } else if forms.iter().rev().is_sorted() {
            "newest first"
        } else {
            "neither newest nor oldest first"
        };
        Some(Finding::new("order of the list", Verdict::Open, says.to_owned()))
    }
}

/// The amounts of a list.
pub(in crate::sources) struct Amounts<'a> {
    pub(in crate::sources) printed: Vec<Field<'a>>,
    pub(in crate::sources) dialect: Dialect,
}

impl Amounts<'_> {
    /// What they say about `amount_unit` and `amount_format`.
    pub(in crate::sources) fn judge(&self) -> Finding {
        let printed: Vec<Field<'_>> = self.printed.iter().flatten().map(|raw| Some(*raw)).collect();
        let (topic, all) = ("amount_unit, amount_format", printed.len());
        if all == 0 {
            return Finding::new(topic, Verdict::Open, String::from("no row has an amount"));
        }
        let by = |dialect| printed.iter().filter(|field| field::amount(**field, dialect).is_ok()).count();
        let read = by(self.dialect);
        let says = format!("{read} of {all} amounts can be read");
        if read < all {
            let finding = Finding::new(topic, Verdict::Differs, says);
            let dialect = self.others().into_iter().find(|dialect| by(*dialect) == all);
            return match dialect {
                Some(dialect) => finding.suggest(self.line(dialect)),
                None => finding,
            };
        }
        let decimals = |field: &Field<'_>| field::text(*field).is_some_and(|text| text.contains(['.', ',']));
        match (self.dialect.unit, printed.iter().any(decimals)) {
            (Unit::Pesos, true) => {
                Finding::new(topic, Verdict::Fits, format!("{says}; some have decimals, so they count pesos"))
            }
            // Cents have no decimals worth printing.
            (Unit::Cents, true) => {
                let says = format!("{says}; some have decimals, so they seem to count pesos");
                let pesos = Dialect { unit: Unit::Pesos, ..self.dialect };
                Finding::new(topic, Verdict::Differs, says).suggest(self.line(pesos))
            }
            (_, false) => Finding::new(
                topic,
                Verdict::Open,
                format!("{says}; none has decimals, so they may count pesos or cents: compare one with what was paid"),
            ),
        }
    }

    /// The nearest first: another mark before another unit.
    fn others(&self) -> Vec<Dialect> {
        let other = match self.dialect.unit {
            Unit::Pesos => Unit::Cents,
            Unit::Cents => Unit::Pesos,
        };
        let marks = [Punctuation::Auto, Punctuation::Comma, Punctuation::Dot];
        let all = |unit| marks.map(|punctuation| Dialect { unit, punctuation });
        // With thousands only, comma and dot both read all: then nothing is known.
        let sure = |dialect: &Dialect| dialect.punctuation == Punctuation::Auto || self.shows(dialect.punctuation);
        [all(self.dialect.unit), all(other)].concat().into_iter().filter(sure).collect()
    }

    /// Whether some amount ends in this mark and one or two digits.
    fn shows(&self, punctuation: Punctuation) -> bool {
        let mark = if punctuation == Punctuation::Comma { ',' } else { '.' };
        let ends = |text: &str| text.rsplit_once(mark).is_some_and(|(_, decimals)| (1..=2).contains(&decimals.len()));
        self.printed.iter().any(|field| field::text(*field).is_some_and(|text| ends(&text)))
    }

    fn line(&self, dialect: Dialect) -> String {
        let unit = match dialect.unit {
            Unit::Pesos => "pesos",
            Unit::Cents => "cents",
        };
        let mark = match dialect.punctuation {
            Punctuation::Auto => "auto",
            Punctuation::Dot => "dot",
            Punctuation::Comma => "comma",
        };
        let unit = (dialect.unit != self.dialect.unit).then(|| format!("amount_unit = \"{unit}\""));
        let mark = (dialect.punctuation != self.dialect.punctuation).then(|| format!("amount_format = \"{mark}\""));
        unit.into_iter().chain(mark).collect::<Vec<_>>().join("\n")
    }
}

/// The words of a field: what they are taken for, and a line for those that nobody knows. `known` is the account's map so
/// far, by the names of kinds; `take` gives the kind of a word, or `None`; `kinds` says what can be written.
pub(in crate::sources) fn words(
    name: &'static str,
    seen: Vec<String>,
    known: &[(String, &'static str)],
    take: impl Fn(&str) -> Option<&'static str>,
    kinds: &str,
) -> (Set, Finding) {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for word in seen {
        *counts.entry(word).or_default() += 1;
    }
    let words: Vec<_> =
        counts.into_iter().map(|(word, count)| (take(&word).unwrap_or("unknown"), word, count)).collect();
    let odd: Vec<&String> = words.iter().filter(|(kind, ..)| *kind == "unknown").map(|(_, word, _)| word).collect();
    let says = format!("{} words are known and {} are not", words.len() - odd.len(), odd.len());
    let finding = if odd.is_empty() {
        Finding::new(name, if words.is_empty() { Verdict::Open } else { Verdict::Fits }, says)
    } else {
        let entry = |(word, kind): (&str, &str)| format!("{} = \"{kind}\"", json!(word));
        let known = known.iter().map(|(word, kind)| (word.as_str(), *kind));
        let first = kinds.split(", ").next().unwrap_or_default();
        let map: Vec<String> = known.chain(odd.into_iter().map(|word| (word.as_str(), first))).map(entry).collect();
        let line = format!("{name} = {{ {} }} # choose for each new word: {kinds}", map.join(", "));
        Finding::new(name, Verdict::Differs, says).suggest(line)
    };
    (Set { field: name, words: words.into_iter().map(|(kind, word, count)| (word, kind, count)).collect() }, finding)
}

/// Whether the last day of a filter is included: `rows` of a day that has some, asked for alone.
pub(in crate::sources) fn days_inclusive(topic: &'static str, rows: Option<usize>) -> Option<Finding> {
    Some(match rows? {
        0 => Finding::new(
            topic,
            Verdict::Differs,
            String::from(
                "a day that has rows, asked for alone, brings none: the last day seems to be excluded; tell the maintainers",
            ),
        ),
        _ => Finding::new(topic, Verdict::Fits, String::from("the last day is included")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(lines: &str) -> AccountConfig {
        let text = format!("[[sipago]]\nname = \"a\"\nbase_url = \"https://a.example\"\napi_key = \"k\"\n{lines}\n");
        crate::config::from_toml(&text).unwrap().sipago.remove(0).common
    }

    fn raw(texts: &[&str]) -> Vec<Box<serde_json::value::RawValue>> {
        texts.iter().map(|text| serde_json::value::RawValue::from_string((*text).to_owned()).unwrap()).collect()
    }

    fn dates(lines: &str, texts: &[&str]) -> Vec<(&'static str, Verdict, Option<String>)> {
        let (common, raws) = (
            common(lines),
            raw(&texts
                .iter()
                .map(|text| json!(text).to_string())
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()),
        );
        let printed = raws.iter().map(|raw| Some(&**raw)).collect();
        let now = "2026-11-21T18:00:00Z".parse().unwrap();
        let dates = Dates { name: "date", printed, common: &common, now };
        dates.judge().into_iter().map(|finding| (finding.topic, finding.verdict, finding.suggestion)).collect()
    }

    fn amounts(lines: &str, texts: &[&str]) -> (Verdict, Option<String>) {
        let raws = raw(texts);
        let printed = raws.iter().map(|raw| Some(&**raw)).collect();
        let finding = Amounts { printed, dialect: common(lines).dialect }.judge();
        (finding.verdict, finding.suggestion)
    }

    #[test]
    fn dates_that_cannot_be_read_bring_a_format_that_reads_all_of_them() {
        let found = dates("", &["11.21.2026", "13/11/26"]);
        assert_eq!(found[0], ("date_formats", Verdict::Differs, None));
        let line = String::from("date_formats = [\"%m/%d/%Y %H:%M\"]");
        assert_eq!(
            dates("", &["11/21/2026 14:00", "11/20/2026 09:30"])[0],
            ("date_formats", Verdict::Differs, Some(line))
        );
        assert_eq!(dates("", &["2026-11-21 14:00:00"])[0].1, Verdict::Fits);
        let needless = dates("date_formats = [\"%m/%d/%Y\"]", &["2026-11-21 14:00:00"]);
        assert_eq!(needless[0], ("date_formats", Verdict::Differs, Some(String::from("date_formats = []"))));
        assert_eq!(dates("date_formats = [\"%m/%d/%Y\"]", &["11/21/2026"])[0].1, Verdict::Fits);
    }

    #[test]
    fn a_newest_row_of_the_future_tells_that_the_zone_is_wrong() {
        let found = dates("timezone = \"Pacific/Honolulu\"", &["2026-11-21 14:59:00"]);
        assert_eq!(found[1].2.as_deref(), Some("timezone = \"America/Argentina/Buenos_Aires\""));
        assert_eq!(dates("", &["2026-11-21 17:59:00"])[1].2.as_deref(), Some("timezone = \"UTC\""));
        assert_eq!(dates("", &["2026-11-21 14:59:00"])[1].1, Verdict::Open);
        assert_eq!(dates("", &["2026-11-21T17:59:00Z"])[1].1, Verdict::Fits);
    }

    #[test]
    fn amounts_bring_the_nearest_setting_that_reads_all_of_them() {
        assert_eq!(amounts("", &["\"1500.00\"", "100"]), (Verdict::Fits, None));
        assert_eq!(amounts("", &["100", "2500"]), (Verdict::Open, None));
        let pesos = Some(String::from("amount_unit = \"pesos\""));
        assert_eq!(amounts("amount_unit = \"cents\"", &["\"1500.50\"", "\"2.00\""]), (Verdict::Differs, pesos.clone()));
        assert_eq!(amounts("amount_unit = \"cents\"", &["\"1500.00\""]), (Verdict::Differs, pesos));
        let comma = Some(String::from("amount_format = \"comma\""));
        assert_eq!(amounts("", &["\"1.500\"", "\"1.234,56\""]), (Verdict::Differs, comma));
        assert_eq!(amounts("", &["\"1.500\""]), (Verdict::Differs, None), "two readings, and nothing that decides");
        let auto = Some(String::from("amount_format = \"auto\""));
        assert_eq!(amounts("amount_format = \"dot\"", &["\"1.234,56\""]), (Verdict::Differs, auto));
    }

    #[test]
    fn unknown_words_bring_a_line_that_keeps_the_known_ones() {
        let seen = ["Aprobada", "X \"17\"", "Aprobada"].map(String::from).to_vec();
        let known = [(String::from("acreditada"), "approved")];
        let take = |word: &str| (word == "Aprobada").then_some("approved");
        let (set, finding) = words("status", seen, &known, take, "approved, pending");
        assert_eq!(set.words, [(String::from("Aprobada"), "approved", 2), (String::from("X \"17\""), "unknown", 1)]);
        let line = finding.suggestion.unwrap();
        let table: toml_line::Table = toml_line::parse(&line);
        assert_eq!(
            table,
            [("acreditada", "approved"), ("X \"17\"", "approved")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
        );
        assert!(!finding.says.contains("17"), "what is said holds no word");
    }

    /// The line as the configuration reads it.
    mod toml_line {
        pub(super) type Table = std::collections::BTreeMap<String, String>;

        pub(super) fn parse(line: &str) -> Table {
            let common = super::common(line);
            let keep = |name: &str| if name == "x \"17\"" { String::from("X \"17\"") } else { name.to_owned() };
            common.status.into_iter().map(|(word, kind)| (keep(&word), kind.as_str().to_owned())).collect()
        }
    }
}
