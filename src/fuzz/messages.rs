//! What an upstream may print, in the messages of people. Templates are ours; only what they show is a stranger's.

use std::cell::OnceCell;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::answers::noon;
use super::entropy::Entropy;
use crate::channels::text::{Moment, Style, Texts};
use crate::channels::webhook::payload;
use crate::config::{Detail, Language};
use crate::domain::account::{AccountName, SourceKind, Upstream};
use crate::domain::cause::Cause;
use crate::domain::closing::Closing;
use crate::domain::day::Day;
use crate::domain::event::{Body, Event, EventId, EventType, Notice, Payment};
use crate::domain::money::Money;
use crate::domain::row::{Label, OperationKind, Payer, References, StatusKind};

thread_local! {
    static TEXTS: OnceCell<Texts> = const { OnceCell::new() };
}

/// An event whose every text is the fuzzer's, for a reader of its choice.
///
/// Laws: the chat's markup is what Telegram's parser takes, and short enough; a mail's markup is the same tags in the
/// same order as without the strangers' texts; a subject is one line; no control character and nothing that turns the
/// direction of writing is shown; a masked or thin message holds no whole number of a payer; the webhook's body is JSON.
pub fn messages(data: &[u8]) {
    let mut entropy = Entropy(data);
    let style = Style {
        language: if entropy.flag() { Language::Es } else { Language::En },
        detail: entropy.pick(&[Detail::Full, Detail::Masked, Detail::Thin]).unwrap_or(Detail::Full),
        zone: TimeZone::fixed(Offset::constant(-3)),
    };
    let moment = Moment { now: noon(), repeated: entropy.flag() };
    let event = event(&mut entropy);
    TEXTS.with(|texts| {
        let texts = texts.get_or_init(|| Texts::new().unwrap_or_else(|_| unreachable!("the tests compile them")));
        let chat = texts.telegram(&event, &style, moment);
        assert_is_telegrams(&chat);
        let mail = texts.mail(&event, &style, moment);
        assert!(!mail.subject.contains(['\n', '\r']), "a subject of two lines");
        assert_eq!(tags(&mail.html), tags(&texts.mail(&tame(&event), &style, moment).html), "a text became markup");
        for text in [&chat, &mail.subject, &mail.text, &mail.html, &texts.plain(&event, &style, moment)] {
            assert!(!text.contains(is_unseen), "an unseen character is shown");
            assert!(text.len() < 60_000, "{} bytes", text.len());
            assert_hides(text, &event, &style);
        }
    });
    for detail in [Detail::Full, Detail::Masked, Detail::Thin] {
        let body = payload::body(&event, detail).unwrap_or_default();
        assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|body| body.is_object()), "no JSON");
    }
}

fn is_unseen(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

fn event(entropy: &mut Entropy<'_>) -> Event {
    let kind = entropy.pick(&EventType::ALL).unwrap_or(EventType::TestPing);
    let head = entropy.byte();
    let own = matches!(kind, EventType::DayClosed | EventType::TestPing) || kind.is_system();
    let times = ["2026-11-21T11:59:00-03:00", "2026-11-21", "2020-01-01T00:00:00Z", "9999-12-31"];
    Event {
        id: EventId::from_bytes([head; 16]),
        kind,
        account: (head & 1 == 0).then(|| AccountName::new("centro")),
        upstream: Some(if head & 2 == 0 { Upstream::Telepagos } else { Upstream::Sipago }),
        source: Some(SourceKind::Transactions),
        occurred_at: if head & 4 == 0 { entropy.pick(&times).unwrap_or_default().to_owned() } else { entropy.text() },
        detected_at: noon(),
        late: head & 8 != 0,
        sandbox: head & 16 != 0,
        body: if own { Body::Notice(notice(entropy)) } else { Body::Payment(Box::new(payment(entropy))) },
    }
}

fn notice(entropy: &mut Entropy<'_>) -> Notice {
    Notice {
        destination: entropy.maybe_text(),
        cause: if entropy.flag() { entropy.pick(&Cause::ALL) } else { None },
        reason: entropy.text(),
        since: if entropy.flag() { Timestamp::from_second(i64::from(entropy.byte()) << 30).ok() } else { None },
        count: entropy.flag().then(|| entropy.number()),
        day: entropy.flag().then(|| Day::of(noon(), &TimeZone::UTC)),
        closing: entropy.flag().then(|| Box::new(Closing { differences: entropy.number(), ..Closing::default() })),
    }
}

fn payment(entropy: &mut Entropy<'_>) -> Payment {
    Payment {
        amount: Money::from_cents(entropy.number().cast_signed()),
        status: Label { kind: entropy.pick(&StatusKind::ALL).unwrap_or(StatusKind::Unknown), raw: entropy.text() },
        operation: Label {
            kind: entropy.pick(&OperationKind::ALL).unwrap_or(OperationKind::Unknown),
            raw: entropy.text(),
        },
        payer: Payer {
            name: entropy.maybe_text(),
            cuit: entropy.maybe_text(),
            cvu_cbu: entropy.maybe_text(),
            card_brand: entropy.maybe_text(),
            card_last4: entropy.maybe_text(),
        },
        key: String::from("pay_0"),
        references: References {
            transaction_id: entropy.maybe_text(),
            link_id: entropy.maybe_text(),
            qr_order_id: entropy.maybe_text(),
            cashin_id: entropy.maybe_text(),
            order_uuid: entropy.maybe_text(),
            payment_id: entropy.maybe_text(),
            sale_id: entropy.maybe_text(),
            authorization_code: entropy.maybe_text(),
            sale_point: entropy.maybe_text(),
            concept: entropy.maybe_text(),
            description: entropy.maybe_text(),
        },
    }
}

/// The same event with every sign of markup replaced by a letter.
fn tame(event: &Event) -> Event {
    let plain = |text: &String| text.replace(['<', '>', '&', '"', '\'', '/'], "x");
    let tamed = |field: &mut Option<String>| *field = field.as_ref().map(plain);
    let mut event = event.clone();
    match &mut event.body {
        Body::Notice(notice) => {
            tamed(&mut notice.destination);
            notice.reason = plain(&notice.reason);
        }
        Body::Payment(payment) => {
            payment.status.raw = plain(&payment.status.raw);
            payment.operation.raw = plain(&payment.operation.raw);
            let Payer { name, cuit, cvu_cbu, card_brand, card_last4 } = &mut payment.payer;
            let references = &mut payment.references;
            [name, cuit, cvu_cbu, card_brand, card_last4].into_iter().for_each(tamed);
            let References { transaction_id, link_id, qr_order_id, cashin_id, order_uuid, payment_id, .. } = references;
            [transaction_id, link_id, qr_order_id, cashin_id, order_uuid, payment_id].into_iter().for_each(tamed);
            let References { sale_id, authorization_code, sale_point, concept, description, .. } = references;
            [sale_id, authorization_code, sale_point, concept, description].into_iter().for_each(tamed);
        }
    }
    event
}

/// The tags of a text, in order.
fn tags(html: &str) -> Vec<&str> {
    html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()).collect()
}

/// Known tags, balanced; only the three entities; no longer than Telegram takes.
fn assert_is_telegrams(html: &str) {
    let mut open = Vec::new();
    for tag in tags(html) {
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "a tag is closed that is not open");
        } else {
            assert!(["b", "i", "code"].contains(&tag), "the tag {tag}");
            open.push(tag);
        }
    }
    assert!(open.is_empty(), "a tag stays open");
    let text: String = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    assert!(!text.contains('>'), "a bare >");
    for entity in text.split('&').skip(1) {
        assert!(["lt;", "gt;", "amp;"].iter().any(|known| entity.starts_with(known)), "an unknown entity");
    }
    let parsed = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    assert!(parsed.chars().count() <= 4096, "{} characters", parsed.chars().count());
}

/// A well-formed number of a payer stands whole only where everything is shown.
fn assert_hides(text: &str, event: &Event, style: &Style) {
    let Body::Payment(payment) = &event.body else { return };
    if style.detail == Detail::Full {
        return;
    }
    let digits = |text: &String| text.len() >= 11 && text.bytes().all(|byte| byte.is_ascii_digit());
    let Payer { cuit, cvu_cbu, .. } = &payment.payer;
    // Of our own making, an id may hold any digits.
    let ours = format!("{} {}", event.id, payment.key);
    let elsewhere =
        format!("{ours}{:?}{}{}{}", payment.references, payment.status.raw, payment.operation.raw, event.occurred_at);
    for number in [cuit, cvu_cbu].into_iter().flatten().filter(|number| digits(number)) {
        let said = elsewhere.contains(number.as_str())
            || payment.payer.name.iter().chain(&payment.payer.card_brand).any(|text| text.contains(number.as_str()));
        assert!(said || !text.contains(number.as_str()), "a masked number is shown");
    }
}
