//! Which destinations an event goes to.

use std::fmt;
use std::sync::Arc;

use super::account::AccountName;
use super::event::EventType;

/// A destination's name, unique over all channels. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DestinationName(Arc<str>);

impl DestinationName {
    /// From a name that the configuration has checked.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DestinationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kind of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelKind {
    /// An outgoing HTTP request.
    Webhook,
    /// A mailing.
    Email,
    /// A chat.
    Telegram,
}

impl ChannelKind {
    /// The name in the configuration and the logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Email => "email",
            Self::Telegram => "telegram",
        }
    }
}

/// One entry of `events = […]`: a type, a family such as `credit.*`, `system.*`, or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Everything about money; not what the daemon says of itself, not tests.
    Everything,
    /// `system.*`: what the daemon says of itself.
    System,
    /// `credit.*`: every type of a family. Holds `credit.`.
    Family(String),
    /// One type.
    Exactly(EventType),
}

impl Pattern {
    /// Reads a pattern; `None` when no event type could ever match it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "*" => Some(Self::Everything),
            "system.*" => Some(Self::System),
            _ => match text.strip_suffix('*') {
                Some(family)
                    if family.ends_with('.') && EventType::ALL.iter().any(|kind| kind.as_str().starts_with(family)) =>
                {
                    Some(Self::Family(family.to_owned()))
                }
                Some(_) => None,
                None => EventType::from_name(text).map(Self::Exactly),
            },
        }
    }

    /// Whether the pattern asks for this type.
    pub fn matches(&self, kind: EventType) -> bool {
        match self {
            Self::Everything => !kind.is_system() && kind != EventType::TestPing,
            Self::System => kind.is_system(),
            Self::Family(family) => kind.as_str().starts_with(family.as_str()),
            Self::Exactly(exact) => *exact == kind,
        }
    }

    /// What a destination gets that names no events: news of money that people care for.
    pub fn defaults(channel: ChannelKind) -> Vec<Self> {
        let mut patterns: Vec<Self> = [
            EventType::CreditReceived,
            EventType::CreditRejected,
            EventType::LinkPaid,
            EventType::QrPaid,
            EventType::LinkExpired,
            EventType::LinkFailed,
            EventType::PaymentRefunded,
            EventType::PaymentVoided,
            EventType::SettlementPaid,
        ]
        .map(Self::Exactly)
        .to_vec();
        if channel == ChannelKind::Webhook {
            // Machines want every step of a payment; people would be rung twice.
            patterns.push(Self::Exactly(EventType::CreditPending));
        }
        patterns
    }
}

/// What one destination asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub destination: DestinationName,
    /// By which channel.
    pub channel: ChannelKind,
    /// Which types.
    pub patterns: Vec<Pattern>,
    /// Of which accounts; empty means all.
    pub accounts: Vec<AccountName>,
}

impl Route {
    /// Whether an event goes this way. A destination never gets the news of its own failure, because it could not.
    pub fn takes(&self, kind: EventType, account: Option<&AccountName>, about: Option<&str>) -> bool {
        let account_fits = self.accounts.is_empty() || account.is_none_or(|account| self.accounts.contains(account));
        account_fits
            && about != Some(self.destination.as_str())
            && self.patterns.iter().any(|pattern| pattern.matches(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn patterns_take_what_they_say() {
        assert!(pattern("credit.*").matches(EventType::CreditPending));
        assert!(!pattern("credit.*").matches(EventType::LinkPaid));
        assert!(pattern("link.paid").matches(EventType::LinkPaid));
        assert!(pattern("system.*").matches(EventType::SourceFailing));
        assert!(pattern("source.*").matches(EventType::SourceFailing));
        assert!(!pattern("system.*").matches(EventType::CreditReceived));
        assert!(!pattern("*").matches(EventType::SourceFailing), "the daemon's own news must be asked for");
        for bad in ["", "credit", "credits.*", "cred*", "system", "**", "credit.receive"] {
            assert_eq!(Pattern::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn people_are_not_rung_for_what_is_undecided() {
        let takes = |channel, kind| Pattern::defaults(channel).iter().any(|pattern| pattern.matches(kind));
        assert!(!takes(ChannelKind::Telegram, EventType::CreditPending));
        assert!(takes(ChannelKind::Webhook, EventType::CreditPending));
        assert!(!takes(ChannelKind::Webhook, EventType::DebitSent));
    }

    #[test]
    fn a_destination_does_not_hear_of_its_own_failure_and_accounts_filter() {
        let route = Route {
            destination: DestinationName::new("erp"),
            channel: ChannelKind::Webhook,
            patterns: vec![pattern("*"), pattern("system.*")],
            accounts: vec![AccountName::new("centro")],
        };
        let (centro, other) = (AccountName::new("centro"), AccountName::new("palermo"));
        assert!(route.takes(EventType::CreditReceived, Some(&centro), None));
        assert!(!route.takes(EventType::CreditReceived, Some(&other), None));
        assert!(!route.takes(EventType::DestinationFailing, None, Some("erp")));
        assert!(route.takes(EventType::DestinationFailing, None, Some("crm")));
    }
}
