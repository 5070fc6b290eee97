//! What a template sees of an event: texts that are ready to be shown, masked, clipped and in the reader's zone.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::words::{self, Label};
use super::{Moment, Style};
use crate::config::{Detail, Language};
use crate::domain::account::Upstream;
use crate::domain::argentina::{format_cuit, last_four, mask_cuit, mask_name, mask_tail};
use crate::domain::event::{Body, Event, EventType, Notice, Payment};
use crate::domain::money::Money;
use crate::domain::row::StatusKind;

/// The longest text of an upstream that is shown. Twenty of these still fit into a chat message (4096 characters).
const CLIP: usize = 120;

/// The longest reason of a notice that is shown.
const CLIP_REASON: usize = 600;

/// An event as a template sees it. Additive: operators' templates will use these names.
#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one question that a template may ask")]
pub struct View {
    /// One sign.
    pub icon: &'static str,
    /// What happened, in words.
    pub title: &'static str,
    /// It came from the pretend upstreams.
    pub sandbox: bool,
    /// First seen long after it happened.
    pub late: bool,
    /// An earlier try may have arrived.
    pub repeated: bool,
    /// `$ 1.234,56` with a no-break space.
    pub amount: Option<String>,
    /// The other side, masked unless the destination is shown everything.
    pub payer: Option<String>,
    /// The payer received the money.
    pub outgoing: bool,
    /// CUIT or CUIL.
    pub cuit: Option<String>,
    /// CBU or CVU.
    pub cvu: Option<String>,
    /// Brand and last four digits.
    pub card: Option<String>,
    /// The status, where the title does not say it.
    pub status: Option<String>,
    /// The operation as the upstream calls it.
    pub operation: Option<String>,
    /// `cobrado`, `devuelto`, …
    pub verb: &'static str,
    /// `14:03:22`, or with the date when that is not today, or the day alone.
    pub when: Option<String>,
    /// `+6 s`: from then until this message left.
    pub lag: Option<String>,
    /// Further references.
    pub references: Vec<Reference>,
    /// The account.
    pub account: Option<String>,
    /// The company.
    pub upstream: Option<&'static str>,
    /// The destination concerned.
    pub destination: Option<String>,
    /// Why, and what it means.
    pub reason: Option<String>,
    /// Why, in the program's own words, where `reason` is for people.
    pub technical: Option<String>,
    /// Since when.
    pub since: Option<String>,
    /// How many.
    pub count: Option<u64>,
    /// The end of the event's id, by which a repeated message is recognised.
    pub code: String,
    /// The event's id.
    pub id: String,
}

/// One reference.
#[derive(Clone, Debug, Serialize)]
pub struct Reference {
    /// What it is.
    pub label: &'static str,
    /// Its text.
    pub value: String,
}

impl View {
    /// An event for that reader at that moment.
    pub fn of(event: &Event, style: &Style, moment: Moment) -> Self {
        let language = style.language;
        let id = event.id.to_string();
        let code = id.get(id.len().saturating_sub(6)..).unwrap_or_default().to_owned();
        let (when, lag) = times(&event.occurred_at, style, moment.now);
        let status = match &event.body {
            Body::Payment(payment) => Some(payment.status.kind),
            Body::Notice(_) => None,
        };
        let blank = Self {
            icon: words::icon(event.kind, status),
            title: words::title(event.kind, language),
            sandbox: event.sandbox,
            late: event.late,
            repeated: moment.repeated,
            amount: None,
            payer: None,
            outgoing: words::goes_out(event.kind),
            cuit: None,
            cvu: None,
            card: None,
            status: None,
            operation: None,
            verb: words::verb(event.kind, language),
            when,
            lag,
            references: Vec::new(),
            account: event.account.as_ref().map(|account| clip(account.as_str(), CLIP)),
            upstream: event.upstream.map(|upstream| match upstream {
                Upstream::Telepagos => "TelePagos",
                Upstream::Sipago => "Sipago",
            }),
            destination: None,
            reason: None,
            technical: None,
            since: None,
            count: None,
            code,
            id,
        };
        match &event.body {
            Body::Payment(payment) => blank.with_payment(event.kind, payment, style),
            Body::Notice(notice) => blank.with_notice(event.kind, notice, style, moment.now),
        }
    }

    fn with_payment(self, kind: EventType, payment: &Payment, style: &Style) -> Self {
        let (payer, detail) = (&payment.payer, style.detail);
        let shown = |value: &Option<String>, full: fn(&str) -> String, mask: fn(&str) -> String| {
            let value = value.as_deref().filter(|value| !value.trim().is_empty())?;
            match detail {
                Detail::Full => Some(clip(&full(value), CLIP)),
                Detail::Masked => Some(clip(&mask(value), CLIP)),
                Detail::Thin => None,
            }
        };
        let card = match (&payer.card_brand, payer.card_last4.as_deref().map(last_four)) {
            (Some(brand), Some(last4)) => Some(format!("{brand} ••••{last4}")),
            (Some(brand), None) => Some(brand.clone()),
            (None, Some(last4)) => Some(format!("••••{last4}")),
            (None, None) => None,
        };
        let raw = clip(&payment.status.raw, CLIP);
        let status = match (words::status(payment.status.kind, style.language), payment.status.kind) {
            (_, StatusKind::Unknown) if !raw.is_empty() => Some(words::unknown_status(kind, &raw, style.language)),
            (word, _) => word.map(str::to_owned),
        };
        let operation =
            Some(clip(&payment.operation.raw, CLIP)).filter(|raw| !raw.is_empty() && detail != Detail::Thin);
        Self {
            // Of a link that we issued and nobody told us the amount of.
            amount: Some(pesos(payment.amount))
                .filter(|_| kind != EventType::LinkExpired || payment.amount.cents() != 0),
            payer: shown(&payer.name, str::to_owned, mask_name),
            cuit: shown(&payer.cuit, format_cuit, mask_cuit),
            cvu: shown(&payer.cvu_cbu, str::to_owned, mask_tail),
            card: card.filter(|_| detail != Detail::Thin).map(|card| clip(&card, CLIP)),
            status,
            operation,
            references: references(payment, style),
            ..self
        }
    }

    fn with_notice(self, kind: EventType, notice: &Notice, style: &Style, now: Timestamp) -> Self {
        let technical = Some(clip(&notice.reason, CLIP_REASON)).filter(|reason| !reason.is_empty());
        let told = super::day::told(kind, notice, style.language);
        let told = told.or_else(|| words::explanation(kind, notice.cause, self.upstream, style.language));
        let (reason, technical) = match told {
            // Of a failure the upstream's own words help whoever mends it; of the rest all is said.
            Some(words) => (Some(words), technical.filter(|_| notice.cause.is_some())),
            None => (technical, None),
        };
        Self {
            destination: notice.destination.as_deref().map(|name| clip(name, CLIP)),
            reason,
            technical,
            since: notice.since.map(|since| local(since, &style.zone, now)),
            count: notice.count,
            ..self
        }
    }

    /// One plain line.
    pub fn line(&self) -> String {
        let mut line = String::new();
        if self.sandbox {
            line.push_str("[SANDBOX] ");
        }
        line.push_str(self.title);
        let parts =
            [&self.amount, &self.payer, &self.status, &self.reason, &self.account, &self.destination, &self.when];
        for part in parts.into_iter().flatten() {
            line.push_str(" · ");
            line.push_str(part);
        }
        // Writing to a string cannot fail.
        write!(line, " · {}", self.code).ok();
        line
    }
}

fn references(payment: &Payment, style: &Style) -> Vec<Reference> {
    let known = &payment.references;
    let ids = [
        (Label::Transaction, &known.transaction_id),
        (Label::Link, &known.link_id),
        (Label::Qr, &known.qr_order_id),
        (Label::Order, &known.order_uuid),
        (Label::Payment, &known.payment_id),
        (Label::Authorization, &known.authorization_code),
        (Label::SalePoint, &known.sale_point),
    ];
    let free = [(Label::Concept, &known.concept), (Label::Description, &known.description)];
    let shown = |label: Label, value: &Option<String>| {
        let in_chat = matches!(label, Label::Authorization | Label::SalePoint | Label::Link | Label::Qr);
        let value = value.as_deref().map(|value| clip(value, CLIP)).filter(|value| !value.is_empty())?;
        // Who reads masked messages stands at a till: long ids are noise there.
        let wanted = in_chat || style.detail != Detail::Masked;
        wanted.then(|| Reference { label: label.text(style.language), value })
    };
    let mut list: Vec<Reference> = ids.into_iter().filter_map(|(label, value)| shown(label, value)).collect();
    if style.detail == Detail::Full {
        list.extend(free.into_iter().filter_map(|(label, value)| shown(label, value)));
    }
    list
}

/// `$ 1.234,56` with a no-break space, as CLDR prints it for es-AR.
pub fn pesos(amount: Money) -> String {
    let printed = amount.to_string();
    let (sign, digits) = printed.strip_prefix('-').map_or(("", printed.as_str()), |digits| ("-", digits));
    let (whole, cents) = digits.split_once('.').unwrap_or((digits, "00"));
    let mut grouped = String::with_capacity(printed.len() + 8);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            grouped.push('.');
        }
        grouped.push(digit);
    }
    format!("{sign}$\u{a0}{grouped},{cents}")
}

/// When it happened in the reader's zone, and how long ago that is.
fn times(occurred_at: &str, style: &Style, now: Timestamp) -> (Option<String>, Option<String>) {
    if let Ok(at) = occurred_at.parse::<Timestamp>() {
        return (Some(local(at, &style.zone, now)), lag(at, now, style.language));
    }
    let day = occurred_at.parse::<Date>().ok().map(|day| format!("{}{}", words::on(style.language), date(day)));
    (day, None)
}

/// `14:03:22` today, `20/11/2026 14:03:22` on any other day.
fn local(at: Timestamp, zone: &TimeZone, now: Timestamp) -> String {
    let civil = zone.to_datetime(at);
    let time = clock_time(civil);
    if civil.date() == zone.to_datetime(now).date() { time } else { format!("{} {time}", date(civil.date())) }
}

fn clock_time(civil: DateTime) -> String {
    format!("{:02}:{:02}:{:02}", civil.hour(), civil.minute(), civil.second())
}

pub(super) fn date(day: Date) -> String {
    format!("{:02}/{:02}/{:04}", day.day(), day.month(), day.year())
}

/// `+6 s`, `+3 min`, `+5 h`, `+2 días`; nothing when the upstream's clock is ahead of ours.
fn lag(at: Timestamp, now: Timestamp, language: Language) -> Option<String> {
    let seconds = now.duration_since(at).as_secs();
    match seconds {
        ..-1 => None,
        -1..120 => Some(format!("+{} s", seconds.max(0))),
        120..7_200 => Some(format!("+{} min", seconds / 60)),
        7_200..172_800 => Some(format!("+{} h", seconds / 3_600)),
        _ => Some(format!("+{} {}", seconds / 86_400, words::days(language))),
    }
}

/// At most so many characters, on one line, without anything that changes the direction of writing.
fn clip(text: &str, most: usize) -> String {
    let clean = |c: &char| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let text: String = text.chars().filter(clean).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if text.chars().count() <= most {
        return text;
    }
    let mut cut: String = text.chars().take(most - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pesos_are_printed_as_in_argentina() {
        let print = |cents| pesos(Money::from_cents(cents));
        assert_eq!(print(123_456), "$\u{a0}1.234,56");
        assert_eq!(print(5), "$\u{a0}0,05");
        assert_eq!(print(100_000), "$\u{a0}1.000,00");
        assert_eq!(print(123_456_789_012), "$\u{a0}1.234.567.890,12");
        assert_eq!(print(-99_950), "-$\u{a0}999,50");
        assert_eq!(print(i64::MIN), "-$\u{a0}92.233.720.368.547.758,08");
    }

    #[test]
    fn a_time_names_its_day_only_when_that_is_not_today() {
        let zone = TimeZone::get("America/Argentina/Buenos_Aires").unwrap();
        let now: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
        let at = |text: &str| local(text.parse().unwrap(), &zone, now);
        assert_eq!(at("2026-11-21T14:03:22-03:00"), "14:03:22", "in UTC it is tomorrow already, here it is not");
        assert_eq!(at("2026-11-20T14:03:22-03:00"), "20/11/2026 14:03:22");
    }

    #[test]
    fn a_lag_is_short_and_never_negative() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let ago = |seconds: i64| lag(now - jiff::SignedDuration::from_secs(seconds), now, Language::Es);
        assert_eq!(ago(6).as_deref(), Some("+6 s"));
        assert_eq!(ago(-1).as_deref(), Some("+0 s"));
        assert_eq!(ago(-60), None);
        assert_eq!(ago(180).as_deref(), Some("+3 min"));
        assert_eq!(ago(3 * 3600).as_deref(), Some("+3 h"));
        assert_eq!(ago(3 * 86_400).as_deref(), Some("+3 días"));
    }

    #[test]
    fn texts_of_strangers_are_clipped_and_tamed() {
        assert_eq!(clip("a\r\nBcc: x\u{202e}y\tz", 120), "a Bcc: xy z");
        assert_eq!(clip(&"é".repeat(500), 120).chars().count(), 120);
        assert_eq!(clip("  ", 120), "");
    }
}
