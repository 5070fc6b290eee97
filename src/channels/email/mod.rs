//! E-mail: a mailing is one destination, each recipient gets an envelope of its own.
//!
//! [`Relay`] holds the connections, `message` writes the mail, `reply` says what the relay's answers mean, `memo`
//! remembers within one process who has got an event already.

mod memo;
mod message;
pub mod relay;
mod reply;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::Mailbox;
use tokio::time::timeout;

use self::memo::{Memo, Settled};
use self::message::Letter;
use self::relay::{CONVERSATIONS, Relay, Seat};
use super::text::{Moment, Style, Texts};
use super::{Channel, Dispatch, Report};
use crate::clock::Clock;
use crate::config::EmailConfig;
use crate::domain::delivery::{FailureClass, Outcome};
use crate::domain::event::EventId;
use crate::domain::route::{ChannelKind, DestinationName};

/// How long a mailing rests when the relay's conversations are all taken by others.
const BUSY_REST: Duration = Duration::from_secs(5);

/// An address that is none. Carries no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// `[smtp] from`.
    #[error("`from` is not a mail address")]
    From,
    /// The n-th of `to`, from 1.
    #[error("entry {0} of `to` is not a mail address")]
    To(usize),
    /// No recipient at all.
    #[error("`to` is empty")]
    Nobody,
}

/// One mailing.
pub struct EmailChannel {
    name: DestinationName,
    from: Mailbox,
    to: Vec<Mailbox>,
    style: Style,
    in_flight: usize,
    timeout: Duration,
    relay: Arc<Relay>,
    texts: Arc<Texts>,
    memo: Memo,
    clock: Arc<dyn Clock>,
}

impl EmailChannel {
    /// From its section of the configuration; `from` as in `[smtp]`.
    ///
    /// # Errors
    /// When an address is none.
    pub fn new(
        config: &EmailConfig,
        from: &str,
        relay: Arc<Relay>,
        texts: Arc<Texts>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AddressProblem> {
        let to = config.to.iter().zip(1..).map(|(to, place)| to.parse().map_err(|_| AddressProblem::To(place)));
        let to: Vec<Mailbox> = to.collect::<Result<_, _>>()?;
        if to.is_empty() {
            return Err(AddressProblem::Nobody);
        }
        Ok(Self {
            name: config.common.name.clone(),
            from: from.parse().map_err(|_| AddressProblem::From)?,
            to,
            style: Style { language: config.language, detail: config.common.detail, zone: config.zone.clone() },
            in_flight: config.common.in_flight.clamp(1, CONVERSATIONS),
            timeout: config.common.timeout,
            relay,
            texts,
            memo: Memo::default(),
            clock,
        })
    }

    async fn attempt(&self, dispatch: &Dispatch) -> Report {
        let Ok(permit) = timeout(self.timeout / 2, self.relay.permit()).await else {
            return Report::park(FailureClass::Internal, BUSY_REST, "the relay's connections are all in use");
        };
        // Held to the end of the mailing.
        let _permit = match permit {
            Ok(permit) => permit,
            Err(report) => return report,
        };
        let event = &dispatch.event;
        if dispatch.attempt == 1 {
            // A requeued delivery counts from 1 again, and its operator has mended what was refused.
            self.memo.forget_refusals(event.id);
        }
        let tally = self.write_to_all(dispatch).await;
        let report = tally.report(self.to.len());
        match report.outcome {
            Outcome::Accepted => self.memo.forget(event.id),
            Outcome::Never { .. } => self.memo.forget_refusals(event.id),
            Outcome::Later { .. } | Outcome::Park { .. } => {}
        }
        report
    }

    async fn write_to_all(&self, dispatch: &Dispatch) -> Tally {
        let event = &dispatch.event;
        let moment = Moment { now: self.clock.now(), repeated: dispatch.attempt > 1 };
        let mail = self.texts.mail(event, &self.style, moment);
        let mut tally = Tally::default();
        let mut seat = None;
        for (place, to) in self.to.iter().enumerate() {
            if let Some(settled) = self.memo.get(event.id, place) {
                tally.count(settled);
                continue;
            }
            let letter = Letter { destination: &self.name, from: &self.from, to, event, mail: &mail, now: moment.now };
            match self.write_to(seat.take(), &letter).await {
                Ok(kept) => {
                    seat = Some(kept);
                    tally.count(self.settle(event.id, place, Settled::Accepted));
                }
                Err(report) => match report.outcome {
                    Outcome::Never { .. } => {
                        tally.count(self.settle(event.id, place, Settled::Refused(report)));
                    }
                    Outcome::Park { .. } => {
                        tally.parked = Some(report);
                        break;
                    }
                    Outcome::Later { class, .. } => {
                        tally.later = Some(report);
                        if is_of_the_relay(class) {
                            break;
                        }
                    }
                    Outcome::Accepted => {}
                },
            }
        }
        if let Some(seat) = seat {
            seat.keep();
        }
        tally
    }

    async fn write_to<'r>(&'r self, seat: Option<Seat<'r>>, letter: &Letter<'_>) -> Result<Seat<'r>, Report> {
        let bytes =
            letter.write().ok_or_else(|| Report::later(FailureClass::Internal, "the mail could not be written"))?;
        let seat = match seat {
            Some(seat) => seat,
            None => self.relay.seat().await?,
        };
        seat.deliver(&self.from.email, &letter.to.email, &bytes).await
    }

    /// At once, not at the end: the attempt may be cut by its time-out at the next recipient.
    fn settle(&self, event: EventId, place: usize, settled: Settled) -> Settled {
        self.memo.put(event, place, settled.clone());
        settled
    }
}

/// Whether the next recipient would meet the same trouble.
fn is_of_the_relay(class: FailureClass) -> bool {
    matches!(
        class,
        FailureClass::Dns
            | FailureClass::Connect
            | FailureClass::Tls
            | FailureClass::Timeout
            | FailureClass::RateLimited
    )
}

/// What became of the recipients of one attempt.
#[derive(Default)]
struct Tally {
    accepted: usize,
    refused: Vec<Report>,
    later: Option<Report>,
    parked: Option<Report>,
}

impl Tally {
    fn count(&mut self, settled: Settled) {
        match settled {
            Settled::Accepted => self.accepted += 1,
            Settled::Refused(report) => self.refused.push(report),
        }
    }

    /// One word for all: as long as somebody may still get it, it is not over.
    fn report(self, all: usize) -> Report {
        let refusals = self.refused.len();
        let undecided = self.parked.or(self.later);
        let Some(mut report) = undecided.or_else(|| self.refused.into_iter().next()) else {
            return Report::accepted(Some(250));
        };
        if all > 1 {
            report.detail =
                format!("{} of {all} recipients accepted, {refusals} refused: {}", self.accepted, report.detail);
        }
        report
    }
}

#[async_trait]
impl Channel for EmailChannel {
    fn name(&self) -> &DestinationName {
        &self.name
    }

    fn kind(&self) -> ChannelKind {
        ChannelKind::Email
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn in_flight(&self) -> usize {
        self.in_flight
    }

    async fn send(&self, dispatch: &Dispatch) -> Report {
        match timeout(self.timeout, self.attempt(dispatch)).await {
            Ok(report) => report,
            Err(_) => Report::later(FailureClass::Timeout, "the relay did not take the mailing in time"),
        }
    }
}

impl fmt::Debug for EmailChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No addresses.
        f.debug_struct("EmailChannel").field("name", &self.name).finish_non_exhaustive()
    }
}
