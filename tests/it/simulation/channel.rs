//! Destinations that take, refuse, dawdle and lose their answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use pregonero::channels::{Channel, Dispatch, Report};
use pregonero::domain::delivery::{FailureClass, Outcome};
use pregonero::domain::event::EventId;
use pregonero::domain::route::{ChannelKind, DestinationName};
use pregonero::sandbox::direct::{Conduct, DirectChannel};

use super::process::Life;
use super::trace::Trace;
use super::weather::{Part, Weather};

/// One process's way to one destination. The destination itself is shared.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) inner: DirectChannel,
    pub(super) life: Arc<Life>,
    pub(super) weather: Weather,
    pub(super) trace: Trace,
    pub(super) process: u64,
    /// Faults, per mille.
    pub(super) rate: u32,
    pub(super) refusals: bool,
    pub(super) chance: Mutex<Rng>,
}

impl Way {
    fn conduct(&self) -> Conduct {
        let later = |class, retry_after| Conduct::Say(Outcome::Later { class, retry_after });
        if self.weather.is_out(Part::Destinations) {
            return later(FailureClass::Connect, None);
        }
        let faulty = self.weather.strikes(&self.chance, self.rate);
        let mut rng = self.chance.lock().unwrap();
        let slow = Conduct::Slow(Duration::from_millis(rng.u64(1..150)));
        if !faulty {
            return slow;
        }
        match rng.u32(0..12) {
            0 | 1 => Conduct::TakeAndHang,
            2 => Conduct::Hang,
            3 | 4 => Conduct::Slow(Duration::from_millis(rng.u64(500..9_900))),
            5 => later(FailureClass::RateLimited, Some(Duration::from_secs(rng.u64(1..200)))),
            6 => Conduct::Say(Outcome::Park {
                class: FailureClass::RateLimited,
                rest: Duration::from_secs(rng.u64(1..300)),
            }),
            7 if self.refusals => Conduct::Say(Outcome::Never { class: FailureClass::Http }),
            _ => later(FailureClass::Http, None),
        }
    }
}

#[async_trait]
impl Channel for Way {
    fn name(&self) -> &DestinationName {
        self.inner.name()
    }

    fn kind(&self) -> ChannelKind {
        self.inner.kind()
    }

    fn timeout(&self) -> Duration {
        self.inner.timeout()
    }

    fn in_flight(&self) -> usize {
        self.inner.in_flight()
    }

    async fn send(&self, dispatch: &Dispatch) -> Report {
        // An attempt is a task of its own: it must die and sleep with its process.
        self.life.awake().await;
        if self.life.is_dead() {
            return Report::later(FailureClass::Internal, "the process is dead");
        }
        let conduct = self.conduct();
        self.trace.say(format_args!("p{} sends {} to {}: {conduct:?}", self.process, dispatch.event.id, self.name()));
        self.inner.next([conduct]);
        let report = tokio::select! {
            biased;
            () = self.life.dead() => Report::later(FailureClass::Internal, "the process is dead"),
            report = self.inner.send(dispatch) => report,
        };
        self.life.awake().await;
        report
    }
}

/// How often each destination took each event.
pub(super) fn taken(channels: &[DirectChannel]) -> BTreeMap<(String, EventId), usize> {
    let mut taken = BTreeMap::new();
    for channel in channels {
        for id in channel.taken_ids() {
            *taken.entry((channel.name().to_string(), id)).or_default() += 1;
        }
    }
    taken
}
