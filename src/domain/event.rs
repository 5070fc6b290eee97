//! Our announcement of a fact, with the id that it has for ever.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::account::{AccountName, SourceKind, Upstream};
use super::cause::Cause;
use super::closing::Closing;
use super::day::{Day, Moment};
use super::fact::FactKind;
use super::ledger::Slot;
use super::money::Money;
use super::row::{Label, OperationKind, Payer, References, StatusKind};

/// The id of an event: computed from the upstream's data, never drawn. `evt_` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 16]);

impl EventId {
    /// The id of a fact: the row's slot (which holds identity version, account, source and identity), its occurrence number and the kind of fact.
    pub fn of_fact(slot: &Slot, ordinal: u32, fact: FactKind) -> Self {
        Self::of_parts(&[b"fact", slot.as_bytes(), &ordinal.to_be_bytes(), fact.as_str().as_bytes()])
    }

    /// The id of something that the daemon itself has to say, such as the beginning of an outage; equal parts give equal ids.
    pub fn of_notice(parts: &[&str]) -> Self {
        let bytes: Vec<&[u8]> =
            std::iter::once(b"notice".as_slice()).chain(parts.iter().map(|part| part.as_bytes())).collect();
        Self::of_parts(&bytes)
    }

    fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            hasher.update(part);
        }
        let hash: [u8; 32] = hasher.finalize().into();
        let mut id = [0; 16];
        id.copy_from_slice(hash.split_at(16).0);
        Self(id)
    }

    /// Reads `evt_…`.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("evt_")?;
        if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return None;
        }
        u128::from_str_radix(hex, 16).ok().map(|id| Self(id.to_be_bytes()))
    }

    /// From persisted bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to persist.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evt_{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The type of an event, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "each variant is the wire name in `as_str`, and the table in docs/events.md says when it is sent"
)]
pub enum EventType {
    CreditReceived,
    CreditPending,
    CreditRejected,
    LinkPaid,
    QrPaid,
    LinkExpired,
    LinkFailed,
    PaymentRefunded,
    PaymentVoided,
    DebitSent,
    SettlementPaid,
    DayClosed,
    SourceFailing,
    SourceStale,
    SourceRecovered,
    DestinationFailing,
    DestinationPaused,
    DestinationRecovered,
    ReconcileDifference,
    FloodHeld,
    TestPing,
}

impl EventType {
    /// Every type.
    pub const ALL: [Self; 21] = [
        Self::CreditReceived,
        Self::CreditPending,
        Self::CreditRejected,
        Self::LinkPaid,
        Self::QrPaid,
        Self::LinkExpired,
        Self::LinkFailed,
        Self::PaymentRefunded,
        Self::PaymentVoided,
        Self::DebitSent,
        Self::SettlementPaid,
        Self::DayClosed,
        Self::SourceFailing,
        Self::SourceStale,
        Self::SourceRecovered,
        Self::DestinationFailing,
        Self::DestinationPaused,
        Self::DestinationRecovered,
        Self::ReconcileDifference,
        Self::FloodHeld,
        Self::TestPing,
    ];

    /// The name on the wire and in `events = […]`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreditReceived => "credit.received",
            Self::CreditPending => "credit.pending",
            Self::CreditRejected => "credit.rejected",
            Self::LinkPaid => "link.paid",
            Self::QrPaid => "qr.paid",
            Self::LinkExpired => "link.expired",
            Self::LinkFailed => "link.failed",
            Self::PaymentRefunded => "payment.refunded",
            Self::PaymentVoided => "payment.voided",
            Self::DebitSent => "debit.sent",
            Self::SettlementPaid => "settlement.paid",
            Self::DayClosed => "day.closed",
            Self::SourceFailing => "source.failing",
            Self::SourceStale => "source.stale",
            Self::SourceRecovered => "source.recovered",
            Self::DestinationFailing => "destination.failing",
            Self::DestinationPaused => "destination.paused",
            Self::DestinationRecovered => "destination.recovered",
            Self::ReconcileDifference => "reconcile.difference",
            Self::FloodHeld => "flood.held",
            Self::TestPing => "test.ping",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The type that announces a fact.
    pub const fn of_fact(fact: FactKind) -> Self {
        match fact {
            FactKind::Pending => Self::CreditPending,
            FactKind::Credited => Self::CreditReceived,
            FactKind::Rejected => Self::CreditRejected,
            FactKind::LinkPaid => Self::LinkPaid,
            FactKind::QrPaid => Self::QrPaid,
            FactKind::LinkExpired => Self::LinkExpired,
            FactKind::LinkFailed => Self::LinkFailed,
            FactKind::Refunded => Self::PaymentRefunded,
            FactKind::Voided => Self::PaymentVoided,
            FactKind::Debited => Self::DebitSent,
            FactKind::Settled => Self::SettlementPaid,
        }
    }

    /// Whether the daemon speaks of itself. Such events go to destinations that ask for `system.*`.
    pub const fn is_system(self) -> bool {
        matches!(
            self,
            Self::SourceFailing
                | Self::SourceStale
                | Self::SourceRecovered
                | Self::DestinationFailing
                | Self::DestinationPaused
                | Self::DestinationRecovered
                | Self::ReconcileDifference
                | Self::FloodHeld
        )
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Our announcement of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Eternal.
    pub id: EventId,
    /// What is announced.
    pub kind: EventType,
    /// Whose; `None` only for what concerns no account, such as a test.
    pub account: Option<AccountName>,
    /// From which company.
    pub upstream: Option<Upstream>,
    /// From which source.
    pub source: Option<SourceKind>,
    /// When it happened, with the account's offset: RFC 3339, or a day where only that is known.
    pub occurred_at: String,
    /// When we first saw it.
    pub detected_at: Timestamp,
    /// First seen more than `late_after` after it happened.
    pub late: bool,
    /// It came from the pretend upstreams.
    pub sandbox: bool,
    /// The rest.
    pub body: Body,
}

/// What an event says beyond its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Of a payment.
    Payment(Box<Payment>),
    /// Of ourselves.
    Notice(Notice),
}

/// The payment that an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// How much, without sign.
    pub amount: Money,
    /// Status at the time of the fact.
    pub status: Label<StatusKind>,
    /// Operation.
    pub operation: Label<OperationKind>,
    /// The other side.
    pub payer: Payer,
    /// `pay_…`: equal for all events of one payment, whichever source told of them.
    pub key: String,
    /// The upstream's references.
    pub references: References,
}

/// What the daemon says of itself or of a test.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Notice {
    /// The destination concerned.
    pub destination: Option<String>,
    /// What kind of trouble, where it is one that has a name; people read it in their language.
    pub cause: Option<Cause>,
    /// Why, in words for the operator. Carries no secret and no personal data.
    pub reason: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// How many, where something is counted.
    pub count: Option<u64>,
    /// The day concerned.
    pub day: Option<Day>,
    /// What became of that day.
    pub closing: Option<Box<Closing>>,
}

/// The key of a payment, from what identifies it at the upstream.
pub fn payment_key(account: &AccountName, identity: &str) -> String {
    let EventId(id) = EventId::of_parts(&[b"payment", account.as_str().as_bytes(), identity.as_bytes()]);
    format!("pay_{:032x}", u128::from_be_bytes(id))
}

/// Whether a fact first seen at `detected` is late: more than `late_after` after it happened, or on a later local day
/// (`today`) where only the day is known.
pub fn is_late(occurred: &Moment, detected: Timestamp, today: Day, late_after: std::time::Duration) -> bool {
    match occurred.instant() {
        Some(at) => {
            detected.duration_since(at)
                > jiff::SignedDuration::try_from(late_after).unwrap_or(jiff::SignedDuration::MAX)
        }
        None => occurred.day() < today,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::row::Identity;

    #[test]
    fn an_id_is_the_same_on_every_machine_and_in_every_release() {
        let slot = Slot::of(&AccountName::new("centro"), SourceKind::Movements, &Identity::Keyed("4711".into()));
        let id = EventId::of_fact(&slot, 1, FactKind::Credited);
        // Pinned: receivers have stored this. If it changes, every fact is announced anew.
        assert_eq!(id.to_string(), "evt_3544392292d8a1c9f992bfb8e1c4a7c1");
        assert_eq!(EventId::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn every_part_counts() {
        let slot =
            |account: &str, source, id: &str| Slot::of(&AccountName::new(account), source, &Identity::Keyed(id.into()));
        let base = slot("a", SourceKind::Movements, "1");
        assert_ne!(base, slot("b", SourceKind::Movements, "1"));
        assert_ne!(base, slot("a", SourceKind::Links, "1"));
        assert_ne!(base, slot("a", SourceKind::Movements, "2"));
        assert_ne!(base, Slot::of(&AccountName::new("a"), SourceKind::Movements, &Identity::Counted("1".into())));
        assert_ne!(EventId::of_fact(&base, 1, FactKind::Credited), EventId::of_fact(&base, 2, FactKind::Credited));
        assert_ne!(EventId::of_fact(&base, 1, FactKind::Credited), EventId::of_fact(&base, 1, FactKind::Refunded));
        assert_ne!(EventId::of_notice(&["ab", "c"]), EventId::of_notice(&["a", "bc"]));
    }

    #[test]
    fn names_and_types_are_inverse_and_wire_safe() {
        for kind in EventType::ALL {
            assert_eq!(EventType::from_name(kind.as_str()), Some(kind));
            assert!(kind.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'.'));
        }
        for bad in ["evt_", "evt_xyz", "evt_+123456789012345678901234567890a", ""] {
            assert_eq!(EventId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn late_is_an_hour_or_a_later_day() {
        let zone = jiff::tz::TimeZone::get("America/Argentina/Buenos_Aires").unwrap();
        let hour = std::time::Duration::from_secs(3600);
        let now: Timestamp = "2026-11-21T17:00:00Z".parse().unwrap();
        let today = Day::of(now, &zone);
        let at = |text: &str| Moment::read(text, &[], &zone).unwrap();
        assert!(!is_late(&at("2026-11-21T13:30:00"), now, today, hour));
        assert!(is_late(&at("2026-11-21T12:59:59"), now, today, hour));
        assert!(!is_late(&at("2026-11-22T09:00:00"), now, today, hour), "future-dated is not late");
        assert!(!is_late(&at("2026-11-21"), now, today, hour));
        assert!(is_late(&at("2026-11-20"), now, today, hour));
    }
}
