//! Laws of the deposits, with the real source over the sandbox: a list without a filter, read whole each time.

use std::collections::BTreeMap;

use super::*;
use crate::config::{AccountConfig, Rate, Secret, SipagoAccount};
use crate::domain::day::Day;
use crate::domain::money::{Dialect, Punctuation, Unit};
use crate::sandbox::direct::DirectTransport;
use crate::sandbox::{API_KEY, Script, World};
use crate::sources::sipago::{PAID_DEPOSITS, SipagoSource};

const QUARTER: Duration = Duration::from_secs(900);

struct Bank {
    town: Town,
    world: World,
}

impl Bank {
    fn new() -> Self {
        let mut town = Town::new();
        town.watches = vec![(SourceKind::Deposits, PAID_DEPOSITS.to_owned())];
        let world = World::new(Arc::clone(&town.clock), 1);
        Self { town, world }
    }

    /// A watcher that has forgotten everything but the store.
    fn watcher(&self) -> Watcher {
        let transport = DirectTransport::new(self.world.clone(), Script::default(), Upstream::Sipago);
        let source = SipagoSource::new(account(), Arc::new(transport), Arc::clone(&self.town.clock));
        self.town.watcher_of(Arc::<MemoryStore>::clone(&self.town.store), Arc::new(source))
    }

    fn pay(&self, pesos: i64) {
        let id = self.world.sipago_deposit(Money::from_cents(pesos * 100));
        assert!(self.world.sipago_deposit_pay(&id));
    }
}

pub(super) fn account() -> SipagoAccount {
    let second = Duration::from_secs(1);
    let number = |n| std::num::NonZeroU32::new(n).unwrap();
    let common = AccountConfig {
        name: AccountName::new("palermo"),
        base_url: "https://api.example/services/".parse().unwrap(),
        rate: Rate { count: number(6_000), per: 60 * second, burst: number(6_000) },
        poll: Poll { hot: 15 * second, quiet: 15 * second, warm: QUARTER, cold: 86_400 * second, watch: 5 * second },
        lookback_days: 30,
        start: Start::Now,
        allow_http: false,
        sandbox: true,
        timeout: 20 * second,
        body_cap: 1 << 20,
        max_pages: 100,
        provider_zone: zone(),
        zone: zone(),
        dialect: Dialect { unit: Unit::Pesos, punctuation: Punctuation::Auto },
        date_formats: Vec::new(),
        status: BTreeMap::new(),
        operation: BTreeMap::new(),
        hints: None,
    };
    let api_key = Secret::new(API_KEY.to_owned());
    SipagoAccount {
        common,
        api_key,
        x_version: "1".to_owned(),
        deposits: true,
        early_stop: true,
        watch_links: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_paid_before_is_history_and_each_later_deposit_is_cried_once() {
    let bank = Bank::new();
    bank.pay(10_000);
    bank.world.sipago_deposit(Money::from_cents(1));
    let mut watcher = bank.watcher();
    bank.town.watch(&mut watcher, MINUTE).await;
    assert_eq!(bank.town.cried().await, Vec::<String>::new());
    bank.pay(20_000);
    bank.town.watch(&mut watcher, QUARTER + MINUTE).await;
    assert_eq!(bank.town.cried().await, ["settlement.paid 19098.20"]);
    // A restart tells nothing twice and loses nothing.
    bank.pay(30_000);
    bank.town.watch(&mut bank.watcher(), MINUTE).await;
    assert_eq!(bank.town.cried().await, ["settlement.paid 19098.20", "settlement.paid 28647.30"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_is_a_first_reading_too() {
    let bank = Bank::new();
    let mut watcher = bank.watcher();
    bank.town.watch(&mut watcher, MINUTE).await;
    bank.pay(10_000);
    bank.town.watch(&mut watcher, QUARTER + MINUTE).await;
    assert_eq!(bank.town.cried().await, ["settlement.paid 9549.10"]);
}

#[tokio::test(start_paused = true)]
async fn switched_on_later_the_list_is_history_all_the_same() {
    let mut bank = Bank::new();
    let asked_later = std::mem::take(&mut bank.town.watches);
    bank.town.watch(&mut bank.watcher(), MINUTE).await;
    bank.pay(10_000);
    bank.town.watches = asked_later;
    let mut watcher = bank.watcher();
    bank.town.watch(&mut watcher, MINUTE).await;
    assert_eq!(bank.town.cried().await, Vec::<String>::new());
    bank.pay(20_000);
    bank.town.watch(&mut watcher, QUARTER + MINUTE).await;
    assert_eq!(bank.town.cried().await, ["settlement.paid 19098.20"]);
}

#[tokio::test(start_paused = true)]
async fn a_start_in_the_past_cries_the_deposits_since_then() {
    let mut bank = Bank::new();
    bank.pay(10_000);
    tokio::time::advance(Duration::from_secs(3 * 86_400)).await;
    bank.pay(20_000);
    bank.town.policy.start = Start::Day(Day::parse("2026-11-23").unwrap());
    bank.town.watch(&mut bank.watcher(), MINUTE).await;
    assert_eq!(bank.town.cried().await, ["settlement.paid 19098.20"]);
}

#[tokio::test(start_paused = true)]
async fn a_merchant_without_deposits_for_months_is_not_forgotten() {
    let bank = Bank::new();
    bank.pay(10_000);
    let mut watcher = bank.watcher();
    // Longer than ledgers are remembered.
    for _ in 0..60 {
        bank.town.watch(&mut watcher, MINUTE).await;
        bank.town.store.sweep(bank.town.policy.remember).await.unwrap();
        tokio::time::advance(Duration::from_secs(86_400)).await;
    }
    bank.pay(20_000);
    bank.town.watch(&mut watcher, MINUTE).await;
    assert_eq!(bank.town.cried().await, ["settlement.paid 19098.20"]);
}
