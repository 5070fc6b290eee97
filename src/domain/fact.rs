//! What a row asserts, and which facts follow from that beside what is already known.
//!
//! Facts only accumulate. A stale replica that shows an older status takes nothing back, and a fact that was
//! announced is never announced again.

use std::fmt;

use super::row::StatusKind;

/// One kind of thing that happens to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FactKind {
    /// First seen pending.
    Pending,
    /// The money came in.
    Credited,
    /// Refused after it had been announced as pending or credited.
    Rejected,
    /// A link was paid.
    LinkPaid,
    /// A QR order was paid.
    QrPaid,
    /// A link's time ran out.
    LinkExpired,
    /// A link failed.
    LinkFailed,
    /// Money went back to the payer.
    Refunded,
    /// The sale was annulled.
    Voided,
    /// Money went out.
    Debited,
    /// A settlement was paid.
    Settled,
}

impl FactKind {
    /// Every kind, in the order in which facts of one row are announced.
    pub const ALL: [Self; 11] = [
        Self::Pending,
        Self::Credited,
        Self::Rejected,
        Self::LinkPaid,
        Self::QrPaid,
        Self::LinkExpired,
        Self::LinkFailed,
        Self::Refunded,
        Self::Voided,
        Self::Debited,
        Self::Settled,
    ];

    /// The word that goes into the event id. It is persisted: never change one.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Credited => "credited",
            Self::Rejected => "rejected",
            Self::LinkPaid => "link_paid",
            Self::QrPaid => "qr_paid",
            Self::LinkExpired => "link_expired",
            Self::LinkFailed => "link_failed",
            Self::Refunded => "refunded",
            Self::Voided => "voided",
            Self::Debited => "debited",
            Self::Settled => "settled",
        }
    }

    const fn bit(self) -> u16 {
        // Persisted in ledgers: never renumber.
        match self {
            Self::Pending => 1,
            Self::Credited => 1 << 1,
            Self::Rejected => 1 << 2,
            Self::LinkPaid => 1 << 3,
            Self::QrPaid => 1 << 4,
            Self::LinkExpired => 1 << 5,
            Self::LinkFailed => 1 << 6,
            Self::Refunded => 1 << 7,
            Self::Voided => 1 << 8,
            Self::Debited => 1 << 9,
            Self::Settled => 1 << 10,
        }
    }
}

/// A set of facts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FactSet(u16);

impl FactSet {
    /// No facts.
    pub const EMPTY: Self = Self(0);

    /// From the persisted bits; unknown bits of a newer release are kept.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The bits to persist.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// This set and `kind`.
    #[must_use]
    pub const fn with(self, kind: FactKind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// Both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether `kind` is in it.
    pub const fn has(self, kind: FactKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The facts in announcing order.
    pub fn iter(self) -> impl Iterator<Item = FactKind> {
        FactKind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}

impl fmt::Debug for FactSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromIterator<FactKind> for FactSet {
    fn from_iter<I: IntoIterator<Item = FactKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// What one reading of a row asserts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// Money in, in this state (TelePagos credit).
    Credit(StatusKind),
    /// Money out, in this state (TelePagos debit that is no refund).
    Debit(StatusKind),
    /// A row that is itself a refund and has no sale to merge with (TelePagos refund operation).
    RefundRow(StatusKind),
    /// A card sale with its flags (Sipago movement).
    Sale {
        /// `payment.hasRefund`.
        refunded: bool,
        /// `canceled` or `payment.canceled`.
        voided: bool,
    },
    /// A row that refunds a sale (Sipago refund or inverse movement).
    RefundOfSale,
    /// A row that annuls a sale.
    VoidOfSale,
    /// An order in a state that tells nothing yet, or nothing by itself.
    OrderOpen,
    /// An order that took all the payments it may take; they are rows of their own.
    OrderDone,
    /// An order whose time ran out.
    OrderExpired,
    /// An order that failed.
    OrderFailed,
    /// One payment of an order.
    OrderPayment {
        /// It was approved, and the order says so.
        paid: bool,
        /// `isRefunded`.
        refunded: bool,
    },
    /// A cash-in of a link.
    LinkCashin,
    /// A cash-in of a QR order.
    QrCashin,
    /// A cash-in of neither: its credit is told by the transactions.
    PlainCashin,
    /// A paid settlement.
    Settlement,
}

impl View {
    /// The facts that follow from this view for a row of which `known` was announced.
    #[expect(clippy::match_same_arms, reason = "each arm is a sentence of its own; merging them would hide which")]
    pub fn facts(self, known: FactSet) -> FactSet {
        use FactKind::{
            Credited, Debited, LinkExpired, LinkFailed, LinkPaid, Pending, QrPaid, Refunded, Rejected, Settled, Voided,
        };
        let one = |kind| FactSet::EMPTY.with(kind);
        let facts = match self {
            Self::Credit(status) => match status {
                StatusKind::Approved | StatusKind::Unknown => one(Credited),
                // A stale replica that shows an older state: nothing.
                StatusKind::Pending if known.has(Credited) || known.has(Rejected) => FactSet::EMPTY,
                StatusKind::Pending => one(Pending),
                StatusKind::Reversed => one(Credited).with(Refunded),
                StatusKind::Cancelled if known.has(Credited) => one(Refunded),
                StatusKind::Rejected | StatusKind::Cancelled if known.has(Pending) || known.has(Credited) => {
                    one(Rejected)
                }
                // Never announced as anything: a refused attempt is no news.
                StatusKind::Rejected | StatusKind::Cancelled => FactSet::EMPTY,
            },
            Self::Debit(StatusKind::Approved | StatusKind::Unknown) => one(Debited),
            Self::RefundRow(StatusKind::Approved | StatusKind::Unknown) => one(Refunded),
            Self::Debit(StatusKind::Pending | StatusKind::Rejected | StatusKind::Reversed | StatusKind::Cancelled)
            | Self::RefundRow(
                StatusKind::Pending | StatusKind::Rejected | StatusKind::Reversed | StatusKind::Cancelled,
            )
            | Self::OrderOpen
            | Self::OrderDone
            | Self::PlainCashin => FactSet::EMPTY,
            Self::Sale { refunded, voided } => {
                let mut facts = one(Credited);
                if refunded {
                    facts = facts.with(Refunded);
                }
                if voided { facts.with(Voided) } else { facts }
            }
            Self::RefundOfSale => one(Refunded),
            Self::VoidOfSale => one(Voided),
            Self::OrderExpired => one(LinkExpired),
            Self::OrderFailed => one(LinkFailed),
            Self::OrderPayment { paid, refunded } => {
                let facts = if paid { one(LinkPaid) } else { FactSet::EMPTY };
                if refunded { facts.with(Refunded) } else { facts }
            }
            Self::LinkCashin => one(LinkPaid),
            Self::QrCashin => one(QrPaid),
            Self::Settlement => one(Settled),
        };
        facts.minus(known)
    }

    /// How far along this view is; a view of lower rank never overwrites what is remembered of a higher one.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Credit(status) | Self::Debit(status) | Self::RefundRow(status) => match status {
                StatusKind::Pending => 1,
                StatusKind::Approved | StatusKind::Unknown => 2,
                StatusKind::Rejected | StatusKind::Reversed | StatusKind::Cancelled => 3,
            },
            Self::OrderOpen | Self::PlainCashin => 1,
            Self::OrderPayment { paid, refunded } => {
                if refunded {
                    3
                } else if paid {
                    2
                } else {
                    1
                }
            }
            Self::Sale { refunded, voided } => {
                if refunded || voided {
                    3
                } else {
                    2
                }
            }
            Self::RefundOfSale
            | Self::VoidOfSale
            | Self::OrderDone
            | Self::OrderExpired
            | Self::OrderFailed
            | Self::LinkCashin
            | Self::QrCashin
            | Self::Settlement => 2,
        }
    }

    /// Whether nothing but a refund is to be expected of a watched thing that shows this view.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::OrderExpired
                | Self::OrderFailed
                | Self::OrderDone
                | Self::LinkCashin
                | Self::QrCashin
                | Self::PlainCashin
        )
    }

    /// Whether a refund or void of this view may be told by other rows and sources too, so that it must be merged by payment.
    pub const fn merges_refunds(self) -> bool {
        matches!(self, Self::Sale { .. } | Self::RefundOfSale | Self::VoidOfSale | Self::OrderPayment { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FactKind::{Credited, Pending, Refunded, Rejected, Voided};

    fn story(statuses: &[StatusKind]) -> Vec<Vec<FactKind>> {
        let mut known = FactSet::EMPTY;
        statuses
            .iter()
            .map(|status| {
                let new = View::Credit(*status).facts(known);
                known = known.union(new);
                new.iter().collect()
            })
            .collect()
    }

    #[test]
    fn a_credit_tells_its_story_once() {
        use StatusKind::{Approved, Cancelled, Reversed, Unknown};
        use StatusKind::{Pending as P, Rejected as R};
        assert_eq!(story(&[P, P, Approved, Approved]), [vec![Pending], vec![], vec![Credited], vec![]]);
        assert_eq!(story(&[P, R]), [vec![Pending], vec![Rejected]]);
        assert_eq!(
            story(&[Approved, P, Approved]),
            [vec![Credited], vec![], vec![]],
            "a stale view takes nothing back"
        );
        assert_eq!(story(&[Approved, Reversed]), [vec![Credited], vec![Refunded]]);
        assert_eq!(story(&[Reversed]), [vec![Credited, Refunded]], "it came in and went back while nobody looked");
        assert_eq!(story(&[Approved, Cancelled]), [vec![Credited], vec![Refunded]]);
        assert_eq!(story(&[P, Cancelled]), [vec![Pending], vec![Rejected]]);
        assert_eq!(story(&[R]), [vec![]], "a refused attempt that nobody announced is no news");
        assert_eq!(story(&[Unknown, Approved]), [vec![Credited], vec![]]);
    }

    #[test]
    fn a_sale_first_seen_annulled_tells_both() {
        let facts: Vec<_> = View::Sale { refunded: false, voided: true }.facts(FactSet::EMPTY).iter().collect();
        assert_eq!(facts, [Credited, Voided]);
    }

    #[test]
    fn no_view_ever_announces_a_known_fact() {
        let everything: FactSet = FactKind::ALL.into_iter().collect();
        for status in StatusKind::ALL {
            for view in [View::Credit(status), View::Debit(status), View::RefundRow(status)] {
                assert!(view.facts(everything).is_empty());
            }
        }
    }
}
