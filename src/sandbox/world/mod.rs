//! What is true at the pretend upstreams, and the handles by which things happen there.
//!
//! A [`World`] is a cheap handle on shared memory. It takes its time from the injected clock and its chance from a seed,
//! so the same calls make the same world. It remembers what truly happened ([`World::truth`]), so that a test can hold
//! it against what was announced.

mod cashins;
mod cashouts;
mod charges;
mod deposits;
mod life;
mod orders;
mod people;
mod shop;
mod tokens;
mod truth;
mod wallet;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

pub use self::cashins::{Cashin, Via};
pub use self::cashouts::{CashoutDone, CashoutOrder, CashoutRefusal};
pub use self::charges::{PayLink, QrOrder, SalePoint};
pub use self::deposits::{Deposit, ShopQr};
pub use self::orders::{Order, OrderPayment, OrderStatus};
pub use self::people::Person;
pub use self::shop::{Card, RefundShown, Sale, SaleKind};
pub use self::truth::Happening;
pub use self::wallet::{Operation, RowId, Status, Transaction};
use crate::clock::Clock;

/// The most rows that one account's listing keeps; the oldest go first. A day of the demo makes 86,400.
const MOST_ROWS: usize = 100_000;

/// How the upstreams print what their documents leave open. Change it with [`World::configure`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an open question of a document, independent of the others")]
pub struct Settings {
    /// Rows of a TelePagos page.
    pub telepagos_page: usize,
    /// Rows of a Sipago page.
    pub sipago_page: usize,
    /// How long a token lives.
    pub token_life: Duration,
    /// How `expires_at` is printed.
    pub expiry: Expiry,
    /// The token stands in `access_token` instead of `token`, as one public client expects.
    pub access_token: bool,
    /// A cash-in's `buyer` is a list of one object, as printed; else an object.
    pub buyer_as_list: bool,
    /// The order comes as a list of one, as printed; else bare.
    pub order_as_list: bool,
    /// Sipago's movements print cents instead of pesos. Orders always print cents.
    pub movements_in_cents: bool,
    /// HTTP status of Sipago's answer to a well-formed uuid that it does not know.
    pub unknown_order: u16,
    /// [`World::live`]: one happening per such a time.
    pub pace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            telepagos_page: 100,
            sipago_page: 100,
            token_life: Duration::from_secs(3600),
            expiry: Expiry::Epoch,
            access_token: false,
            buyer_as_list: true,
            order_as_list: true,
            movements_in_cents: false,
            unknown_order: 404,
            pace: Duration::from_secs(1),
        }
    }
}

/// How `expires_at` is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Seconds since 1970, a number: as the document says.
    Epoch,
    /// The same in a string.
    EpochText,
    /// `2026-11-21 14:03:16`, local, in a string.
    Local,
}

/// Whose rows a handle works on: an account at each upstream.
#[derive(Clone)]
struct Merchant {
    username: Arc<str>,
    api_key: Arc<str>,
}

/// A handle on the pretend upstreams' shared memory. Clones are the same world. A closure that bends a row, an order or
/// the settings works under the world's lock: it must not call the world again.
#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
    zone: TimeZone,
    merchant: Merchant,
}

/// Prints nothing of its content: it holds tokens and people's data, however invented.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World(…)")
    }
}

struct State {
    settings: Settings,
    rng: fastrand::Rng,
    /// The last number given by [`State::number`].
    last: u64,
    wallets: BTreeMap<Arc<str>, wallet::Wallet>,
    shops: BTreeMap<Arc<str>, shop::Shop>,
    tokens: tokens::Tokens,
    truth: truth::Book,
    life: life::Life,
}

impl State {
    /// A number that was not given before.
    fn number(&mut self) -> u64 {
        self.last = self.last.saturating_add(1);
        self.last
    }
}

impl World {
    /// An empty world with one merchant, whose credentials are the constants of [`crate::sandbox`].
    pub fn new(clock: Arc<dyn Clock>, seed: u64) -> Self {
        let merchant = Merchant { username: super::USERNAME.into(), api_key: super::API_KEY.into() };
        let state = State {
            settings: Settings::default(),
            rng: fastrand::Rng::with_seed(seed),
            last: 0,
            wallets: BTreeMap::from([(Arc::clone(&merchant.username), wallet::Wallet::new(super::PASSWORD))]),
            shops: BTreeMap::from([(Arc::clone(&merchant.api_key), shop::Shop::default())]),
            tokens: tokens::Tokens::default(),
            truth: truth::Book::default(),
            life: life::Life::default(),
        };
        // Without tz data the offset of the last decade is right.
        let zone =
            TimeZone::get("America/Argentina/Buenos_Aires").unwrap_or_else(|_| TimeZone::fixed(Offset::constant(-3)));
        Self { state: Arc::new(Mutex::new(state)), clock, zone, merchant }
    }

    /// The same world seen by a further merchant, made when missing: TelePagos user `name` with
    /// [`super::PASSWORD`], Sipago key `name`. What happens through this handle happens to that merchant.
    #[must_use]
    pub fn merchant(&self, name: &str) -> Self {
        let merchant = Merchant { username: name.into(), api_key: name.into() };
        self.with(|state| {
            state.wallets.entry(Arc::clone(&merchant.username)).or_insert_with(|| wallet::Wallet::new(super::PASSWORD));
            state.shops.entry(Arc::clone(&merchant.api_key)).or_default();
        });
        Self { merchant, ..self.clone() }
    }

    /// How many merchants there are.
    pub fn merchants(&self) -> usize {
        self.with(|state| state.wallets.len())
    }

    /// Whether this handle's merchant is the first one, who owns the collecting account.
    pub(super) fn owns_brand(&self) -> bool {
        &*self.merchant.username == super::USERNAME
    }

    /// The same world, seen by whoever has this API key; `None` when nobody has.
    pub(super) fn by_api_key(&self, key: &str) -> Option<Self> {
        let api_key = self.with(|state| state.shops.get_key_value(key).map(|(key, _)| Arc::clone(key)))?;
        Some(Self { merchant: Merchant { username: Arc::clone(&api_key), api_key }, ..self.clone() })
    }

    /// The same world, seen by this TelePagos user.
    pub(super) fn by_username(&self, username: Arc<str>) -> Self {
        Self { merchant: Merchant { api_key: Arc::clone(&username), username }, ..self.clone() }
    }

    /// Changes how the upstreams print.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        self.with(|state| change(&mut state.settings));
    }

    /// How the upstreams print now.
    pub fn settings(&self) -> Settings {
        self.with(|state| state.settings.clone())
    }

    /// The world's present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The world's present on a wall clock in Buenos Aires, to the second, as the upstreams print it.
    pub fn wall_clock(&self) -> DateTime {
        self.wall_clock_at(self.now())
    }

    pub(super) fn wall_clock_at(&self, at: Timestamp) -> DateTime {
        let local = self.zone.to_datetime(at);
        local.with().subsec_nanosecond(0).build().unwrap_or(local)
    }

    /// What happened so far, in its order. The oldest are forgotten beyond half a million.
    pub fn truth(&self) -> Vec<Happening> {
        self.with(|state| state.truth.all())
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere leaves rows, not invariants, behind.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Work on this merchant's TelePagos account.
    fn in_wallet<T>(&self, work: impl FnOnce(&mut wallet::Wallet, &mut truth::Book) -> T) -> T {
        self.with(|state| {
            let wallet = state
                .wallets
                .entry(Arc::clone(&self.merchant.username))
                .or_insert_with(|| wallet::Wallet::new(super::PASSWORD));
            work(wallet, &mut state.truth)
        })
    }

    /// Work on this merchant's Sipago account.
    fn in_shop<T>(&self, work: impl FnOnce(&mut shop::Shop, &mut truth::Book) -> T) -> T {
        self.with(|state| {
            let shop = state.shops.entry(Arc::clone(&self.merchant.api_key)).or_default();
            work(shop, &mut state.truth)
        })
    }
}
