//! What the dispatcher knows of its destinations: who is busy, who rests, what waits for a free hand.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::channels::Channel;
use crate::domain::retry::Schedule;
use crate::domain::route::DestinationName;
use crate::store::{Lease, Want};

/// How much longer a lease is than the attempt: for the queue, the settlement and slow clocks.
pub(super) const LEASE_MARGIN: Duration = Duration::from_secs(15);

/// How many leases may wait in the process beyond those in flight, as a multiple of the cap: enough to keep every hand
/// busy during a round trip to the store, few enough that a hanging destination hoards nothing.
const QUEUE_FACTOR: usize = 3;

/// One destination and what is going on there.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) channel: Arc<dyn Channel>,
    pub(super) schedule: Schedule,
    in_flight: usize,
    waiting: VecDeque<(Lease, Instant)>,
    resting_until: Option<Instant>,
    failures: u32,
}

/// All destinations.
#[derive(Debug)]
pub(super) struct Outbox {
    desks: HashMap<DestinationName, Desk>,
    /// Whose turn it is first.
    order: Vec<DestinationName>,
    cap: usize,
    in_flight: usize,
}

/// What to do with a lease that came to its turn.
#[derive(Debug)]
pub(super) enum Turn {
    /// Attempt it.
    Send(Arc<dyn Channel>, Lease),
    /// Too old to be attempted safely: give it back.
    GiveBack(Lease),
}

impl Outbox {
    /// `cap` is the global cap of attempts at once.
    pub(super) fn new(channels: Vec<(Arc<dyn Channel>, Schedule)>, cap: usize) -> Self {
        let order = channels.iter().map(|(channel, _)| channel.name().clone()).collect();
        let desk = |(channel, schedule): (Arc<dyn Channel>, Schedule)| {
            let name = channel.name().clone();
            let desk =
                Desk { channel, schedule, in_flight: 0, waiting: VecDeque::new(), resting_until: None, failures: 0 };
            (name, desk)
        };
        Self { desks: channels.into_iter().map(desk).collect(), order, cap: cap.max(1), in_flight: 0 }
    }

    /// What each destination could take now, and when the first resting one wakes.
    pub(super) fn wants(&self, now: Instant) -> (Vec<Want>, Option<Instant>) {
        let mut wants = Vec::new();
        let mut wake: Option<Instant> = None;
        for desk in self.order.iter().filter_map(|name| self.desks.get(name)) {
            if let Some(until) = desk.rests_until(now) {
                wake = Some(wake.map_or(until, |wake| wake.min(until)));
                continue;
            }
            let busy = desk.in_flight + desk.waiting.len();
            let most = desk.channel.in_flight().max(1) * (1 + QUEUE_FACTOR);
            // Asking for a handful at a time would cost a round trip each; wait until half the queue is free.
            let room = most.saturating_sub(busy);
            if room * 2 >= most || desk.waiting.is_empty() {
                let lease = desk.channel.timeout() * 2 + LEASE_MARGIN;
                wants.push(Want { destination: desk.channel.name().clone(), room, lease });
            }
        }
        (wants.into_iter().filter(|want| want.room > 0).collect(), wake)
    }

    /// Queues leases.
    pub(super) fn queue(&mut self, leases: Vec<Lease>, now: Instant) {
        for lease in leases {
            if let Some(desk) = self.desks.get_mut(&lease.id.destination) {
                // By then the attempt must have begun to end within its lease.
                let begin_before = now + desk.channel.timeout();
                desk.waiting.push_back((lease, begin_before));
            }
        }
    }

    /// The next lease that may be attempted, if there is a free hand.
    pub(super) fn turn(&mut self, now: Instant) -> Option<Turn> {
        if self.in_flight >= self.cap {
            return None;
        }
        // Who was served goes to the end of the line.
        for _ in 0..self.order.len() {
            self.order.rotate_left(1);
            let Some(desk) = self.order.last().and_then(|name| self.desks.get_mut(name)) else { continue };
            let resting = desk.rests_until(now).is_some();
            if resting || desk.in_flight >= desk.channel.in_flight().max(1) {
                if resting && let Some((lease, _)) = desk.waiting.pop_front() {
                    return Some(Turn::GiveBack(lease));
                }
                continue;
            }
            if let Some((lease, begin_before)) = desk.waiting.pop_front() {
                if now > begin_before {
                    return Some(Turn::GiveBack(lease));
                }
                desk.in_flight += 1;
                self.in_flight += 1;
                return Some(Turn::Send(Arc::clone(&desk.channel), lease));
            }
        }
        None
    }

    /// Everything that waits and was not begun.
    pub(super) fn clear(&mut self) -> Vec<Lease> {
        self.desks.values_mut().flat_map(|desk| desk.waiting.drain(..).map(|(lease, _)| lease)).collect()
    }

    /// An attempt ended and its settlement is written.
    pub(super) fn ended(&mut self, destination: &DestinationName) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(desk) = self.desks.get_mut(destination) {
            desk.in_flight = desk.in_flight.saturating_sub(1);
        }
    }

    /// Attempts under way, or ended and not yet settled.
    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Nothing is under way, unsettled or waiting: no lease is known here.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.desks.values().all(|desk| desk.waiting.is_empty())
    }

    /// The desk of a destination.
    pub(super) fn desk(&mut self, destination: &DestinationName) -> Option<&mut Desk> {
        self.desks.get_mut(destination)
    }
}

impl Desk {
    /// Gives the destination a rest.
    pub(super) fn rest(&mut self, until: Instant) {
        self.resting_until = Some(self.resting_until.map_or(until, |earlier| earlier.max(until)));
    }

    /// Counts a failure; true for the first in a row.
    pub(super) fn failed(&mut self) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.failures == 1
    }

    /// Ends a row of failures and says how long it was.
    pub(super) fn succeeded(&mut self) -> u32 {
        std::mem::take(&mut self.failures)
    }

    fn rests_until(&self, now: Instant) -> Option<Instant> {
        let own = self.resting_until.filter(|until| *until > now);
        let asked = self.channel.rest();
        let channel = (!asked.is_zero()).then(|| now + asked);
        own.max(channel)
    }
}
