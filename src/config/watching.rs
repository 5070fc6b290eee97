//! What somebody asks to be followed, in words, read as ids of one account. One set of rules for the command line and for
//! the HTTP API, which differ only in how an option is spelt.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Config, order_uuid, values};
use crate::domain::account::AccountName;
use crate::domain::watch::{Origin, Terms, WatchId, WatchKind};

/// The most ids that one request names.
pub const MOST_AT_ONCE: u64 = 10_000;

/// For how long something is followed that does not expire, where nobody says.
const UNTIL: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How options are spelt where the words came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    /// `--kind link`
    Options,
    /// `"kind": "link"`
    Fields,
}

impl Wording {
    fn option(self, name: &str) -> String {
        match self {
            Self::Options => format!("`--{name}`"),
            Self::Fields => format!("`{name}`"),
        }
    }

    fn with(self, name: &str, value: &str) -> String {
        match self {
            Self::Options => format!("`--{name} {value}`"),
            Self::Fields => format!("`\"{name}\": \"{value}\"`"),
        }
    }
}

/// What was asked cannot be meant; says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unclear(String);

impl Unclear {
    /// There is no such `thing`; these are there.
    pub fn unknown<'a>(thing: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
        if known.is_empty() {
            return Self(format!("there is no {thing} `{name}`; the configuration has none"));
        }
        Self(format!("there is no {thing} `{name}`; known: {}", known.join(", ")))
    }
}

/// Ids as they were written.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Numbers, ranges such as `1000..1050`, uuids, links that end in one.
    pub ids: &'a [String],
    /// Whose; `None`: the only account that knows such ids.
    pub account: Option<&'a str>,
    /// What they are; `None`: cash-ins and orders, by their form.
    pub kind: Option<&'a str>,
    /// How options are spelt.
    pub wording: Wording,
}

/// When it is over, as it was written.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'a> {
    /// A duration from now, or a time; `None`: until it expires, else 30 days.
    pub until: Option<&'a str>,
    /// A duration from now, or a time.
    pub expires: Option<&'a str>,
    /// It can be paid many times.
    pub reusable: bool,
}

/// The account of that name; the known ones are listed when there is none.
///
/// # Errors
/// [`Unclear`].
pub fn account(config: &Config, name: &str) -> Result<AccountName, Unclear> {
    let known = || config.accounts().map(|account| account.name.as_str());
    if known().any(|known| known == name) {
        return Ok(AccountName::new(name));
    }
    Err(Unclear::unknown("account", name, known()))
}

/// The account and the ids that are named, each once.
///
/// # Errors
/// [`Unclear`].
pub fn named(config: &Config, named: &Named<'_>) -> Result<(AccountName, BTreeSet<WatchId>), Unclear> {
    let kinds = || WatchKind::ALL.map(|kind| format!("`{kind}`")).join(", ");
    let wanted = named.kind.map(|text| {
        WatchKind::from_name(text).ok_or_else(|| Unclear(format!("`{text}` is no kind; write one of {}", kinds())))
    });
    let (wanted, mut ids) = (wanted.transpose()?, BTreeSet::new());
    for text in named.ids {
        read(text.trim(), wanted, named.wording, &mut ids)?;
        if u64::try_from(ids.len()).unwrap_or(u64::MAX) > MOST_AT_ONCE {
            return Err(Unclear(format!("more than {MOST_AT_ONCE} ids; name fewer at once")));
        }
    }
    if ids.is_empty() {
        return Err(Unclear("no id is named; name one at least, such as `1000`".to_owned()));
    }
    let orders = ids.iter().filter(|id| id.kind == WatchKind::Order).count();
    if orders > 0 && orders < ids.len() {
        let why = "numbers and orders belong to accounts of two companies; name them one after the other";
        return Err(Unclear(why.to_owned()));
    }
    Ok((fitting(config, named, orders > 0)?, ids))
}

/// The account that knows such ids.
fn fitting(config: &Config, named: &Named<'_>, orders: bool) -> Result<AccountName, Unclear> {
    let telepagos = config.telepagos.iter().map(|account| account.common.name.clone());
    let sipago = config.sipago.iter().map(|account| account.common.name.clone());
    let fitting: Vec<AccountName> = if orders { sipago.collect() } else { telepagos.collect() };
    let listed = || fitting.iter().map(AccountName::as_str).collect::<Vec<_>>().join("`, `");
    let (thing, company) = if orders { ("orders", "sipago") } else { ("such numbers", "telepagos") };
    let account = named.account.map(|name| account(config, name)).transpose()?;
    match (account, fitting.as_slice()) {
        (Some(account), _) if fitting.contains(&account) => Ok(account),
        (Some(account), _) => {
            let known = listed();
            Err(Unclear(format!("account `{account}` knows no {thing}; those that do: `{known}`")))
        }
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(Unclear(format!("no account knows {thing}; the configuration has no `[[{company}]]`"))),
        (None, _) => {
            let option = named.wording.option("account");
            Err(Unclear(format!("which account? add {option} with one of `{}`", listed())))
        }
    }
}

/// One argument as ids.
fn read(text: &str, wanted: Option<WatchKind>, wording: Wording, ids: &mut BTreeSet<WatchId>) -> Result<(), Unclear> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|id| digits && *id > 0)
    };
    let kind = wanted.unwrap_or(WatchKind::Cashin);
    if let Some((from, to)) = text.split_once("..") {
        let (Some(from), Some(to)) = (number(from), number(to)) else {
            return Err(Unclear(format!("`{text}` is no range; write one such as `1000..1050`")));
        };
        if from > to || to - from >= MOST_AT_ONCE {
            return Err(Unclear(format!("`{text}` must go upwards and hold {MOST_AT_ONCE} numbers at the most")));
        }
        if kind == WatchKind::Order {
            let option = wording.with("kind", "order");
            return Err(Unclear(format!("`{text}` names numbers, and an order has a uuid; leave {option} out")));
        }
        ids.extend((from..=to).map(|id| WatchId { kind, id: id.to_string() }));
        return Ok(());
    }
    if let Some(id) = number(text).filter(|_| kind != WatchKind::Order) {
        ids.insert(WatchId { kind, id: id.to_string() });
        return Ok(());
    }
    match order_uuid(text) {
        Some(id) if wanted.is_none_or(|kind| kind == WatchKind::Order) => {
            ids.insert(WatchId { kind: WatchKind::Order, id });
            Ok(())
        }
        Some(_) => {
            let option = wording.with("kind", kind.as_str());
            Err(Unclear(format!("`{text}` is an order; leave {option} out")))
        }
        None => Err(Unclear(format!(
            "`{text}` is no id; write a number, a range such as `1000..1050`, an order's uuid or its link"
        ))),
    }
}

/// On what terms an operator, or another program, has `ids` followed.
///
/// # Errors
/// [`Unclear`].
pub fn terms(ids: &BTreeSet<WatchId>, ends: &Ends<'_>, wording: Wording, now: Timestamp) -> Result<Terms, Unclear> {
    let issued = ids.iter().all(|id| id.kind.source().is_none());
    if !issued && (ends.expires.is_some() || ends.reusable) {
        let [expires, reusable] = ["expires", "reusable"].map(|name| wording.option(name));
        let [link, qr] = ["link", "qr"].map(|kind| wording.with("kind", kind));
        let why = format!("{expires} and {reusable} are for links and QRs that we issued; add {link} or {qr}");
        return Err(Unclear(why));
    }
    let expires = ends.expires.map(|text| later(now, text)).transpose()?;
    let until = ends.until.map(|text| later(now, text)).transpose()?.or_else(|| usual_end(expires, now));
    Ok(Terms { origin: Origin::Operator, expires, until, reusable: ends.reusable, amount: None })
}

/// When we stop to ask for something where nobody says; what expires has its end in that.
pub fn usual_end(expires: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    if expires.is_some() { None } else { now.checked_add(UNTIL).ok() }
}

/// In that time, or at that time.
fn later(now: Timestamp, text: &str) -> Result<Timestamp, Unclear> {
    let instead = "write one such as `30s`, `5min` or `2h`, or a time such as `2026-12-31T18:00:00-03:00`";
    let time = match (values::duration(text), text.trim().parse::<Timestamp>()) {
        (Ok(time), _) => time,
        (Err(_), Ok(at)) if at > now => return Ok(at),
        (Err(_), Ok(_)) => return Err(Unclear(format!("`{text}` is in the past; {instead}"))),
        (Err(problem), Err(_)) => return Err(Unclear(format!("`{text}` {problem}; {instead}"))),
    };
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    now.checked_add(time).map_err(|_| Unclear(format!("`{text}` is too long")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_duration_or_a_time_to_come() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (text, right) in [("2h", "2026-11-21T14:00:00Z"), ("2026-12-31T18:00:00-03:00", "2026-12-31T21:00:00Z")] {
            assert_eq!(later(now, text).unwrap().to_string(), right);
        }
        for (text, words) in [
            ("soon", "such as `30s`"),
            ("2026-11-21T09:00:00-03:00", "in the past"),
            ("2026-11-22", "such as `30s`"),
            ("9999999w", "too long"),
        ] {
            let error = later(now, text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn options_are_spelt_as_they_were_written() {
        let mut ids = BTreeSet::new();
        let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let mut wrong = |wording| read(uuid, Some(WatchKind::IssuedQr), wording, &mut ids).unwrap_err().to_string();
        assert!(wrong(Wording::Options).contains("leave `--kind qr` out"));
        assert!(wrong(Wording::Fields).contains(r#"leave `"kind": "qr"` out"#));
    }
}
