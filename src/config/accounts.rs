//! `[[telepagos]]` and `[[sipago]]`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use url::Url;

use super::follow;
use super::hints::{self, Ids};
use super::problem::{Read, did_you_mean, shown};
use super::section::{Field, Kind, Section};
use super::values::{self, Rate};
use super::{AccountConfig, Income, Poll, SipagoAccount, Start, TelepagosAccount};
use crate::domain::account::AccountName;
use crate::domain::day::Day;
use crate::domain::money::{Dialect, Punctuation, Unit};
use crate::domain::row::{OperationKind, StatusKind};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
/// The least cadence: the quota is the real limit, this only keeps a loop from spinning.
const LEAST_CADENCE: Duration = Duration::from_millis(10);

/// Where both documents' authors live, and so the clocks of their servers.
const PROVIDER_ZONE: &str = "America/Argentina/Buenos_Aires";

/// One `[[telepagos]]`. `zone` is the global one.
pub(super) fn telepagos(section: &Section<'_>, zone: &TimeZone) -> Read<TelepagosAccount> {
    let common = common(section, zone, "\"https://api.telepagos.com.ar\"", Ids::Cashin);
    let username = section.required("username", "\"…\"", |field| field.text().map(str::to_owned));
    let password = section.required("password", "{ file = \"…\" }", Field::secret);
    let paginate = section.or("paginate", false, Field::flag);
    let filters_in_body = section.or("filters_in_body", false, Field::flag);
    let cashout = section.or("cashout", false, Field::flag);
    let income = words(
        &section.section("income"),
        |name| match name {
            "credit" => Some(Income::Credit),
            "debit" => Some(Income::Debit),
            _ => None,
        },
        &["credit", "debit"],
    );
    let watch = section.section("watch");
    let watch_cashin = watch.or("cashin", Vec::new(), |field| field.each(|id| cashin_id(id, u64::MAX)));
    foreign_watch(&watch, "links", "orders are watched in `[[sipago]]`; here write `cashin = [number]`");
    watch.refuse_unknown_keys();
    let follow = follow::follow(section);
    section.refuse_unknown_keys();
    Ok(TelepagosAccount {
        common: common?,
        username: username?,
        password: password?,
        paginate: paginate?,
        filters_in_body: filters_in_body?,
        cashout: cashout?,
        income: income?,
        watch_cashin: without_repeats(watch_cashin?),
        follow: follow?,
    })
}

/// One `[[sipago]]`. `zone` is the global one.
pub(super) fn sipago(section: &Section<'_>, zone: &TimeZone) -> Read<SipagoAccount> {
    let common = common(section, zone, "\"https://api-gwt.sipago.online/services\"", Ids::Links);
    let api_key = section.required("api_key", "{ env = \"…\" }", Field::secret);
    let x_version = section.or("x_version", "1".to_owned(), |field| {
        let text = field.text()?;
        if text.chars().all(|c| c.is_ascii_graphic()) {
            return Ok(text.to_owned());
        }
        Err(field.wrong("cannot stand in a header", "write letters, digits and points only"))
    });
    let deposits = section.or("deposits", false, Field::flag);
    let early_stop = section.or("early_stop", true, Field::flag);
    let watch = section.section("watch");
    let watch_links = watch.or("links", Vec::new(), |field| field.each(order));
    foreign_watch(&watch, "cashin", "cash-ins are watched in `[[telepagos]]`; here write `links = [\"uuid or URL\"]`");
    watch.refuse_unknown_keys();
    section.refuse_unknown_keys();
    Ok(SipagoAccount {
        common: common?,
        api_key: api_key?,
        x_version: x_version?,
        deposits: deposits?,
        early_stop: early_stop?,
        watch_links: without_repeats(watch_links?),
    })
}

fn common(section: &Section<'_>, zone: &TimeZone, sample_url: &str, ids: Ids) -> Read<AccountConfig> {
    let name = section.required("name", "\"centro\"", |field| field.name(Kind::Account));
    let allow_http = section.or("allow_http", false, Field::flag);
    let base_url = section.required("base_url", sample_url, |field| base_url(field, allow_http.unwrap_or(true)));
    let rate = section.rate();
    let poll = poll(&section.section("poll"));
    let lookback_days = section.or("lookback", 45, lookback);
    if let Ok(days) = lookback_days {
        section.note_lookback(days);
    }
    let start = section.or("start", Start::Now, start);
    let sandbox = section.or("sandbox", false, Field::flag);
    let timeout = section.or("timeout", 30 * SECOND, |field| field.duration(SECOND / 10, 300 * SECOND));
    let body_cap = section.or("max_body", 8 << 20, |field| field.size(1 << 10, 256 << 20));
    let max_pages = section.or("max_pages", 1_000, |field| field.whole(1..=1_000_000));
    let provider_zone = section.optional("timezone", Field::zone);
    let zone = section.or("local_timezone", zone.clone(), Field::zone);
    let unit =
        section.or("amount_unit", Unit::Pesos, |field| field.choice(&[("pesos", Unit::Pesos), ("cents", Unit::Cents)]));
    let punctuation = section.or("amount_format", Punctuation::Auto, |field| {
        field.choice(&[("auto", Punctuation::Auto), ("dot", Punctuation::Dot), ("comma", Punctuation::Comma)])
    });
    let date_formats = section.or("date_formats", Vec::new(), |field| field.each(date_format));
    let status_names = StatusKind::ALL.map(StatusKind::as_str);
    let status = words(&section.section("status"), StatusKind::from_name, &status_names);
    let operation_names = OperationKind::ALL.map(OperationKind::as_str);
    let operation = words(&section.section("operation"), OperationKind::from_name, &operation_names);
    let hints = hints::hints(section, ids);
    Ok(AccountConfig {
        name: AccountName::new(&name?),
        base_url: base_url?,
        rate: rate?.unwrap_or_else(default_rate),
        poll: poll?,
        lookback_days: lookback_days?,
        start: start?,
        allow_http: allow_http?,
        sandbox: sandbox?,
        timeout: timeout?,
        body_cap: body_cap?,
        max_pages: max_pages?,
        provider_zone: provider_zone?.or_else(|| TimeZone::get(PROVIDER_ZONE).ok()).unwrap_or(TimeZone::UTC),
        zone: zone?,
        dialect: Dialect { unit: unit?, punctuation: punctuation? },
        date_formats: date_formats?,
        status: status?,
        operation: operation?,
        hints: hints?,
    })
}

/// 30 a minute: half of what the one known integrator allows itself, since no document names a limit.
fn default_rate() -> Rate {
    Rate::with_default_burst(std::num::NonZeroU32::MIN.saturating_add(29), 60 * SECOND)
}

/// With a slash at its end, so that paths can be joined.
fn base_url(field: &Field<'_>, allow_http: bool) -> Read<Url> {
    let mut url = field.url(field.text()?)?;
    if url.query().is_some() {
        return Err(field.wrong("has a query", "remove it from the `?` on"));
    }
    if url.scheme() == "http" && !allow_http {
        let remedy = "write https://, or `allow_http = true` beside it if credentials may travel in the clear";
        return Err(field.wrong("is plain http://", remedy));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn poll(section: &Section<'_>) -> Read<Poll> {
    let cadence = |key, default| section.or(key, default, |field| field.duration(LEAST_CADENCE, 366 * DAY));
    let (hot, warm) = (cadence("hot", 15 * SECOND), cadence("warm", 900 * SECOND));
    let (cold, watch) = (cadence("cold", DAY), cadence("watch", 5 * SECOND));
    let least = hot.unwrap_or(SECOND);
    let quiet = section.or("quiet", (60 * SECOND).max(least), |field| {
        let quiet = field.duration(LEAST_CADENCE, 366 * DAY)?;
        if quiet < least {
            return Err(
                field.wrong("is shorter than `hot`", "quiet hours are asked less: write a longer time, or the same")
            );
        }
        Ok(quiet)
    });
    section.refuse_unknown_keys();
    Ok(Poll { hot: hot?, quiet: quiet?, warm: warm?, cold: cold?, watch: watch? })
}

fn lookback(field: &Field<'_>) -> Read<u32> {
    let lookback = field.duration(DAY, 400 * DAY)?;
    let days = lookback.as_secs() / DAY.as_secs();
    if lookback.as_millis() % DAY.as_millis() != 0 {
        return Err(field.wrong("is no number of whole days", "write days, such as `45d`"));
    }
    u32::try_from(days).map_err(|_| field.wrong("is out of range", "write days, such as `45d`"))
}

fn start(field: &Field<'_>) -> Read<Start> {
    let text = field.text()?;
    match text.trim() {
        "now" => Ok(Start::Now),
        "today" => Ok(Start::Today),
        date => Day::parse(date).map(Start::Day).ok_or_else(|| {
            let what = format!("{} is neither a moment nor a date", shown(text));
            field.wrong(&what, "write `now`, `today` or a date such as `2026-11-01`")
        }),
    }
}

fn date_format(field: &Field<'_>) -> Read<String> {
    let format = field.text()?;
    // What it prints it must be able to read back, with a date in it.
    let sample = DateTime::constant(2026, 11, 21, 14, 3, 16, 0).to_zoned(TimeZone::UTC);
    let printed = sample.ok().and_then(|sample| strtime::format(format, &sample).ok());
    let date = printed.and_then(|text| strtime::parse(format, text).ok()?.to_date().ok());
    if date.is_some() {
        return Ok(format.to_owned());
    }
    let what = format!("{} is no format of a date", shown(format));
    Err(field.wrong(&what, "write strftime directives, such as `%d/%m/%Y %H:%M`"))
}

pub(super) fn cashin_id(field: &Field<'_>, most: u64) -> Read<u64> {
    // Quotes are harmless here: people copy ids from where they stand in quotes.
    let quoted = field.text_if_any().map(|text| text.trim().parse::<u64>().ok().filter(|id| (1..=most).contains(id)));
    match quoted {
        Some(Some(id)) => Ok(id),
        Some(None) => Err(field.wrong("is no cash-in id", "write its number")),
        None => field.whole(1..=most),
    }
}

fn order(field: &Field<'_>) -> Read<String> {
    let remedy = "write the order's uuid, or its link if that ends in one";
    values::order_uuid(field.text()?).ok_or_else(|| field.wrong("holds no uuid, or several", remedy))
}

/// An id that the other upstream knows: an empty list is a leftover, anything else a mistake.
fn foreign_watch(watch: &Section<'_>, key: &'static str, remedy: &str) {
    if let Some(field) = watch.find(key).filter(|field| !field.elements().is_empty()) {
        field.wrong("cannot be watched at this upstream", remedy);
    }
}

/// A map from raw words to kinds. Keys are compared in lower case and trimmed, as the readers of rows do.
fn words<K: Copy>(
    section: &Section<'_>,
    from_name: impl Fn(&str) -> Option<K>,
    names: &[&'static str],
) -> Read<BTreeMap<String, K>> {
    let mut map = BTreeMap::new();
    let mut flaw = None;
    for (raw, field) in section.entries() {
        let kind = field.text().and_then(|name| {
            from_name(name.trim()).ok_or_else(|| {
                let remedy = did_you_mean(name, names.iter().copied());
                field.wrong(&format!("{} is no kind", shown(name)), &remedy)
            })
        });
        match (kind, map.entry(raw.trim().to_lowercase())) {
            (Ok(kind), Entry::Vacant(free)) => {
                free.insert(kind);
            }
            (Ok(_), Entry::Occupied(_)) => {
                let what = "is the same word as another key, capitals aside";
                flaw = Some(field.wrong(what, "keep one of them"));
            }
            (Err(noted), _) => flaw = Some(noted),
        }
    }
    flaw.map_or(Ok(map), Err)
}

fn without_repeats<T: Ord + Clone>(mut ids: Vec<T>) -> Vec<T> {
    let mut seen = std::collections::BTreeSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    ids
}
