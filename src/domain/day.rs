//! Calendar days and moments as the upstreams print them.
//!
//! A partition is the *printed* calendar day, because that is what the upstreams filter by; when it truly happened
//! follows from the printed text and the provider's time zone, and is used for people and for lateness only.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Day-first forms.
const DAY_FIRST: [&str; 6] =
    ["%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d-%m-%Y"];

/// A calendar day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(Date);

impl Day {
    /// The day of a civil date.
    pub const fn new(date: Date) -> Self {
        Self(date)
    }

    /// The day on which `now` falls in `zone`. From 21:00 in Buenos Aires it is already tomorrow in UTC.
    pub fn of(now: Timestamp, zone: &TimeZone) -> Self {
        Self(zone.to_datetime(now).date())
    }

    /// Reads `2026-11-21`.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = text.len() == 10
            && text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
        if well_formed { text.parse().ok().map(Self) } else { None }
    }

    /// This day moved by whole days; it stops at the ends of the calendar (years −9999 and 9999).
    #[must_use]
    pub fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days.days()))
    }

    /// The day after.
    #[must_use]
    pub fn next(self) -> Self {
        self.plus(1)
    }

    /// Every day from this one to `last`, both included.
    pub fn through(self, last: Self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |day| (*day < day.next()).then(|| day.next()))
            .take_while(move |day| *day <= last)
    }

    /// The civil date.
    pub const fn date(self) -> Date {
        self.0
    }

    /// The first instant of this day in `zone`.
    pub fn start(self, zone: &TimeZone) -> Timestamp {
        instant(self.0.to_datetime(jiff::civil::Time::midnight()), zone)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// When something happened, as exactly as the upstream said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    day: Day,
    at: Option<Timestamp>,
    printed: Printed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Printed {
    Day(Date),
    Civil(DateTime),
}

impl Moment {
    /// A moment of which only the day is known.
    pub const fn on(day: Day) -> Self {
        Self { day, at: None, printed: Printed::Day(day.0) }
    }

    /// An exact instant, seen from `zone`.
    pub fn at(instant: Timestamp, zone: &TimeZone) -> Self {
        Self::civil(zone.to_datetime(instant), instant)
    }

    fn civil(civil: DateTime, instant: Timestamp) -> Self {
        Self { day: Day(civil.date()), at: Some(instant), printed: Printed::Civil(civil) }
    }

    /// The calendar day as printed.
    pub const fn day(&self) -> Day {
        self.day
    }

    /// The instant, unless only the day is known.
    pub const fn instant(&self) -> Option<Timestamp> {
        self.at
    }

    /// The normal form that identities are computed from: printed wall time to the second, or the day.
    ///
    /// Fractions are cut: they flicker between two reads of the same row at some banks (caspion, 2026-11-21).
    pub fn normal_form(&self) -> String {
        match self.printed {
            Printed::Day(day) => day.to_string(),
            Printed::Civil(civil) => format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
                civil.year(),
                civil.month(),
                civil.day(),
                civil.hour(),
                civil.minute(),
                civil.second()
            ),
        }
    }

    /// `2026-11-21T14:03:16-03:00` in `zone`, or `2026-11-21` where only the day is known.
    pub fn rfc3339(&self, zone: &TimeZone) -> String {
        match self.at {
            Some(at) => rfc3339(at, zone),
            None => self.day.to_string(),
        }
    }

    /// Reads a printed date by the first of `formats` that fits (strftime directives), with `zone` for texts without an offset.
    ///
    /// ISO 8601 with `T` or a space, with or without seconds, fraction and offset, is always understood; day-first
    /// forms, as written in Argentina, are tried after `formats`.
    pub fn read(text: &str, formats: &[String], zone: &TimeZone) -> Option<Self> {
        let text = text.trim();
        let formats = formats.iter().map(String::as_str).chain(DAY_FIRST);
        read_iso(text, zone).or_else(|| formats.into_iter().find_map(|format| read_with(text, format, zone)))
    }
}

/// The local day on which something happened; the printed one where no more is known.
pub fn local_day(moment: &Moment, zone: &TimeZone) -> Day {
    moment.instant().map_or(moment.day(), |at| Day::of(at, zone))
}

/// `2026-11-21T14:03:16-03:00`: an instant with the offset of `zone`, to the second.
pub fn rfc3339(at: Timestamp, zone: &TimeZone) -> String {
    let offset = zone.to_offset(at);
    let civil = offset.to_datetime(at);
    let seconds = offset.seconds();
    let (sign, magnitude) = if seconds < 0 { ('-', seconds.unsigned_abs()) } else { ('+', seconds.unsigned_abs()) };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{sign}{:02}:{:02}",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second(),
        magnitude / 3600,
        magnitude / 60 % 60
    )
}

fn read_iso(text: &str, zone: &TimeZone) -> Option<Moment> {
    if text.len() == 10 {
        return Day::parse(text).map(Moment::on);
    }
    let day_end = text.as_bytes().get(10)?;
    if !matches!(day_end, b'T' | b' ' | b't') || Day::parse(text.get(..10)?).is_none() {
        return None;
    }
    let time = text.get(11..)?;
    if let Some(offset_at) = time.find(['Z', 'z', '+', '-']) {
        let instant: Timestamp = format!("{}T{}", text.get(..10)?, time.replace(' ', "")).parse().ok()?;
        let civil: DateTime = format!("{}T{}", text.get(..10)?, time.get(..offset_at)?.trim()).parse().ok()?;
        return Some(Moment::civil(civil, instant));
    }
    let civil: DateTime = text.parse().ok()?;
    Some(Moment::civil(civil, instant(civil, zone)))
}

fn read_with(text: &str, format: &str, zone: &TimeZone) -> Option<Moment> {
    let broken = strtime::parse(format, text).ok()?;
    let date = broken.to_date().ok()?;
    match broken.to_time() {
        Ok(time) if broken.hour().is_some() => {
            let civil = date.to_datetime(time);
            let at = match broken.offset() {
                Some(offset) => offset.to_timestamp(civil).ok()?,
                None => instant(civil, zone),
            };
            Some(Moment::civil(civil, at))
        }
        _ => Some(Moment::on(Day(date))),
    }
}

/// The instant of a wall time; in a gap or fold of the clock the earlier offset counts, so the answer is always defined.
fn instant(civil: DateTime, zone: &TimeZone) -> Timestamp {
    zone.to_ambiguous_timestamp(civil).compatible().unwrap_or(if civil.year() < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn buenos_aires() -> TimeZone {
        TimeZone::get("America/Argentina/Buenos_Aires").unwrap()
    }

    fn read(text: &str) -> Option<Moment> {
        Moment::read(text, &[], &buenos_aires())
    }

    #[test]
    fn from_nine_in_the_evening_it_is_tomorrow_in_utc_but_not_here() {
        let now: Timestamp = "2026-11-22T00:30:00Z".parse().unwrap();
        assert_eq!(Day::of(now, &buenos_aires()).to_string(), "2026-11-21");
        assert_eq!(Day::of(now, &TimeZone::UTC).to_string(), "2026-11-22");
    }

    #[test]
    fn every_spelling_of_one_moment_has_one_normal_form() {
        for text in [
            "2026-11-21T14:03:16",
            "2026-11-21 14:03:16",
            " 2026-11-21 14:03:16.123 ",
            "21/11/2026 14:03:16",
            "2026-11-21T14:03:16-03:00",
            "2026-11-21 14:03:16 -03:00",
        ] {
            let moment = read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(moment.normal_form(), "2026-11-21T14:03:16", "{text}");
            assert_eq!(moment.rfc3339(&buenos_aires()), "2026-11-21T14:03:16-03:00", "{text}");
        }
        assert_eq!(read("2026-11-21T17:03:16Z").unwrap().rfc3339(&buenos_aires()), "2026-11-21T14:03:16-03:00");
        assert_eq!(read("2026-11-21").unwrap().rfc3339(&buenos_aires()), "2026-11-21");
        assert_eq!(read("21/11/2026").unwrap(), read("2026-11-21").unwrap());
    }

    #[test]
    fn the_offset_follows_the_tz_data_and_not_a_constant() {
        // Summer time, UTC-2, was in force until 2009-03-15.
        assert_eq!(read("2009-01-10 12:00:00").unwrap().rfc3339(&buenos_aires()), "2009-01-10T12:00:00-02:00");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in [
            "",
            "ayer",
            "2026-13-01",
            "2026-02-30 10:00:00",
            "32/01/2026",
            "2026-11-21T25:00:00",
            "20261121",
            "2026-11-21x14:03:16",
            "２０２６-11-21",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_range_of_days_includes_both_ends_and_crosses_months() {
        let days: Vec<String> = Day::parse("2026-11-29")
            .unwrap()
            .through(Day::parse("2026-12-01").unwrap())
            .map(|d| d.to_string())
            .collect();
        assert_eq!(days, ["2026-11-29", "2026-11-30", "2026-12-01"]);
    }

    proptest! {
        #[test]
        fn what_is_read_has_a_normal_form_that_reads_the_same(s in "\\PC{0,30}") {
            if let Some(moment) = read(&s) {
                prop_assert_eq!(read(&moment.normal_form()).map(|again| again.day()), Some(moment.day()));
            }
        }
    }
}
