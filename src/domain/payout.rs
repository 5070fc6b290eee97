//! Money that was asked to be sent, remembered before the request leaves: after a result that nobody knows the very same
//! request must be sent again, and no other one under its reference.

use std::fmt;

use jiff::Timestamp;

use super::money::Money;

/// Where money goes.
#[derive(Clone, PartialEq, Eq)]
pub enum Payee {
    /// CVU or CBU, 22 digits.
    Account(String),
    /// An alias.
    Alias(String),
}

/// Everything that is asked for, in the form in which it is compared and sent.
#[derive(Clone, PartialEq, Eq)]
pub struct PayoutRequest {
    /// To whom.
    pub payee: Payee,
    /// Tax number of whoever gets it, 11 digits.
    pub cuit: String,
    /// How much.
    pub amount: Money,
    /// The upstream's word for what it is for.
    pub concept: String,
    /// Free text; may be empty.
    pub description: String,
}

/// It is somebody's.
impl fmt::Debug for PayoutRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayoutRequest(…)")
    }
}

impl fmt::Debug for Payee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Payee(…)")
    }
}

/// What is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayoutState {
    /// It was sent, or was about to be, and what became of it is unknown.
    Asked,
    /// Certainly nothing was sent.
    Refused,
    /// The upstream took it on.
    Done {
        /// By which its voucher is asked for.
        id: String,
    },
}

impl PayoutState {
    /// One word for lists.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Asked => "unknown",
            Self::Refused => "refused",
            Self::Done { .. } => "done",
        }
    }
}

/// A request under its reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    /// Ours; never used for another request of the account.
    pub reference: String,
    /// The complete request.
    pub request: PayoutRequest,
    /// Remembered since.
    pub since: Timestamp,
    /// How often it was about to be sent.
    pub attempts: u32,
    /// What is known of it.
    pub state: PayoutState,
}

/// What came of the wish to send a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It may be sent, as the attempt of that number.
    Send {
        /// From 1.
        attempt: u32,
        /// An earlier attempt may have been carried out: a refusal of this one does not tell.
        doubtful: bool,
    },
    /// It was carried out already.
    Done {
        /// By which its voucher is asked for.
        id: String,
    },
    /// Under this reference something else was asked for.
    Different,
}

impl Payout {
    /// What it means to send `request` under `reference` now, given what is remembered; and what is to be remembered
    /// instead, if anything changes.
    pub fn begin(
        known: Option<Self>,
        reference: &str,
        request: &PayoutRequest,
        now: Timestamp,
    ) -> (Begun, Option<Self>) {
        let Some(known) = known else {
            let (reference, request, state) = (reference.to_owned(), request.clone(), PayoutState::Asked);
            let first = Self { reference, request, since: now, attempts: 1, state };
            return (Begun::Send { attempt: 1, doubtful: false }, Some(first));
        };
        if known.request != *request {
            return (Begun::Different, None);
        }
        let doubtful = match &known.state {
            PayoutState::Done { id } => return (Begun::Done { id: id.clone() }, None),
            PayoutState::Asked => true,
            PayoutState::Refused => false,
        };
        let attempt = known.attempts.saturating_add(1);
        (Begun::Send { attempt, doubtful }, Some(Self { attempts: attempt, state: PayoutState::Asked, ..known }))
    }

    /// What is remembered after the attempt of that number ended so; `None`: nothing changes. Who took it on took it on,
    /// whatever is said later, and a refusal counts only while nobody else tries.
    #[must_use]
    pub fn settled(&self, attempt: u32, state: &PayoutState) -> Option<Self> {
        let counts = match (&self.state, state) {
            (PayoutState::Done { .. }, _) | (_, PayoutState::Asked) => false,
            (_, PayoutState::Done { .. }) => true,
            (_, PayoutState::Refused) => attempt == self.attempts,
        };
        counts.then(|| Self { state: state.clone(), ..self.clone() })
    }
}
