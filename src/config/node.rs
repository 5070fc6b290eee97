//! What was written, in whatever layer: a tree of values that know where they come from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// The embedded example.
    Defaults,
    /// A file, as it was named.
    File(Arc<str>),
    /// An environment variable of that name.
    Variable(Arc<str>),
    /// A text that a program handed over.
    Given,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => f.write_str("the defaults"),
            Self::File(name) => f.write_str(name),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Given => f.write_str("the given text"),
        }
    }
}

/// A table, by key.
pub(super) type Table = BTreeMap<String, Node>;

/// A written value and where it stands. No `Debug`: it may be a secret.
pub(super) struct Node {
    /// Where.
    pub(super) origin: Origin,
    /// What.
    pub(super) value: Value,
}

/// A written value.
pub(super) enum Value {
    /// In quotes; also a bare TOML date, whose text it then is.
    Text(String),
    /// A whole number.
    Whole(i128),
    /// A number with a fraction, which no key wants.
    Fraction,
    /// `true` or `false`.
    Flag(bool),
    /// `[…]` or `[[…]]`.
    List(Vec<Node>),
    /// `{…}` or `[…]` on a line of its own.
    Table(Table),
}

impl Value {
    /// What it is, for the words "… was written".
    pub(super) const fn article(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Whole(_) => "a number without quotes",
            Self::Fraction => "a number with a fraction",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}
