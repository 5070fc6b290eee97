//! An id that we were asked to follow: a cash-in, an order behind a link, a link or QR that we issued.

use std::fmt;

use jiff::Timestamp;

use super::account::SourceKind;
use super::money::Money;

/// What kind of thing is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WatchKind {
    /// A TelePagos cash-in, asked for by its number.
    Cashin,
    /// A Sipago order, asked for by its uuid.
    Order,
    /// A TelePagos payment link. No call tells its state: it is paid when a cash-in names it, expired when its time is over.
    IssuedLink,
    /// A TelePagos QR order, likewise.
    IssuedQr,
}

impl WatchKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Cashin, Self::Order, Self::IssuedLink, Self::IssuedQr];

    /// The name on the command line, in lists and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cashin => "cashin",
            Self::Order => "order",
            Self::IssuedLink => "link",
            Self::IssuedQr => "qr",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The source that is asked for it; `None` where no call tells its state.
    pub const fn source(self) -> Option<SourceKind> {
        match self {
            Self::Cashin => Some(SourceKind::Cashin),
            Self::Order => Some(SourceKind::Links),
            Self::IssuedLink | Self::IssuedQr => None,
        }
    }
}

impl fmt::Display for WatchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The configuration.
    Configured,
    /// An operator or another program, by `watch add` or the API.
    Operator,
    /// A hint, which is never believed.
    Hinted,
    /// We created it at the upstream.
    Created,
    /// It is the next number after one that was found.
    Followed,
}

impl Origin {
    /// Every origin.
    pub const ALL: [Self; 5] = [Self::Configured, Self::Operator, Self::Hinted, Self::Created, Self::Followed];

    /// The name in lists and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Operator => "operator",
            Self::Hinted => "hinted",
            Self::Created => "created",
            Self::Followed => "followed",
        }
    }

    /// Whether it is followed because of what the configuration says, and for as long.
    pub const fn is_lasting(self) -> bool {
        matches!(self, Self::Configured | Self::Followed)
    }

    /// The origin of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == name)
    }
}

/// What names a watch within its account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchId {
    /// What kind of thing.
    pub kind: WatchKind,
    /// Its id at the upstream: digits, or a uuid in lower case.
    pub id: String,
}

impl fmt::Display for WatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// One watch as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// What is followed.
    pub id: WatchId,
    /// Who asked for it first.
    pub origin: Origin,
    /// Since when.
    pub since: Timestamp,
    /// When it stops to be payable at the upstream, where that is known.
    pub expires: Option<Timestamp>,
    /// When we stop to ask for it.
    pub until: Option<Timestamp>,
    /// Since when nothing but a refund is to be expected of it.
    pub ended: Option<Timestamp>,
    /// It can be paid many times.
    pub reusable: bool,
    /// What is asked for, where we know it.
    pub amount: Option<Money>,
}

impl Watch {
    /// A watch that begins now.
    pub const fn new(id: WatchId, origin: Origin, now: Timestamp) -> Self {
        Self { id, origin, since: now, expires: None, until: None, ended: None, reusable: false, amount: None }
    }

    /// The watch of what a source is asked for; `None` where nothing is watched by that source.
    pub fn id_at(source: SourceKind, id: &str) -> Option<WatchId> {
        let kind = WatchKind::ALL.into_iter().find(|kind| kind.source() == Some(source))?;
        Some(WatchId { kind, id: id.to_owned() })
    }

    /// Where it stands, in one word for lists.
    pub fn state(&self, now: Timestamp) -> &'static str {
        if self.ended.is_some() {
            "ended"
        } else if self.expires.is_some_and(|at| at <= now) {
            "expired"
        } else {
            "open"
        }
    }
}

/// On what terms something is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who asks.
    pub origin: Origin,
    /// When it stops to be payable at the upstream, where that is known.
    pub expires: Option<Timestamp>,
    /// When we stop to ask for it.
    pub until: Option<Timestamp>,
    /// It can be paid many times.
    pub reusable: bool,
    /// What is asked for, where it is known.
    pub amount: Option<Money>,
}

impl Terms {
    /// The watch of `id` from now on, where `known` is what is kept of it. What is open keeps its age, what ended begins
    /// anew. What the configuration names, or the sequence that it has followed, stays so and has no end but that one.
    pub fn watch(&self, id: &WatchId, known: Option<&Watch>, now: Timestamp) -> Watch {
        let since = known.filter(|watch| watch.ended.is_none()).map_or(now, |watch| watch.since);
        let lasting = known.map(|watch| watch.origin).filter(|origin| origin.is_lasting());
        let until = self.until.filter(|_| lasting.is_none());
        let amount = self.amount.or_else(|| known.and_then(|watch| watch.amount));
        let (origin, expires, reusable) = (lasting.unwrap_or(self.origin), self.expires, self.reusable);
        Watch { id: id.clone(), origin, since, expires, until, ended: None, reusable, amount }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for kind in WatchKind::ALL {
            assert_eq!(WatchKind::from_name(kind.as_str()), Some(kind));
        }
        for origin in Origin::ALL {
            assert_eq!(Origin::from_name(origin.as_str()), Some(origin));
        }
        assert_eq!(WatchKind::from_name("links"), None);
    }
}
