//! What must have come of a run, computed from what happened and from nothing that the product computed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::Date;
use pregonero::config::Start;
use pregonero::domain::account::{AccountName, Upstream};
use pregonero::domain::event::{Body, Event};
use pregonero::domain::fact::FactKind;
use pregonero::domain::route::DestinationName;
use tokio::time::Instant;

use super::channel::taken;
use super::city::City;
use super::plan::Plan;
use super::run::House;
use super::store::Noted;

/// A kind of fact of an amount on an account. Amounts are unique but for twins, which are counted.
type Key = (&'static str, &'static str, i64);

/// How often a key must at least and may at most have been told.
type Range = (usize, usize);

/// The row that the sandbox lets slip in when pages shift always has this amount.
const SLIPPED_IN: i64 = 123_400;

/// The event type that tells a kind of fact: DESIGN's table once more, by hand.
fn event_of(kind: FactKind) -> &'static str {
    match kind {
        FactKind::Pending => "credit.pending",
        FactKind::Credited => "credit.received",
        FactKind::Rejected => "credit.rejected",
        FactKind::LinkPaid => "link.paid",
        FactKind::QrPaid => "qr.paid",
        FactKind::LinkExpired => "link.expired",
        FactKind::LinkFailed => "link.failed",
        FactKind::Refunded => "payment.refunded",
        FactKind::Voided => "payment.voided",
        FactKind::Debited => "debit.sent",
        FactKind::Settled => "settlement.paid",
    }
}

fn account_of(upstream: Upstream) -> &'static str {
    if upstream == Upstream::Telepagos { "centro" } else { "palermo" }
}

/// What must be told of everything that happened; `contact` is the number of happenings before anybody looked and the
/// local day of that moment.
fn expected(city: &City, plan: &Plan, contact: (usize, Date), told: &BTreeMap<Key, usize>) -> BTreeMap<Key, Range> {
    let ((before, day), start) = (contact, plan.start);
    let truth = city.world.truth();
    let mut ranges: BTreeMap<Key, Range> = BTreeMap::new();
    for old in &city.history {
        let news = usize::from(start == Start::Today && old.day >= day);
        ranges.insert((old.account, "credit.received", old.cents), (news, news));
    }
    for (index, happening) in truth.iter().enumerate() {
        let cents = happening.amount.cents();
        let key = (account_of(happening.upstream), event_of(happening.kind), cents);
        if index >= before {
            let range = ranges.entry(key).or_default();
            *range = (range.0 + 1, range.1 + 1);
        } else if cents == SLIPPED_IN || happening.kind == FactKind::LinkExpired {
            // It happened while the accounts were contacted: news for who had read the rest already.
            ranges.entry(key).or_default().1 += 1;
        }
    }
    let credits: BTreeMap<(&str, i64), usize> = ranges
        .iter()
        .filter(|((_, kind, _), _)| *kind == "credit.received")
        .map(|((account, _, cents), range)| ((*account, *cents), range.1))
        .collect();
    for ((account, kind, cents), range) in &mut ranges {
        // Rows without an id that are equal cannot be told apart: a view that shows one of them pending again, because it is
        // stale or because the row was out of sight while another took its place, may make
        // another one look so that never was. Its credit is told all the same, and once.
        if *kind == "credit.pending" && *account == "centro" {
            let credits = credits.get(&(*account, *cents)).copied().unwrap_or_default();
            let stale = if plan.rates.stale > 0 && credits > 1 { credits } else { 0 };
            range.1 = range.1.max(stale).max(city.twins_of_vanished(*cents));
        }
        if *kind == "payment.refunded" && *account == "palermo" && plan.rates.stale > 0 {
            range.1 += city.shown_apart(*cents);
        }
        match *kind {
            "credit.pending" => range.0 -= city.decided(*cents).min(range.0),
            // Refused after it was announced as pending; a refusal that nobody waited for is no news.
            "credit.rejected" => {
                let waited = told.get(&(*account, "credit.pending", *cents)).copied().unwrap_or_default();
                *range = (waited.min(range.0), waited.min(range.1));
            }
            _ => {}
        }
        if city.is_lost(*cents) || city.printed(*cents).is_some_and(|at| at.date() >= city.horizon()) {
            range.0 = 0;
        }
    }
    ranges
}

fn told(noted: &Noted) -> Result<BTreeMap<Key, usize>, String> {
    let mut told = BTreeMap::new();
    for (event, _) in noted.events.values() {
        let Body::Payment(payment) = &event.body else { continue };
        let account = match event.account.as_ref().map(AccountName::as_str) {
            Some("centro") => "centro",
            Some("palermo") => "palermo",
            other => return Err(format!("an event of the account {other:?}")),
        };
        let kind = FactKind::ALL.map(event_of).into_iter().find(|kind| *kind == event.kind.as_str());
        let kind = kind.ok_or_else(|| format!("{} carries a payment", event.kind))?;
        *told.entry((account, kind, payment.amount.cents())).or_default() += 1;
    }
    Ok(told)
}

/// What is not told yet, or was told although it did not happen.
pub(super) fn wrong_facts(city: &City, house: &House, contact: (usize, Date)) -> Vec<String> {
    house.record.with(|noted| {
        let told = match told(noted) {
            Ok(told) => told,
            Err(why) => return vec![why],
        };
        let ranges = expected(city, &house.plan, contact, &told);
        let mut wrong = Vec::new();
        for key in ranges.keys().chain(told.keys()).collect::<BTreeSet<_>>() {
            let (least, most) = ranges.get(key).copied().unwrap_or_default();
            let times = told.get(key).copied().unwrap_or_default();
            if times < least {
                wrong.push(format!("LOST {key:?}: told {times} times, happened {least} times"));
            } else if times > most {
                wrong.push(format!("INVENTED {key:?}: told {times} times, happened {most} times"));
            }
        }
        wrong
    })
}

/// What is wrong with the events themselves: doubled, dated wrongly, sent to the wrong ones.
pub(super) fn wrong_events(city: &City, house: &House) -> Vec<String> {
    house.record.with(|noted| {
        let mut wrong: Vec<String> = noted.doubled.iter().map(|id| format!("DOUBLED {id} was created twice")).collect();
        wrong.extend(
            noted
                .stale
                .iter()
                .map(|id| format!("STALE {} to {} was settled by who had lost it", id.event, id.destination)),
        );
        let mut troubles: BTreeMap<String, [u32; 3]> = BTreeMap::new();
        for (event, destinations) in noted.events.values() {
            let account = event.account.as_ref().map_or("", AccountName::as_str);
            let heard: BTreeSet<&str> = destinations.iter().map(DestinationName::as_str).collect();
            let must: BTreeSet<&str> =
                super::plan::must_hear(house.plan.destinations, event.kind.as_str(), account).into_iter().collect();
            if heard != must || heard.len() != destinations.len() {
                wrong.push(format!("ROUTED {} {} went to {destinations:?}, not to {must:?}", event.id, event.kind));
            }
            wrong.extend(wrong_date(city, event));
            let source = format!("{account} {:?}", event.source);
            let place = ["source.failing", "source.stale", "source.recovered"];
            if let Some(place) = place.into_iter().position(|kind| kind == event.kind.as_str()) {
                troubles.entry(source).or_default()[place] += 1;
            }
        }
        // Each trouble has one end. What is merely not read may turn out to fail.
        let is_wrong =
            |[failing, stale, recovered]: &[u32; 3]| *recovered < *failing.max(stale) || *recovered > failing + stale;
        wrong.extend(
            troubles.iter().filter(|(_, told)| is_wrong(told)).map(|(source, told)| {
                format!("TROUBLE {source}: failing, stale and recovered were told {told:?} times")
            }),
        );
        wrong
    })
}

fn wrong_date(city: &City, event: &Event) -> Option<String> {
    let Body::Payment(payment) = &event.body else { return None };
    if !["credit.received", "credit.pending", "debit.sent"].contains(&event.kind.as_str()) {
        return None;
    }
    let at = city.printed(payment.amount.cents())?.strftime("%Y-%m-%dT%H:%M:%S-03:00").to_string();
    (event.occurred_at != at).then(|| format!("DATED {} {}, happened {at}", event.id, event.occurred_at))
}

/// Deliveries that nobody got, and some that nobody should have got.
pub(super) fn wrong_deliveries(house: &House) -> Vec<String> {
    let taken = taken(&house.channels);
    house.record.with(|noted| {
        let mut wrong = Vec::new();
        for (id, (event, destinations)) in &noted.events {
            for name in destinations.iter().filter(|name| !taken.contains_key(&(name.to_string(), *id))) {
                wrong.push(format!("UNDELIVERED {id} {} to {name}", event.kind));
            }
        }
        for (name, id) in taken.keys() {
            if !noted.events.get(id).is_some_and(|(_, names)| names.iter().any(|one| one.as_str() == name)) {
                wrong.push(format!("STRAY {id} was sent to {name}"));
            }
        }
        wrong
    })
}

/// Windows over which requests are counted.
const WINDOWS: [u64; 5] = [1, 10, 60, 300, 900];

/// Windows in which more was asked than rate and burst allow: of each process, and of the account over all of them, to
/// which every change of hands and every start brings one burst more.
pub(super) fn wrong_quota(house: &House) -> Vec<String> {
    let (count, burst) = house.plan.quota;
    let mut wrong = Vec::new();
    for (account, counter) in [("centro", &house.counters[0]), ("palermo", &house.counters[1])] {
        let all = counter.requests();
        let processes: BTreeSet<u64> = all.iter().map(|(_, process)| *process).collect();
        for process in processes {
            let own: Vec<Instant> = all.iter().filter(|(_, by)| *by == process).map(|(at, _)| *at).collect();
            wrong.extend(over(&own, count, |_, _| burst).map(|why| format!("QUOTA {account} by p{process}: {why}")));
        }
        if house.plan.pauses {
            // Who wakes after its lease ends what it had begun, at its own rate.
            continue;
        }
        let turns = house.record.with(|noted| noted.turns.get(&AccountName::new(account)).cloned().unwrap_or_default());
        let starts = house.starts.lock().unwrap().clone();
        let bursts = |from: Instant, to: Instant| {
            // Whoever lost the right may still be in the middle of a reading.
            let changes = turns.iter().chain(&starts).filter(|at| **at + Duration::from_secs(30) >= from && **at < to);
            burst * (1 + u32::try_from(changes.count()).unwrap_or(u32::MAX))
        };
        let every: Vec<Instant> = all.iter().map(|(at, _)| *at).collect();
        wrong.extend(over(&every, count, bursts).map(|why| format!("QUOTA {account}: {why}")));
    }
    wrong
}

fn over(asked: &[Instant], count: u32, bursts: impl Fn(Instant, Instant) -> u32) -> Option<String> {
    for window in WINDOWS {
        let mut end = 0;
        for (first, from) in asked.iter().enumerate() {
            let to = *from + Duration::from_secs(window);
            while asked.get(end).is_some_and(|at| *at < to) {
                end += 1;
            }
            let allowed = u64::from(bursts(*from, to)) + u64::from(count) * window / 60 + 1;
            let inside = u64::try_from(end - first).unwrap();
            if inside > allowed {
                return Some(format!("{inside} requests within {window} s, {allowed} are allowed"));
            }
        }
    }
    None
}
