//! One upstream record in the words of the house, whatever upstream printed it.

use std::fmt;

use super::account::SourceKind;
use super::day::Moment;
use super::fact::View;
use super::money::Money;

/// A raw word of an upstream beside what we take it to mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label<K> {
    /// What we take it to mean.
    pub kind: K,
    /// What the upstream printed.
    pub raw: String,
}

/// The meaning of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusKind {
    /// The money is there.
    Approved,
    /// Not decided.
    Pending,
    /// Refused.
    Rejected,
    /// It was there and went back.
    Reversed,
    /// Called off; whether it was there before, only our memory knows.
    Cancelled,
    /// A word that no map knows. Announced with its raw text, never dropped.
    Unknown,
}

impl StatusKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Approved, Self::Pending, Self::Rejected, Self::Reversed, Self::Cancelled, Self::Unknown];

    /// The name on the wire and in the configuration's maps.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Pending => "pending",
            Self::Rejected => "rejected",
            Self::Reversed => "reversed",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The meaning of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Money that came in.
    Credit,
    /// Money that went out.
    Debit,
    /// A payment that went back to its payer.
    Refund,
    /// A sale that was annulled.
    Void,
    /// A word that no map knows.
    Unknown,
}

impl OperationKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Credit, Self::Debit, Self::Refund, Self::Void, Self::Unknown];

    /// The name on the wire and in the configuration's maps.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Debit => "debit",
            Self::Refund => "refund",
            Self::Void => "void",
            Self::Unknown => "unknown",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The other side of a payment. Personal data: it is printed by no `Debug`, no log and no error.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Payer {
    /// Holder's or cardholder's name.
    pub name: Option<String>,
    /// Eleven digits where well formed, else as printed.
    pub cuit: Option<String>,
    /// Twenty-two digits where well formed, else as printed.
    pub cvu_cbu: Option<String>,
    /// Card brand, such as `VISA`.
    pub card_brand: Option<String>,
    /// Last four digits of the card; nothing more of it is ever kept (PCI DSS 3.4.1).
    pub card_last4: Option<String>,
}

impl fmt::Debug for Payer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Payer(…)")
    }
}

/// The upstream's own references of a payment; ids are text, because they exceed what a float can hold.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct References {
    /// TelePagos: transaction behind a cash-in. Sipago: the movement's `_id`.
    pub transaction_id: Option<String>,
    /// TelePagos link.
    pub link_id: Option<String>,
    /// TelePagos QR order.
    pub qr_order_id: Option<String>,
    /// TelePagos cash-in.
    pub cashin_id: Option<String>,
    /// Sipago order behind a link.
    pub order_uuid: Option<String>,
    /// Sipago payment id, common to the movement and the order.
    pub payment_id: Option<String>,
    /// Sipago sale id, common to a sale and its refunds.
    pub sale_id: Option<String>,
    /// Short and not unique: never a key.
    pub authorization_code: Option<String>,
    /// Where it was sold.
    pub sale_point: Option<String>,
    /// What the upstream says it was for.
    pub concept: Option<String>,
    /// Free text of the upstream.
    pub description: Option<String>,
}

/// What tells one row from all others of its account and source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The upstream gives an id.
    Keyed(String),
    /// It gives none: rows of one bucket are counted. The text is the bucket's normal form.
    Counted(String),
}

/// One upstream record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Read from where.
    pub source: SourceKind,
    /// Which row.
    pub identity: Identity,
    /// What it asserts.
    pub view: View,
    /// When, as printed.
    pub occurred: Moment,
    /// How much, as printed (with its sign).
    pub amount: Money,
    /// Printed status.
    pub status: Label<StatusKind>,
    /// Printed operation.
    pub operation: Label<OperationKind>,
    /// The other side.
    pub payer: Payer,
    /// The upstream's references.
    pub references: References,
}

/// A record that could not be read: kept, counted and shown; it never blocks the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Identifies the record among re-reads: a hash of its raw text.
    pub fingerprint: u64,
    /// Read from where.
    pub source: SourceKind,
    /// Place in the upstream's list, from 0.
    pub position: usize,
    /// What is wrong with which field. Carries no value.
    pub reason: String,
    /// The names of the record's fields and the types of their values; carries no value.
    pub shape: String,
}
