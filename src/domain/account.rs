//! Who is asked and what is asked of them: accounts, upstreams, sources and partitions.

use std::fmt;

use super::day::Day;

/// A payment company that we ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Upstream {
    /// The wallet and PSP API.
    Telepagos,
    /// The card acquirer's merchant API.
    Sipago,
}

impl Upstream {
    /// The name on the wire, in the configuration and in the logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Telepagos => "telepagos",
            Self::Sipago => "sipago",
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One set of credentials at one upstream: the unit of quota, of leases and of sharding.
///
/// Cheap to clone; it is in every key, event and log line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountName(std::sync::Arc<str>);

impl AccountName {
    /// From a name that the configuration has checked.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that is polled on an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceKind {
    /// TelePagos `account/transactions`, by day.
    Transactions,
    /// TelePagos `payment/cashin/{id}`, by watched id.
    Cashin,
    /// Sipago `transactions/page/N`, by day.
    Movements,
    /// Sipago `checkout/getLink/{uuid}`, by watched id.
    Links,
    /// Sipago `deposits/paid/page/N`.
    Deposits,
}

impl SourceKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Transactions, Self::Cashin, Self::Movements, Self::Links, Self::Deposits];

    /// The name on the wire, in keys and in the logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transactions => "transactions",
            Self::Cashin => "cashin",
            Self::Movements => "movements",
            Self::Links => "links",
            Self::Deposits => "deposits",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one ledger remembers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The rows that the upstream prints with this calendar day.
    Day(Day),
    /// One watched id.
    Watched(String),
    /// The refunds and voids of one payment, whatever source told of them.
    Refunds(String),
    /// What was watched and seen paid on this local day, until its half in the listing is found.
    Pairs(Day),
}

/// An (account, source, scope): the unit of atomic memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// Whose.
    pub account: AccountName,
    /// Read from where. Refunds and pairs stand under the upstream's listing.
    pub source: SourceKind,
    /// Which day or id.
    pub scope: Scope,
}

impl Partition {
    /// The partition of an account that [`Self::key`] names so.
    pub fn from_key(account: &AccountName, key: &str) -> Option<Self> {
        let end = key.find([':', '/', '!', '~'])?;
        let (source, rest) = key.split_at_checked(end)?;
        let mut rest = rest.chars();
        let scope = match rest.next()? {
            ':' => Scope::Day(Day::parse(rest.as_str())?),
            '/' => Scope::Watched(rest.as_str().to_owned()),
            '~' => Scope::Pairs(Day::parse(rest.as_str())?),
            _ => Scope::Refunds(rest.as_str().to_owned()),
        };
        Some(Self { account: account.clone(), source: SourceKind::from_name(source)?, scope })
    }

    /// The part of the key below the account: `transactions:2026-11-21`, `links/<uuid>`, `movements!<payment>`,
    /// `transactions~2026-11-21`.
    pub fn key(&self) -> String {
        match &self.scope {
            Scope::Day(day) => format!("{}:{day}", self.source),
            Scope::Watched(id) => format!("{}/{id}", self.source),
            Scope::Refunds(payment) => format!("{}!{payment}", self.source),
            Scope::Pairs(day) => format!("{}~{day}", self.source),
        }
    }
}
