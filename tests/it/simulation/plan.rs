//! What a seed decides before anything happens: how many replicas, where time begins, how bad the weather will be.

use std::time::Duration;

use fastrand::Rng;
use pregonero::config::{Config, Nightly, Start};

use super::weather::chance;

/// Moments at which a run may begin, an hour or less before something that is worth seeing.
const ORIGINS: [&str; 6] = [
    "2026-11-21T15:00:00Z", // noon in Buenos Aires
    "2026-11-20T23:35:00Z", // 20:35: soon it is tomorrow in UTC
    "2026-11-21T02:30:00Z", // 23:30: soon it is tomorrow
    "2027-01-01T02:35:00Z", // the last half hour of a year
    "2028-02-29T02:20:00Z", // a month's last day but one that does not exist every year
    "2026-11-21T23:59:00Z",
];

/// Frequencies of faults, per mille of the calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    pub(super) upstream: u32,
    pub(super) stale: u32,
    pub(super) store: u32,
    pub(super) conflict: u32,
    pub(super) channel: u32,
    /// A process dies after about so many polls of its futures; 0: never.
    pub(super) polls_of_a_life: u64,
}

/// One seed's decisions.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a decision of its own, drawn by itself")]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) replicas: usize,
    pub(super) origin: &'static str,
    pub(super) start: Start,
    pub(super) lookback: u32,
    pub(super) paginate: bool,
    pub(super) pages: (usize, usize),
    /// Requests a minute, and the burst.
    pub(super) quota: (u32, u32),
    /// Cadences in seconds: hot, warm, cold, watch.
    pub(super) poll: (u64, u64, u64, u64),
    pub(super) storm: Duration,
    /// Mean time between two happenings.
    pub(super) pace: Duration,
    pub(super) flood: usize,
    pub(super) retention: Duration,
    pub(super) rates: Rates,
    /// There is a storm while the accounts are contacted, too.
    pub(super) rough_start: bool,
    pub(super) pauses: bool,
    pub(super) outages: bool,
    /// Largest error of a replica's wall clock.
    pub(super) skew: Duration,
    /// For so long nobody runs in the middle of the storm.
    pub(super) night: Option<Duration>,
    pub(super) destinations: usize,
    /// Destinations refuse events for ever now and then, and an operator requeues them.
    pub(super) refusals: bool,
    /// When days are closed, if they are.
    pub(super) nightly: Option<Nightly>,
    /// Some rows are shown to no poll, and only to the reading that closes their day.
    pub(super) gap: bool,
}

const MINUTE: Duration = Duration::from_secs(60);

/// Longer than any run, and than any clock is behind.
const NEVER_SWEPT: Duration = Duration::from_secs(120 * 86_400);

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = chance(seed, "plan");
        let level = [0, 10, 40, 120];
        let mut pick = |levels: &[u32; 4]| levels[rng.usize(0..4)];
        let rates = Rates {
            upstream: pick(&level),
            stale: pick(&[0, 20, 80, 200]),
            store: pick(&[0, 5, 20, 80]),
            conflict: pick(&[0, 0, 30, 150]),
            channel: pick(&[0, 50, 200, 400]),
            polls_of_a_life: u64::from(pick(&[0, 60, 400, 2_000])),
        };
        let quota = *rng.choice(&[(12, 1), (20, 3), (30, 5), (60, 10)]).unwrap();
        let watch = if quota.0 <= 20 { 90 } else { 40 };
        let mut plan = Self {
            seed,
            replicas: rng.usize(1..=3),
            origin: rng.choice(&ORIGINS).unwrap(),
            start: if rng.u32(0..4) == 0 { Start::Today } else { Start::Now },
            lookback: *rng.choice(&[16, 30]).unwrap(),
            paginate: rng.u32(0..3) == 0,
            pages: (rng.usize(6..40), rng.usize(4..40)),
            quota,
            poll: (rng.u64(15..60), 300, 900, watch),
            storm: MINUTE * rng.u32(12..40),
            pace: Duration::from_secs(rng.u64(10..60)),
            flood: if rng.u32(0..4) == 0 { 4 } else { 0 },
            retention: MINUTE * *rng.choice(&[30, 7 * 1440]).unwrap(),
            rates,
            rough_start: rng.bool(),
            pauses: rng.bool(),
            outages: rng.bool(),
            skew: MINUTE * *rng.choice(&[0, 0, 5, 90, 3 * 1440, 50 * 1440]).unwrap(),
            night: (rng.u32(0..6) == 0).then(|| MINUTE * 60 * rng.u32(10..150)),
            destinations: rng.usize(1..=3),
            refusals: rng.u32(0..3) == 0,
            nightly: None,
            gap: false,
        };
        plan.draw_nights(&mut rng);
        plan
    }

    /// Whether days are closed, and whether one has a gap.
    fn draw_nights(&mut self, rng: &mut Rng) {
        if self.retention < NEVER_SWEPT && rng.u32(0..2) == 0 {
            // What is swept cannot be held against a day; `config` refuses this.
            return;
        }
        self.retention = NEVER_SWEPT;
        let at = rng.choice(&["00:10", "03:30", "22:15"]).unwrap();
        self.nightly = Some(Nightly { at: at.parse().unwrap(), days: 7 });
        self.gap = rng.u32(0..6) == 0;
        if self.gap {
            // Contact before midnight, the storm over it, and the day is closed in the calm: one reading closes a day,
            // and an answer that is stale just then would hide the gap for ever.
            self.origin = rng.choice(&ORIGINS[2..5]).unwrap();
            self.nightly = Some(Nightly { at: "01:00".parse().unwrap(), days: 7 });
            (self.rough_start, self.night) = (false, None);
            self.skew = self.skew.min(MINUTE * 5);
        }
    }

    /// The configuration of the daemon, read as an operator's file is.
    pub(super) fn config(&self, links: &[String], cashins: &[u64]) -> Config {
        let (hot, warm, cold, watch) = self.poll;
        let poll =
            format!("poll = {{ hot = \"{hot}s\", warm = \"{warm}s\", cold = \"{cold}s\", watch = \"{watch}s\" }}");
        let (count, burst) = self.quota;
        let start = if self.start == Start::Today { "today" } else { "now" };
        let account = format!(
            "allow_http = true\nrate = \"{count}/min\"\nburst = {burst}\nlookback = \"{}d\"\nstart = \"{start}\"\ntimeout = \"10s\"\nmax_pages = 60\n{poll}\n",
            self.lookback
        );
        let hooks: String = ROUTES[..self.destinations].iter().map(|(name, wishes)| hook(name, wishes)).collect();
        let text = format!(
            "[[telepagos]]\nname = \"centro\"\nbase_url = \"http://127.0.0.1:1/\"\nusername = \"{}\"\npassword = \"{}\"\npaginate = {}\nwatch = {{ cashin = {cashins:?} }}\n{account}\n\
             [[sipago]]\nname = \"palermo\"\nbase_url = \"http://127.0.0.1:1/services\"\napi_key = \"{}\"\nwatch = {{ links = {links:?} }}\n{account}\n{hooks}",
            pregonero::sandbox::USERNAME,
            pregonero::sandbox::PASSWORD,
            self.paginate,
            pregonero::sandbox::API_KEY,
        );
        pregonero::config::from_toml(&text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
    }
}

/// The destinations and what they ask for.
const ROUTES: [(&str, &str); 3] = [
    ("todo", "events = [\"*\", \"system.*\"]"),
    ("caja", "events = [\"credit.received\", \"link.*\", \"qr.paid\"]\naccounts = [\"palermo\"]"),
    ("libro", "events = [\"payment.*\", \"debit.sent\", \"credit.*\"]"),
];

fn hook(name: &str, wishes: &str) -> String {
    let secret = pregonero::sandbox::WEBHOOK_SECRET;
    format!(
        "[[webhook]]\nname = \"{name}\"\nurl = \"https://{name}.example.com/\"\nsecret = \"{secret}\"\n{wishes}\n\n"
    )
}

/// Who must be told of an event of this type and account: the table above in other words, so that routing is checked
/// against something that it did not compute.
pub(super) fn must_hear(destinations: usize, kind: &str, account: &str) -> Vec<&'static str> {
    let money = !["source.", "destination.", "reconcile.", "flood.", "test."].iter().any(|head| kind.starts_with(head));
    let caja = account == "palermo"
        && ["credit.received", "link.paid", "link.expired", "link.failed", "qr.paid"].contains(&kind);
    let book =
        ["payment.refunded", "payment.voided", "debit.sent", "credit.received", "credit.pending", "credit.rejected"];
    [(true, "todo"), (caja, "caja"), (money && book.contains(&kind), "libro")]
        .into_iter()
        .take(destinations)
        .filter_map(|(hears, name)| hears.then_some(name))
        .collect()
}
